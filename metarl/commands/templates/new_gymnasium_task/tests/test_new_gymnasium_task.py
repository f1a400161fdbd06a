"""The family keeps every contract, and pays what a calculation by hand says."""

import metarl
import numpy as np
import pytest
from metarl.checks import parametrize_distribution_checks

from new_gymnasium_task import NewGymnasiumTask, new_gymnasium_task


@parametrize_distribution_checks({"NewGymnasiumTask-v0": new_gymnasium_task})
def test_it_is_a_sound_distribution(check):
    """Each check of `metarl.checks` is a test of its own."""
    check()


def test_it_is_known_by_its_id():
    """The entry point in pyproject.toml leads to the function."""
    assert metarl.make("NewGymnasiumTask-v0").splits == ("train", "test", "validation")


def test_a_walk_is_paid_by_its_distance_and_ends_at_the_goal():
    """From the middle to (0.5, 0) by two moves of 0.25."""
    env = NewGymnasiumTask(np.array([0.5, 0.0]))
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step(np.array([0.25, 0.0]))
    assert (reward, terminated, info["success"]) == (pytest.approx(-0.25), False, False)
    _, reward, terminated, _, info = env.step(np.array([0.25, 0.0]))
    assert (reward, terminated, info["success"]) == (pytest.approx(0.0), True, True)
