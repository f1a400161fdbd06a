"""Which levels of which Sonic games are for training, which for the test, and the Retro Contest's
own: `sonic_levels.csv`.

Columns: split; game and state, as stable-retro names them; zone, act and start_x, as the game's
    memory has them at the level's start;
max_x, where the level ends in stable-retro's scenario `contest`; contest, "final" or "leaderboard"
for the contest's own levels.

The 47 training and 11 test levels are those of Nichol et al. 2018 (arXiv 1804.03720): all that the
three games have with a horizontal goal. The other 16 were built for the Retro Contest of 2018, five
for its leaderboard and eleven for its final; which are which is inferred from their folders' names.
"""

import csv
from importlib.resources import files
from typing import NamedTuple

from metarl.tasks.games.retro_emulator import RetroLevel

__all__ = ["SonicLevel", "base_game", "sonic_levels"]


class SonicLevel(NamedTuple):
    """One row of the table.

    Attributes:
        split: train, test or extrapolate. level: its game and state.
        zone, act: as the game counts them, from 0; an act that rolls over within a level has the
            first one's number.
        start_x, max_x: pixels from the level's left end, where it begins and where it is finished.
        contest: "final", "leaderboard", or empty for levels of the games themselves.
    """

    split: str
    level: RetroLevel
    zone: int
    act: int
    start_x: int
    max_x: int
    contest: str


def sonic_levels() -> list[SonicLevel]:
    """Return all 74, in the order of the file."""
    with files("metarl.tasks.games").joinpath("sonic_levels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return [
        SonicLevel(
            row["split"],
            RetroLevel(row["game"], row["state"]),
            zone=int(row["zone"]),
            act=int(row["act"]),
            start_x=int(row["start_x"]),
            max_x=int(row["max_x"]),
            contest=row["contest"],
        )
        for row in rows
    ]


def base_game(game: str) -> str:
    """Return the game whose ROM the contest's own levels change.

    Of the games themselves, `game`.
    """
    return f"{game.split('Custom')[0]}-Genesis-v0" if "Custom" in game else game
