"""Folders of a benchmark, published and not; its command reads back as what was asked for; the options of a script that composes them."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from metarl.runs.benchmark_folders import Storage, changed

RUNS, RESULTS = Path("my runs"), Path("my results")
KEPT, PUBLISHED = Storage(False, RUNS, RESULTS), Storage(True, RUNS, RESULTS)


@dataclass(frozen=True)
class Options:
    seed: int = 0
    storage: Annotated[Storage, tyro.conf.arg(name="")] = field(default_factory=Storage)


def test_what_is_published_goes_to_results_and_all_else_stays_with_the_runs():
    assert PUBLISHED.tables("sine", within="cpu") == RESULTS / "sine"
    assert KEPT.tables("sine") == RUNS / "sine" / "tables"
    assert KEPT.tables("sine", within="cpu") == RUNS / "sine" / "cpu" / "tables"
    for storage in (KEPT, PUBLISHED):
        assert storage.places("sine", "maml") == (RUNS / "sine" / "maml", RESULTS / "sine" / "weights" / "maml")
        own, published = storage.places("sine", "maml/seed0", within="cpu")
        assert own == RUNS / "sine" / "cpu" / "maml" / "seed0"
        assert published == RESULTS / "sine" / "weights" / "maml" / "seed0"


def test_the_command_says_what_was_asked_for_and_no_more():
    assert KEPT.command("sine", {}) == "python benchmarks/reptile/sine.py"
    flags = {"num_tasks": 0, "folder": Path("my images"), "rows": ("10,5", "25"), "seeds": (1, 2), "data": None, "agents": ()}
    words = shlex.split(PUBLISHED.command("few_shot", flags))
    assert words[:2] == ["python", "benchmarks/reptile/few_shot.py"]
    assert words[2:6] == ["--num-tasks", "0", "--folder", "my images"]
    assert words[6:] == ["--rows", "10,5", "25", "--seeds", "1", "2", "--publish"]


def test_a_script_that_composes_them_has_them_as_its_own_flags():
    assert tyro.cli(Options, args=[]) == Options(storage=Storage(False, Path("runs"), Path("results")))
    asked = ["--publish", "--runs", str(RUNS), "--results", str(RESULTS), "--seed", "3"]
    assert tyro.cli(Options, args=asked) == Options(3, PUBLISHED)


def test_commands_name_what_differs_from_its_default():
    @dataclass(frozen=True)
    class Options:
        seeds: tuple[int, ...] = (0, 1)
        steps: int = 10

    assert changed(Options(), "seeds", "steps") == {}
    assert changed(Options(steps=20), "seeds", "steps") == {"steps": 20}
    assert Storage().command("sine", changed(Options(seeds=(2, 3)), "seeds")) == "python benchmarks/reptile/sine.py --seeds 2 3"
