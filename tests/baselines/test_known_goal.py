"""The agent that is told GridNavi's goal."""

import pytest

from metarl.baselines.known_goal import KnownGoal
from metarl.baselines.registry import agent_names
from metarl.envs.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.tasks.grid_navi import GridNavi
from metarl.tasks.reveal import reveal


@pytest.mark.parametrize("size", [5, 7])
def test_it_scores_its_upper_bound_in_every_task(size):
    told, budget = reveal(GridNavi(size)), Episodes(4, 0)
    scores = evaluate(KnownGoal(told, budget), told, "test", 100, 0, budget).scores()
    assert scores == pytest.approx(told.upper_bound(told.sample(100, "test", 0), 4).numpy(), abs=1e-4)


def test_it_plays_what_is_told_only():
    assert "known-goal" in agent_names(reveal(GridNavi()))
    assert "known-goal" not in agent_names(GridNavi())
    with pytest.raises(ValueError, match=r"reveal\(GridNavi"):
        KnownGoal(GridNavi(), Episodes(4))
