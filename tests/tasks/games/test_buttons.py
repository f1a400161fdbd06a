"""Discrete actions as buttons held together."""

import gymnasium as gym
import numpy as np
import pytest

from metarl.tasks.games.buttons import (
    BUTTON_TABLES,
    SONIC_5,
    SONIC_7,
    SONIC_8,
    Buttons,
    button_table,
)

GENESIS = ["B", "A", "MODE", "START", "UP", "DOWN", "LEFT", "RIGHT", "C", "Y", "X", "Z"]
SONIC = "SonicTheHedgehog-Genesis-v0"
AIRSTRIKER = "Airstriker-Genesis-v0"


class Controller(gym.Env):
    """Notes what is held."""

    observation_space = gym.spaces.Discrete(1)
    action_space = gym.spaces.MultiBinary(12)

    def step(self, action):
        assert self.action_space.contains(action)
        self.held = action
        return 0, 0.0, False, False, {}


def held(table):
    """Return the buttons of each action, in the controller's order, as one string of zeros and
    ones.
    """
    env = Buttons(Controller(), table, GENESIS)
    strings = []
    for action in range(env.action_space.n):
        env.step(np.int64(action))
        strings.append("".join(map(str, env.unwrapped.held)))
    return strings


def test_the_seven_actions_of_sonic():
    assert held(SONIC_7) == [
        "000000100000",  # left
        "000000010000",  # right
        "000001100000",  # left, down
        "000001010000",  # right, down
        "000001000000",  # down
        "100001000000",  # down, B
        "100000000000",  # B
    ]


def test_the_eighth_holds_nothing():
    assert held(SONIC_8) == ["000000000000", *held(SONIC_7)]


def test_jerk_runs_and_jumps_as_it_runs():
    assert held(SONIC_5) == [
        "000000000000",
        "000000100000",
        "000000010000",
        "100000100000",
        "100000010000",
    ]


def test_any_table_will_do():
    assert held([("START", "Z"), ()]) == ["000100000001", "000000000000"]


def test_games_have_tables():
    assert button_table(SONIC, 7) == SONIC_7
    assert button_table("SonicAndKnuckles3CustomKevin-Genesis", 8) == SONIC_8
    assert held(button_table(AIRSTRIKER, 6))[4:] == ["100000100000", "100000010000"]
    for tables in BUTTON_TABLES.values():
        for table in tables:
            assert len(set(map(frozenset, table))) == len(table)


@pytest.mark.parametrize(
    ("game", "actions", "words"),
    [
        (
            "StreetsOfRage-Genesis-v0",
            8,
            "There is no button table for StreetsOfRage-Genesis-v0; pass one as buttons=",
        ),
        (SONIC, 9, "has no button table of 9 actions; choose 5, 7 or 8, or pass a table"),
    ],
)
def test_a_game_without_a_table_gets_a_sentence(game, actions, words):
    with pytest.raises(ValueError, match=words):
        button_table(game, actions)


@pytest.mark.parametrize(
    ("table", "words"),
    [([("JUMP",), ("B", "FIRE")], "names FIRE, JUMP; list"), ([], "is empty; list")],
)
def test_a_table_of_other_buttons_gets_a_sentence(table, words):
    with pytest.raises(ValueError, match=words):
        Buttons(Controller(), table, GENESIS)
