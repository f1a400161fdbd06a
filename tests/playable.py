"""Which registered distributions can be made here: all, but for games whose ROMs a user must bring in.

Without them, `tests/tasks/games/test_retro_library.py` has what those say, and `tests/tasks/games/test_sonic.py` plays one with another game's ROM.
"""

from metarl.core.registry import distribution_ids
from metarl.tasks.games.retro_library import game_status
from metarl.tasks.games.sonic import GAMES

NEED_ROMS = {"Sonic-v0": GAMES}


def playable_ids():
    """Ids of distributions that can be made here."""
    return [id for id in distribution_ids() if all(game_status(game).right for game in NEED_ROMS.get(id, ()))]
