"""What `metarl new` writes works in an environment of its own: docs/plug_ins.md's commands run there
as they stand. The packages are installed and listed, pass their tests, train and are scored beside
ours.
"""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from metarl.commands.new import KINDS, first_commands, write_package

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "plug_ins.md"
NAMES = ("MyLine", "MyPlane", "MyLearner", "MyAgent")


def fresh_environment(folder: Path) -> dict[str, str]:
    """Make a virtual environment that sees the packages of this one, and return what its commands
    find around them.

    What is installed goes into `folder` alone, and pip asks no registry.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    seen = [str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]
    (packages / "outer.pth").write_text("\n".join(seen))
    for name in ("pip", "pytest", "metarl"):
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m {name} "$@"\n')
        command.chmod(0o755)
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {
        **outside,
        "PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(folder),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        # pip reads it the other way round: without isolation, with the setuptools that is here
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "COLUMNS": "160",
    }


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> list[str]:
    """Return what each block of the guide's commands printed, run one after the other."""
    folder = tmp_path_factory.mktemp("packages")
    environment = fresh_environment(folder / "environment")
    outputs = []
    for block in re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text("utf-8"), re.M | re.S):
        ran = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert ran.returncode == 0, f"{block}\n{ran.stdout}"
        outputs.append(ran.stdout)
    return outputs


def test_packages_are_written_with_the_commands_that_come_next(said):
    assert [line.split()[1] for line in said[0].splitlines() if line.startswith("Written")] == [
        f"{folder}." for folder in ("my-line", "my-plane", "my-learner", "my-agent")
    ]


def test_they_are_listed_among_ours(said):
    listed = {tuple(line.split()[:2]): line for line in said[1].splitlines()}
    for kind, id, sentence in (
        ("distribution", "MyLine-v0", "A point on a line walks to a goal that it doesn't see"),
        ("distribution", "MyPlane-v0", "A point in the plane walks to a goal"),
        ("learner", "my-learner", "A recurrent policy trained by the plain policy gradient"),
        ("agent", "my-agent", "Repeats an action after a reward"),
        ("distribution", "BernoulliBandit-v0", ""),
    ):
        assert sentence in listed[kind, id]


def test_their_tests_pass(said):
    for module in ("my_line", "my_plane", "my_learner", "my_agent"):
        assert f"test_{module}.py ..." in said[2]
    assert re.search(r"= \d+ passed in ", said[2]), said[2]


def test_they_are_trained_and_scored_beside_ours(said):
    line, bandits = said[3].split("MyLine-v0", 1)[1].split("BernoulliBandit-v0", 1)
    assert "MyLearner" in line
    assert "Random" in line
    for agent in ("MyLearner", "MyAgent", "UCB1", "Random", "optimum"):
        assert agent in bandits


def test_they_run_in_a_suite_beside_ours(said):
    for agent in ("MyLearner", "MyAgent", "RL²", "UCB1", "Random"):
        assert agent in said[4]
    for family in ("MyLine-v0", "BernoulliBandit-v0"):
        assert family in said[4]


def test_each_readme_begins_with_the_guides_commands(tmp_path):
    guide = GUIDE.read_text("utf-8")
    for template, name in zip(KINDS, NAMES, strict=True):
        commands = first_commands(write_package(template, name, tmp_path / name))
        assert [words.split()[0] for words in commands] == ["pip", "pytest", "metarl", "metarl"]
        for words in commands[2:]:
            assert " ".join(words.split()[:2]) in guide
