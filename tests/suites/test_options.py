"""A benchmark's options.

Its folders, published and not; its command reads back as what was asked for; its trained runs.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import tyro

from metarl.learners.memory.rl2 import RL2Config
from metarl.runs.config import RunConfig
from metarl.suites.options import SuiteOptions

RUNS = Path("my runs")
RESULTS = Path("my results")
RUN = RunConfig(
    "rl2", RL2Config(episodes=2, num_envs=8, iterations=1), "BernoulliBandit-v0", {"arms": 2}
)


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to compute.

    Attributes:
        rows: which.
        num_tasks: how many.
        images: where they are.
        preset: the folder of its runs.
    """

    benchmark: ClassVar[str] = "waves"
    script: ClassVar[str] = "paper/waves"

    rows: tuple[str, ...] = ()
    num_tasks: int | None = None
    images: Path | None = None
    preset: str = ""

    @property
    def within(self) -> str:
        """The folder of the preset's runs."""
        return self.preset


def test_what_is_published_goes_to_results_and_all_else_stays_with_the_runs():
    kept = Options(runs=RUNS, results=RESULTS)
    published = Options(publish=True, runs=RUNS, results=RESULTS)
    assert published.folder == RESULTS / "waves"
    assert kept.folder == RUNS / "waves" / "tables"
    for options in (kept, published):
        assert options.run_folders("maml") == (
            RUNS / "waves" / "maml",
            RESULTS / "waves" / "weights" / "maml",
        )
    within = Options(preset="cpu", runs=RUNS, results=RESULTS)
    assert within.folder == RUNS / "waves" / "cpu" / "tables"
    assert within.run_folders("maml/seed0") == (
        RUNS / "waves" / "cpu" / "maml" / "seed0",
        RESULTS / "waves" / "weights" / "maml" / "seed0",
    )


def test_folders_may_be_named_by_text():
    assert Options(runs="my runs").runs == RUNS


def test_the_command_names_own_options_that_differ_and_no_more():
    assert (
        Options(device="cuda", train=False, runs=RUNS).command()
        == "python benchmarks/paper/waves.py"
    )
    asked = Options(("10,5", "25"), 0, Path("my images"), publish=True)
    words = shlex.split(asked.command())
    assert words[:2] == ["python", "benchmarks/paper/waves.py"]
    assert words[2:] == [
        "--rows",
        "10,5",
        "25",
        "--num-tasks",
        "0",
        "--images",
        "my images",
        "--publish",
    ]
    assert tyro.cli(Options, args=words[2:]) == asked


def test_a_part_of_what_was_asked_for_has_its_own_command():
    asked = Options(("10,5", "25"), 100)
    assert (
        asked.command(rows=("25",)) == "python benchmarks/paper/waves.py --rows 25 --num-tasks 100"
    )
    assert asked.rows == ("10,5", "25")


def test_all_are_flags_of_one_command_line():
    assert tyro.cli(Options, args=[]) == Options()
    flags = [
        "--publish",
        "--runs",
        str(RUNS),
        "--results",
        str(RESULTS),
        "--no-train",
        "--device",
        "cuda",
        "--num-tasks",
        "3",
    ]
    asked = Options(
        num_tasks=3, publish=True, runs=RUNS, results=RESULTS, train=False, device="cuda"
    )
    assert tyro.cli(Options, args=flags) == asked


def test_a_run_is_trained_once_published_and_not_mistaken_for_another(tmp_path):
    where = {"runs": tmp_path / "runs", "results": tmp_path / "results"}
    assert Options(train=False, **where).trained_run("two-arms", RUN) is None
    assert Options(**where).trained_run("two-arms", RUN) == tmp_path / "runs/waves/two-arms"
    published = tmp_path / "results/waves/weights/two-arms"
    assert Options(publish=True, train=False, **where).trained_run("two-arms", RUN) == published
    other = RunConfig(RUN.learner, RUN.config, RUN.distribution, {"arms": 3})
    Options(**where).check_run("two-arms", RUN)
    with pytest.raises(ValueError, match="other settings"):
        Options(**where).check_run("two-arms", other)
