"""The agent that is told the goal."""

import math

import pytest

from metarl.agents.registry import agent_names
from metarl.agents.scripted.known_goal import KnownGoal
from metarl.core.budget import Episodes
from metarl.core.reveal import reveal
from metarl.evaluation.protocol import evaluate
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.mazes.four_rooms import FourRooms
from metarl.tasks.mazes.grid_navi import GridNavi


@pytest.mark.parametrize("size", [5, 7])
def test_it_scores_its_upper_bound_in_every_task(size):
    told = reveal(GridNavi(size))
    budget = Episodes(4, 0)
    scores = evaluate(KnownGoal(told, budget), told, "test", 100, 0, budget).scores()
    assert scores == pytest.approx(
        told.upper_bound(told.sample(100, "test", 0), 4).numpy(), abs=1e-4
    )


@pytest.mark.parametrize(
    "distribution", [MovingBandits(), FourRooms(), FourRooms("four", 30)], ids=repr
)
def test_where_chance_decides_it_scores_its_upper_bound_on_average(distribution):
    told = reveal(distribution)
    budget = Episodes(2, 0)
    scores = evaluate(KnownGoal(told, budget), told, "test", 1000, 0, budget).scores()
    above = scores - told.upper_bound(told.sample(1000, "test", 0), 2).numpy()
    assert above.mean() == pytest.approx(0, abs=4 * above.std() / math.sqrt(1000))


def test_it_plays_what_is_told_only():
    assert "known-goal" in agent_names(reveal(GridNavi()))
    assert "known-goal" not in agent_names(GridNavi())
    with pytest.raises(ValueError, match=r"reveal\(GridNavi"):
        KnownGoal(GridNavi(), Episodes(4))
