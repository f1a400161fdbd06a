"""Brings a user's own ROMs into stable-retro, by its importer, and makes those of the Retro
Contest's levels from them.
"""

import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from metarl.core.paths import as_path
from metarl.tasks.games.retro_emulator import stable_retro
from metarl.tasks.games.retro_library import game_status
from metarl.tasks.games.sonic_levels import base_game
from metarl.tasks.games.vcdiff import apply_delta

__all__ = ["Imported", "Unknown", "import_roms"]

GENESIS_NAMES = (".gen", ".smd", ".bin")  # of ROMs that stable-retro calls .md
TITLE = slice(0x150, 0x180)  # of a Genesis ROM's name for itself


class Unknown(NamedTuple):
    """A file that looks like a ROM and is none that stable-retro knows.

    Attributes:
        file: its path; members of an archive follow the archive's, after a colon. sha1: its hash.
        title: what the game calls itself, or empty.
    """

    file: str
    sha1: str
    title: str


class Imported(NamedTuple):
    """What came of an import.

    Attributes:
        recognised: (file, game) of every ROM that was brought in.
        unknown: files that look like ROMs and aren't known.
        made: the contest's games whose ROMs were made from the others'.
        others: number of further files.
    """

    recognised: list[tuple[str, str]]
    unknown: list[Unknown]
    made: list[str]
    others: int


def import_roms(folder: Path) -> Imported:
    """Bring in every ROM below `folder`, in archives (.zip) too, that stable-retro knows by its
    hash.

    Raises:
        ValueError: no such folder, nowhere to put ROMs, or no stable-retro.
    """
    data = stable_retro().data
    folder = as_path(folder)
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder}; name the one that holds your ROMs.")
    known = data.get_known_hashes()
    endings = (*data.EMU_EXTENSIONS, *GENESIS_NAMES)
    recognised: list[tuple[str, str]] = []
    unknown: list[Unknown] = []
    others = 0
    for file, stream in _files(folder):
        ending = Path(file).suffix.lower()
        try:
            rom, sha1 = data.groom_rom(file, stream)
        except ValueError:  # larger than any ROM
            others += 1
            continue
        if sha1 in known:
            _merge(data, rom, ending)
            recognised.append((file, known[sha1][0]))
        elif ending in endings and ending != ".zip":
            unknown.append(Unknown(file, sha1, _title(rom)))
        else:
            others += 1
    return Imported(recognised, unknown, _make_contest_roms(data), others)


def _files(folder: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Every file below `folder`, and every member of its archives."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            yield str(path), stream
            if zipfile.is_zipfile(stream):
                yield from _members(str(path), stream)


def _members(name: str, stream: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    with zipfile.ZipFile(stream) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            inner = io.BytesIO(archive.read(entry))
            yield f"{name}:{entry.filename}", inner
            if zipfile.is_zipfile(inner):
                yield from _members(f"{name}:{entry.filename}", inner)


def _merge(data: Any, rom: bytes, ending: str) -> None:
    """Let stable-retro's importer put a ROM where it keeps them."""
    with tempfile.TemporaryDirectory() as folder:
        # By which the importer tells what to leave out of the hash
        file = Path(folder, f"rom{'.nes' if ending == '.nes' else ''}")
        file.write_bytes(rom)
        try:
            data.merge(str(file))
        except OSError as error:
            raise ValueError(
                f"stable-retro keeps ROMs in its own folder, which can't be written to: {error}."
            ) from error


def _make_contest_roms(data: Any) -> list[str]:
    """Make the ROM of every contest game that isn't here and whose base is; the games made."""
    made = []
    every = data.Integrations.ALL
    for game in data.list_games(every):
        delta = data.get_file_path(game, "rom.delta", every)
        if delta is None or game_status(game).right or not game_status(base_game(game)).right:
            continue
        base = Path(data.get_romfile_path(base_game(game), every)).read_bytes()
        try:
            rom = apply_delta(base, Path(delta).read_bytes())
        except ValueError:  # made from another of the versions of the base that stable-retro takes
            continue
        _merge(data, rom, ".md")
        if game_status(game).right:
            made.append(game)
    return made


def _title(rom: bytes) -> str:
    """Return what a Genesis game calls itself."""
    return (
        " ".join(rom[TITLE].decode("ascii", "replace").split())
        if rom[0x100:0x104] == b"SEGA"
        else ""
    )
