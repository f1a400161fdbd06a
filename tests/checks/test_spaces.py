"""Random actions lie in their space, and what lies outside one is told apart."""

import re

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.checks.spaces import outside, random_actions

SPACES = [
    gym.spaces.Discrete(5),
    gym.spaces.Discrete(3, start=-1),
    gym.spaces.MultiDiscrete([2, 3, 4]),
    gym.spaces.MultiBinary(4),
    gym.spaces.Box(-2.0, 3.0, (2, 2), np.float32),
    gym.spaces.Box(np.array([-np.inf, 0.0], np.float32), np.array([np.inf, 1.0], np.float32)),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_random_actions_lie_in_the_space_and_fill_it(space):
    actions = random_actions(space, 500, torch.Generator().manual_seed(0))
    assert actions.shape == (500, *space.shape)
    assert outside(space, actions) is None
    sample = np.asarray(space.sample())
    assert all(space.contains(action.numpy().astype(sample.dtype)) for action in actions)
    if isinstance(space, gym.spaces.Discrete):
        assert set(actions.tolist()) == set(range(int(space.start), int(space.start + space.n)))
    if isinstance(space, gym.spaces.MultiDiscrete):
        assert actions.amax(0).tolist() == (space.nvec - 1).tolist()
        assert actions.amin(0).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("space", "values", "words"),
    [
        (SPACES[0], torch.tensor([0, 5]), "reach from 0 to 5"),
        (SPACES[0], torch.tensor([0.0, 1.0]), "torch.float32 instead of torch.int64"),
        (SPACES[1], torch.tensor([-2]), "reach from -2"),
        (SPACES[2], torch.tensor([[1, 2, 4]]), "reach from 1 to 4"),
        (SPACES[3], torch.tensor([[1, 0, 1]]), r"shape \(3,\) instead of \(4,\)"),
        (SPACES[4], torch.full((1, 2, 2), 3.5), "beyond the box"),
        (SPACES[4], torch.full((1, 2, 2), torch.nan), "not finite"),
        (SPACES[4], torch.ones(1, 2, 2, dtype=torch.int64), "torch.int64 instead of floating"),
        (SPACES[5], torch.tensor([[100.0, 1.5]]), "beyond the box"),
        (
            gym.spaces.Box(0, 255, (2,), np.uint8),
            torch.ones(1, 2),
            "torch.float32 instead of uint8",
        ),
    ],
)
def test_what_lies_outside_is_told(space, values, words):
    trouble = outside(space, values)
    assert trouble is not None
    assert re.search(words, trouble)
