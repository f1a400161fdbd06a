"""A folder like the one in which stable-retro keeps its games, with made-up ROMs."""

import hashlib
import shutil
import zlib

import stable_retro

from tests.tasks.lua_scripts import game_file

S1 = "SonicTheHedgehog-Genesis-v0"
S2 = "SonicTheHedgehog2-Genesis-v0"
S3K = "SonicAndKnuckles3-Genesis-v0"
CUSTOM = "SonicTheHedgehogCustomKevin-Genesis"
AIRSTRIKER = "Airstriker-Genesis-v0"


def rom(game):
    """Return a ROM as long as a Genesis header, whose title is its own game's name, but for the one
    that stable-retro ships.
    """
    if game == AIRSTRIKER:
        return game_file(game, "rom.md").read_bytes()
    return bytes(256) + b"SEGA" + bytes(76) + f"{game:48}".encode() + bytes(128)


def sha1(data):
    return hashlib.sha1(data).hexdigest()


def delta(source, end):
    """VCDIFF of a file that is `source`, but for its end.

    Copy, then add; with xdelta3's checksum.
    """
    target = source[: -len(end)] + end
    size = len(source)
    kept = len(source) - len(end)
    number = lambda n: bytes([n >> 7 | 128, n & 127])  # noqa: E731
    codes = bytes([19]) + number(kept) + bytes([1]) + number(len(end))
    body = (
        number(size)
        + b"\x00"
        + bytes([len(end), len(codes), 1])
        + zlib.adler32(target).to_bytes(4)
        + end
        + codes
        + b"\x00"
    )
    return (
        b"\xd6\xc3\xc4\x00\x00" + b"\x05" + number(size) + b"\x00" + number(len(body)) + body,
        target,
    )


def make_tree(folder, monkeypatch):
    """Let stable-retro look for its games in `folder`.

    The three of Sonic, one of the contest's, and Airstriker, with no ROM of Sonic's.
    """
    real = {game: game_file(game, "rom.sha").parent for game in (S1, S2, S3K, CUSTOM, AIRSTRIKER)}
    for game, source in real.items():
        place = folder / ("contrib" if game == CUSTOM else "stable") / game
        shutil.copytree(source, place, ignore=shutil.ignore_patterns("rom.*"))
        wanted = rom(game)
        if game == CUSTOM:
            changed, wanted = delta(rom(S1), b"the contest's level")
            (place / "rom.delta").write_bytes(changed)
        (place / "rom.sha").write_text(sha1(wanted) + "\n")
    (folder / "experimental").mkdir()
    shutil.copy(real[AIRSTRIKER] / "rom.md", folder / "stable" / AIRSTRIKER / "rom.md")
    monkeypatch.setattr(stable_retro.data, "path", lambda: str(folder))
    return folder
