"""Figures: learning curves, scores against the ceiling, regret over a meta-episode.

Each function returns a matplotlib `Figure` of its own and touches no global state; `save` writes
it. Below the title stands what is drawn: n, seeds and the kind of interval.
`metarl.analysis.figure_style` holds the look.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter
from matplotlib.transforms import Transform

from metarl.analysis.figure_style import (
    COLOURS,
    DASHES,
    GREY,
    count_of,
    counted,
    digits,
    heading,
    headline,
    label_axes,
    label_levels,
    legend_below,
    level_lines,
    look,
    new_axes,
    plain,
    save,
    sideways,
    within,
    without_zero,
)
from metarl.core.capabilities import upper_bound_of
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.protocol import Evaluation
from metarl.evaluation.scores import Scores
from metarl.evaluation.statistics import Estimate, mean, performance_profile

__all__ = [
    "COLOURS",
    "curves_against_steps",
    "heatmaps",
    "intervals_figure",
    "learning_curve",
    "mean_curves",
    "named_curves",
    "performance_profiles",
    "regret_figure",
    "save",
    "scores_figure",
]


def learning_curve(
    runs: Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]],
    *,
    levels: Mapping[str, float] | None = None,
    y: str = "return",
    label: str = "return of a training meta-episode",
    smooth: int = 1,
    title: str = "",
    note: str = "",
) -> Figure:
    """Draw how the training return grows with environment steps.

    Args:
        runs: by name, the metrics of a run (`RunFolder(...).metrics`), or of several seeds: then
            their median, and a band from the lowest to the highest.
        levels: horizontal lines, such as {"random": 5.0, "optimum": 6.66}.
        y: the column to draw. label: what it is, with its unit.
        smooth: mean over that many iterations.
        title: what was trained. note: further words below it, beside the number of seeds.
    """
    figure, axes = new_axes(7.4, 4.4)
    numbers = []
    for i, (name, metrics) in enumerate(runs.items()):
        seeds = [metrics] if isinstance(metrics, pd.DataFrame) else list(metrics)
        if not seeds or any(y not in seed or "steps" not in seed for seed in seeds):
            raise ValueError(f"The metrics of {name!r} need the columns 'steps' and {y!r}.")
        length = min(len(seed) for seed in seeds)
        steps = seeds[0]["steps"].to_numpy()[:length]
        smoothed = [seed[y].rolling(smooth, min_periods=1).mean().to_numpy() for seed in seeds]
        curves = np.stack([curve[:length] for curve in smoothed])  # [seeds, iterations]
        style = look(i)
        every = (i, max(1, length // 8))
        axes.plot(
            steps,
            np.median(curves, 0),
            linewidth=2,
            markersize=5,
            markevery=every,
            label=name,
            **style,
        )
        if len(seeds) > 1:
            band: dict[str, Any] = {"color": style["color"], "alpha": 0.2, "linewidth": 0}
            axes.fill_between(steps, curves.min(0), curves.max(0), **band)
        numbers.append(len(seeds))
    label_axes(axes, "environment steps", label)
    axes.xaxis.set_major_formatter(FuncFormatter(_engineering))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlim(left=0)
    label_levels(axes, levels or {})
    if len(runs) > 1:
        legend_below(figure)
    words = _of_seeds(numbers)
    if smooth > 1:
        words += f"; mean of {smooth} iterations"
    heading(axes, title, _joined(words, note, without_zero(axes)))
    return figure


def scores_figure(
    table: pd.DataFrame,
    *,
    levels: Mapping[str, float] | None = None,
    unit: str = "",
    title: str = "",
    note: str = "",
) -> Figure:
    """Draw agents' mean scores as dots with intervals, the best on top, beside the ceiling.

    Args:
        table: from `metarl.analysis.tables.score_table`, or any with the columns agent, mean,
            ci_low, ci_high; figures in a column paper are drawn as hollow squares. Columns
            num_tasks and num_seeds, where there are any, are stated.
        levels: vertical lines by name; left out, the table's own ceiling.
        unit: of the scores, such as "rewards in 10 pulls".
        title: what was played. note: further words below it.
    """
    if levels is None:
        ceiling = table.attrs.get("ceiling")
        levels = {} if ceiling is None else {table.attrs["reference"]: ceiling}
    rows = table.dropna(subset=["mean"]).sort_values("mean", kind="stable").reset_index(drop=True)
    if rows.empty:
        raise ValueError("There is no score to draw: the table has no mean.")
    figure, axes = new_axes(7.0, 1.6 + 0.34 * len(rows))
    places = np.arange(len(rows))
    learned = _learned(rows)
    kinds = (
        (~learned, COLOURS[0], "o", "exact or hand-designed"),
        (learned, COLOURS[4], "D", "learned"),
    )
    for mask, colour, marker, name in kinds:
        part = rows[mask]
        spread = np.abs(part[["ci_low", "ci_high"]].to_numpy().T - part["mean"].to_numpy())
        bars: dict[str, Any] = {
            "fmt": marker,
            "color": colour,
            "markersize": 6,
            "capsize": 3,
            "linewidth": 1.6,
        }
        if marker == "D":
            bars["markerfacecolor"] = "white"
        axes.errorbar(part["mean"], places[mask], xerr=spread, label=name, **bars)
    paper = rows["paper"].to_numpy(float) if "paper" in rows else np.full(len(rows), np.nan)
    published = np.isfinite(paper)
    if published.any():
        # Larger than our marks, so that both show where they agree.
        squares: dict[str, Any] = {
            "marker": "s",
            "markersize": 9,
            "linestyle": "none",
            "markerfacecolor": "none",
        }
        axes.plot(
            paper[published],
            places[published],
            label="the paper's figure",
            markeredgecolor=GREY,
            **squares,
        )
    largest = max([*rows["mean"].abs(), *levels.values()])
    names, counts = _rows_with_numbers(rows)
    axes.set_yticks(places, names)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    for place, value in zip(places, rows["mean"], strict=True):
        where: dict[str, Any] = {
            "xycoords": ("axes fraction", "data"),
            "va": "center",
            "fontsize": 9,
            "color": GREY,
        }
        axes.annotate(digits(value, largest), (1.01, place), **where)
    _vertical_levels(axes, levels, largest)
    axes.grid(axis="x", color="#e5e5e5")
    score = str(table.attrs.get("score", "mean score"))
    axes.set_xlabel(f"{score} ({unit})" if unit else score)
    if published.any() or (learned.any() and not learned.all()):
        legend_below(figure)
    words = "bars: 95 % intervals"
    if "num_tasks" in rows:
        words += f" over tasks, {counts}"
    words += ", within the mark where none shows"
    if "num_seeds" in rows and rows["num_seeds"].max() > 1:
        words += f"; learned agents: {rows['num_seeds'].max():.0f} seeds"
    words = _joined(words, note, without_zero(axes, "x"))
    # What stands above takes no room from the rows.
    figure.set_figheight(
        1.5 + 0.34 * len(rows) + 0.16 * (len(words) // 60 + len(title) // 45 + len(levels))
    )
    heading(axes, title, words, lift=6 + 12 * len(levels))
    return figure


def regret_figure(
    entries: Sequence[tuple[str, Evaluation]],
    distribution: TaskDistribution,
    *,
    title: str = "",
    note: str = "",
) -> Figure:
    """Draw the mean regret in each episode: the return that knowing the task would give, less the
    return.

    Noise of the rewards averages out over tasks; the band is the 95 % interval of the mean.

    Args:
        entries: (label, evaluation) of the same tasks, with an `Episodes` budget.
        distribution: what was played.
        title: what was played, in words. note: further words below it.

    Raises:
        ValueError: a distribution without an upper bound, or other tasks than were played.
    """
    regrets = {}
    for label, evaluation in entries:
        tasks = distribution.sample(evaluation.num_tasks, evaluation.split, evaluation.seed)
        same = tasks.fingerprint == evaluation.fingerprint
        bound = upper_bound_of(distribution, tasks, 1) if same else None
        if bound is None:
            raise ValueError(
                f"{distribution!r} gives no upper bound for the tasks that {label!r} played, so"
                " there is no regret."
            )
        regrets[label] = bound.cpu().numpy()[:, None] - evaluation.matrix()  # [tasks, episodes]
    one = "pull" if distribution.horizon == 1 else "episode"
    return mean_curves(regrets, x=one, y=f"regret per {one} (reward)", title=title, note=note)


def mean_curves(
    curves: Mapping[str, np.ndarray],
    *,
    x: str,
    y: str,
    first: int = 1,
    title: str = "",
    note: str = "",
    from_zero: bool = True,
    possible: tuple[float | None, float | None] = (None, None),
) -> Figure:
    """Draw means over tasks, pull by pull or episode by episode, with their 95 % intervals.

    Intervals are bars where there are few points, since those of several curves can be told apart
    without colours; bands where there are many.

    Args:
        curves: by label, a matrix [tasks, points]; NaN where a task has no value at a point.
            A point without any value is left out. Rows of `Scores` that are of one task count once.
        x: what the points are. y: what is averaged, with its unit.
        first: the number of the first point.
        title: what was played. note: further words below it, beside the number of tasks.
        from_zero: start the vertical axis at 0, unless values lie below.
        possible: the least and greatest value there can be, where intervals end.
    """
    figure, axes = new_axes(7.0, 4.4)
    estimates = {label: _means(matrix, first) for label, matrix in curves.items()}
    names, counts = counted({label: _numbers(points) for label, points in estimates.items()})
    few = max((len(points) for points in estimates.values()), default=0) <= FEW_POINTS
    cut = False
    for i, (label, points) in enumerate(estimates.items()):
        if few:
            shift = sideways(axes, i, len(estimates), 5.0)
            cut |= _bars(axes, points, names[label], i, shift, possible)
        else:
            cut |= _band(axes, points, names[label], i, possible)
    label_axes(axes, x, y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if from_zero and all(
        estimate.value >= 0 for points in estimates.values() for estimate in points.values()
    ):
        axes.set_ylim(bottom=0)
    legend_below(figure)
    kind = f"{'bars' if few else 'bands'}: 95 % intervals of the mean"
    heading(axes, title, _joined(kind, counts, _CUT if cut else "", note, without_zero(axes)))
    return figure


def performance_profiles(
    scores: Mapping[str, Sequence[np.ndarray]],
    *,
    x: str,
    levels: Mapping[str, float] | None = None,
    title: str = "",
    note: str = "",
) -> Figure:
    """Draw which share of tasks each agent scores more than a threshold on, for every threshold
    (Agarwal et al. 2021).

    A curve that lies above another everywhere is of an agent that is better on easy and on hard
    tasks alike; where curves cross, each is better on some.

    Args:
        scores: by label, a vector [tasks] for each training seed, all of the same tasks.
        x: what the scores are, with their unit.
        levels: vertical lines by name, such as {"optimum": 6.66}.
        title: what was played. note: further words below it.

    Raises:
        ValueError: no agents.
    """
    if not scores:
        raise ValueError("A performance profile needs the scores of one agent at least.")
    # the legend takes no room from the axes, nor do levels' names
    figure, axes = new_axes(7.0, 3.6 + 0.2 * (len(scores) + len(levels or {})))
    thresholds = _thresholds([np.concatenate([*map(np.asarray, each)]) for each in scores.values()])
    profiles = {label: performance_profile(each, thresholds) for label, each in scores.items()}
    names, counts = counted({label: [each[0].n] for label, each in profiles.items()})
    for i, (label, profile) in enumerate(profiles.items()):
        points = dict(zip(thresholds.tolist(), profile, strict=True))
        seeds = len(scores[label])
        words = f"{names[label]}, {seeds} seeds" if seeds > 1 else names[label]
        _band(axes, points, words, i, (0.0, 1.0), steps=True)
    label_axes(axes, x, "share of tasks with a higher score")
    axes.set_ylim(-0.02, 1.02)
    ends = [*thresholds[[0, -1]].tolist(), *(levels or {}).values()]
    room = 0.02 * (max(ends) - min(ends))
    axes.set_xlim(min(ends) - room, max(ends) + room)
    _vertical_levels(axes, levels or {}, max(map(abs, ends)))
    legend_below(figure)
    several = any(len(each) > 1 for each in scores.values())
    over = "seeds and tasks" if several else "tasks"
    heading(
        axes,
        title,
        _joined(f"bands: 95 % intervals over {over}, point by point", counts, note),
        lift=6 + 12 * len(levels or {}),
    )
    return figure


def _thresholds(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Return the scores at which profiles may step, or as many as can be told apart in a figure,
    behind one that all scores lie above.
    """
    values = np.unique(np.concatenate(scores))
    if len(values) > MOST_THRESHOLDS:
        values = np.linspace(values[0], values[-1], MOST_THRESHOLDS)
    room = 0.02 * (values[-1] - values[0]) or 1.0
    thresholds: np.ndarray = np.concatenate([[values[0] - room], values])
    return thresholds


