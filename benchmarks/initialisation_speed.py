"""How fast MAML's meta-updates are, first and second order, against learn2learn's on the same tasks, networks and cores, turn about.

32 tasks, five inner steps, one thread. Each measurement is a process of its own. Rates are updates a second of processor time, which
other processes on the machine disturb least; rates by the clock are in speed.csv too. learn2learn lives in this environment
(`make learn2learn`) or in the one that --learn2learn-python names.

    python benchmarks/initialisation_speed.py --publish
"""

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from metarl.cli import plain_errors
from metarl.results import record_figure, write_csv

OPPONENTS = Path(__file__).resolve().parent / "opponents"
ROOT = OPPONENTS.parent.parent


@dataclass(frozen=True)
class Question:
    """Something to time.

    Attributes:
        model: sine (a perceptron) or images (the Omniglot network). order: of the meta-gradient.
        channels: filters of the Omniglot network's layers.
        wanted: how many times learn2learn's rate; None where the figure is only to be known.
    """

    model: str
    order: str
    channels: int
    wanted: float | None

    @property
    def name(self) -> str:
        """As figures are named."""
        network = "sine perceptron" if self.model == "sine" else f"Omniglot network, {self.channels} channels"
        return f"{network}, {self.order} order: times learn2learn's meta-updates per second"

    @property
    def flags(self) -> tuple[str, ...]:
        """For both sides' scripts."""
        return ("--model", self.model, "--order", self.order, "--channels", str(self.channels))


QUESTIONS = (
    Question("sine", "second", 0, 8.0),
    Question("sine", "first", 0, 12.0),
    *(Question("images", order, channels, 2.0 if channels == 16 else None) for channels in (16, 32, 64) for order in ("second", "first")),
)


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        preset: smoke only shows that everything runs.
        learn2learn_python: an interpreter with learn2learn; this one if left out.
        repeats: pairs of measurements.
        publish: write to results/initialisation_speed rather than runs/initialisation_speed.
    """

    preset: Literal["smoke", "cpu"] = "cpu"
    learn2learn_python: Path = Path(sys.executable)
    repeats: int = 5
    publish: bool = False

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path("results" if self.publish else "runs") / "initialisation_speed"


def measure(python: Path, script: str, flags: tuple[str, ...], seconds: float) -> dict[str, Any]:
    """What one process says."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [str(python), str(OPPONENTS / script), *flags, "--seconds", str(seconds)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        advice = " Run `make learn2learn`, or name an interpreter that has it." if "learn2learn" in result.stderr[-300:] else ""
        raise RuntimeError(f"{script} failed:{advice}\n{result.stderr[-2000:]}")
    return dict(json.loads(result.stdout.strip().splitlines()[-1]))


def ask(question: Question, options: Options, rows: list[dict[str, Any]]) -> np.ndarray:
    """Ratios [repeats] of neighbouring measurements; every measurement goes to `rows`."""
    ratios = []
    for repeat in range(options.repeats):
        rates = []
        for python, script in ((Path(sys.executable), "own_maml.py"), (options.learn2learn_python, "learn2learn_maml.py")):
            said = measure(python, script, question.flags, 2.0 if options.preset == "cpu" else 0.05)
            rates.append(said["updates"] / said["seconds"])
            line = {"question": question.name, "repeat": repeat, "subject": said["version"], "updates_per_cpu_second": rates[-1]}
            rows.append({**line, "updates_per_second": said["updates"] / said["wall_seconds"], "load": round(os.getloadavg()[0], 2)})
        ratios.append(rates[0] / rates[1])
    return np.asarray(ratios)


def main(options: Options, questions: tuple[Question, ...] = QUESTIONS) -> None:
    """Measure, print, save."""
    console, rows = Console(highlight=False), list[dict[str, Any]]()
    options.folder.mkdir(parents=True, exist_ok=True)
    console.print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
    for question in questions:
        ratios = ask(question, options, rows)
        write_csv(options.folder / "speed.csv", pd.DataFrame(rows))
        value = float(np.median(ratios))
        record_figure(
            options.folder,
            question.name,
            wanted="known" if question.wanted is None else f">= {question.wanted:g}",
            value=value,
            ci_low=float(ratios.min()),
            ci_high=float(ratios.max()),
            n=len(ratios),
            reached=None if question.wanted is None else value >= question.wanted,
            command="python benchmarks/initialisation_speed.py --publish",
        )
        console.print(f"{question.name}: {value:.2f} [{ratios.min():.2f}, {ratios.max():.2f}]")


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options))
