"""Which ROMs are here, and which are another version."""

import sys

import pytest

import metarl
from metarl.tasks.games.retro_emulator import RetroLevel
from metarl.tasks.games.retro_library import check_roms, game_status, missing_levels
from tests.tasks.retro_tree import AIRSTRIKER, S1, S2, S3K, make_tree, rom, sha1


@pytest.fixture
def tree(tmp_path, monkeypatch):
    return make_tree(tmp_path, monkeypatch)


def test_the_one_rom_that_is_shipped_is_here():
    status = game_status(AIRSTRIKER)
    assert status.right
    assert status.sha1 in status.wanted


def test_a_missing_rom_a_right_one_and_another_version(tree):
    assert game_status(S1) == (S1, None, (sha1(rom(S1)),))
    (tree / "stable" / S1 / "rom.md").write_bytes(rom(S1))
    assert game_status(S1).right
    (tree / "stable" / S1 / "rom.md").write_bytes(b"another")
    assert game_status(S1) == (S1, sha1(b"another"), (sha1(rom(S1)),))
    assert not game_status(S1).right


def test_a_game_that_nobody_knows_is_wanted_by_nobody(tree):
    assert game_status("Tetris-Genesis-v0") == ("Tetris-Genesis-v0", None, ())
    assert not game_status("Tetris-Genesis-v0").right


def test_levels_without_a_state(tree):
    here = RetroLevel(S1, "GreenHillZone.Act1")
    gone = RetroLevel(S1, "ScrapBrainZone.Act3")
    assert missing_levels([here, gone]) == [gone]


def test_missing_and_wrong_roms_get_one_sentence_that_says_what_to_do(tree):
    (tree / "stable" / S2 / "rom.md").write_bytes(b"another")
    with pytest.raises(ValueError) as caught:
        metarl.make("Sonic-v0")
    said = str(caught.value)
    assert (
        f"Sonic-v0 can't be played: the ROM of {S1}, {S3K}, which can't be shipped, isn't here"
        in said
    )
    assert (
        f"the ROM of {S2} is another version (SHA-1 {sha1(b'another')}, not {sha1(rom(S2))})"
        in said
    )
    assert said.endswith(
        "metarl retro import FOLDER brings in those that you own, and metarl retro status says what"
        " is missing."
    )
    with pytest.raises(ValueError, match=f"the ROM of {S1}, which") as caught:
        metarl.make("Sonic-v0", game=S1)
    assert S2 not in str(caught.value)


def test_nothing_is_said_where_nothing_is_missing(tree):
    check_roms("Airstriker-v0", [AIRSTRIKER])


@pytest.mark.parametrize("id", ["Sonic-v0", "Airstriker-v0"])
def test_without_stable_retro_one_sentence_says_how_to_install_it(id, monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_retro", None)
    with pytest.raises(
        ValueError, match=r"stable-retro isn't installed; `pip install -e '\.\[retro\]'`"
    ):
        metarl.make(id)
