"""ROMs brought in from a folder and its archives, by their hashes.

The contest's made from the game's.
"""

import io
import zipfile

import pytest

from metarl.tasks.games.retro_import import import_roms
from metarl.tasks.games.retro_library import game_status
from tests.tasks.retro_tree import CUSTOM, S1, S2, S3K, delta, make_tree, rom, sha1


@pytest.fixture
def tree(tmp_path, monkeypatch):
    return make_tree(tmp_path / "tree", monkeypatch)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "roms" / "mine"
    place.mkdir(parents=True)
    return place


def archive(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return stream.getvalue()


def test_roms_of_any_name_are_recognised_and_unknown_ones_are_named(tree, folder):
    (folder / "sonic.bin").write_bytes(rom(S1))
    (folder / "Sonic 2.gen").write_bytes(rom(S2) + b"one byte more")
    (folder / "notes.txt").write_text("no ROM")
    result = import_roms(folder.parent)
    assert result.recognised == [(str(folder / "sonic.bin"), S1)]
    assert result.unknown == [(str(folder / "Sonic 2.gen"), sha1(rom(S2) + b"one byte more"), S2)]
    assert result.others == 1
    assert (tree / "stable" / S1 / "rom.md").read_bytes() == rom(S1)
    assert not game_status(S2).right


def test_the_contests_rom_is_made_from_the_games(tree, folder):
    assert import_roms(folder).made == []
    (folder / "sonic.md").write_bytes(rom(S1))
    assert import_roms(folder).made == [CUSTOM]
    assert game_status(CUSTOM).right
    assert (tree / "contrib" / CUSTOM / "rom.md").read_bytes() == delta(
        rom(S1), b"the contest's level"
    )[1]
    assert import_roms(folder).made == []  # it is there


def test_a_delta_of_another_version_makes_nothing(tree, folder):
    (tree / "contrib" / CUSTOM / "rom.delta").write_bytes(
        delta(rom(S2)[:-1] + b"!", b"the contest's level")[0]
    )
    (folder / "sonic.md").write_bytes(rom(S1))
    result = import_roms(folder)
    assert (len(result.recognised), result.made) == (1, [])


def test_archives_are_looked_into_and_archives_in_them(tree, folder):
    (folder / "all.zip").write_bytes(
        archive(**{"a.md": rom(S1), "inner.zip": archive(**{"b.md": rom(S3K)}), "c.md": b"unknown"})
    )
    result = import_roms(folder)
    name = str(folder / "all.zip")
    assert result.recognised == [(f"{name}:a.md", S1), (f"{name}:inner.zip:b.md", S3K)]
    assert [each.file for each in result.unknown] == [f"{name}:c.md"]
    assert result.unknown[0].title == ""
    assert game_status(S3K).right


def test_a_folder_that_isnt_there_gets_a_sentence(tree, folder):
    with pytest.raises(ValueError, match="There is no folder"):
        import_roms(folder / "nowhere")


def test_nowhere_to_put_roms_gets_a_sentence(tree, folder):
    (folder / "sonic.md").write_bytes(rom(S1))
    (tree / "stable" / S1 / "rom.md").mkdir()
    with pytest.raises(ValueError, match="can't be written to"):
        import_roms(folder)
