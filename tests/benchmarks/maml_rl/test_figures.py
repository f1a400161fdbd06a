"""Paths before and after updates.

They are what was scored, they end where the episode ends, and a figure shows them goal by goal.
"""

import numpy as np
import pytest
import torch

from benchmarks.maml_rl.figures import paths_figure, walk
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.maml_rl import MAMLRL
from metarl.tasks.control.point_navigation import REACHED, PointNavigation

NAVIGATION = PointNavigation(horizon=12)
GOALS = NAVIGATION.sample(4, "test", 3).goal
EACH = 2  # episodes an update


class PartOfTheWay:
    """Walks at random while it learns, then that share of the straight way to each goal that it has
    learned.
    """

    def __init__(self, budget):
        self.learning = budget.learning
        self.share = budget.learning / (3 * EACH)

    def initial_state(self, batch_size):
        return torch.full((batch_size,), -1)

    def act(self, step, state, rng):
        played = state + (step.meta_episode_start | step.prev_terminated | step.prev_truncated)
        towards = (self.share * GOALS.float() - step.observation).clamp(-0.1, 0.1)
        return (
            torch.where(
                (played < self.learning)[:, None],
                torch.rand(towards.shape, generator=rng) * 0.1,
                towards,
            ),
            played,
        )


@pytest.fixture(scope="module")
def walks():
    return walk(PartOfTheWay, NAVIGATION, 4, 3, EACH)


def test_paths_are_what_was_scored(walks):
    assert np.array_equal(walks.goals, GOALS.numpy())
    assert list(walks.places) == [0, 1, 2, 3]
    for update, paths in walks.places.items():
        away = [
            np.linalg.norm(goal - path[1:], axis=1).sum()
            for goal, path in zip(walks.goals, paths, strict=True)
        ]
        assert walks.returns(update) == pytest.approx(-np.array(away), abs=1e-4)
        assert walks.evaluations[update].matrix().shape == (4, EACH * update + 1)


def test_paths_start_at_the_start_and_end_with_the_episode(walks):
    for update, paths in walks.places.items():
        for goal, path in zip(walks.goals, paths, strict=True):
            assert np.array_equal(path[0], [0, 0])
            assert path[-1] == pytest.approx(goal * update / 3, abs=REACHED)
            assert len(path) == (
                13 if update < 3 else np.ceil((np.abs(goal).max() - REACHED) / 0.1) + 1
            )


def test_later_paths_continue_the_same_adaptation():
    learner = MAMLRL(MAMLRL.Config(tasks=2, adaptation=Adaptation(EACH, inner_lr=1.0)), NAVIGATION)
    walks = walk(learner.agent, NAVIGATION, 3, 0, EACH, updates=2)
    one, two = (walks.evaluations[update].matrix() for update in (1, 2))
    assert one[:, :EACH] == pytest.approx(two[:, :EACH], abs=1e-5)
    assert all(
        not np.allclose(before[-1], after[-1])
        for before, after in zip(walks.places[0], walks.places[2], strict=True)
    )


def test_a_row_for_each_label_and_a_column_for_each_goal(walks):
    figure = paths_figure({"one": walks, "other": walks}, [2, 0, 1])
    assert [axes.get_ylabel() for axes in figure.axes] == ["one", "", "", "other", "", ""]
    first = figure.axes[0]
    assert first.get_title(loc="left") == f"{walks.returns(0)[2]:.1f} → {walks.returns(3)[2]:.1f}"
    named = {line.get_label(): line.get_xydata() for line in first.lines}
    assert list(named)[1:] == [
        "before",
        "after 1 update",
        "after 2 updates",
        "after 3 updates",
        "start",
        "goal",
    ]
    assert np.array_equal(named["after 3 updates"], walks.places[3][2])
    assert np.array_equal(named["goal"][0], walks.goals[2])


def test_what_cant_be_walked_or_drawn_is_said(walks):
    with pytest.raises(ValueError, match="at least 1 goal"):
        walk(PartOfTheWay, NAVIGATION, 4, 3, episodes=0)
    with pytest.raises(ValueError, match="same goals"):
        paths_figure({"one": walks}, [])
    with pytest.raises(ValueError, match="same goals"):
        paths_figure(
            {"one": walks, "other": walk(PartOfTheWay, NAVIGATION, 4, 4, EACH, updates=0)}, [0]
        )
