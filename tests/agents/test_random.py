"""The random agent draws from any space of numbers."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.agents.random import RandomAgent
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from tests.agents.bandit_steps import pulled

INFINITE = float("inf")


def drawn(space, rows=20_000):
    """Actions of `rows` rows from `space`."""
    bandit = BernoulliBandit(2)
    bandit.action_space = space
    step = pulled(
        torch.zeros(rows, dtype=torch.int64), torch.zeros(rows), torch.ones(rows, dtype=torch.bool)
    )
    return RandomAgent(bandit, Episodes(1)).act(step, (), torch_generator(0))[0]


@pytest.mark.parametrize(
    ("space", "values"),
    [
        (gym.spaces.Discrete(5), [range(5)]),
        (gym.spaces.Discrete(3, start=-1), [range(-1, 2)]),
        (gym.spaces.MultiDiscrete([2, 4]), [range(2), range(4)]),
        (gym.spaces.MultiDiscrete([2, 3], start=[5, -2]), [range(5, 7), range(-2, 1)]),
        (gym.spaces.MultiDiscrete([[2, 3], [4, 2]]), [range(2), range(3), range(4), range(2)]),
        (gym.spaces.MultiBinary(3), [range(2)] * 3),
        (
            gym.spaces.Box(np.array([0, -2]), np.array([1, 3]), dtype=np.int32),
            [range(2), range(-2, 4)],
        ),
    ],
    ids=str,
)
def test_whole_numbers_are_uniform(space, values):
    action = drawn(space)
    assert action.shape[1:] == space.shape
    for column, wanted in zip(action.reshape(len(action), -1).T, values, strict=True):
        found, counts = column.unique(return_counts=True)
        assert found.tolist() == list(wanted)
        expected = len(action) / len(wanted)
        assert (counts - expected).abs().max() < 5 * expected**0.5


def test_boxes_are_uniform_between_bounds_exponential_from_one_and_normal_without():
    space = gym.spaces.Box(
        np.array([-1, 2, -INFINITE, -INFINITE], np.float32),
        np.array([3, INFINITE, 5, INFINITE], np.float32),
    )
    action = drawn(space)
    assert action.dtype == torch.float32
    assert all(space.contains(row) for row in action[:100].numpy())
    assert action.mean(0).tolist() == pytest.approx([1, 3, 4, 0], abs=0.05)
    assert action.std(0).tolist() == pytest.approx([4 / 12**0.5, 1, 1, 1], abs=0.05)
    assert (action[:, 1].min() >= 2) & (action[:, 2].max() <= 5)


def test_columns_and_rows_are_independent():
    action = drawn(gym.spaces.MultiBinary(2)).to(torch.float64)
    assert abs(torch.corrcoef(action.T)[0, 1]) < 0.04
    assert abs(torch.corrcoef(torch.stack([action[1:, 0], action[:-1, 0]]))[0, 1]) < 0.04


def test_it_earns_half_a_pull_on_bernoulli_bandits():
    budget = Episodes(10, 0)
    bandit = BernoulliBandit(5)
    scores = evaluate(RandomAgent(bandit, budget), bandit, "test", 20_000, 0, budget).scores()
    assert abs(scores.mean() - 5) < 4 * scores.std() / 20_000**0.5


def test_other_spaces_are_refused():
    bandit = BernoulliBandit(2)
    bandit.action_space = gym.spaces.Text(4)
    assert not RandomAgent.supports(bandit)
    with pytest.raises(ValueError, match="can't draw from Text"):
        RandomAgent(bandit, Episodes(1))
