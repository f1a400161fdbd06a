"""How long `metarl runs` takes over ten thousand runs, imports apart.

Makes small folders of runs, each with its description, 200 lines of metrics and, of every other
one, weights, in a temporary folder, then lists them as the command does: what is read, put in
order, and made into lines.

    python benchmarks/speed/run_listing.py --publish

The files are in the system's memory after they are written, as they are on a machine where runs
are trained; a list from a cold disk takes as long as the disk.
"""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import tyro

from metarl.cli import plain_errors
from metarl.commands.runs import RunsOptions, chosen_runs, listed
from metarl.evaluation.statistics import Estimate
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolder
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import BenchmarkOptions

WANTED = 2.0
LINES = 200  # of each run's metrics
COLUMNS = "iteration,steps,return,policy_loss,value_loss,entropy,seconds,steps_per_second"


@dataclass(frozen=True)
class Options(BenchmarkOptions):
    """What to measure.

    Attributes:
        preset: smoke only shows that everything runs.
    """

    benchmark: ClassVar[str] = "run_listing"
    script: ClassVar[str] = "speed/run_listing"

    preset: Literal["smoke", "cpu"] = "cpu"

    @property
    def runs_made(self) -> int:
        """How many runs are listed."""
        return 10_000 if self.preset == "cpu" else 20

    @property
    def repetitions(self) -> int:
        """How often they are listed."""
        return 11 if self.preset == "cpu" else 1


def make_runs(root: Path, count: int) -> None:
    """Write `count` runs' folders, a hundred in each folder of `root`."""
    first = RunFolder(root / "0" / "rl2-seed0")
    with first.lock():
        first.adopt(RunConfig("rl2").identity())
    lines = [f"{i},{640 * i},{i / LINES},0.1,0.2,1.3,{0.5 * i},13000.0" for i in range(1, LINES)]
    first.metrics_file.write_text("\n".join([COLUMNS, *lines, ""]))
    for i in range(1, count):
        folder = root / str(i // 100) / f"rl2-seed{i}"
        shutil.copytree(first.path, folder)
        if i % 2:
            (folder / "weights.safetensors").touch()


def measure(root: Path, repetitions: int) -> np.ndarray:
    """Return how many seconds each list took."""
    seconds = []
    for _ in range(repetitions):
        began = time.perf_counter()
        lines = listed(chosen_runs(root, RunsOptions()), root)
        seconds.append(time.perf_counter() - began)
        assert len(lines) > 2
    return np.array(seconds)


def main(options: Options) -> None:
    """Measure, print, save."""
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder), options.runs_made)
        measure(Path(folder), 1)
        seconds = measure(Path(folder), options.repetitions)
    estimate = Estimate(
        float(np.median(seconds)), float(seconds.min()), float(seconds.max()), len(seconds)
    )
    figure = f"seconds to list {options.runs_made:,} runs: median and range of {len(seconds)}"
    record_figure(
        options.folder,
        figure,
        f"< {WANTED:g}",
        estimate,
        estimate.high < WANTED,
        options.command(),
    )
    print(
        f"{figure}: {estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}], wanted less"
        f" than {WANTED:g}; load of the machine {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options))
