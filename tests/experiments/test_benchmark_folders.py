"""Folders of a benchmark, published and not; its command reads back as what was asked for."""

import shlex
from pathlib import Path

from metarl.experiments.benchmark_folders import rerun_command, run_folders, tables_folder

RUNS, RESULTS = Path("runs"), Path("results")


def test_what_is_published_goes_to_results_and_all_else_stays_with_the_runs():
    assert tables_folder("sine", RUNS, RESULTS, publish=True, within="cpu") == RESULTS / "sine"
    assert tables_folder("sine", RUNS, RESULTS, publish=False) == RUNS / "sine" / "tables"
    assert tables_folder("sine", RUNS, RESULTS, publish=False, within="cpu") == RUNS / "sine" / "cpu" / "tables"
    assert run_folders("sine", "maml", RUNS, RESULTS) == (RUNS / "sine" / "maml", RESULTS / "sine" / "weights" / "maml")
    own, published = run_folders("sine", "maml/seed0", RUNS, RESULTS, within="cpu")
    assert own == RUNS / "sine" / "cpu" / "maml" / "seed0"
    assert published == RESULTS / "sine" / "weights" / "maml" / "seed0"


def test_the_command_says_what_was_asked_for_and_no_more():
    assert rerun_command("sine", {}, publish=False) == "python benchmarks/sine.py"
    flags = {"num_tasks": 0, "folder": Path("my images"), "rows": ("10,5", "25"), "seeds": (1, 2), "data": None, "agents": ()}
    words = shlex.split(rerun_command("few_shot", flags, publish=True))
    assert words[:2] == ["python", "benchmarks/few_shot.py"]
    assert words[2:6] == ["--num-tasks", "0", "--folder", "my images"]
    assert words[6:] == ["--rows", "10,5", "25", "--seeds", "1", "2", "--publish"]
