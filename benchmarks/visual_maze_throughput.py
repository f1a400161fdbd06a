"""How many frames a second VisualMaze gives, against ViZDoom at its smallest resolution, on the same cores in one sitting.

Each side is as many processes as there are cores (metarl: one thread each; ViZDoom: an instance each, whose engine works in lockstep with
it). All are started beforehand and wait; the sides then play turn about, a second each, so that noise meets all alike. A frame is
an environment step that gives an image: 40x30 for metarl, 160x120 for ViZDoom. ViZDoom lives in an environment of its own:

    python benchmarks/visual_maze_throughput.py --vizdoom-python ENV/bin/python --publish

Results: throughput.csv (every measurement, with the machine's load), figures.csv. On a busy machine the rates by processor time tell more.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tyro
from rich.console import Console
from scipy.stats import binom
from throughput import OPPONENTS, ROOT, cpu_model, ratio

from metarl.cli import plain_errors
from metarl.results import record_figure, write_csv

WANTED = 10.0


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        preset: smoke only shows that everything runs.
        vizdoom_python: the interpreter of an environment with vizdoom.
        rows: mazes that one process of metarl steps at once.
        publish: write to results/visual_maze_throughput rather than runs/visual_maze_throughput.
    """

    preset: Literal["smoke", "cpu"] = "cpu"
    vizdoom_python: Path | None = None
    rows: int = 1024
    publish: bool = False

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path("results" if self.publish else "runs") / "visual_maze_throughput"

    @property
    def pairs(self) -> int:
        """Measurements of each side."""
        return 25 if self.preset == "cpu" else 1

    @property
    def seconds(self) -> float:
        """Length of one measurement."""
        return 1.0 if self.preset == "cpu" else 0.1

    @property
    def processes(self) -> int:
        """Of each side."""
        return os.cpu_count() or 1 if self.preset == "cpu" else 1


class Side:
    """Processes that wait until they are told to play.

    Args:
        name: in the results.
        command: what runs one; the process's number is put before the last words.
        words: what follows it.
        processes: how many.
    """

    def __init__(self, name: str, command: tuple[str, ...], words: tuple[str, ...], processes: int):
        self.name = name
        self.folder = tempfile.TemporaryDirectory()  # ViZDoom leaves files where it is started
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.players = [
            subprocess.Popen(
                [*command, str(seed), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                cwd=self.folder.name,
            )
            for seed in range(processes)
        ]

    def play(self, seconds: float) -> tuple[float, float, str]:
        """All processes play; returns frames a second together, frames a second of processor time, and the version."""
        for player in self.players:
            assert player.stdin is not None
            player.stdin.write(f"{seconds}\n")
            player.stdin.flush()
        told = [json.loads(self._answer(player)) for player in self.players]
        rate = sum(each["steps"] / each["seconds"] for each in told)
        processor = sum(each["steps"] for each in told) / max(sum(each["processor"] for each in told), 1e-9)
        return rate, processor, told[0]["version"]

    def close(self) -> None:
        """End the processes."""
        for player in self.players:
            player.communicate()
        self.folder.cleanup()

    def _answer(self, player: subprocess.Popen[str]) -> str:
        assert player.stdout is not None
        line = player.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: a process ended early with status {player.wait()}.")
        return line


def own(subject: str, options: Options) -> Side:
    """metarl doing `subject`."""
    command = (sys.executable, str(OPPONENTS / "own_visual_maze.py"))
    return Side(f"metarl, {subject}", command, (subject, str(options.rows)), options.processes)


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """A 95 % interval of the median from order statistics (the range where there are too few values for one)."""
    ordered, n = np.sort(values), len(values)
    outside = int(binom.ppf(0.025, n, 0.5))  # so many may lie below the interval
    return float(ordered[max(outside - 1, 0)]), float(ordered[min(n - outside, n - 1)])


def main(options: Options) -> None:
    """Measure, print, save."""
    console = Console(highlight=False)
    machine = f"{cpu_model()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    console.print(machine)
    options.folder.mkdir(parents=True, exist_ok=True)
    sides = [own("step", options), own("environment", options)]
    if options.vizdoom_python is not None:
        script = str(OPPONENTS / "vizdoom_maze.py")
        sides.append(Side("ViZDoom", (str(options.vizdoom_python.absolute()), script), (), options.processes))
    try:
        for side in sides:
            side.play(min(5.0, 5 * options.seconds))  # past imports, first episodes, caches
        rows = []
        for pair in range(options.pairs):
            for side in sides:
                rate, processor, version = side.play(options.seconds)
                row = {
                    "pair": pair,
                    "side": side.name,
                    "version": version,
                    "frames_per_second": rate,
                    "frames_per_processor_second": processor,
                }
                rows.append({**row, "load": os.getloadavg()[0], "machine": machine})
            time.sleep(0.05)
    finally:
        for side in sides:
            side.close()
    table = pd.DataFrame(rows)
    write_csv(options.folder / "throughput.csv", table)
    for clock in ("frames_per_second", "frames_per_processor_second"):
        rates = {str(name): group[clock].to_numpy() for name, group in table.groupby("side", sort=False)}
        for name, values in rates.items():
            console.print(f"{name}: {np.median(values):,.0f} {clock.replace('_', ' ')}")
        for side in sides[:2]:
            publish_ratio(
                options, console, f"{side.name}: times ViZDoom's {clock.replace('_', ' ')}", ratio(rates[side.name], rates.get("ViZDoom"))
            )
    console.print(f"load while measuring: {table['load'].min():.1f} to {table['load'].max():.1f}")


def publish_ratio(options: Options, console: Console, name: str, ratios: np.ndarray | None) -> None:
    """Write the row of figures.csv."""
    value, (low, high) = (float(np.median(ratios)), median_interval(ratios)) if ratios is not None else (np.nan, (np.nan, np.nan))
    command = "python benchmarks/visual_maze_throughput.py --vizdoom-python ENV/bin/python --publish"
    reached = None if ratios is None else bool(value >= WANTED)
    n = 0 if ratios is None else len(ratios)
    record_figure(
        options.folder, name, wanted=f">= {WANTED:g}", value=value, ci_low=low, ci_high=high, n=n, reached=reached, command=command
    )
    console.print(f"{name}: {value:.3g} [{low:.3g}, {high:.3g}], wanted at least {WANTED:g}")


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options))
