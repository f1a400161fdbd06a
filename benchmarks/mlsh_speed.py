"""How much faster MLSH trains tasks side by side than one after another: a learner of 64 tasks against a learner of one, turn about.

Both learners have the paper's settings on MovingBandits-v0, the same work a task: D = 2,000 steps, an update of its master, and after nine
of them one of the sub-policies. Updates are counted task by task and timed by the clock, over whole lives of a task, so that all phases
are in. Each side may use the machine's cores in the way that suits it best: by PyTorch's threads, or, of many tasks, by processes. Run it
on a quiet machine: threads may then spin for as long as libgomp has them do by itself.

    GOMP_SPINCOUNT=300000 python benchmarks/mlsh_speed.py --publish

Results: speed.csv (every measurement), and one row of figures.csv.
"""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import metarl  # noqa: F401 - before torch: it sets how long PyTorch's threads spin  # isort: skip
import numpy as np
import pandas as pd
import torch
import tyro
from rich.console import Console
from throughput import machine

from metarl.cli import plain_errors
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
        processes: numbers of processes that tasks side by side may have, of a thread each.
        repeats: measurements of each side with each number of threads.
        publish: write to results/mlsh rather than runs/mlsh_speed.
    """

    preset: Literal["smoke", "cpu"] = "cpu"
    tasks: int = 64
    threads: tuple[int, ...] = (1, 2)
    processes: tuple[int, ...] = (2,)
    repeats: int = 5
    publish: bool = False

    def __post_init__(self) -> None:
        if self.repeats < 2 or self.tasks < 2 or min(self.threads, default=0) < 1 or min(self.processes, default=1) < 1:
            raise ValueError(
                "An interval needs two repeats, side by side are two tasks at least, and each side needs a thread or a process."
            )

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path("results/mlsh" if self.publish else "runs/mlsh_speed")


class Way(NamedTuple):
    """How many tasks are played at a time, and by how many processes and threads."""

    tasks: int
    processes: int
    threads: int


def learner(options: Options, way: Way) -> MLSH:
    """A learner of so many tasks that has been through all phases once."""
    config = replace(PAPER, tasks=way.tasks, processes=way.processes)
    made = MLSH(config if options.preset == "cpu" else replace(config, steps=50, warm_up=1), make(ID))
    measure(made, 1)
    return made


def measure(learner: MLSH, lives: int) -> float:
    """Updates of one task each, a second, over so many lives of a task."""
    updates, start = lives * (learner.config.warm_up + learner.config.joint), time.perf_counter()
    for _ in range(updates):
        learner.update()
    return updates * learner.config.tasks / (time.perf_counter() - start)


def main(options: Options) -> None:
    """Measure, print, save."""
    console, before = Console(highlight=False), torch.get_num_threads()
    console.print(machine())
    options.folder.mkdir(parents=True, exist_ok=True)
    ways = [Way(tasks, 1, threads) for threads in options.threads for tasks in (options.tasks, 1)]
    ways += [Way(options.tasks, processes, 1) for processes in options.processes]
    learners = {way: learner(options, way) for way in dict.fromkeys(way._replace(threads=1) for way in ways)}
    rates: dict[Way, list[float]] = {way: [] for way in ways}
    rows: list[dict[str, Any]] = []
    try:
        for repeat in range(options.repeats):
            for way in ways:
                torch.set_num_threads(way.threads)
                rates[way].append(measure(learners[way._replace(threads=1)], 1 if way.tasks > 1 else 2))
                entry = {**way._asdict(), "repeat": repeat, "load": round(os.getloadavg()[0], 2)}
                rows.append({**entry, "updates_per_second": rates[way][-1]})
                write_csv(options.folder / "speed.csv", pd.DataFrame(rows))
    finally:
        torch.set_num_threads(before)
        for each in learners.values():
            each.close()
    alone = fastest(rates, [way for way in ways if way.tasks == 1], console)
    one_process = fastest(rates, [way for way in ways if way.tasks > 1 and way.processes == 1], console)
    best = fastest(rates, [way for way in ways if way.tasks > 1], console)
    title = f"{ID}: {options.tasks} tasks in parallel, updates a second over one after another"
    for name, many, wanted in ((title, best, WANTED), (f"{title}, in one process", one_process, None)):
        estimate = mean(np.divide(rates[many], rates[alone]))
        goal = ("shown", None) if wanted is None else (f">= {wanted:g}", estimate.value >= wanted)
        record_estimate(options.folder, name, goal[0], estimate, goal[1], COMMAND)
        console.print(f"{name}: {estimate}, {goal[0]}")


def fastest(rates: dict[Way, list[float]], ways: list[Way], console: Console) -> Way:
    """The way of the greatest median."""
    best = max(ways, key=lambda way: float(np.median(rates[way])))
    how = f"{best.processes} processes of {best.threads} threads"
    console.print(f"{best.tasks} at a time: {np.median(rates[best]):,.1f} updates of a task a second, {how}")
    return best


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options))
