"""Which spaces tensors can hold, and in which types."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.spaces import action_dtype, check_space, observation_dtype, spaces_of
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit


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


KINDS = [
    gym.spaces.Dict({"a": gym.spaces.Discrete(2)}),
    gym.spaces.Tuple([gym.spaces.Discrete(2)]),
    gym.spaces.Text(3),
    gym.spaces.Sequence(gym.spaces.Discrete(2)),
    gym.spaces.Graph(gym.spaces.Discrete(2), None),
]


@pytest.mark.parametrize("space", KINDS)
def test_other_kinds_are_refused_with_what_to_do(space):
    with pytest.raises(
        ValueError,
        match=(
            r"Any-v0: observation_space .* isn't supported; flatten it to"
            r" Discrete.*FlattenObservation"
        ),
    ):
        check_space("Any-v0", "observation_space", space)
    bandit = BernoulliBandit(2)
    bandit.action_space = space
    with pytest.raises(ValueError, match=r"BernoulliBandit-v0: action_space .* isn't supported"):
        spaces_of(bandit)


def nan_bounds():
    space = gym.spaces.Box(-1, 1, (2,))
    space.low[0] = np.nan
    return space


def crossed_bounds():
    space = gym.spaces.Box(-1, 1, (2,))
    space.low[0] = 2
    return space


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (None, "isn't a space; set it to one"),
        (gym.spaces.Discrete, "isn't a space"),
        ({"a": 1}, "isn't a space of Gymnasium"),
        (gym.spaces.Discrete(2**63 - 1, start=5), f"reaches {2**63 + 3}, beyond {2**63 - 1}"),
        (
            gym.spaces.MultiDiscrete([2, 2**63 - 1], start=[0, 7]),
            "reaches .* number its values from a lower start",
        ),
        (
            gym.spaces.MultiDiscrete([2, 3], start=[250, 254], dtype=np.uint8),
            "reaches 256, beyond 255",
        ),
        (nan_bounds(), "bounds that are NaN"),
        (crossed_bounds(), "lower bounds above its upper ones"),
    ],
)
def test_spaces_that_hold_no_values_of_their_own_are_refused(space, sentence):
    with pytest.raises(ValueError, match=rf"Any-v0: observation_space .*{sentence}"):
        check_space("Any-v0", "observation_space", space)


@pytest.mark.parametrize("space", [gym.spaces.Box(-1, 1, (0,)), gym.spaces.MultiDiscrete([])])
def test_there_may_be_nothing_to_see_but_not_nothing_to_choose(space):
    check_space("Any-v0", "observation_space", space)
    with pytest.raises(
        ValueError, match="action_space .* has no numbers, so there is nothing to choose"
    ):
        check_space("Any-v0", "action_space", space)


def test_spaces_of_a_distribution():
    assert spaces_of(BernoulliBandit(3)) == (gym.spaces.Discrete(1), gym.spaces.Discrete(3))
