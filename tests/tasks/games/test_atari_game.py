"""An Atari game in a flavour.

Frames, stickiness, ends and pictures, against a console driven by hand.
"""

import subprocess
import sys

import ale_py
import gymnasium as gym
import numpy as np
import pytest
from ale_py import roms

from metarl.tasks.games.atari_game import AtariGame, Flavour, MakeAtari, check_flavours

PONG = Flavour("pong", 0, 0)
BREAKOUT = Flavour("breakout", 0, 0)


def console(flavour: Flavour):
    """ale-py's own, just after its start."""
    own = ale_py.ALEInterface()
    own.setFloat("repeat_action_probability", 0.0)
    own.loadROM(roms.get_rom_path(flavour.game))
    own.setMode(flavour.mode)
    own.setDifficulty(flavour.difficulty)
    own.reset_game()
    return own


class Draws:
    """Stands in for a generator: gives these numbers, some at a time."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self, n):
        given = self.numbers[:n]
        self.numbers = self.numbers[n:]
        return np.array(given)


def test_a_step_is_four_frames_of_the_console_and_shows_the_brighter_of_the_last_two():
    env = AtariGame(Flavour("space_invaders", 2, 1), stickiness=0.0)
    own = console(Flavour("space_invaders", 2, 1))
    first, _ = env.reset(seed=0)
    assert (first[:, :, 0] == own.getScreenGrayscale()).all()
    moves = np.random.default_rng(0)
    differ = 0
    for _ in range(150):
        action = int(moves.integers(6))
        observation, reward, terminated, truncated, info = env.step(action)
        expected = [own.act(own.getMinimalActionSet()[action]) for _ in range(3)]
        screen = own.getScreenGrayscale()
        expected.append(own.act(own.getMinimalActionSet()[action]))
        brighter = np.maximum(screen, own.getScreenGrayscale())
        differ += bool((brighter != own.getScreenGrayscale()).any())
        assert (observation[:, :, 0] == brighter).all()
        assert (reward, terminated, truncated, info) == (
            sum(expected),
            own.game_over(),
            False,
            {"lives": own.lives()},
        )
    assert differ > 5, "there was something to see in the frame before only"


def test_the_action_of_the_frame_before_goes_on_while_draws_are_below_the_stickiness():
    env = AtariGame(PONG, stickiness=0.25)
    own = console(PONG)
    env.reset(seed=0)
    env._draws = Draws(0.1, 0.24, 0.25, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2, 0.5, 0.2, 0.2)
    up = env.action_names.index("RIGHT")
    down = env.action_names.index("LEFT")
    nothing, upwards, downwards = (own.getMinimalActionSet()[i] for i in (0, up, down))
    for action, frames in (
        (up, [nothing, nothing, upwards, upwards]),  # a game starts with no button pressed
        (down, [upwards, upwards, upwards, upwards]),
        (down, [upwards, downwards, downwards, downwards]),
    ):
        env.step(action)
        for pressed in frames:
            own.act(pressed)
        assert (env._console.getRAM() == own.getRAM()).all()


def play(env, steps=100, seed=3):
    moves = np.random.default_rng(1)
    seen = [env.reset(seed=seed)[0]]
    return seen + [env.step(int(moves.integers(env.action_space.n)))[0] for _ in range(steps)]


@pytest.mark.parametrize(
    "flavour", [Flavour("freeway", 0, 0), Flavour("freeway", 6, 1), Flavour("space_invaders", 9, 1)]
)
def test_episodes_repeat_whatever_was_played_before(flavour):
    env = MakeAtari()(flavour)
    one = play(env)
    play(env, steps=150, seed=4)
    again = play(env)
    fresh = play(MakeAtari()(flavour))
    other = play(env, seed=5)
    assert all((a == b).all() and (a == c).all() for a, b, c in zip(one, again, fresh, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True)), (
        "another seed holds actions elsewhere"
    )


def test_a_life_or_a_whole_game():
    lengths = {}
    for one_life in (False, True):
        env = AtariGame(BREAKOUT, one_life=one_life)
        env.reset(seed=0)
        lives = []
        steps = 0
        terminated = False
        while not terminated:
            _, _, terminated, truncated, info = env.step(1 if steps % 4 == 0 else 2)
            lives.append(info["lives"])
            steps += 1
            assert not truncated
        assert (lives[0], lives[-1]) == (5, 4 if one_life else 0)
        assert env.reset()[1] == {"lives": 5}
        lengths[one_life] = steps
    assert lengths[True] < lengths[False]


def test_what_players_see_and_what_watchers_see():
    env = MakeAtari(reward_scale=0.5)(PONG)
    assert env.observation_space == gym.spaces.Box(0, 255, (84, 84, 4), np.uint8)
    assert env.render_mode == "rgb_array"
    env.reset(seed=0)
    start = env.render()
    rewards = [env.step(0)[1] for _ in range(120)]
    assert set(rewards) == {0.0, -0.5}
    assert start.shape == env.render().shape == (210, 160, 3)
    assert (start != env.render()).any()
    env.reset(seed=0)
    assert (env.render() == start).all(), "not the last game's picture"


@pytest.mark.parametrize(
    ("flavour", "message"),
    [
        (Flavour("pong", 5, 0), r"pong has no mode 5; choose one of 0, 1\."),
        (Flavour("pong", 0, 9), r"pong has no difficulty 9; choose one of 0, 1, 2, 3\."),
        (
            Flavour("freewy", 0, 0),
            r"ale-py has no game 'freewy' for one player; did you mean freeway",
        ),
        (Flavour("combat", 0, 0), r"ale-py has no game 'combat' for one player"),
        (
            Flavour("", 0, 0),
            r"ale-py has no game '' for one player; choose one of adventure, air_raid, ",
        ),
    ],
)
def test_what_ale_does_not_have_gets_a_sentence(flavour, message):
    with pytest.raises(ValueError, match=message):
        AtariGame(flavour)
    with pytest.raises(ValueError, match=message):
        check_flavours(flavour.game, [flavour])


@pytest.mark.parametrize("numbers", [{"frame_skip": 0}, {"stickiness": -0.1}])
def test_numbers_beyond_their_bounds_get_a_sentence(numbers):
    with pytest.raises(
        ValueError, match="frame_skip must be at least 1 and stickiness between 0 and 1"
    ):
        AtariGame(PONG, **numbers)


def test_a_missing_package_gets_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(ValueError, match=r"ale-py isn't installed; `pip install -e '\.\[atari\]'`"):
        AtariGame(PONG)


def test_it_needs_no_pytorch():
    code = (
        "import sys; from metarl.tasks.games.atari_game import *; MakeAtari()(Flavour('pong', 0,"
        " 0)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
