"""Only new progress pays."""

import pytest

from metarl.tasks.games.allow_backtracking import AllowBacktracking
from tests.tasks.scripted_game import ScriptedGame

PICTURE = [[[0, 0, 0]]]


def play(rewards):
    env = AllowBacktracking(ScriptedGame([PICTURE], rewards))
    env.reset(seed=0)
    return env, [env.step(0)[1] for _ in rewards]


def test_going_back_is_free_and_only_what_is_new_pays():
    #         at   5   3   4   7   7   -1   9
    _, paid = play([5, -2, 1, 3, 0, -8, 10])
    assert paid == [5, 0, 0, 2, 0, 0, 2]
    assert sum(paid) == 9  # the highest return reached, which here is the last


def test_left_of_the_start_is_not_new():
    assert play([-3, 3, 1])[1] == [0, 0, 1]


def test_the_end_bonus_passes_through():
    assert play([8000, -100, 1100 + 800])[1] == [8000, 0, 1800]


def test_an_episode_starts_anew():
    env, _ = play([5, -2])
    env.reset(seed=1)
    assert env.step(0)[1] == pytest.approx(5)
