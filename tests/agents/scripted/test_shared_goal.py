"""The agent that always walks to one goal."""

import math

import pytest

from metarl.agents.registry import agent_names
from metarl.agents.scripted.shared_goal import SharedGoal
from metarl.core.budget import Episodes
from metarl.core.reveal import reveal
from metarl.evaluation.protocol import evaluate
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.mazes.grid_navi import GridNavi

BUDGET = Episodes(4, 0)


@pytest.mark.parametrize("goal", [0, 1])
def test_it_is_right_in_half_of_the_tasks(goal):
    distribution = MovingBandits()
    played = evaluate(SharedGoal(distribution, BUDGET, goal), distribution, "test", 4000, 0, BUDGET)
    scores = played.scores() / 4
    correct = distribution.sample(4000, "test", 0).correct.numpy()
    bound = distribution.upper_bound(distribution.sample(1, "test", 0), 1).item()
    for chosen, known in ((scores[correct == goal], bound), (scores, 23.1)):
        assert chosen.mean() == pytest.approx(
            known, abs=0.05 + 4 * chosen.std() / math.sqrt(len(chosen))
        )


def test_it_plays_moving_bandits_only():
    assert "shared-goal" in agent_names(MovingBandits())
    for distribution in (GridNavi(), reveal(MovingBandits())):
        assert "shared-goal" not in agent_names(distribution)
        with pytest.raises(ValueError, match="plays MovingBandits, not"):
            SharedGoal(distribution, BUDGET)
    with pytest.raises(ValueError, match="choose goal 0 or 1, not 2"):
        SharedGoal(MovingBandits(), BUDGET, goal=2)
