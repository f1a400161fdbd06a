"""Which variables a scenario looks at, and that an emulator which watches them plays as
stable-retro does, to the end of episodes.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import stable_retro

from metarl.tasks.games.airstriker import STATES
from metarl.tasks.games.retro_emulator import CONSOLE, RetroGame, RetroLevel
from metarl.tasks.games.retro_scenario import watched

GAME = "Airstriker-Genesis-v0"
DATA = {
    "info": {
        "score": {"address": 10, "type": ">u4"},
        "lives": {"address": 20, "type": "|u1"},
        "x": {"address": 30, "type": "<d2"},
    }
}
SCORE = (10, ">u4")
LIVES = (20, "|u1")
X = (30, "<d2")
PAID = {"variables": {"score": {"reward": 1.0, "penalty": 2.0}}}
ENDED = {
    "condition": "all",
    "variables": {"lives": {"op": "zero"}},
    "nodes": {"far": {"variables": {"x": {"op": "equal", "reference": 3}}}},
}


def test_variables_of_reward_and_end_are_watched():
    assert watched({"reward": PAID, "done": ENDED, "crop": {}}, DATA) == (LIVES, SCORE, X)
    assert watched({"reward": PAID}, DATA) == (SCORE,)
    assert watched({}, DATA) == ()


@pytest.mark.parametrize(
    "scenario",
    [
        {"reward": {"script": "lua:reward"}, "scripts": ["script.lua"]},
        {"reward": PAID, "done": {"script": "lua:done"}},
        {"reward": PAID, "scripts": ["script.lua"]},
        {"reward": {**PAID, "time": {"reward": 1}}},
        {"reward": {"variables": {"score": {"reward": 1, "op": "zero"}}}},
        {"reward": {"variables": {"x": {"reward": 1, "measurement": "absolute"}}}},
        {"done": {"variables": {"x": {"op": "positive", "measurement": "delta"}}}},
        {
            "done": {
                "nodes": {"a": {"variables": {"x": {"op": "positive", "measurement": "delta"}}}}
            }
        },
        {"rewards": [PAID, PAID]},
        {"reward": {"variables": {"coins": {"reward": 1}}}},
        {"done": None},
        {"reward": {"variables": None}},
        {"reward": {"variables": {"x": None}}},
        {"done": {"nodes": {"a": None}}},
    ],
)
def test_where_more_than_values_and_changes_counts_nothing_is_watched(scenario):
    assert watched(scenario, DATA) is None


def test_of_a_game_without_variables_nothing_is_watched():
    assert watched({"reward": PAID}, {}) is None
    assert watched({"reward": PAID}, {"info": None}) is None


def test_of_the_contests_scenario_everything_is_looked_at():
    every = stable_retro.data.Integrations.ALL
    files = [
        stable_retro.data.get_file_path("SonicTheHedgehog-Genesis-v0", f"{name}.json", every)
        for name in ("contest", "data")
    ]
    assert watched(*(json.loads(Path(file).read_text()) for file in files)) is None


# A state of stable-retro and one of ours
@pytest.mark.parametrize("name", ["Level1", "endurance-5"])
def test_episodes_are_those_of_stable_retro(name):
    """Rewards, ends and variables of every frame, of three episodes each, the first of them to its
    end.
    """
    buttons = np.random.default_rng(len(name)).integers(0, 2, (12_000, 12))
    pauses = (12_000, 400, 400)
    CONSOLE.eject()
    env = stable_retro.make(GAME, stable_retro.State.NONE, render_mode="rgb_array")
    own = STATES / f"{name}.state"
    file = own if own.is_file() else Path(stable_retro.data.get_file_path(GAME, f"{name}.state"))
    env.initial_state = gzip.decompress(file.read_bytes())
    plain = [episode(env, buttons[:pause]) for pause in pauses]
    env.close()
    game = RetroGame(RetroLevel(GAME, name), states=STATES if own.is_file() else None)
    game.shown = False
    game._emulator.data = data = Counted(game._emulator.data)
    played = [episode(game, buttons[:pause]) for pause in pauses]
    game._emulator.data = data.data
    game.close()
    assert played == plain
    frames = sum(map(len, plain))
    assert sum(bool(reward) for own in plain for reward, *_ in own) <= data.updates < frames / 2, (
        "most frames change no variable"
    )
    rewards, ends, _ = zip(*plain[0], strict=True)
    assert sum(map(bool, rewards)) > 3
    assert ends[-1]
    assert not any(ends[:-1])


class Counted:
    """stable-retro's look at a game, and how often it copied all memory."""

    def __init__(self, data):
        self.data = data
        self.updates = 0

    def __getattr__(self, name):
        return getattr(self.data, name)

    def update_ram(self):
        self.updates += 1
        self.data.update_ram()


def episode(env, actions):
    """(reward, end, variables) of each frame, until the episode ends."""
    env.reset()
    seen = []
    for buttons in actions:
        _, reward, end, _, info = env.step(buttons)
        seen.append((float(reward), end, info))
        if end:
            break
    return seen
