"""The real emulator, on the game whose ROM is shipped.

Levels, wrappers in their order, one emulator a process.
"""

from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import stable_retro

from metarl.tasks.games.airstriker import STATES, airstriker_levels
from metarl.tasks.games.allow_backtracking import AllowBacktracking
from metarl.tasks.games.retro_emulator import CONSOLE, MakeRetro, RetroGame, RetroLevel
from metarl.tasks.games.wrappers import ScaleReward

GAME = "Airstriker-Genesis-v0"
LEVEL_1 = RetroLevel(GAME, "Level1")
ENDLESS = RetroLevel(GAME, "endurance-1")
SHOOT = [3, 3, 0, 4, 4, 3, 0, 5, 5, 3] * 12


def frames(env, actions, seed=0):
    """Return what an episode shows and pays."""
    shown = [env.reset(seed=seed)[0]]
    paid = []
    for action in actions:
        observation, reward, *_ = env.step(action)
        shown.append(observation)
        paid.append(reward)
    return np.array(shown), paid


def test_a_frame_is_what_stable_retro_plays():
    buttons = np.random.default_rng(0).integers(0, 2, (300, 12))
    CONSOLE.eject()
    env = stable_retro.make(GAME, "Level1", render_mode="rgb_array")
    plain = frames(env, buttons)
    env.close()
    game = RetroGame(LEVEL_1)
    played = frames(game, buttons)
    assert np.array_equal(played[0], plain[0])
    assert played[1] == plain[1]
    assert np.array_equal(game.render(), plain[0][-1])
    assert game.observation_space.contains(played[0][0])
    game.close()


def test_frames_that_nobody_looks_at_are_played_all_the_same():
    game = {}
    other = {}
    for seen, hidden in ((game, False), (other, True)):
        env = RetroGame(LEVEL_1)
        env.reset()
        for t, buttons in enumerate(np.random.default_rng(0).integers(0, 2, (200, 12))):
            env.shown = not hidden or t % 4 == 3
            seen[t] = env.step(buttons)
        env.close()
    assert all(np.array_equal(game[t][0], other[t][0]) for t in range(3, 200, 4))
    assert any(not np.array_equal(game[t][0], other[t][0]) for t in range(200)), (
        "an older picture where none was needed"
    )
    assert [game[t][1:] for t in game] == [other[t][1:] for t in other]


def test_an_emulator_that_played_another_level_plays_as_a_new_one():
    make = MakeRetro(buttons=6, states=STATES)
    first = make(ENDLESS)
    fresh = frames(first, SHOOT)
    emulator = first.unwrapped._emulator
    again = frames(first, SHOOT)
    first.close()
    other = make(airstriker_levels()[3][1])
    frames(other, SHOOT)
    other.close()
    second = make(ENDLESS)
    assert second.unwrapped._emulator is emulator
    later = frames(second, SHOOT)
    second.close()
    assert sum(fresh[1]) > 0
    for shown, paid in (again, later):
        assert np.array_equal(shown, fresh[0])
        assert paid == fresh[1]


def test_an_observation_is_four_small_grey_pictures_and_late_actions_depend_on_the_seed():
    env = MakeRetro(buttons=6, states=STATES)(ENDLESS)
    assert env.observation_space.shape == (84, 84, 4)
    assert env.action_space.n == 6
    shown, _ = frames(env, SHOOT[:20])
    assert np.array_equal(shown[5][..., :3], shown[4][..., 1:])  # the oldest first
    assert not np.array_equal(frames(env, SHOOT, 0)[0], frames(env, SHOOT, 1)[0])
    assert env.render().shape == (224, 320, 3)
    env.close()


def test_every_argument_reaches_its_wrapper():
    env = MakeRetro(
        buttons=(("LEFT",), ("RIGHT", "B")),
        frame_skip=2,
        stickiness=0.0,
        size=42,
        grey=False,
        stack=2,
        states=STATES,
    )(ENDLESS)
    assert env.observation_space.shape == (42, 42, 6)
    assert env.action_space.n == 2
    env.close()
    env = MakeRetro(buttons=6, allow_backtracking=True, reward_scale=0.01, states=STATES)(ENDLESS)
    assert isinstance(env.env.env, ScaleReward)
    assert isinstance(env.env.env.env, AllowBacktracking)
    env.close()


def test_rewards_are_the_scores_change_scaled():
    make = MakeRetro(buttons=6, states=STATES)
    paid = []
    for scale in (1.0, 0.05):
        env = MakeRetro(buttons=6, reward_scale=scale, states=STATES)(ENDLESS)
        paid.append(frames(env, SHOOT)[1])
        env.close()
    assert set(paid[0]) >= {0.0, 20.0}
    assert paid[1] == pytest.approx([reward / 20 for reward in paid[0]])
    assert cloudpickle.loads(cloudpickle.dumps(make)) == make


def test_two_at_a_time_get_a_sentence_and_closing_the_first_makes_room():
    first = RetroGame(LEVEL_1)
    with pytest.raises(ValueError, match="one emulator a process; play one row at a time"):
        RetroGame(LEVEL_1)
    first.close()
    first.close()  # nothing happens twice
    second = RetroGame(LEVEL_1)
    second.close()


def test_someone_elses_emulator_gets_a_sentence():
    CONSOLE.eject()
    other = stable_retro.make(GAME, render_mode="rgb_array")
    with pytest.raises(ValueError, match="can't be opened .*close the other"):
        RetroGame(LEVEL_1)
    other.close()


@pytest.mark.parametrize(
    ("level", "scenario", "states", "words"),
    [
        (
            RetroLevel(GAME, "Level9"),
            "scenario",
            None,
            "has no level 'Level9'; choose one of Level1",
        ),
        (
            RetroLevel(GAME, "endurance-9"),
            "scenario",
            STATES,
            "has no level 'endurance-9'; choose one of endurance-1, endurance-2",
        ),
        (
            RetroLevel("Tetris-Genesis-v0", "A"),
            "scenario",
            None,
            "has no level 'A'; choose one of none",
        ),
        (LEVEL_1, "contest", None, "has no scenario 'contest'; choose scenario"),
        (
            RetroLevel("SonicTheHedgehog2-Genesis-v0", "WingFortressZone"),
            "contest",
            None,
            "metarl retro import FOLDER brings in those",
        ),
    ],
)
def test_what_isnt_there_gets_a_sentence(level, scenario, states, words, monkeypatch):
    def no_rom(*arguments, **named):
        raise FileNotFoundError("no ROM")

    if scenario == "contest" and level != LEVEL_1:  # whether or not it is here
        monkeypatch.setattr(stable_retro, "make", no_rom)
    with pytest.raises(ValueError, match=words):
        RetroGame(level, scenario, states)


def test_a_game_without_a_button_table_gets_a_sentence_before_it_is_opened():
    with pytest.raises(ValueError, match="There is no button table for Vectorman-Genesis-v0"):
        MakeRetro(buttons=6)(RetroLevel("Vectorman-Genesis-v0", "Level1"))


@pytest.mark.parametrize(
    "arguments",
    [{"buttons": (("JUMP",),)}, {"buttons": 6, "stickiness": 2.0}, {"buttons": 6, "stack": 0}],
)
def test_a_bad_argument_leaves_the_emulator_free(arguments):
    with pytest.raises(ValueError, match="JUMP|stickiness|count"):
        MakeRetro(**arguments, states=STATES)(ENDLESS)
    RetroGame(LEVEL_1).close()


def test_levels_are_named_by_state_and_game():
    assert repr(LEVEL_1) == "Level1 of Airstriker-Genesis-v0"
    assert Path(STATES).name == "airstriker_states"
