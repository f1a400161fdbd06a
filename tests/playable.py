"""Which registered distributions can be made here: all, but for games whose ROMs a user must bring
in; and which take long to play.

Without them, `tests/tasks/games/test_retro_library.py` has what those say, and
`tests/tasks/games/test_sonic.py` plays one with another game's ROM.
"""

from metarl.core.registry import distribution_ids
from metarl.tasks.games.retro_library import game_status
from metarl.tasks.games.sonic import GAMES

NEED_ROMS = {"Sonic-v0": GAMES}
# One class and its tasks are among another's: what is tested of that one is tested of these.
PART_OF = {"MetaWorldML10-v0": "MetaWorldML45-v0"}
# Simulators and emulators of others, behind the same adapter as the rest.
SLOW = {"Airstriker-v0", "AtariFlavours-v0", "MetaWorldML1-v0", "MetaWorldML45-v0"}


def playable_ids():
    """Ids of distributions that can be made here."""
    return [
        id
        for id in distribution_ids()
        if all(game_status(game).right for game in NEED_ROMS.get(id, ()))
    ]


def different_ids():
    """Return those that can be made here, less those that are part of another."""
    return [id for id in playable_ids() if id not in PART_OF]
