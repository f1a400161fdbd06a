"""Budgets count what they say, and refuse what makes no sense."""

import pytest

import metarl
from metarl.core.budget import Episodes, Steps, max_steps


@pytest.mark.parametrize(("learning", "after"), [(0, 0), (-1, 3), (3, -1), (-1, -1)])
def test_a_budget_without_episodes_is_refused(learning, after):
    with pytest.raises(ValueError, match=f"K={learning}, M={after}"):
        Episodes(learning, after)


def test_episodes_zero_without_episodes_after_is_refused():
    assert Episodes(0, after=1).total == 1  # one episode without learning is a fair question
    with pytest.raises(ValueError, match="K \\+ M >= 1"):
        Episodes(0)


@pytest.mark.parametrize("steps", [0, -5])
def test_a_budget_without_steps_is_refused(steps):
    with pytest.raises(ValueError, match=f"at least one step, not {steps}"):
        Steps(steps)


def test_totals():
    assert Episodes(10).total == 10
    assert Episodes(3, after=4).total == 7


def test_most_steps_of_a_meta_episode():
    mdp = metarl.make("RandomMDP-v0", horizon=7)
    assert max_steps(Episodes(3, after=2), mdp) == 35
    assert max_steps(Steps(12), mdp) == 12


def test_budgets_are_frozen_and_equal_by_value():
    assert Episodes(3, 0) == Episodes(3)
    assert Steps(3) != Episodes(3)
    with pytest.raises(AttributeError):
        Steps(3).total = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Episodes(2.5),
        lambda: Episodes(True),
        lambda: Episodes(2, after=0.5),
        lambda: Steps(2.5),
    ],
)
def test_parts_of_episodes_and_steps_are_refused(make):
    with pytest.raises(ValueError, match="must be a whole number"):
        make()
