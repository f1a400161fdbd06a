"""A budget of steps in a figure.

Marks at episodes' ends, and a score so far that ends as the score.
"""

import numpy as np
import pytest

import metarl
from benchmarks.sonic.figures import budget_figure, score_so_far
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from tests.evaluation.drawing_envs import DrawsItself


class Ramp(DrawsItself):
    """Its k-th episode takes k + 1 steps and pays 1 a step."""

    episodes = 0

    def reset(self, *, seed=None, options=None):
        self.episodes += 1
        return super().reset()

    def step(self, action):
        observation, reward, _, truncated, info = super().step(action)
        return observation, reward, self.clock == self.episodes + 1, truncated, info


def play(steps, num_tasks=1):
    distribution = GymnasiumDistribution("Ramp-v0", Ramp, {"test": [0]}, 20)
    budget = metarl.Steps(steps)
    return metarl.evaluate(
        metarl.make_agent("random", distribution, budget),
        distribution,
        "test",
        num_tasks,
        0,
        budget,
    )


def test_the_score_so_far_ends_as_the_score():
    evaluation = play(11)  # episodes of 2, 3 and 4 steps, and two steps of another
    ends, scores = score_so_far(evaluation)
    assert ends.tolist() == [2, 5, 9]
    assert scores.tolist() == [2.0, 2.5, 3.0]
    assert evaluation.scores("budget_mean").tolist() == [3.0]


def test_an_only_episode_counts_although_it_is_cut():
    ends, scores = score_so_far(play(1))
    assert (ends.tolist(), scores.tolist()) == ([1], [1.0])


def test_marks_stand_at_ends_and_lines_reach_the_end_of_the_budget():
    above, below = budget_figure({"one": play(11), "other": play(11)}).axes
    first, second = above.lines
    assert first.get_xdata().tolist() == [2, 5, 9]
    assert first.get_ydata() == pytest.approx([2, 3, 4], abs=0.1)
    assert (np.asarray(second.get_ydata()) > first.get_ydata()).all(), (
        "marks of equal returns both show"
    )
    assert list(below.lines[0].get_xdata()) == [2, 5, 9, 11]
    assert list(below.lines[0].get_ydata()) == [2.0, 2.5, 3.0, 3.0]
    assert [line.get_label() for line in above.lines] == ["one", "other"]


def test_what_isnt_comparable_is_refused():
    with pytest.raises(ValueError, match="one task"):
        score_so_far(play(11, num_tasks=2))
    with pytest.raises(ValueError, match="same budget"):
        budget_figure({"one": play(11), "other": play(12)})
    with pytest.raises(ValueError, match="same budget"):
        budget_figure({})
