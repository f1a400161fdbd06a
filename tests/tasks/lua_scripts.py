"""The reward and done rules that stable-retro ships with the Sonic games, run on made-up memory
values, without a ROM.
"""

import gzip
import json
from pathlib import Path

import lupa
import stable_retro


def game_file(game, name):
    """Return the path of one of stable-retro's files of a game."""
    return Path(stable_retro.data.get_file_path(game, name, stable_retro.data.Integrations.ALL))


class Script:
    """A game's `script.lua`.

    `data` are the game's values, and `scenario.frame` counts the frames of the episode.
    """

    def __init__(self, game, **values):
        self.lua = lupa.LuaRuntime()
        self.lua.execute("data, scenario = {}, {frame = 0}")
        self.lua.execute(game_file(game, "script.lua").read_text())
        self.set(**values)

    def set(self, frame=None, **values):
        for name, value in values.items():
            self.lua.globals().data[name] = value
        if frame is not None:
            self.lua.globals().scenario.frame = frame

    def reward(self, **values):
        self.set(**values)
        return self.lua.globals().contest_reward()

    def done(self, **values):
        self.set(**values)
        return self.lua.globals().contest_done()

    def call(self, name):
        return self.lua.globals()[name]()


def memory_at_start(game, state):
    """Return what the values of a game's `data.json` are in one of its saved states.

    The Genesis core's states begin with 16 letters, then hold the 64 KB of work memory, from
    address 0xFF0000, two bytes swapped.
    """
    saved = gzip.decompress(game_file(game, f"{state}.state").read_bytes())
    assert saved[:16] == b"GENPLUS-GX 1.7.5"
    memory = saved[16 : 16 + 65536]
    values = {}
    for name, place in json.loads(game_file(game, "data.json").read_text())["info"].items():
        order, sign, length = place["type"]
        at = place["address"] - 0xFF0000
        number = bytes(memory[(at + i) ^ 1] for i in range(int(length)))
        assert order in ">|"
        values[name] = int.from_bytes(number, "big", signed=sign == "i")
    return values
