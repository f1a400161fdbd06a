"""Which ROMs stable-retro has here, and whether they are the versions that its levels were made
with.

ROMs can't be shipped: each user brings in their own. What they must be is told by SHA-1 hashes,
which stable-retro ships.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from metarl.tasks.games.retro_emulator import RetroLevel, stable_retro

__all__ = ["GameStatus", "check_roms", "game_status", "missing_levels"]

WHAT_TO_DO = (
    "metarl retro import FOLDER brings in those that you own, and metarl retro status says what is"
    " missing."
)


class GameStatus(NamedTuple):
    """What there is of a game.

    Attributes:
        game: stable-retro's name.
        sha1: of the ROM that is here; None where there is none.
        wanted: SHA-1 hashes of the versions that will do; none where stable-retro doesn't know the
            game.
    """

    game: str
    sha1: str | None
    wanted: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the game can be played."""
        return self.sha1 in self.wanted


def game_status(game: str) -> GameStatus:
    """Look whether the ROM of `game` is here, and which version it is.

    Raises:
        ValueError: stable-retro isn't installed.
    """
    data = stable_retro().data
    every = data.Integrations.ALL
    hashes = data.get_file_path(game, "rom.sha", every)
    wanted = tuple(Path(hashes).read_text().split()) if hashes else ()
    try:
        rom = data.get_romfile_path(game, every)
    except FileNotFoundError:
        return GameStatus(game, None, wanted)
    with open(rom, "rb") as stream:
        return GameStatus(game, data.groom_rom(rom, stream)[1], wanted)


def missing_levels(levels: Iterable[RetroLevel]) -> list[RetroLevel]:
    """Return those of `levels` that the installed stable-retro has no state of."""
    data = stable_retro().data
    every = data.Integrations.ALL
    return [
        level
        for level in levels
        if data.get_file_path(level.game, f"{level.state}.state", every) is None
    ]


def check_roms(id: str, games: Iterable[str]) -> None:
    """Raise ValueError, with what to do, unless all `games`, which the distribution `id` needs, can
    be played.

    Raises:
        ValueError: a ROM is missing or another version, or stable-retro isn't installed.
    """
    bad = [status for status in map(game_status, games) if not status.right]
    if not bad:
        return
    missing = [status.game for status in bad if status.sha1 is None]
    parts = (
        [f"the ROM of {', '.join(missing)}, which can't be shipped, isn't here"] if missing else []
    )
    for status in bad:
        if status.sha1 is not None:
            parts.append(
                f"the ROM of {status.game} is another version (SHA-1 {status.sha1}, not"
                f" {' or '.join(status.wanted)})"
            )
    raise ValueError(f"{id} can't be played: {'; '.join(parts)}; {WHAT_TO_DO}")
