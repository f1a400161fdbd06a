"""Steps as flat vectors, written out."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.interop.step_features import StepFeatures

FEATURES = [
    (gym.spaces.Discrete(3, start=1), 2, [0, 1, 0]),
    (gym.spaces.MultiDiscrete([2, 3]), [1, 2], [0, 1, 0, 0, 1]),
    (gym.spaces.MultiBinary(3), [1, 0, 1], [1, 0, 1]),
    (gym.spaces.Box(-2, 2, (2, 1), np.float64), [[0.5], [-2.0]], [0.5, -2]),
    (gym.spaces.Box(0, 255, (1, 2), np.uint8), [[7, 255]], [7, 255]),
]


@pytest.mark.parametrize(("space", "value", "features"), FEATURES)
def test_features_of_every_kind_of_space(space, value, features):
    no = torch.zeros(1, dtype=torch.bool)
    yes = torch.ones(1, dtype=torch.bool)
    values = torch.tensor([value])
    action = torch.tensor([1])
    reward = torch.tensor([0.25])
    encode = StepFeatures(space, gym.spaces.Discrete(2))
    row = encode(values, action, reward, yes, no)
    assert row.tolist() == [[*features, 0, 1, 0.25, 1]]
    assert row[0] in encode.space
    assert encode(values, action, reward, yes, yes).tolist() == [[*features, 0, 0, 0.25, 1]]
    swapped = StepFeatures(gym.spaces.Discrete(2), space)  # the same as a previous action
    assert swapped(action, values, reward, no, no).tolist() == [[0, 1, *features, 0.25, 0]]


def test_zeros_of_a_start_lie_within_the_space():
    encode = StepFeatures(gym.spaces.Discrete(1), gym.spaces.Box(1, 2, (1,), np.float32))
    assert np.array([1, 0, 0, 1], np.float32) in encode.space
