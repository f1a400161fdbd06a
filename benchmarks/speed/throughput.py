"""How fast metarl is, against others doing the same work on the same cores, turn about in one
sitting.

Each measurement is a process of its own, started as a user would start it; subjects alternate, so
that a noisy machine is noisy for all. Opponents live in virtual environments of their own, named by
flags; without one, its figures stay missing.

    python benchmarks/speed/throughput.py --jax-python JAXENV/bin/python \\
        --sb3-python SB3ENV/bin/python --publish

JAXENV holds jax and optax, SB3ENV holds sb3-contrib. Results: throughput.csv (every measurement),
figures.csv, growth.png.
"""

import metarl

metarl.tune_process()  # before torch is imported

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import tyro
from matplotlib.figure import Figure
from rich.console import Console

from metarl.analysis.figures import save
from metarl.cli import plain_errors
from metarl.evaluation.statistics import Estimate
from metarl.runs.store import write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import BenchmarkOptions

COMMAND = (
    "python benchmarks/speed/throughput.py --jax-python JAXENV/bin/python --sb3-python"
    " SB3ENV/bin/python --publish"
)
OPPONENTS = Path(__file__).resolve().parent / "opponents"
ROOT = OPPONENTS.parents[2]
DEFAULT_SPIN = {"GOMP_SPINCOUNT": "300000"}  # what libgomp uses when nobody says otherwise


@dataclass(frozen=True)
class Options(BenchmarkOptions):
    """What to measure.

    Attributes:
        preset: smoke only shows that everything runs.
        jax_python: the interpreter of an environment with jax and optax.
        sb3_python: the interpreter of an environment with sb3-contrib.
    """

    benchmark: ClassVar[str] = "throughput"
    script: ClassVar[str] = "speed/throughput"

    preset: Literal["smoke", "cpu"] = "cpu"
    jax_python: Path | None = None
    sb3_python: Path | None = None

    @property
    def repeats(self) -> int:
        """Measurements of each subject."""
        return 5 if self.preset == "cpu" else 1

    @property
    def seconds(self) -> float:
        """Length of one measurement."""
        return 3.0 if self.preset == "cpu" else 0.2


@dataclass(frozen=True)
class Subject:
    """Something to time.

    Attributes:
        name: in the results.
        command: what runs it, without the seconds.
        environment: variables set for it.
        timed: whether it takes --seconds.
    """

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    timed: bool = True


def own(
    subject: str, name: str = "metarl", environment: dict[str, str] | None = None, **sizes: int
) -> Subject:
    """metarl doing `subject`."""
    flags = [word for key, value in sizes.items() for word in (f"--{key}", str(value))]
    command = (sys.executable, str(OPPONENTS / "own.py"), "--subject", subject, *flags)
    return Subject(name, command, tuple((environment or {}).items()))


