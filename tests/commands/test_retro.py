"""What `metarl retro status` and `metarl retro import` say, with no ROM of Sonic's and with made-up
ones.
"""

import sys

import pytest

from metarl.cli import main
from metarl.commands.retro import StatusOptions, import_report, status_report
from tests.tasks.retro_tree import AIRSTRIKER, CUSTOM, S1, S2, S3K, make_tree, rom, sha1


@pytest.fixture
def tree(tmp_path, monkeypatch):
    return make_tree(tmp_path / "tree", monkeypatch)


def line(lines, game):
    return next(" ".join(each.split()) for each in lines if each.startswith(game))


def test_without_roms_only_airstriker_can_be_played(tree):
    lines = status_report()
    assert line(lines, AIRSTRIKER) == f"{AIRSTRIKER} 12 of 12 here"
    assert line(lines, S1) == f"{S1} 0 of 17 missing: SHA-1 {sha1(rom(S1))}"
    assert (
        line(lines, CUSTOM)
        == f"{CUSTOM} 0 of 4 missing: metarl retro import makes it from that of {S1}"
    )
    counts = (
        "Airstriker-v0 train: 8 of 8; Airstriker-v0 test: 4 of 4; Sonic-v0 train: 0 of 47; Sonic-v0"
        " test: 0 of 11"
    )
    assert f"Can be played here: {counts}; Sonic-v0 extrapolate: 0 of 16." in lines
    assert (
        lines[-1]
        == "ROMs can't be shipped; metarl retro import FOLDER brings in those that you own."
    )


def test_an_import_says_what_it_recognised_and_status_what_can_be_played_then(tree, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "one.md").write_bytes(rom(S1))
    (folder / "two.md").write_bytes(rom(S2) + b"!")
    (folder / "readme").write_text("")
    assert [" ".join(each.split()) for each in import_report(folder)] == [
        f"recognised {folder / 'one.md'} as {S1}",
        f"unknown {folder / 'two.md'} SHA-1 {sha1(rom(S2) + b'!')}, calls itself '{S2}'",
        f"made {CUSTOM} from the ROM of {S1}",
        "ROMs: 1 recognised, 1 unknown, 1 made; 1 further files.",
        (
            "An unknown ROM is a game or a version that stable-retro has no levels of; metarl retro"
            " status says which it wants."
        ),
    ]
    (tree / "stable" / S3K / "rom.md").write_bytes(b"another")
    lines = status_report(StatusOptions(levels=True))
    assert line(lines, S1) == f"{S1} 17 of 17 here"
    assert (
        line(lines, S3K)
        == f"{S3K} 0 of 23 another version: SHA-1 {sha1(b'another')}, not {sha1(rom(S3K))}"
    )
    assert "    + GreenHillZone.Act1" in lines
    assert "    - LavaReefZone.Act1" in lines
    assert any(
        "Sonic-v0 train: 13 of 47; Sonic-v0 test: 4 of 11; Sonic-v0 extrapolate: 4 of 16." in each
        for each in lines
    )


def test_a_level_that_the_installed_stable_retro_lacks_is_named(tree):
    (tree / "stable" / S1 / "MarbleZone.Act2.state").unlink()
    said = next(
        each
        for each in status_report()
        if each.startswith("The installed stable-retro has no state of ")
    )
    assert f"MarbleZone.Act2 of {S1}" in said
    assert f"MarbleZone.Act1 of {S1}" not in said


def test_the_commands_print_it(tree, tmp_path, capsys):
    main(["retro", "status"])
    assert "Can be played here" in capsys.readouterr().out
    main(["retro", "import", str(tmp_path)])
    assert "ROMs: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["import", "nowhere"], "There is no folder nowhere"),
        (["status"], "pip install -e '.[retro]'"),
    ],
)
def test_bad_input_gets_a_sentence(words, sentence, monkeypatch, capsys):
    if words == ["status"]:
        monkeypatch.setitem(sys.modules, "stable_retro", None)
    with pytest.raises(SystemExit) as caught:
        main(["retro", *words])
    assert caught.value.code == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(("words", "status"), [([], 0), (["--help"], 0), (["export"], 2)])
def test_help_names_both(words, status, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["retro", *words])
    assert caught.value.code == status
    if not status:
        shown = capsys.readouterr().out
        assert "status" in shown
        assert "import" in shown


def test_a_folder_without_roms_is_said_to_be_one(tmp_path):
    (tmp_path / "notes.txt").write_text("no game")
    lines = import_report(tmp_path)
    assert lines[0] == "ROMs: 0 recognised, 0 unknown, 0 made; 1 further files."
    assert lines[1].startswith(f"There is no ROM in {tmp_path}")
