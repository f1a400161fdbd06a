"""The check for leaked tasks passes on hidden ones and catches observations that depend on the
task.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.checks.information import (
    check_first_observation_hides_the_task,
    check_hidden_fields_stay_hidden,
    dependence,
)
from metarl.core.errors import PlugInError
from metarl.tasks.mazes.four_rooms import FourRooms
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.grid_navi import GridNavi
from tests.checks.families import Walk


class Leaky(Walk):
    """A walk that adds `hint` to its observations."""

    def __init__(self):
        super().__init__()
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (3,), np.float32)

    def reset(self, tasks, rng):
        state, observation = super().reset(tasks, rng)
        return state, torch.cat([observation, self.hint(tasks, observation, rng)[:, None]], 1)

    def step(self, tasks, state, action, rng):
        transition = super().step(tasks, state, action, rng)
        return transition._replace(
            observation=torch.nn.functional.pad(transition.observation, (0, 1))
        )

    def hint(self, tasks, observation, rng):
        return torch.randn(len(tasks), generator=rng, dtype=tasks.goal.dtype)


class ShowsTheGoal(Leaky):
    def hint(self, tasks, observation, rng):
        return tasks.goal[:, 0]


class ShowsTheDistance(Leaky):
    def hint(self, tasks, observation, rng):
        return (observation - tasks.goal).norm(dim=1)


class ShowsTheGoalInNoise(Leaky):
    def hint(self, tasks, observation, rng):
        return tasks.goal[:, 0] + torch.randn(len(tasks), generator=rng, dtype=tasks.goal.dtype)


class ScattersByTheGoal(Leaky):
    """The mean tells nothing, the spread does."""

    def hint(self, tasks, observation, rng):
        return tasks.goal[:, 0] * torch.randn(len(tasks), generator=rng, dtype=tasks.goal.dtype)


class MeantTo(ShowsTheGoal):
    reveals = True


class Hiding(Walk):
    hides = ("goal",)


class ShowsTheGoalLater(Hiding):
    def step(self, tasks, state, action, rng):
        transition = super().step(tasks, state, action, rng)
        return transition._replace(observation=transition.observation + 1e-3 * tasks.goal)


class ShowsTheGoalAtOnce(Hiding):
    def reset(self, tasks, rng):
        state, observation = super().reset(tasks, rng)
        return state, observation + 1e-3 * tasks.goal


class ShowsTheGoalAsACell(FourRooms):
    def reset(self, tasks, rng):
        return super().reset(tasks, rng)[0], tasks.goal


class HidesWhatThereIsnt(Walk):
    hides = ("gaol",)


@pytest.mark.parametrize("sound", [Walk, Hiding, FourRooms, GridMaze, GridNavi])
def test_what_is_hidden_passes(sound):
    check_hidden_fields_stay_hidden(sound)


@pytest.mark.parametrize(
    ("leaky", "words"),
    [
        (ShowsTheGoalLater, "another task's goal, the observation after 1 steps is another one"),
        (ShowsTheGoalAtOnce, "the observation after 0 steps"),
        (ShowsTheGoalAsACell, "the observation after 0 steps"),
        (HidesWhatThereIsnt, "Name fields of its tasks, which are goal"),
    ],
)
def test_what_is_hidden_and_shown_is_caught(leaky, words):
    with pytest.raises(PlugInError, match=words):
        check_hidden_fields_stay_hidden(leaky)


@pytest.mark.parametrize("sound", [Walk, Leaky, MeantTo])
def test_hidden_tasks_and_declared_ones_pass(sound):
    check_first_observation_hides_the_task(sound)


@pytest.mark.parametrize(
    "leaky", [ShowsTheGoal, ShowsTheDistance, ShowsTheGoalInNoise, ScattersByTheGoal]
)
def test_a_leaked_task_is_caught(leaky):
    with pytest.raises(PlugInError, match="first observation tells which task it is"):
        check_first_observation_hides_the_task(leaky)


def test_dependence_rarely_fires_by_chance():
    rng = np.random.default_rng(0)
    heavy = [dependence(rng.standard_cauchy((64, 20)), 8)[0] for _ in range(300)]
    assert min(heavy) > 1e-4  # one in a million is the limit
    assert np.mean(np.array(heavy) < 0.1) < 0.15


def test_dependence_names_the_entry():
    values = np.random.default_rng(0).standard_normal((64, 5))
    values[:, 3] = np.repeat(np.arange(8), 8)
    probability, entry = dependence(values, 8)
    assert probability < 1e-7
    assert entry == 3


def test_what_never_changes_tells_nothing():
    assert dependence(np.ones((64, 3)), 8) == (1.0, -1)
    assert dependence(np.zeros((64, 0)), 8) == (1.0, -1)
