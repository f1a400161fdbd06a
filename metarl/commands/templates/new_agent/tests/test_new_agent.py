"""The agent keeps every contract, and scores what can be calculated."""

import metarl
import pytest
from metarl.checks import parametrize_agent_checks

from new_agent import NewAgent

BANDIT = metarl.make("BernoulliBandit-v0", arms=2)
BUDGET = metarl.Episodes(10)


@parametrize_agent_checks({"new-agent": (NewAgent, BANDIT, BUDGET)})
def test_it_is_a_sound_agent(check):
    """Each check of `metarl.checks` is a test of its own."""
    check()


def test_it_is_known_by_its_id():
    """The entry point in pyproject.toml leads to the class."""
    assert isinstance(metarl.make_agent("new-agent", BANDIT, BUDGET), NewAgent)


def test_its_second_pull_pays_what_a_calculation_says():
    """It is E[p^2 + (1 - p) q] = 1/3 + 1/4 for p, q ~ U[0, 1]: stay on a win, else shift."""
    agent = metarl.make_agent("new-agent", BANDIT, metarl.Episodes(2))
    result = metarl.evaluate(agent, BANDIT, "test", 100_000, 0, metarl.Episodes(2))
    by_pull = result.rows().groupby("episode")["return"].mean()
    assert by_pull.to_list() == pytest.approx([1 / 2, 7 / 12], abs=0.006)


def test_it_needs_numbered_actions():
    """A family of another kind is refused with a sentence."""
    with pytest.raises(ValueError, match="can't play"):
        metarl.make_agent("new-agent", "PointNavigation-v0", BUDGET)
