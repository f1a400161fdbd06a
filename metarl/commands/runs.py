"""What `metarl runs` does, and its flags."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from metarl.runs.config import told_arguments
from metarl.runs.evaluations import with_arguments
from metarl.runs.listing import STATES, ListedRun, list_runs

__all__ = ["RunsOptions", "chosen_runs", "listed"]

Order = Literal["folder", "learner", "distribution", "state", "steps", "return", "seconds"]


@dataclass(frozen=True)
class RunsOptions:
    """Which runs to list, and how.

    Attributes:
        learner: only those of these learners, such as rl2.
        distribution: only those on these distributions, such as GridMaze-v0.
        state: only those that are so: finished; running, which a process holds; failed, whose last
            try did; stopped, which have a checkpoint to go on from; begun, of which nothing is
            saved yet.
        seed: only those of these training seeds.
        sort: what the list is ordered by; numbers with the largest first.
    """

    learner: tuple[str, ...] = ()
    distribution: tuple[str, ...] = ()
    state: tuple[Literal["finished", "running", "failed", "stopped", "begun"], ...] = ()
    seed: tuple[int, ...] = ()
    sort: Order = "folder"


def chosen_runs(root: Path, options: RunsOptions) -> list[ListedRun]:
    """Return the runs at or below `root` that `options` ask for, in their order.

    Raises:
        ValueError: there is no such folder, no run in it, or none as asked.
    """
    runs = list_runs(root)
    if not runs:
        raise ValueError(f"{root} holds no run; `metarl train` makes some.")
    chosen = [run for run in runs if _asked_for(run, options)]
    if not chosen:
        raise ValueError(
            f"None of the {len(runs):,} runs in {root} is as asked; they are of"
            f" {_some(run.learner for run in runs)}, on {_some(run.distribution for run in runs)}."
        )
    key = ORDERS[options.sort]
    return chosen if options.sort == "folder" else sorted(chosen, key=key)


def _asked_for(run: ListedRun, options: RunsOptions) -> bool:
    return (
        (not options.learner or run.learner in options.learner)
        and (not options.distribution or run.distribution in options.distribution)
        and (not options.state or run.state in options.state)
        and (not options.seed or bool(set(options.seed) & set(run.seeds)))
    )


def _some(values: Any) -> str:
    """Return the first few different values in words."""
    different = list(dict.fromkeys(values))
    more = f" and {len(different) - 5} more" if len(different) > 5 else ""
    return ", ".join(different[:5]) + more


def _largest_first(value: float) -> float:
    return math.inf if math.isnan(value) else -value


ORDERS: dict[str, Callable[[ListedRun], Any]] = {
    "folder": lambda run: run.folder.parts,
    "learner": lambda run: run.learner,
    "distribution": lambda run: run.distribution,
    "state": lambda run: STATES.index(run.state),
    "steps": lambda run: _largest_first(run.steps),
    "return": lambda run: _largest_first(run.final_return),
    "seconds": lambda run: _largest_first(run.seconds),
}


def listed(runs: Sequence[ListedRun], root: Path) -> list[str]:
    """Return the lines of a list: a head, a line a run with its folder below `root`, and how many
    there are.
    """
    head = (
        "run",
        "learner",
        "distribution",
        "seeds",
        "iterations",
        "state",
        "steps",
        "return",
        "time",
    )
    rows = [head, *(_cells(run, root) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = {4, 6, 7, 8}  # columns that stand at the right
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    counts = [(state, sum(run.state == state for run in runs)) for state in STATES]
    told = ", ".join(f"{count:,} {state}" for state, count in counts if count)
    return [*lines, f"{len(runs):,} run{'' if len(runs) == 1 else 's'}: {told}"]


def _cells(run: ListedRun, root: Path) -> tuple[str, ...]:
    wanted = "" if run.wanted is None else f"/{run.wanted:,}"
    folder = run.folder if run.folder == root else run.folder.relative_to(root)
    return (
        str(folder),
        run.learner,
        _family(run.distribution, json.dumps(run.arguments)),
        ", ".join(map(str, run.seeds)),
        f"{run.iterations:,}{wanted}",
        run.state,
        _number(run.steps, ",.0f"),
        _number(run.final_return, ".4g"),
        _duration(run.seconds),
    )


@cache
def _family(distribution: str, arguments: str) -> str:
    try:
        told = told_arguments(distribution, json.loads(arguments))
    except ImportError:  # its package isn't here
        told = json.loads(arguments)
    return with_arguments(distribution, told)


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def _duration(seconds: float) -> str:
    """Return such as 0:42, 12:05 or 3:20:00."""
    if math.isnan(seconds):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
