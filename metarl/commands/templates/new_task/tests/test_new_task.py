"""The family keeps every contract, and pays what a calculation by hand says."""

import metarl
import pytest
import torch
from metarl.checks import parametrize_distribution_checks

from new_task import NewTask, NewTaskTasks


@parametrize_distribution_checks({"NewTask-v0": NewTask})
def test_it_is_a_sound_distribution(check):
    """Each check of `metarl.checks` is a test of its own."""
    check()


def test_it_is_known_by_its_id():
    """The entry point in pyproject.toml leads to the class."""
    assert metarl.make("NewTask-v0", horizon=3).horizon == 3


def test_a_walk_straight_to_the_goal_is_paid_the_upper_bound():
    """From 0 to 0.4 by moves of at most 0.25, 0.15 and then nothing are left."""
    family = NewTask(horizon=3)
    tasks = NewTaskTasks(torch.tensor([0.4], dtype=torch.float64))
    rng = torch.Generator()
    state, _ = family.reset(tasks, rng)
    rewards = []
    for move in (0.25, 0.15, 0.0):
        turn = family.step(tasks, state, torch.tensor([[move]]), rng)
        state = turn.state
        rewards.append(float(turn.reward))
    assert rewards == pytest.approx([-0.15, 0.0, 0.0], abs=1e-6)
    assert float(family.upper_bound(tasks, 2)) == pytest.approx(-0.3)
    assert bool(turn.success)
