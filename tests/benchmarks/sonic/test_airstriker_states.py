"""How the states of Airstriker-v0 are made.

The way through the menu, the look ahead, and what is left out of a state.
"""

import gzip
from itertools import islice

import numpy as np
import pytest

from benchmarks.sonic import airstriker_states
from metarl.tasks.games.retro_emulator import CONSOLE


@pytest.fixture
def player():
    CONSOLE.eject()
    player = airstriker_states.Player(0)
    player.press(frames=600)
    yield player
    player.env.close()


def screens(player, state):
    """Return a second of play from a state."""
    player.env.em.set_state(state)
    held = [("LEFT",), ("B",), (), ("RIGHT", "B"), ()] * 2
    return [(player.press(*buttons, frames=6), player.env.get_screen().copy()) for buttons in held]


def test_a_state_without_what_the_core_left_over_plays_the_same(player):
    assert airstriker_states.choose(player, mode=2)["lives"] == 3
    whole = player.env.em.get_state()
    packed = gzip.decompress(player.state())
    assert len(packed) == len(whole)
    assert not any(packed[airstriker_states.USED :])
    for (now, screen), (wanted, shown) in zip(
        screens(player, packed), screens(player, whole), strict=True
    ):
        assert now == wanted
        assert np.array_equal(screen, shown)


def test_a_dodging_ship_outlives_one_that_stands_still(player):
    airstriker_states.choose(player, mode=2)
    start = player.env.em.get_state()
    while player.press(frames=1)["gameover"] not in airstriker_states.DYING:
        pass
    player.env.em.set_state(start)
    player.begin()
    while len(player.passed) < 20:
        assert player.dodge()["gameover"] not in airstriker_states.DYING


def test_the_menu_is_left_for_the_game_that_was_meant(player):
    for button in ("START", "DOWN"):
        player.press(button, frames=4)
        player.press(frames=40)
    with pytest.raises(AssertionError, match="the menu led elsewhere"):
        airstriker_states.choose(player, mode=2)


def test_beginnings_of_the_endless_mode_differ():
    CONSOLE.eject()
    made = airstriker_states.start_endurance(games=2, apart=1)
    states = dict(islice(made, 2))
    list(made)
    assert list(states) == ["endurance-1", "endurance-2"]
    assert states["endurance-1"] != states["endurance-2"]
