"""Which spaces tensors can hold, and in which types."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.tasks.bernoulli_bandit import BernoulliBandit
from metarl.tasks.spaces import action_dtype, check_space, observation_dtype, spaces_of


@pytest.mark.parametrize(
    ("space", "action", "observation"),
    [
        (gym.spaces.Discrete(3), torch.int64, torch.int64),
        (gym.spaces.MultiDiscrete([2, 3]), torch.int64, torch.int64),
        (gym.spaces.MultiBinary(4), torch.int64, torch.int64),
        (gym.spaces.Box(-1, 1, (2,), np.float64), torch.float32, torch.float32),
        (gym.spaces.Box(0, 255, (2, 2), np.uint8), torch.float32, torch.uint8),
    ],
)
def test_types_of_actions_and_observations(space, action, observation):
    assert action_dtype(space) == action
    assert observation_dtype(space) == observation
    check_space("Any-v0", "action_space", space)


@pytest.mark.parametrize("space", [gym.spaces.Dict({"a": gym.spaces.Discrete(2)}), gym.spaces.Text(3), None])
def test_other_kinds_are_refused_with_what_to_do(space):
    with pytest.raises(ValueError, match=r"Any-v0: observation_space .* isn't supported; flatten it to Discrete"):
        check_space("Any-v0", "observation_space", space)
    bandit = BernoulliBandit(2)
    bandit.action_space = space
    with pytest.raises(ValueError, match=r"BernoulliBandit-v0: action_space .* isn't supported"):
        spaces_of(bandit)


def test_spaces_of_a_distribution():
    assert spaces_of(BernoulliBandit(3)) == (gym.spaces.Discrete(1), gym.spaces.Discrete(3))