def named_curves(
    curves: Mapping[str, Mapping[float, float]], *, x: str, y: str, title: str = "", note: str = ""
) -> Figure:
    """Draw curves without intervals from points {x: y}, a panel for all whose labels begin alike.

    Args:
        curves: by label, such as "cart_mass, trained": what stands before the last comma is the
            panel's title, in words; without a comma, a curve has its panel alone.
        x, y: what the axes are, with units.
        title: over all panels. note: further words below it.
    """
    panels: dict[str, dict[str, Mapping[float, float]]] = {}
    for label, points in curves.items():
        begin, _, end = label.rpartition(", ") if ", " in label else (label, "", "")
        panels.setdefault(begin, {})[end] = points
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(1.0 + 2.6 * columns, 1.3 + 2.0 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flatten()
    kinds = list(dict.fromkeys(end for panel in panels.values() for end in panel))
    for axes, (begin, panel) in zip(grid, panels.items(), strict=False):
        plain(axes)
        for end, points in panel.items():
            axes.plot(
                list(points),
                list(points.values()),
                markersize=4,
                label=end,
                **look(kinds.index(end)),
            )
        axes.set_xscale("symlog", linthresh=1)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_title(begin.replace("_", " "), loc="left", fontsize=9)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[max(0, len(panels) - columns) : len(panels)]:
        # No panel stands below these.
        axes.tick_params(labelbottom=True)
    figure.supxlabel(x, fontsize=10)
    figure.supylabel(y, fontsize=10)
    if any(kinds):
        legend_below(figure, where="outside lower right")
    headline(figure, title, _joined(note, "no intervals", without_zero(grid[0])))
    return figure


def curves_against_steps(
    curves: Mapping[str, Mapping[float, Estimate]],
    *,
    levels: Mapping[str, float] | None = None,
    y: str,
    x: str = "environment steps used in the task",
    title: str = "",
    note: str = "",
    logarithmic: bool = True,
    panels: Mapping[str, Sequence[str]] | None = None,
    possible: tuple[float | None, float | None] = (None, None),
) -> Figure:
    """Draw estimates with their intervals against environment steps.

    Args:
        curves: by label, {steps: estimate}.
        levels: horizontal lines, by name.
        y: what is estimated, with its unit. x: which steps.
        title: what was played. note: further words below it, such as the seeds.
        logarithmic: whether the axis of steps is, beyond the first hundred.
        panels: by title, the labels that are drawn there; a label may stand in several. All in
            one if left out.
        possible: the least and greatest value there can be, where intervals end and the axis
            begins.
    """
    wanted = {"": list(curves)} if panels is None else panels
    size = (8.0, 4.6) if len(wanted) == 1 else (1.5 + 4.2 * len(wanted), 4.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(1, len(wanted), sharex=True, sharey=True, squeeze=False)[0]
    order = list(curves)
    names, counts = counted({label: _numbers(points) for label, points in curves.items()})
    # Where bars would crowd, each series has them at some points, in turn with the others.
    every = max(1, -(-sum(map(len, curves.values())) // MOST_BARS))
    cut = False
    for axes, (name, labels) in zip(grid, wanted.items(), strict=True):
        plain(axes)
        for i, label in enumerate(labels):
            shift = sideways(axes, i, len(labels))
            cut |= _bars(
                axes, curves[label], names[label], order.index(label), shift, possible, every
            )
        if name:
            axes.set_title(name, loc="left", fontsize=10)
        _axis_of_steps(axes, curves, logarithmic)
    if possible[0] is not None:
        grid[0].update_datalim([(0, possible[0])], updatex=False)
        grid[0].autoscale_view(scalex=False)
    label_axes(grid[0], x, y)
    for axes in grid[1:]:
        axes.set_xlabel(grid[0].get_xlabel())
    label_levels(grid[-1], levels or {})
    for axes in grid[:-1]:
        level_lines(axes, levels or {})
    handles = {
        label: handle
        for axes in grid
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    legend_below(
        figure, {names[label]: handles[names[label]] for label in order if names[label] in handles}
    )
    words = _joined(_kind(curves, every), counts, _CUT if cut else "", note, without_zero(grid[0]))
    if len(wanted) == 1:
        heading(grid[0], title, words)
    else:
        headline(figure, title, words)
    return figure


def intervals_figure(
    levels: Mapping[str, Mapping[str, Estimate]],
    *,
    x: str,
    y: str,
    title: str = "",
    note: str = "",
    points: Sequence[str] | None = None,
    possible: tuple[float | None, float | None] = (None, None),
) -> Figure:
    """Draw estimates with their intervals along named points, such as numbers of training tasks.

    Args:
        levels: by label, an estimate at each named point; a label may lack some.
        x: what the points are. y: what is estimated, with its unit.
        title: what was played. note: further words below it, such as the seeds.
        points: all of them in their order; as the labels name them if left out. An estimate
            without an interval (NaN) is a mark alone.
        possible: the least and greatest value there can be, where intervals and the axis end.

    Raises:
        ValueError: an estimate at a point that `points` lacks.
    """
    named = list(dict.fromkeys(point for each in levels.values() for point in each))
    points = named if points is None else list(points)
    if unknown := [point for point in named if point not in points]:
        raise ValueError(
            f"There is an estimate at {unknown[0]!r}, which isn't among the points"
            f" {', '.join(points)}."
        )
    figure, axes = new_axes(6.4, 4.4)
    names, counts = counted({label: _numbers(each) for label, each in levels.items()})
    cut = False
    for i, (label, each) in enumerate(levels.items()):
        placed = {float(points.index(point)): estimate for point, estimate in each.items()}
        shift = sideways(axes, i, len(levels), 4.0)
        cut |= _bars(axes, placed, names[label], i, shift, possible)
    axes.set_xticks(range(len(points)), points)
    label_axes(axes, x, y)
    low, high = possible
    if low is not None:
        axes.set_ylim(bottom=low)
    if high is not None:
        axes.set_ylim(top=high + 0.02 * (high - axes.get_ylim()[0]))
    legend_below(figure)
    heading(
        axes, title, _joined(_kind(levels), counts, _CUT if cut else "", note, without_zero(axes))
    )
    return figure


def heatmaps(
    panels: Mapping[str, np.ndarray],
    *,
    x: str,
    y: str,
    value: str,
    rows: Sequence[str],
    first: int = 1,
) -> Figure:
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
        raise ValueError(
            f"Heatmaps need matrices of one shape [rows, points] and {len(rows)} rows as named, not"
            f" {sorted(shapes)}."
        )
    num_rows, points = next(iter(shapes))
    figure = Figure(figsize=(1.6 + 3.0 * len(panels), 1.5 + 0.34 * num_rows), layout="constrained")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    most = max(float(np.max(matrix)) for matrix in panels.values())
    for axes, (name, matrix) in zip(grid, panels.items(), strict=True):
        image = axes.imshow(
            matrix,
            aspect="auto",
            cmap="cividis",
            vmin=0,
            vmax=most,
            extent=(first - 0.5, first + points - 0.5, num_rows - 0.5, -0.5),
        )
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(x)
        heading(axes, name)
    grid[0].set_yticks(range(num_rows), rows)
    grid[0].set_ylabel(y)
    figure.colorbar(image, ax=list(grid), label=value, pad=0.02)
    return figure


MOST_THRESHOLDS = 200  # of a performance profile
FEW_POINTS = 12  # up to which means over tasks have bars
MOST_BARS = 60  # of all series against steps, so that they don't crowd
_CUT = "cut where values can't be"


def _kind(curves: Mapping[str, Mapping[Any, Estimate]], every: int = 1) -> str:
    """Return what bars are, and at which points, if any estimate has one."""
    if not any(_numbers(points) for points in curves.values()):
        return "no intervals"
    return "bars: 95 % intervals" + (f", at one point in {every}" if every > 1 else "")


def _means(matrix: np.ndarray, first: int) -> dict[float, Estimate]:
    """Return the mean over tasks of each point that has values, by its number."""
    # Scores know which of them are of the same task.
    scores = matrix if isinstance(matrix, Scores) else np.asarray(matrix, float)
    columns = [scores[:, j] for j in range(scores.shape[1])]
    known = [column[~np.isnan(np.asarray(column))] for column in columns]
    return {float(first + j): mean(column) for j, column in enumerate(known) if len(column)}


def _numbers(points: Mapping[Any, Estimate]) -> list[int]:
    """Return how many scores each interval of a series rests on."""
    return [estimate.n for estimate in points.values() if estimate.known]


def _axis_of_steps(
    axes: Axes, curves: Mapping[str, Mapping[float, Estimate]], logarithmic: bool
) -> None:
    if logarithmic:
        axes.set_xscale("symlog", linthresh=100)
        # Room for the bars that are set apart.
        axes.set_xlim(-5, 1.3 * max(step for points in curves.values() for step in points))
    else:
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda steps, _: f"{steps:,.0f}"))
        axes.xaxis.set_major_locator(MaxNLocator(5))


def _band(
    axes: Axes,
    points: Mapping[float, Estimate],
    label: str,
    i: int,
    possible: tuple[float | None, float | None],
    *,
    steps: bool = False,
) -> bool:
    """Draw the i-th series of estimates with a band.

    Args:
        steps: whether each value holds up to the next point.

    Returns:
        Whether it was cut at the possible range.
    """
    # value, low, high
    values = np.array([estimate[:3] for estimate in points.values()]).reshape(-1, 3)
    style = look(i)
    # Later ones are thinner, so that curves which coincide all show.
    thin = max(1.2, 2.6 - 0.4 * i)
    every = (i % 3, max(1, len(points) // 10)) if len(points) > 20 else None
    axes.plot(
        list(points),
        values[:, 0],
        linewidth=thin,
        markersize=2 + 2 * thin,
        markevery=every,
        label=label,
        drawstyle="steps-post" if steps else "default",
        **style,
    )
    # A single task has no interval.
    values = np.where(np.isfinite(values), values, np.nan)
    lengths, cut = within(values, possible)
    low = values[:, 0] - lengths[0]
    high = values[:, 0] + lengths[1]
    band: dict[str, Any] = {"color": style["color"], "alpha": 0.2, "linewidth": 0}
    axes.fill_between(list(points), low, high, step="post" if steps else None, **band)
    return bool(cut.any())


def _bars(
    axes: Axes,
    points: Mapping[float, Estimate],
    label: str,
    i: int,
    transform: Transform,
    possible: tuple[float | None, float | None],
    every: int = 1,
) -> bool:
    """Draw the i-th series of estimates, each `every`-th with a bar.

    Return whether one was cut at the possible range.
    """
    values = np.array([estimate[:3] for estimate in points.values()]).reshape(-1, 3)
    values = np.where(np.isfinite(values), values, np.nan)
    lengths, cut = within(values, possible)
    # Points without a bar have one of no length, which isn't drawn.
    lengths[:, [j for j in range(len(values)) if (j - i) % every]] = np.nan
    style: dict[str, Any] = {
        "capsize": 3,
        "markersize": 5,
        "linewidth": 1.4,
        "transform": transform,
    } | look(i)
    axes.errorbar(list(points), values[:, 0], lengths, label=label, **style)
    # Matplotlib doesn't see the data behind a shifted series.
    ends = np.concatenate([values[:, 0], values[:, 0] - lengths[0], values[:, 0] + lengths[1]])
    corners = np.stack([np.tile(np.array(list(points), float), 3), ends], 1)
    axes.update_datalim(corners[np.isfinite(corners).all(1)])
    axes.autoscale_view()
    return bool(cut.any())


def _learned(rows: pd.DataFrame) -> np.ndarray:
    """Return which agents of a score table were trained [agents] bool."""
    several = rows["num_seeds"].to_numpy() > 1 if "num_seeds" in rows else np.zeros(len(rows), bool)
    return several | rows["agent"].str.startswith("RL").to_numpy()


def _rows_with_numbers(rows: pd.DataFrame) -> tuple[list[str], str]:
    """Return the rows' names, with the number of tasks where it isn't that of most rows, and words
    for the note.
    """
    agents = rows["agent"].tolist()
    numbers = rows["num_tasks"] if "num_tasks" in rows else pd.Series(dtype=float)
    if numbers.dropna().nunique() < 2:
        return agents, count_of(numbers.dropna())
    usual = int(numbers.mode().max())
    pairs = zip(agents, numbers, strict=True)
    names = [
        agent if pd.isna(n) or int(n) == usual else f"{agent} (n = {int(n):,})"
        for agent, n in pairs
    ]
    return names, f"n = {usual:,} unless said"


def _vertical_levels(axes: Axes, levels: Mapping[str, float], largest: float) -> None:
    """Draw a vertical line at each level, named over the axes, each name in a line of its own."""
    for i, (name, value) in enumerate(sorted(levels.items(), key=lambda level: level[1])):
        axes.axvline(value, color="black", linestyle=DASHES[1 + i % 3], linewidth=1.2)
        axes.annotate(
            f"{name} {digits(value, largest)}",
            (value, 1.0),
            (0, 3 + 12 * i),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=9,
        )


def _of_seeds(numbers: Sequence[int]) -> str:
    """Return how many seeds stand behind each curve, and what the band is."""
    if not numbers or max(numbers) == 1:
        return "one seed" + " each" * (len(numbers) > 1)
    counts = sorted(set(numbers))
    words = f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    return f"median of {words}, band from the lowest to the highest"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _engineering(value: float, position: object = None) -> str:
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{suffix}"
    return f"{value:g}"
