"""`metarl new` writes packages: under any name, without harm to what is there."""

import ast
import configparser
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from metarl.cli import main
from metarl.commands.new import KINDS, TEMPLATES, first_commands, spellings, write_package
from metarl.runs.store import StorageError

ROOT = Path(__file__).resolve().parents[2]


def written(folder: Path) -> dict[str, str]:
    """Return the text of each file below `folder`, but for what tools keep there."""
    kept = ("__pycache__", ".ruff_cache", ".pytest_cache", ".mypy_cache")
    return {
        file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8")
        for file in folder.rglob("*")
        if file.is_file() and not set(kept) & set(file.parts)
    }


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("MyMaze", ("my_maze", "MyMaze", "my-maze")),
        ("my_maze", ("my_maze", "MyMaze", "my-maze")),
        ("maze", ("maze", "Maze", "maze")),
        ("RL2Maze", ("rl2_maze", "RL2Maze", "rl2-maze")),
        ("UCBAgent", ("ucb_agent", "UCBAgent", "ucb-agent")),
        ("two_armBandit3", ("two_arm_bandit3", "TwoArmBandit3", "two-arm-bandit3")),
    ],
)
def test_a_name_is_spelled_as_code_and_commands_do(name, spelled):
    assert spellings(name) == spelled


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("my-maze", r"not 'my-maze'; did you mean my_maze\?"),
        ("MyMaze-v0", "not 'MyMaze-v0'; did you mean My_Maze_v0"),
        ("2arms", r"not '2arms'; did you mean arms\?"),
        ("", r"begins with a letter, such as MyMaze or my_maze, not ''\.$"),
        ("Maße", "letters, digits and underscores"),
        ("a/b", "letters, digits and underscores"),
        ("M" * 41, "at most 40 letters"),
    ],
)
def test_what_is_no_name_gets_a_sentence(name, sentence):
    with pytest.raises(ValueError, match=sentence):
        spellings(name)


@pytest.mark.parametrize(
    ("template", "name", "sentence"),
    [
        ("new_task", "cart_pole", "There is a distribution 'CartPole-v0' already"),
        ("new_gymnasium_task", "SineRegression", "There is a distribution 'SineRegression-v0'"),
        ("new_learner", "RL2", "There is a learner 'rl2' already"),
        ("new_agent", "BayesOptimal", "There is an agent 'bayes-optimal' already"),
        ("new_learner", "random", r"There is a Python module 'random' already, .*random\.py"),
        ("new_agent", "sys", "There is a Python module 'sys' already"),
        ("new_task", "Lambda", "'lambda' is a word of Python's own"),
        ("new_task", "Tasks", "own code uses the name 'Tasks'"),
        ("new_task", "ValueError", "own code uses the name 'ValueError'"),
        ("new_gymnasium_task", "draw_goal", "own code uses the name 'draw_goal'"),
    ],
)
def test_a_name_that_is_taken_is_refused_before_anything_is_written(
    template, name, sentence, tmp_path
):
    with pytest.raises(ValueError, match=f"{sentence}.*: choose another name"):
        write_package(template, name, tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_what_is_there_already_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-maze").mkdir()
    assert write_package("new_task", "MyMaze") == Path("my-maze")  # an empty folder is fine
    before = written(tmp_path)
    with pytest.raises(ValueError, match="my-maze exists already: name another folder by --folder"):
        write_package("new_task", "MyMaze")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="file exists already"):
        write_package("new_task", "MyMaze", tmp_path / "file")
    with pytest.raises(StorageError):
        write_package("new_task", "MyMaze", tmp_path / "file" / "below")
    assert written(tmp_path) == {**before, "file": "mine"}


@pytest.mark.parametrize("template", KINDS)
def test_a_package_is_the_template_under_another_name(template, tmp_path):
    write_package(template, template, tmp_path / "same")
    assert written(tmp_path / "same") == written(TEMPLATES / template)
    folder = write_package(template, "OwnOne", tmp_path / "own")
    files = written(folder)
    assert sorted(files) == [
        "README.md",
        "pyproject.toml",
        "src/own_one.py",
        "tests/test_own_one.py",
    ]
    for text in files.values():
        assert not any(spelling in text for spelling in spellings(template))
    for name in ("src/own_one.py", "tests/test_own_one.py"):
        assert ast.get_docstring(ast.parse(files[name]))
    project = tomllib.loads(files["pyproject.toml"])["project"]
    ((group, points),) = project["entry-points"].items()
    assert group == f"metarl.{KINDS[template]}s"
    ((id, place),) = points.items()
    assert id == spellings("OwnOne").id(template)
    module, attribute = place.split(":")
    assert module == "own_one"
    assert attribute in {
        getattr(node, "name", None) for node in ast.parse(files["src/own_one.py"]).body
    }
    assert any(id in line for line in first_commands(folder))


def test_packages_keep_the_style_that_their_settings_ask_for(tmp_path):
    for template in KINDS:  # a name as long as the template's, since lines break by their length
        write_package(template, template.replace("new", "own"), tmp_path / template)
    for check in (["check"], ["format", "--check"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
        )
        if "No module named" in ran.stderr:
            pytest.skip("ruff is here with the extra dev only")
        assert ran.returncode == 0, ran.stdout


def test_every_file_of_a_template_is_part_of_an_installed_metarl():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    patterns = settings["options.package_data"]["metarl.commands"].split()
    for template in KINDS:
        files = written(TEMPLATES / template)
        assert len(files) == 4
        for name in files:
            path = Path("templates") / template / name
            assert any(path.match(pattern) for pattern in patterns), path


def test_the_command_shows_what_comes_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["new", "task", "MyPlane", "--kind", "gymnasium"])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Written: my-plane. Next:"
    assert said[2] == "cd my-plane"
    assert said[3:] == first_commands(tmp_path / "my-plane")
    assert (tmp_path / "my-plane/src/my_plane.py").is_file()
    main(["new", "agent", "MyAgent", "--folder", str(tmp_path / "else where")])
    assert f"cd '{tmp_path}/else where'" in capsys.readouterr().out
    assert os.listdir(tmp_path / "else where/src") == ["my_agent.py"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["task", "my-maze"], "A name is made of letters"),
        (["learner", "rl2"], "There is a learner 'rl2' already"),
        (["agent", "MyAgent", "--kind", "tensor"], "metarl new agent has no flag --kind"),
        (["task", "MyMaze", "--kind", "torch"], "invalid choice 'torch'"),
        (["job", "MyMaze"], "task, learner, agent"),
    ],
)
def test_bad_input_gets_a_sentence_and_writes_nothing(
    words, sentence, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["new", *words])
    assert ended.value.code in (1, 2)
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