def measure(subject: Subject, options: Options, busy: bool = False) -> float:
    """Steps a second of one process, with a competing process beside it if `busy`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **dict(subject.environment)}
    rival = None
    if busy:
        rival = subprocess.Popen(
            [*own("spin").command], env={**environment, "OMP_NUM_THREADS": "1"}
        )
        time.sleep(3)
    try:
        command = [
            *subject.command,
            *(["--seconds", str(options.seconds)] if subject.timed else []),
        ]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        if rival is not None:
            rival.kill()
            rival.wait()
    if result.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{result.stderr[-2000:]}")
    timed = json.loads(result.stdout.strip().splitlines()[-1])
    return float(timed["steps"]) / float(timed["seconds"])


class Sitting:
    """All measurements of one run of this script, saved after each."""

    def __init__(self, options: Options, console: Console):
        self.options = options
        self.console = console
        self.rows: list[dict[str, Any]] = []

    def alternate(
        self, question: str, subjects: list[Subject], busy: bool = False
    ) -> dict[str, np.ndarray]:
        """Rates [repeats] of each subject, taken turn about."""
        rates: dict[str, list[float]] = {subject.name: [] for subject in subjects}
        for repeat in range(self.options.repeats):
            for subject in subjects:
                rate = measure(subject, self.options, busy)
                rates[subject.name].append(rate)
                self.note(question, subject, busy, repeat, rate)
        for name, values in rates.items():
            self.console.print(
                f"{question}: {name}{' beside a busy process' if busy else ''}:"
                f" {np.median(values):,.0f}/s",
                highlight=False,
            )
        return {name: np.asarray(values) for name, values in rates.items()}

    def note(self, question: str, subject: Subject, busy: bool, repeat: int, rate: float) -> None:
        """Save a measurement beside the others."""
        row = {
            "question": question,
            "subject": subject.name,
            "busy": busy,
            "repeat": repeat,
            "steps_per_second": rate,
        }
        self.rows.append({**row, "machine": processor()})
        write_csv(self.options.folder / "throughput.csv", pd.DataFrame(self.rows))

    def best(self, question: str, subjects: list[Subject]) -> Subject:
        """Return the fastest of several settings of an opponent, tried once each."""
        return (
            max(subjects, key=lambda subject: measure(subject, self.options))
            if len(subjects) > 1
            else subjects[0]
        )


def main(options: Options) -> None:
    """Measure, print, save."""
    console = Console(highlight=False)
    console.print(machine())
    options.folder.mkdir(parents=True, exist_ok=True)
    sitting = Sitting(options, console)

    def figure(name: str, wanted: float, ratios: np.ndarray | None) -> None:
        note_median(options.folder, console, name, wanted, ratios, COMMAND)

    tasks = 4096 if options.preset == "cpu" else 64
    full: dict[int, dict[str, np.ndarray]] = {}

    def end_to_end(hidden_size: int, wanted: float) -> None:
        question = f"RL² end to end in 2 processes, {hidden_size} units, {tasks} tasks"
        rivals = []
        if options.sb3_python is not None:
            settings = (
                [256, 64]
                if options.preset == "cpu" and hidden_size == 64
                else [256 if options.preset == "cpu" else 8]
            )
            script = str(OPPONENTS / "sb3_rl2.py")
            tries = [
                Subject(
                    "sb3-contrib",
                    (
                        str(options.sb3_python),
                        script,
                        "--hidden-size",
                        str(hidden_size),
                        "--tasks",
                        str(envs),
                    ),
                    timed=False,
                )
                for envs in settings
            ]
            rivals.append(sitting.best(question, tries))
        if options.jax_python is not None:
            flags = ("--hidden-size", str(hidden_size), "--tasks", str(tasks))
            rivals.append(
                Subject(
                    "JAX, jitted", (str(options.jax_python), str(OPPONENTS / "jax_rl2.py"), *flags)
                )
            )
        rivals.append(
            own("plain", "PyTorch's GRU", DEFAULT_SPIN, hidden_size=hidden_size, tasks=tasks)
        )
        full[hidden_size] = sitting.alternate(
            question, [own("rl2", hidden_size=hidden_size, tasks=tasks), *rivals]
        )
        ours = full[hidden_size]["metarl"]
        figure(
            f"{question}: times sb3-contrib's rate",
            wanted,
            ratio(ours, full[hidden_size].get("sb3-contrib")),
        )
        figure(
            f"{question}: times the jitted JAX program's rate",
            1.0,
            ratio(ours, full[hidden_size].get("JAX, jitted")),
        )

    end_to_end(64, 5.0)

    question = "environment only"
    script = str(OPPONENTS / "gymnasium_bandit.py")
    rival = sitting.best(
        question,
        [
            Subject("SyncVectorEnv", (sys.executable, script, "--tasks", str(envs)))
            for envs in (16, 64, 256, 1024)
        ],
    )
    large = own(
        "environment", "metarl, 65,536 tasks", tasks=65_536 if options.preset == "cpu" else 128
    )
    rates = sitting.alternate(
        question, [own("environment", f"metarl, {tasks:,} tasks", tasks=tasks), large, rival]
    )
    for name in (f"metarl, {tasks:,} tasks", large.name):
        figure(
            f"environment only: {name}, times Gymnasium's SyncVectorEnv",
            100.0,
            ratio(rates[name], rates["SyncVectorEnv"]),
        )

    quiet = sitting.alternate(
        "busy machine",
        [
            own("rl2", tasks=tasks),
            own(
                "rl2",
                "metarl in one process, PyTorch's default",
                DEFAULT_SPIN,
                tasks=tasks,
                processes=1,
            ),
        ],
    )
    busy = sitting.alternate(
        "busy machine",
        [
            own("rl2", tasks=tasks),
            own(
                "rl2",
                "metarl in one process, PyTorch's default",
                DEFAULT_SPIN,
                tasks=tasks,
                processes=1,
            ),
        ],
        busy=True,
    )
    figure(
        "rate beside one busy process, share of the undisturbed",
        0.4,
        busy["metarl"] / np.median(quiet["metarl"]),
    )
    default = "metarl in one process, PyTorch's default"
    console.print(
        "with PyTorch's default spinning:"
        f" {np.median(busy[default]) / np.median(quiet[default]):.2f} of the undisturbed"
    )

    end_to_end(256, 2.0)
    rates = sitting.alternate("matrix product, float32 operations", [own("matmul", "torch.mm")])
    flops = operations_per_step(hidden_size=256, features=5 + 2, outputs=5 + 1, epochs=4)
    share = full[256]["metarl"] * flops / np.median(rates["torch.mm"])
    figure("share of the machine's matrix-product rate, 256 units", 0.6, share)

    if options.preset == "cpu":
        growth(sitting, options)


GROWTH_BASE = {"tasks": 4096, "pulls": 10, "units": 64}
GROWTH_RANGES = {
    "tasks": (256, 1024, 4096, 16384),
    "pulls": (5, 10, 50, 100),
    "units": (16, 64, 128, 256),
}


def growth(sitting: Sitting, options: Options) -> None:
    """Measure how time grows with tasks, pulls and units, one at a time around 4,096 tasks, 10
    pulls, 64 units.
    """
    for name, values in GROWTH_RANGES.items():
        for value in values:
            fewer = {"tasks": 512} if name == "pulls" and value > 10 else {}
            sizes = {**GROWTH_BASE, name: value, **fewer}
            sizes["hidden_size"] = sizes.pop("units")
            subject = own("rl2", f"{name}={value}", None, **sizes)
            rate = measure(subject, options)
            sitting.note("growth", subject, False, 0, rate)
    table = pd.DataFrame(sitting.rows)
    write_csv(options.folder / "throughput.csv", table)
    save(growth_figure(table), options.folder / "growth.png")


def growth_figure(table: pd.DataFrame) -> Figure:
    """Return the figure of `growth`, drawn from the rows of throughput.csv."""
    rates = table[table.question == "growth"].set_index("subject").steps_per_second
    figure = Figure((10, 3.6), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, 3), GROWTH_RANGES.items(), strict=True):
        axes.plot(
            values,
            [1e6 / rates[f"{name}={value}"] for value in values],
            marker="o",
            color="#0072b2",
        )
        axes.set_xscale("log", base=2)
        axes.set_xticks(values, [f"{value:,}" for value in values])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"{name} (log scale{'; 512 tasks from 50 on' if name == 'pulls' else ''})")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("µs per environment step,\ncollect and update")
    figure.suptitle(
        "RL² on bandits in 2 processes: time of a step, around 4,096 tasks, 10 pulls, 64 units",
        fontsize=11,
    )
    figure.supxlabel("one measurement a point, without interval", fontsize=9)
    return figure


def operations_per_step(hidden_size: int, features: int, outputs: int, epochs: int) -> float:
    """Floating-point operations of the matrix products behind one environment step.

    A forward pass costs 2 (3 H (H + F) + H P); the backward pass repeats it for the weights and,
    but for the inputs', for the activations.
    """
    recurrent = 2 * 3 * hidden_size * hidden_size
    inputs = 2 * 3 * hidden_size * features
    heads = 2 * hidden_size * outputs
    forward = recurrent + inputs + heads
    backward = 2 * recurrent + inputs + 2 * heads
    return float(forward + epochs * (forward + backward))


def ratio(ours: np.ndarray, theirs: np.ndarray | None) -> np.ndarray | None:
    """Ratio of each pair of neighbouring measurements."""
    return None if theirs is None else ours / theirs


def ratio_interval(ratios: np.ndarray) -> tuple[float, float]:
    """Return the range of the ratios: with five of them, a 94 % interval of their median."""
    return float(ratios.min()), float(ratios.max())


def machine() -> str:
    """Return what is measured on, and how busy it is."""
    return f"{processor()}; busy at the start: {os.getloadavg()[0]:.1f}"


def processor() -> str:
    """Return the processor's name, its cores and Python's version."""
    return f"{cpu_model()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def note_median(
    folder: Path,
    console: Console,
    figure: str,
    wanted: float | None,
    values: np.ndarray | None,
    command: str,
) -> None:
    """Print and save the median of `values` with their range; it is to be `wanted` at least, or
    just measured.

    Args:
        values: None where the figure wasn't measured, which is saved as missing.
    """
    words = "measured" if wanted is None else f">= {wanted:g}"
    estimate = (
        None
        if values is None
        else Estimate(float(np.median(values)), *ratio_interval(values), len(values))
    )
    reached = None if estimate is None or wanted is None else estimate.value >= wanted
    record_figure(folder, figure, words, estimate, reached, command)
    known = (
        "not measured"
        if estimate is None
        else f"{estimate.value:,.4g} [{estimate.low:,.4g}, {estimate.high:,.4g}]"
    )
    console.print(f"{figure}: {known}, wanted: {words}")


def cpu_model() -> str:
    """Return the processor's name."""
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    ):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options))
