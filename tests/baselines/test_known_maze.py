"""The agent that is told the maze."""

import pytest

from metarl.baselines.known_maze import KnownMaze
from metarl.baselines.registry import agent_names
from metarl.envs.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.tasks.grid_maze import GridMaze
from metarl.tasks.reveal import reveal


@pytest.mark.parametrize("arguments", [{}, {"size": 7, "algorithm": "kruskal", "loops": 0.3}, {"window": 2}])
def test_it_scores_its_upper_bound_in_every_maze(arguments):
    told, budget = reveal(GridMaze(**arguments)), Episodes(2, 0)
    played = evaluate(KnownMaze(told, budget), told, "test", 100, 0, budget)
    assert played.scores() == pytest.approx(told.upper_bound(told.sample(100, "test", 0), 2).numpy(), abs=1e-4)
    assert played.success.all()


def test_it_plays_what_is_told_only():
    assert "known-maze" in agent_names(reveal(GridMaze()))
    assert "known-maze" not in agent_names(GridMaze())
    with pytest.raises(ValueError, match=r"reveal\(GridMaze"):
        KnownMaze(GridMaze(), Episodes(2))
