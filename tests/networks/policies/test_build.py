"""The policy that a config describes."""

import pytest

from metarl.core.seeding import torch_generator
from metarl.networks.cores.attention import Attention
from metarl.networks.cores.feed_forward import FeedForward
from metarl.networks.cores.gru import GRU
from metarl.networks.cores.lstm import LSTM
from metarl.networks.policies.build import build_policy
from metarl.networks.policies.per_pair_memory import PerPairMemoryPolicy
from metarl.networks.policies.policy import NetworkConfig, Policy
from metarl.networks.policies.spatial_memory import SpatialMemoryPolicy
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.mazes.grid_maze import GridMaze

BANDIT = BernoulliBandit(3)


@pytest.mark.parametrize(
    ("core", "kind"),
    [("gru", GRU), ("lstm", LSTM), ("attention", Attention), ("none", FeedForward)],
)
def test_cores_of_the_general_policy(core, kind):
    policy = build_policy(BANDIT, NetworkConfig(core, hidden_size=8), 10, torch_generator(0))
    assert isinstance(policy, Policy)
    assert isinstance(policy.core, kind)
    assert policy.core.size == 8


def test_memories_for_each_pair():
    policy = build_policy(
        BANDIT, NetworkConfig("per_pair_memory", hidden_size=8), 10, torch_generator(0)
    )
    assert isinstance(policy, PerPairMemoryPolicy)
    assert (policy.gru.size, policy.num_actions, policy.max_steps) == (8, 3, 10)


def test_memories_for_each_place():
    policy = build_policy(
        GridMaze(), NetworkConfig("spatial_memory", hidden_size=8), 10, torch_generator(0)
    )
    assert isinstance(policy, SpatialMemoryPolicy)
    assert (policy.core.size, policy.places.size) == (8, 4)
