"""What the commands `metarl retro status` and `metarl retro import` say."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from metarl.tasks.games.airstriker import airstriker_levels
from metarl.tasks.games.retro_emulator import RetroLevel
from metarl.tasks.games.retro_import import import_roms
from metarl.tasks.games.retro_library import WHAT_TO_DO, game_status, missing_levels
from metarl.tasks.games.sonic_levels import base_game, sonic_levels

__all__ = ["StatusOptions", "import_report", "status_report"]


@dataclass(frozen=True)
class StatusOptions:
    """What to list.

    Attributes:
        levels: each level by its name, too.
    """

    levels: bool = False


def status_report(options: StatusOptions = StatusOptions()) -> list[str]:
    """Lines that say which games and levels of stable-retro can be played here, and what is
    missing.

    Raises:
        ValueError: stable-retro isn't installed.
    """
    splits = _levels()
    by_game: dict[str, list[RetroLevel]] = {}
    for levels in splits.values():
        for level in levels:
            by_game.setdefault(level.game, []).append(level)
    lacking = set(
        missing_levels(
            level for levels in splits.values() for level in levels if level.game != AIRSTRIKER
        )
    )
    statuses = {game: game_status(game) for game in by_game}
    playable = {
        level for levels in by_game.values() for level in levels if statuses[level.game].right
    } - lacking
    width = max(map(len, by_game))
    lines = [f"{'game':{width}}  levels    ROM"]
    for game, levels in by_game.items():
        count = f"{sum(level in playable for level in levels)} of {len(levels)}"
        lines.append(f"{game:{width}}  {count:8}  {_rom(game)}")
        if options.levels:
            lines += [f"    {'+' if level in playable else '-'} {level.state}" for level in levels]
    if lacking:
        lines.append(
            "The installed stable-retro has no state of"
            f" {', '.join(map(repr, sorted(lacking, key=repr)))}."
        )
    here = Counter(name for name, levels in splits.items() for level in levels if level in playable)
    lines.append(
        "Can be played here: "
        + "; ".join(f"{name}: {here[name]} of {len(levels)}" for name, levels in splits.items())
        + "."
    )
    if not all(status.right for status in statuses.values()):
        lines.append(f"ROMs can't be shipped; {WHAT_TO_DO.split(',')[0]}.")
    return lines


def import_report(folder: Path) -> list[str]:
    """Bring the ROMs below `folder` in, and say in lines what was recognised and what wasn't.

    Raises:
        ValueError: as `import_roms`.
    """
    result = import_roms(folder)
    lines = [f"recognised  {file}  as {game}" for file, game in result.recognised]
    lines += [
        f"unknown     {each.file}  SHA-1 {each.sha1}"
        + (f", calls itself {each.title!r}" if each.title else "")
        for each in result.unknown
    ]
    lines += [f"made        {game}  from the ROM of {base_game(game)}" for game in result.made]
    counts = [
        f"{len(result.recognised)} recognised",
        f"{len(result.unknown)} unknown",
        f"{len(result.made)} made",
    ]
    lines.append(f"ROMs: {', '.join(counts)}; {result.others} further files.")
    if not (result.recognised or result.unknown):
        lines.append(
            f"There is no ROM in {folder}; metarl retro status says which files are wanted, by"
            " hash."
        )
    if result.unknown:
        lines.append(
            "An unknown ROM is a game or a version that stable-retro has no levels of; metarl retro"
            " status says which it wants."
        )
    return lines


AIRSTRIKER = airstriker_levels()[0][1].game


def _levels() -> dict[str, list[RetroLevel]]:
    """Levels by distribution and split, such as "Sonic-v0 train"."""
    named = [("Airstriker-v0", split, level) for split, level in airstriker_levels()]
    named += [("Sonic-v0", each.split, each.level) for each in sonic_levels()]
    splits: dict[str, list[RetroLevel]] = {}
    for distribution, split, level in named:
        splits.setdefault(f"{distribution} {split}", []).append(level)
    return splits


def _rom(game: str) -> str:
    """Return what there is to say of a game's ROM."""
    status = game_status(game)
    if status.right:
        return "here"
    if status.sha1 is not None:
        return f"another version: SHA-1 {status.sha1}, not {' or '.join(status.wanted)}"
    if base_game(game) != game:
        return f"missing: metarl retro import makes it from that of {base_game(game)}"
    return (
        f"missing: SHA-1 {' or '.join(status.wanted)}"
        if status.wanted
        else "missing, and the installed stable-retro doesn't know the game"
    )
