"""A level of CoinRun: always the same, ends told apart, pictures."""

import subprocess
import sys

import numpy as np
import pytest

from metarl.tasks.games import coin_run_env
from metarl.tasks.games.coin_run_env import LONGEST, MakeLevel

JUMP_RIGHT = 5
STILL = 0


def play(env, actions):
    observation, _ = env.reset()
    seen = [(observation, 0.0, False, False, {})]
    for action in actions:
        seen.append(env.step(action))
        if seen[-1][2] or seen[-1][3]:
            break
    return seen


def test_a_level_is_the_same_in_every_episode_and_environment():
    actions = np.random.default_rng(0).choice([2, 5], 60)
    one = MakeLevel()(3)
    two = MakeLevel()(3)
    other = MakeLevel()(4)
    first = play(one, actions)
    for again in (play(one, actions), play(two, actions)):
        assert len(again) == len(first)
        for a, b in zip(first, again, strict=True):
            assert np.array_equal(a[0], b[0])
            assert a[1:4] == b[1:4]
    assert not np.array_equal(other.reset()[0], first[0][0])


def test_the_coin_ends_an_episode_with_reward_and_success():
    ends = []
    for level in range(12):
        for actions in ([JUMP_RIGHT] * 400, np.random.default_rng(level).choice([2, 5], 400)):
            ends.append(play(MakeLevel()(level), actions)[-1])
    won = [end for end in ends if end[1] == 10]
    lost = [end for end in ends if end[1] == 0 and end[2]]
    assert won
    assert lost
    assert all(end[2] and not end[3] and end[4]["success"] for end in won)
    assert all(not end[4]["success"] for end in lost)


def test_standing_still_is_truncated_in_the_end_and_the_next_episode_begins_at_the_start():
    env = MakeLevel()(0)
    seen = play(env, [STILL] * (LONGEST + 5))
    assert len(seen) == LONGEST + 1
    assert seen[-1][1:4] == (0.0, False, True)
    assert np.array_equal(env.reset()[0], seen[0][0])


def test_a_reset_amid_an_episode_leads_back_to_the_start():
    env = MakeLevel()(1)
    start, _ = env.reset()
    for _ in range(7):
        moved = env.step(JUMP_RIGHT)[0]
    assert not np.array_equal(moved, start)
    assert np.array_equal(env.reset()[0], start)
    again = env.step(JUMP_RIGHT)
    assert again[1:4] == (0.0, False, False)


def test_the_picture_shows_what_the_observation_shows():
    env = MakeLevel()(2)
    env.reset()
    for _ in range(10):
        observation = env.step(JUMP_RIGHT)[0]
    picture = env.render()
    assert picture.shape == (512, 512, 3)
    small = picture.reshape(64, 8, 64, 8, 3).mean((1, 3))
    rest = np.s_[10:, :]  # without the painted velocity
    assert np.abs(small[rest] - observation[rest]).mean() < 12
    after = env.step(STILL)[0]  # drawing has changed nothing
    other = MakeLevel()(2)
    other.reset()
    for _ in range(10):
        other.step(JUMP_RIGHT)
    assert np.array_equal(after, other.step(STILL)[0])
    env.close()


def test_after_an_end_the_picture_is_of_the_end():
    env = MakeLevel()(3)
    env.reset()
    start = env.render()
    for _ in range(400):
        observation, _, terminated, truncated, _ = env.step(JUMP_RIGHT)
        if terminated or truncated:
            break
    picture = env.render()
    small = picture.reshape(64, 8, 64, 8, 3).mean((1, 3))
    assert np.abs(small[10:] - observation[10:]).mean() < 12
    assert not np.array_equal(picture, start)
    env.reset()
    assert np.array_equal(env.render(), start)


def test_without_procgen_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(
        coin_run_env.__builtins__, "__import__", refuse(coin_run_env.__builtins__["__import__"])
    )
    with pytest.raises(ValueError, match="run `make procgen`"):
        MakeLevel()(0)


def test_a_missing_system_library_is_named(monkeypatch):
    def broken(**options):
        raise OSError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(coin_run_env.import_procgen(), "ProcgenGym3Env", broken)
    with pytest.raises(
        ValueError, match="libGL.so.1: cannot open shared object file.*Debian's package libgl1"
    ):
        MakeLevel()(0)


def refuse(imports):
    def importing(name, *rest):
        if name == "procgen":
            raise ImportError("no such thing")
        return imports(name, *rest)

    return importing


def test_levels_that_the_garbage_collector_closes_stop_nothing():
    """Each in a cycle, so that it is closed while others are made.

    The functions of Procgen's library are behind a lock.
    """
    script = """
import gc
from metarl.tasks.games.coin_run_env import MakeLevel
make = MakeLevel("easy")
for after in range(20, 420, 4):
    gc.disable()
    game = make(0)
    game.itself = game
    del game
    gc.set_threshold(gc.get_count()[0] + after)  # the collector closes it amid making the next
    gc.enable()
    make(1).close()
print("done")
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert ended.stdout.strip() == "done"
