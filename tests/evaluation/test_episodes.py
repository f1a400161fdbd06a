"""Lengths by episode, and the share of second episodes that are shorter than the first."""

import numpy as np
import pytest

from metarl.agents.registry import make_agent
from metarl.core.budget import Episodes, Steps
from metarl.evaluation.episodes import episode_lengths, episode_successes, shortened
from metarl.evaluation.protocol import evaluate
from metarl.tasks.mazes.grid_maze import GridMaze

MAZE = GridMaze(3, horizon=20)


def played(budget):
    return evaluate(make_agent("random", MAZE, budget), MAZE, "test", 30, 0, budget)


def test_one_row_a_task_and_one_column_an_episode():
    evaluation = played(Episodes(3, 0))
    rows = evaluation.rows()
    lengths = episode_lengths(evaluation)
    successes = episode_successes(evaluation)
    assert lengths.shape == successes.shape == (30, 3)
    for line in rows.itertuples():
        assert lengths[line.task, line.episode] == line.length
        assert successes[line.task, line.episode] == line.success


def test_what_could_not_be_shortened_counts_among_all_only():
    lengths = np.array([[5, 5], [9, 5], [9, 9], [7, 8], [4, 4], [8, 3]])
    shares = shortened(lengths, np.array([5, 5, 5, 6, 4, 3]))
    assert shares.of_all.value == pytest.approx(2 / 6)
    assert shares.of_improvable.value == pytest.approx(2 / 4)
    assert shares.of_improvable.n == 4
    assert shortened(lengths[:1], np.array([5])).of_improvable is None


def test_a_budget_of_steps_has_no_such_table():
    with pytest.raises(ValueError, match="Episodes budget"):
        episode_lengths(played(Steps(50)))
