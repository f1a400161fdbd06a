"""The agent that is told the maze."""

import pytest

from metarl.agents.mazes.known_maze import KnownMaze
from metarl.agents.registry import agent_names
from metarl.core.budget import Episodes
from metarl.core.reveal import reveal
from metarl.evaluation.protocol import evaluate
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.visual_maze import VisualMaze


@pytest.mark.parametrize(
    "arguments", [{}, {"size": 7, "algorithm": "kruskal", "loops": 0.3}, {"window": 2}]
)
def test_it_scores_its_upper_bound_in_every_maze(arguments):
    told = reveal(GridMaze(**arguments))
    budget = Episodes(2, 0)
    played = evaluate(KnownMaze(told, budget), told, "test", 100, 0, budget)
    assert played.scores() == pytest.approx(
        told.upper_bound(told.sample(100, "test", 0), 2).numpy(), abs=1e-4
    )
    assert played.success.all()


@pytest.mark.parametrize(
    "arguments", [{}, {"size": 4, "algorithm": "kruskal", "loops": 0.4}, {"horizon": 12}]
)
def test_in_first_person_it_scores_its_upper_bound_too(arguments):
    told = reveal(VisualMaze(**arguments))
    budget = Episodes(2, 0)
    played = evaluate(KnownMaze(told, budget), told, "test", 60, 0, budget)
    bound = told.upper_bound(told.sample(60, "test", 0), 2).numpy()
    assert played.scores() == pytest.approx(bound, abs=1e-4)
    assert played.success.all() == ("horizon" not in arguments), (
        "with few steps the goal can't always be reached"
    )


def test_it_plays_what_is_told_only():
    assert "known-maze" in agent_names(reveal(GridMaze()))
    assert "known-maze" not in agent_names(GridMaze())
    assert "known-maze" in agent_names(reveal(VisualMaze()))
    assert "known-maze" not in agent_names(reveal(VisualMaze(turns=12)))
    for other in (GridMaze(), VisualMaze(), reveal(VisualMaze(strides=2))):
        with pytest.raises(ValueError, match=r"reveal\(GridMaze.* with 4 turns and 1 stride"):
            KnownMaze(other, Episodes(2))
