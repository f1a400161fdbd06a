"""The tables and figures of all learners on all families, from the scores of the suite's jobs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks.everything.columns import FAMILIES, LEARNERS, Column, without
from metarl.analysis.figure_style import look, plain, save
from metarl.analysis.leaderboard import leaderboard
from metarl.evaluation.statistics import Estimate
from metarl.runs.store import write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.job import FilledSuite, Job

__all__ = ["fill"]

COMMAND = "metarl suite run everything --publish"


class Curve(NamedTuple):
    """An agent's mean return in each episode of a task.

    Attributes:
        mean, low, high: [episodes]; the interval is over tasks, of the first seed where there are
            several.
        steps: of an episode, on average.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    steps: float


def fill(filled: FilledSuite) -> None:
    """Write the table of all learners, what their training took, and how they adapt."""
    places = [job.place or job.folder for job in filled.jobs]
    scored = [place for place in places if any(place.glob("evaluations/*.json"))]
    if not scored:
        return
    board = leaderboard(scored, command=COMMAND)
    test = board[board["split"] == "test"]
    write_csv(filled.folder / "table.csv", wide_table(test))
    write_csv(filled.folder / "training.csv", training_table(filled.jobs))
    for column in FAMILIES:
        own = test[test["distribution"] == column.id]
        _record(own, column, filled.folder)
        curves = dict(_curves(filled.jobs, column))
        if curves:
            save(adaptation_figure(curves, column), filled.folder / f"{_file(column)}.png")
            write_csv(filled.folder / f"{_file(column)}.csv", _curve_table(curves))


def wide_table(board: pd.DataFrame) -> pd.DataFrame:
    """Return a row an agent and a column a family: normalised total with its interval, the total
    itself where no bound is known.

    A learner that can't play a family has the reason in its cell; what isn't scored is empty.
    """
    labels = list(dict.fromkeys(board["label"]))
    rows = []
    for label in [*LEARNERS.values(), *(each for each in labels if each not in LEARNERS.values())]:
        row: dict[str, Any] = {"agent": label}
        for column in FAMILIES:
            row[column.title] = _cell(board, column, label)
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(board: pd.DataFrame, column: Column, label: str) -> str:
    own = board[(board["distribution"] == column.id) & (board["label"] == label)]
    if own.empty:
        learner = next((name for name, each in LEARNERS.items() if each == label), None)
        reason = None if learner is None else without(column, learner.partition("-with-")[0])
        return "" if reason is None else reason
    first = own.iloc[0]
    shown = ("normalised", "normalised_low", "normalised_high")
    what = ""
    if np.isnan(first["normalised"]):  # no bound is known
        shown = ("value", "ci_low", "ci_high")
        what = "total "
    value, low, high = (float(first[name]) for name in shown)
    interval = "" if np.isnan(low) else f" [{low:.2f}, {high:.2f}]"
    seeds = f", n = {first['seeds']}" if first["seeds"] else ""
    return f"{what}{value:.2f}{interval}{seeds}"


def training_table(jobs: Sequence[Job]) -> pd.DataFrame:
    """Return what each training took: environment steps, and seconds on one core."""
    rows = []
    for job in jobs:
        place = job.place
        if job.run is None or place is None:
            continue
        last = pd.read_csv(place / "metrics.csv").iloc[-1]
        rows.append(
            {
                "run": job.name,
                "agent": job.label or job.run.learner,
                "distribution": job.run.distribution,
                "seed": job.run.seeds[0],
                "steps": int(last["steps"]),
                "seconds": round(float(last["seconds"]), 1),
            }
        )
    return pd.DataFrame(rows)


def adaptation_figure(curves: Mapping[str, Curve], column: Column) -> Figure:
    """Draw the mean return of each episode, a panel for those that are trained and one for those
    that aren't, with intervals over tasks.
    """
    trained = [label for label in curves if label in LEARNERS.values()]
    others = [label for label in curves if label not in LEARNERS.values()]
    figure = Figure(figsize=(11.0, 5.0), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, labels, title in zip(
        panels, (trained, others), ("trained", "not trained"), strict=True
    ):
        plain(axes)
        for i, label in enumerate(labels):
            curve = curves[label]
            episodes = np.arange(1, len(curve.mean) + 1)
            axes.plot(episodes, curve.mean, label=label, markersize=4, **look(i))
            colour = look(i)["color"]
            axes.fill_between(
                episodes, curve.low, curve.high, color=colour, alpha=0.12, linewidth=0
            )
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("episode in the task")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if labels:
            axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.14))
    panels[0].set_ylabel("return of an episode")
    figure.suptitle(
        f"{column.title}: mean over {column.num_tasks} test tasks, one training seed;"
        " bands: 95 % intervals over tasks",
        fontsize=10,
        x=0.01,
        ha="left",
    )
    return figure


def _curves(jobs: Sequence[Job], column: Column) -> Iterator[tuple[str, Curve]]:
    """Each agent's curve on test tasks, of its first seed."""
    seen: set[str] = set()
    for job in jobs:
        for file, told in _evaluations(job.place or job.folder):
            if told.get("distribution") != column.id or told.get("split") != "test":
                continue
            label = told.get("label", file.stem)
            curve = told.get("by_episode")
            if curve is not None and label not in seen:
                seen.add(label)
                means, low, high = (np.array(curve[name]) for name in ("mean", "low", "high"))
                yield label, Curve(means, low, high, float(curve["steps"]))


def _evaluations(place: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in sorted(place.glob("evaluations/*.json")):
        yield file, json.loads(file.read_text())


def _curve_table(curves: Mapping[str, Curve]) -> pd.DataFrame:
    rows = [
        {
            "agent": label,
            "episode": k + 1,
            "steps_so_far": round((k + 1) * curve.steps, 1),
            "mean": curve.mean[k],
            "ci_low": curve.low[k],
            "ci_high": curve.high[k],
        }
        for label, curve in curves.items()
        for k in range(len(curve.mean))
    ]
    return pd.DataFrame(rows)


def _record(own: pd.DataFrame, column: Column, folder: Path) -> None:
    """Write each agent's figure down; one that is missing, as missing."""
    command = f"{COMMAND} --only '{column.id}-*' 'agents/{column.id}*'"
    for learner, label in LEARNERS.items():
        if without(column, learner.partition("-with-")[0]) is None and _has(column, learner):
            _record_one(own[own["label"] == label], f"{column.title}: {label}", folder, command)
    for label in own["label"]:
        if label not in LEARNERS.values():
            _record_one(own[own["label"] == label], f"{column.title}: {label}", folder, command)


def _has(column: Column, learner: str) -> bool:
    return learner != "rl2-with-own" or column.memory is not None


def _record_one(row: pd.DataFrame, figure: str, folder: Path, command: str) -> None:
    if row.empty:
        record_figure(folder, f"{figure}, normalised total", "shown", None, None, command)
        return
    first = row.iloc[0]
    normalised = not np.isnan(first["normalised"])
    names = ("normalised", "normalised_low", "normalised_high")
    if not normalised:
        names = ("value", "ci_low", "ci_high")
    value, low, high = (float(first[name]) for name in names)
    n = int(first["seeds"]) if first["seeds"] > 1 else int(first["tasks"])
    what = "normalised total" if normalised else "total"
    estimate = Estimate(value, low, high, n)
    record_figure(folder, f"{figure}, {what}", "shown", estimate, None, command)


def _file(column: Column) -> str:
    return column.title.lower().replace(",", "").replace(" ", "-")
