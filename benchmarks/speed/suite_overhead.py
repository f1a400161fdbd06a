"""What a suite adds to fifty trivial runs, on this machine and through Ray, beyond the commands' own
time.

The commands are those that `metarl suite run --executor print` prints, run by `xargs` in as many
processes as a suite has cores. Ways take turns, each in a folder of its own.

    python benchmarks/speed/suite_overhead.py --publish
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import tyro

from metarl.cli import plain_errors
from metarl.evaluation.statistics import Estimate
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import BenchmarkOptions

WANTED = {"local": 10.0, "ray": 30.0}  # seconds
SUITE = """
from metarl.suites.suite import Preset, Suite, Training

RUN = Training(
    "rl2", "BernoulliBandit-v0", iterations=1,
    settings={{"num_envs": 8, "episodes": 2, "ppo.minibatches": 2}},
)
SUITE = Suite("trivial", {{"cpu": Preset((RUN,), (), tuple(range({runs})))}})
"""


@dataclass(frozen=True)
class Options(BenchmarkOptions):
    """What to measure.

    Attributes:
        preset: smoke only shows that everything runs.
        cores: that are shared among runs.
        turns: of each way.
    """

    benchmark: ClassVar[str] = "suite_overhead"
    script: ClassVar[str] = "speed/suite_overhead"

    preset: Literal["smoke", "cpu"] = "cpu"
    cores: int = 2
    turns: int = 3

    @property
    def trivial_runs(self) -> int:
        """How many runs a suite has."""
        return 50 if self.preset == "cpu" else 2


def seconds_of(way: str, options: Options) -> float:
    """Return how long the suite's runs take by one way: "commands", "local" or "ray"."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trivial.py"
        file.write_text(SUITE.format(runs=options.trivial_runs))
        words = [sys.executable, "-m", "metarl", "suite", "run", str(file), f"--runs={folder}/runs"]
        if way == "commands":
            printed = _run([*words, "--executor=print"])
            lines = "\n".join(printed.splitlines())
            began = time.perf_counter()
            _run(["xargs", "-P", str(options.cores), "-d", "\n", "-n1", "sh", "-c"], lines)
            return time.perf_counter() - began
        began = time.perf_counter()
        _run([*words, f"--executor={way}", f"--jobs={options.cores}"])
        return time.perf_counter() - began


def _run(words: list[str], given: str = "") -> str:
    return subprocess.run(words, input=given, capture_output=True, text=True, check=True).stdout


def main(options: Options) -> None:
    """Measure, print, save."""
    seconds: dict[str, list[float]] = {"commands": [], "local": [], "ray": []}
    for _ in range(options.turns):
        for way, taken in seconds.items():
            taken.append(seconds_of(way, options))
            print(f"{way}: {taken[-1]:.1f} s", flush=True)
    for way, wanted in WANTED.items():
        more = np.array(seconds[way]) - np.array(seconds["commands"])
        estimate = Estimate(float(np.median(more)), float(more.min()), float(more.max()), len(more))
        figure = (
            f"seconds that {options.trivial_runs} trivial runs take beyond their commands, {way}:"
            f" median and range of {len(more)} pairs"
        )
        record_figure(
            options.folder,
            figure,
            f"< {wanted:g}",
            estimate,
            estimate.value < wanted,
            options.command(),
        )
        print(f"{figure}: {estimate.value:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]")


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options))
