"""How much faster MLSH trains tasks side by side than one after another: a learner of 64 tasks against a learner of one, turn about.

Both learners have the paper's settings on MovingBandits-v0, the same work a task: D = 2,000 steps, an update of its master, and after nine
of them one of the sub-policies. Updates are counted task by task and timed by the clock, over whole lives of a task, so that all phases
are in. Each side takes the number of threads that suits it better. Run it on a quiet machine: threads may then spin for as long as
libgomp has them do by itself.

    GOMP_SPINCOUNT=300000 python benchmarks/mlsh_speed.py --publish

Results: speed.csv (every measurement), and one row of figures.csv.
"""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import metarl  # noqa: F401 - before torch: it sets how long PyTorch's threads spin  # isort: skip
import numpy as np
import pandas as pd
import torch
import tyro
from rich.console import Console
from throughput import machine

from metarl.evaluation.statistics import mean
from metarl.experiments.merit import record_estimate
from metarl.learners.mlsh import MLSH, PAPER
from metarl.results import write_csv
from metarl.tasks.registry import make

ID, WANTED = "MovingBandits-v0", 10.0
COMMAND = "GOMP_SPINCOUNT=300000 python benchmarks/mlsh_speed.py --publish"


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        preset: smoke only shows that everything runs.
        tasks: side by side.
        threads: numbers of PyTorch's threads that each side may have.
        repeats: measurements of each side with each number of threads.
        publish: write to results/mlsh rather than runs/mlsh_speed.
    """

    preset: Literal["smoke", "cpu"] = "cpu"
    tasks: int = 64
    threads: tuple[int, ...] = (1, 2)
    repeats: int = 5
    publish: bool = False

    def __post_init__(self) -> None:
        if self.repeats < 2 or self.tasks < 2 or min(self.threads, default=0) < 1:
            raise ValueError("An interval needs two repeats, side by side are two tasks at least, and each side needs a thread.")

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path("results/mlsh" if self.publish else "runs/mlsh_speed")


def learner(options: Options, tasks: int) -> MLSH:
    """A learner of so many tasks that has been through all phases once."""
    config = replace(PAPER, tasks=tasks)
    made = MLSH(config if options.preset == "cpu" else replace(config, steps=50, warm_up=1), make(ID))
    measure(made, 1)
    return made


def measure(learner: MLSH, lives: int) -> tuple[float, float]:
    """Updates of one task each over so many lives of a task: how many a second by the clock, and a second of processor time."""
    updates, start, used = lives * (learner.config.warm_up + learner.config.joint), time.perf_counter(), time.process_time()
    for _ in range(updates):
        learner.update()
    done = updates * learner.config.tasks
    return done / (time.perf_counter() - start), done / (time.process_time() - used)


def main(options: Options) -> None:
    """Measure, print, save."""
    console, before = Console(highlight=False), torch.get_num_threads()
    console.print(machine())
    options.folder.mkdir(parents=True, exist_ok=True)
    learners = {tasks: learner(options, tasks) for tasks in (options.tasks, 1)}
    rates: dict[int, dict[int, list[float]]] = {tasks: {threads: [] for threads in options.threads} for tasks in learners}
    rows: list[dict[str, Any]] = []
    try:
        for repeat in range(options.repeats):
            for threads in options.threads:
                torch.set_num_threads(threads)
                for tasks, each in learners.items():
                    rate, rate_of_processor = measure(each, 1 if tasks > 1 else 2)
                    rates[tasks][threads].append(rate)
                    entry = {"tasks": tasks, "threads": threads, "repeat": repeat, "load": round(os.getloadavg()[0], 2)}
                    rows.append({**entry, "updates_per_second": rate, "updates_per_cpu_second": rate_of_processor})
                    write_csv(options.folder / "speed.csv", pd.DataFrame(rows))
    finally:
        torch.set_num_threads(before)
    best = {tasks: max(own.items(), key=lambda item: float(np.median(item[1]))) for tasks, own in rates.items()}
    for tasks, (threads, values) in best.items():
        console.print(f"{tasks} at a time: {np.median(values):,.1f} updates of a task a second, {threads} threads")
    estimate = mean(np.divide(best[options.tasks][1], best[1][1]))
    title = f"{ID}: {options.tasks} tasks in parallel, updates a second over one after another"
    record_estimate(options.folder, title, f">= {WANTED:g}", estimate, estimate.value >= WANTED, COMMAND)
    console.print(f"{title}: {estimate}, wanted at least {WANTED:g}")


if __name__ == "__main__":
    main(tyro.cli(Options))
