"""Figures: learning curves, scores against the ceiling, regret over a meta-episode.

Each function returns a matplotlib `Figure` of its own and touches no global state; `save` writes it. Colours are Okabe and Ito's, which
colour-blind readers can tell apart, and every series also differs in marker, dash or label.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter
from PIL import Image

from metarl.evaluation.protocol import Evaluation
from metarl.evaluation.statistics import Estimate, mean
from metarl.results import write_file
from metarl.tasks.contract import TaskDistribution

__all__ = [
    "COLOURS",
    "curves_against_steps",
    "heatmaps",
    "intervals_figure",
    "learning_curve",
    "mean_curves",
    "named_curves",
    "regret_figure",
    "save",
    "scores_figure",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito 2008, yellow left out
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v")
GREY = "#6b6b6b"


def learning_curve(
    runs: Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]],
    *,
    levels: Mapping[str, float] | None = None,
    y: str = "return",
    label: str = "return of a training meta-episode",
    smooth: int = 1,
    title: str = "",
) -> Figure:
    """How the training return grows with environment steps.

    Args:
        runs: by name, the metrics of a run (`RunFolder(...).metrics`), or of several seeds: then their median, and a band from the
            lowest to the highest.
        levels: horizontal lines, such as {"random": 5.0, "optimum": 6.66}.
        y: the column to draw. label: what it is, with its unit.
        smooth: mean over that many iterations.
    """
    figure, axes = _axes(7.0, 4.2)
    for i, (name, metrics) in enumerate(runs.items()):
        seeds = [metrics] if isinstance(metrics, pd.DataFrame) else list(metrics)
        if not seeds or any(y not in seed or "steps" not in seed for seed in seeds):
            raise ValueError(f"The metrics of {name!r} need the columns 'steps' and {y!r}.")
        length = min(len(seed) for seed in seeds)
        steps = seeds[0]["steps"].to_numpy()[:length]
        curves = np.stack([seed[y].rolling(smooth, min_periods=1).mean().to_numpy()[:length] for seed in seeds])  # [seeds, iterations]
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(steps, np.median(curves, 0), color=colour, linestyle=DASHES[i // len(COLOURS) % len(DASHES)], linewidth=2, label=name)
        if len(seeds) > 1:
            axes.fill_between(steps, curves.min(0), curves.max(0), color=colour, alpha=0.2, linewidth=0)
    axes.set_xlabel("environment steps")
    axes.xaxis.set_major_formatter(FuncFormatter(_engineering))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_ylabel(label)
    axes.set_xlim(left=0)
    _horizontal_levels(axes, levels or {})
    if len(runs) > 1:
        axes.legend(frameon=False)
    _title(axes, title)
    return figure


def scores_figure(table: pd.DataFrame, *, levels: Mapping[str, float] | None = None, unit: str = "", title: str = "") -> Figure:
    """Agents' mean scores as dots with intervals, the best on top, beside the random agent and the ceiling.

    Args:
        table: from `metarl.analysis.tables.score_table`, or any with the columns agent, mean, ci_low, ci_high; figures in a column
            paper are drawn as hollow squares.
        levels: vertical lines by name; left out, the table's own ceiling.
        unit: of the scores, such as "rewards in 10 pulls".
    """
    if levels is None:
        ceiling = table.attrs.get("ceiling")
        levels = {} if ceiling is None else {table.attrs["reference"]: ceiling}
    rows = table.dropna(subset=["mean"]).sort_values("mean", kind="stable").reset_index(drop=True)
    if rows.empty:
        raise ValueError("There is no score to draw: the table has no mean.")
    figure, axes = _axes(7.0, 1.3 + 0.34 * len(rows))
    places = np.arange(len(rows))
    learned = rows["num_seeds"].to_numpy() > 1 if "num_seeds" in rows else np.zeros(len(rows), bool)
    learned = learned | rows["agent"].str.startswith("RL").to_numpy()
    for mask, colour, marker, name in ((~learned, COLOURS[0], "o", "exact or hand-designed"), (learned, COLOURS[1], "D", "learned")):
        part = rows[mask]
        spread = np.abs(part[["ci_low", "ci_high"]].to_numpy().T - part["mean"].to_numpy())
        axes.errorbar(part["mean"], places[mask], xerr=spread, fmt=marker, color=colour, markersize=6, capsize=3, linewidth=1.6, label=name)
    paper = rows["paper"].to_numpy(float) if "paper" in rows else np.full(len(rows), np.nan)
    published = np.isfinite(paper)
    if published.any():  # larger than our marks, so that both show where they agree
        (squares,) = axes.plot(paper[published], places[published], label="the paper's figure", marker="s", markersize=9, linestyle="none")
        squares.set(markerfacecolor="none", markeredgecolor=GREY)
    largest = max([*rows["mean"].abs(), *levels.values()])
    axes.set_yticks(places, rows["agent"])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    for i, value in enumerate(rows["mean"]):
        axes.annotate(_digits(value, largest), (1.01, places[i]), xycoords=("axes fraction", "data"), va="center", fontsize=9, color=GREY)
    for i, (name, value) in enumerate(sorted(levels.items(), key=lambda level: level[1])):
        axes.axvline(value, color="black", linestyle=DASHES[1 + i % 3], linewidth=1.2)
        axes.annotate(
            f"{name} {_digits(value, largest)}",
            (value, 1.0),
            (0, 3 + 12 * i),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=9,
        )
    axes.grid(axis="x", color="#e5e5e5")
    score = table.attrs.get("score", "mean score")
    axes.set_xlabel(f"{score} ({unit})" if unit else str(score))
    if published.any() or (learned.any() and not learned.all()):
        figure.legend(frameon=False, loc="outside lower center", ncols=3, fontsize=9)
    _title(axes, title, lift=6 + 12 * len(levels))
    return figure


def regret_figure(entries: Sequence[tuple[str, Evaluation]], distribution: TaskDistribution, *, title: str = "") -> Figure:
    """Mean regret in each episode: what the best agent that knows the task would expect, less what was got.

    Noise of the rewards averages out over tasks; the band is the 95 % interval of the mean.

    Args:
        entries: (label, evaluation) of the same tasks, with an `Episodes` budget.

    Raises:
        ValueError: a distribution without an upper bound, or other tasks than were played.
    """
    regrets = {}
    for label, evaluation in entries:
        tasks = distribution.sample(evaluation.num_tasks, evaluation.split, evaluation.seed)
        bound = distribution.upper_bound(tasks, 1) if tasks.fingerprint == evaluation.fingerprint else None
        if bound is None:
            raise ValueError(f"{distribution!r} gives no upper bound for the tasks that {label!r} played, so there is no regret.")
        regrets[label] = bound.cpu().numpy()[:, None] - evaluation.matrix()  # [tasks, episodes]
    one = "pull" if distribution.horizon == 1 else "episode"
    return mean_curves(regrets, x=one, y=f"regret per {one} (reward)", title=title)


def mean_curves(curves: Mapping[str, np.ndarray], *, x: str, y: str, first: int = 1, title: str = "", from_zero: bool = True) -> Figure:
    """Means over tasks, pull by pull or episode by episode, with their 95 % intervals as bands.

    Args:
        curves: by label, a matrix [tasks, points]; NaN where a task has no value at a point. A point without any value is left out.
        x: what the points are. y: what is averaged, with its unit.
        first: the number of the first point.
        from_zero: start the vertical axis at 0.
    """
    figure, axes = _axes(7.0, 4.2)
    for i, (label, matrix) in enumerate(curves.items()):
        columns = [column[~np.isnan(column)] for column in np.asarray(matrix, float).T]
        points = np.array([first + j for j, column in enumerate(columns) if len(column)])
        estimates = np.array([mean(column)[:3] for column in columns if len(column)]).reshape(-1, 3)  # [points, (value, low, high)]
        colour, dash = COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)]
        marker = MARKERS[i % len(MARKERS)] if len(points) <= 20 else None
        thin = max(1.2, 2.6 - 0.4 * i)  # later ones are thinner, so that curves which coincide all show
        axes.plot(points, estimates[:, 0], color=colour, linestyle=dash, linewidth=thin, marker=marker, markersize=2.5 * thin, label=label)
        band = np.where(np.isfinite(estimates), estimates, np.nan)  # a single task has no interval
        axes.fill_between(points, band[:, 1], band[:, 2], color=colour, alpha=0.2, linewidth=0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if from_zero:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=9)
    _title(axes, title)
    return figure


def named_curves(curves: Mapping[str, Mapping[float, float]], *, x: str, y: str, title: str = "") -> Figure:
    """Plain curves by label, from points {x: y}; those whose labels begin alike, up to a comma, share a colour.

    Args:
        x, y: what the axes are, with units.
    """
    figure, axes = _axes(7.0, 4.2)
    colours = {begin: COLOURS[i % len(COLOURS)] for i, begin in enumerate(dict.fromkeys(label.partition(",")[0] for label in curves))}
    drawn: dict[str, int] = {}
    for label, points in curves.items():
        begin = label.partition(",")[0]
        dash = DASHES[drawn.setdefault(begin, 0) % len(DASHES)]
        drawn[begin] += 1
        axes.plot(list(points), list(points.values()), color=colours[begin], linestyle=dash, marker="o", markersize=3, label=label)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    _title(axes, title)
    return figure


def curves_against_steps(
    curves: Mapping[str, Mapping[float, Estimate]],
    *,
    levels: Mapping[str, float] | None = None,
    y: str,
    x: str = "environment steps used in the task",
    title: str = "",
    logarithmic: bool = True,
) -> Figure:
    """Estimates with their intervals against environment steps, which a few thousand or a few hundred may be.

    Args:
        curves: by label, {steps: estimate}. levels: horizontal lines, by name. y: what is estimated, with its unit. x: which steps.
        logarithmic: whether the axis of steps is, beyond the first hundred.
    """
    figure, axes = _axes(8.0, 4.4)
    for i, (label, points) in enumerate(curves.items()):
        values = np.array([estimate[:3] for estimate in points.values()]).reshape(-1, 3)
        colour, dash, marker = COLOURS[i % len(COLOURS)], DASHES[i // 2 % len(DASHES)], MARKERS[i % len(MARKERS)]
        errors = np.abs(values[:, 1:] - values[:, :1]).T
        axes.errorbar(list(points), values[:, 0], errors, color=colour, linestyle=dash, marker=marker, capsize=3, markersize=4, label=label)
    if logarithmic:
        axes.set_xscale("symlog", linthresh=100)
        axes.set_xlim(left=-5)
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda steps, _: f"{steps:,.0f}"))
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    for name, value in (levels or {}).items():
        axes.axhline(value, color="black", linestyle=":", linewidth=1.2)
        axes.annotate(name, (0.5, value), xycoords=("axes fraction", "data"), ha="center", va="bottom", fontsize=8)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    _title(axes, title)
    return figure


def intervals_figure(
    levels: Mapping[str, Mapping[str, Estimate]], *, x: str, y: str, title: str = "", points: Sequence[str] | None = None
) -> Figure:
    """Estimates with their intervals, by label along named points, such as a score against the number of training tasks.

    Args:
        levels: by label, an estimate at each named point; a label may lack some.
        x: what the points are. y: what is estimated, with its unit.
        points: all of them in their order; as the labels name them if left out. An estimate without an interval (NaN) is a mark alone.

    Raises:
        ValueError: an estimate at a point that `points` lacks.
    """
    named = list(dict.fromkeys(point for each in levels.values() for point in each))
    points = named if points is None else list(points)
    if unknown := [point for point in named if point not in points]:
        raise ValueError(f"There is an estimate at {unknown[0]!r}, which isn't among the points {', '.join(points)}.")
    figure, axes = _axes(6.0, 4.0)
    for i, (label, each) in enumerate(levels.items()):
        places = np.array([points.index(point) for point in each]) + 0.04 * (i - (len(levels) - 1) / 2)
        values = np.array([estimate[:3] for estimate in each.values()]).reshape(-1, 3)
        errors = np.abs(values[:, 1:] - values[:, :1]).T
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        axes.errorbar(places, values[:, 0], errors, color=colour, marker=marker, linestyle=DASHES[i % len(DASHES)], capsize=3, label=label)
    axes.set_xticks(range(len(points)), points)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend(frameon=False, fontsize=9)
    _title(axes, title)
    return figure


def heatmaps(panels: Mapping[str, np.ndarray], *, x: str, y: str, value: str, rows: Sequence[str], first: int = 1) -> Figure:
    """Matrices side by side in one colour scale, such as how often each arm is pulled at each pull.

    Args:
        panels: by title, a matrix [rows, points] of numbers of at least 0; all of one shape.
        x: what the points are. y: what the rows are. value: what the colours mean.
        rows: the rows' names, the top one first.
        first: the number of the first point.

    Raises:
        ValueError: none, or matrices of different shapes, or not a name for each row.
    """
    shapes = {np.shape(matrix) for matrix in panels.values()}
    if len(shapes) != 1 or len(rows) != next(iter(shapes))[0]:
        raise ValueError(f"Heatmaps need matrices of one shape [rows, points] and {len(rows)} rows as named, not {sorted(shapes)}.")
    num_rows, points = next(iter(shapes))
    figure = Figure(figsize=(1.6 + 3.0 * len(panels), 1.5 + 0.34 * num_rows), layout="constrained")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    most = max(float(np.max(matrix)) for matrix in panels.values())
    for axes, (name, matrix) in zip(grid, panels.items(), strict=True):
        image = axes.imshow(
            matrix, aspect="auto", cmap="cividis", vmin=0, vmax=most, extent=(first - 0.5, first + points - 0.5, num_rows - 0.5, -0.5)
        )
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(x)
        _title(axes, name)
    grid[0].set_yticks(range(num_rows), rows)
    grid[0].set_ylabel(y)
    figure.colorbar(image, ax=list(grid), label=value, pad=0.02)
    return figure


def save(figure: Figure, file: str | Path) -> Path:
    """Write `figure` as PNG, SVG or PDF, by the file's ending, whole or not at all."""
    file = Path(file)
    kind = file.suffix.lstrip(".").lower()
    if kind not in ("png", "svg", "pdf"):
        raise ValueError(f"A figure is saved as .png, .svg or .pdf, not {file.name!r}.")
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=150)
    if kind == "png":  # without transparency, which no figure has, a tenth smaller
        drawn, stream = Image.open(stream).convert("RGB"), io.BytesIO()
        drawn.save(stream, "PNG", optimize=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, stream.getvalue())
    return file


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)
    return figure, axes


def _title(axes: Axes, title: str, lift: float = 6) -> None:
    if title:
        axes.set_title(title, loc="left", fontsize=11, pad=lift)


def _horizontal_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    for i, (name, value) in enumerate(levels.items()):
        axes.axhline(value, color="black", linestyle=DASHES[1 + i % 3], linewidth=1.2)
        text = f"{name}\n{_digits(value, max(levels.values()))}"
        axes.annotate(text, (1.01, value), xycoords=("axes fraction", "data"), ha="left", va="center", fontsize=9)


def _digits(value: float, largest: float) -> str:
    """As many decimals as give `largest` four digits."""
    decimals = 3 if abs(largest) < 10 else 2 if abs(largest) < 100 else 1
    return f"{value:.{decimals}f}"


def _engineering(value: float, position: object = None) -> str:
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{suffix}"
    return f"{value:g}"
