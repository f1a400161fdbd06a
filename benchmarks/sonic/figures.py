"""Scores level by level, agents side by side, and how an agent's score comes about as it plays a
budget of steps.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from metarl.analysis.figure_style import COLOURS, DASHES, MARKERS, legend_below, without_zero
from metarl.core.budget import Steps
from metarl.evaluation.protocol import Evaluation

__all__ = ["budget_figure", "level_dots", "score_so_far"]

# What published.csv says of figures with a second source.
TRUSTED = "quoted"


def level_dots(
    panels: Mapping[str, pd.DataFrame],
    x: str = "mean return of an episode",
    agents: Sequence[str] = (),
) -> Figure:
    """Return a panel for each game, a line for each level, a mark for each agent: the mean over
    seeds, with a bar from the lowest to the highest.

    Args:
        panels: by title, a table with the columns level, agent and score, a row for each seed; the
            first level stands on top. Where there is a column trust, marks of figures that only
            notes vouch for are hollow, and those of quoted ones filled.
        x: what is scored, with its unit.
        agents: their order, so that they look alike in several figures; as the tables name them if
            left out, and after those named here.

    Raises:
        ValueError: no panel, a table without scores, or without one of the columns.
    """
    for title, table in panels.items():
        if missing := [column for column in ("level", "agent", "score") if column not in table]:
            raise ValueError(f"The table of {title!r} has no column {missing[0]!r}.")
    if not panels or any(table.empty for table in panels.values()):
        raise ValueError("There are no scores to draw.")
    here = [agent for table in panels.values() for agent in table["agent"]]
    agents = list(dict.fromkeys([*agents, *here]))
    counts = [table["level"].nunique() for table in panels.values()]
    figure = Figure(
        figsize=(7.5, 1.0 + sum(0.55 + 0.3 * count for count in counts)), layout="constrained"
    )
    grid = figure.subplots(
        len(panels), 1, height_ratios=[count + 1.5 for count in counts], squeeze=False
    )[:, 0]
    for axes, (title, table) in zip(grid, panels.items(), strict=True):
        _draw(axes, table, agents)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel(without_zero(axes, "x"), fontsize=8)
    grid[-1].set_xlabel("\n".join(filter(None, (x, without_zero(grid[-1], "x")))), fontsize=10)
    handles = [_mark(i, agent, hollow=False) for i, agent in enumerate(agents) if agent in here]
    if any("trust" in table and (table["trust"] != TRUSTED).any() for table in panels.values()):
        hollow = Line2D(
            [],
            [],
            color="#6b6b6b",
            marker="o",
            markerfacecolor="white",
            linestyle="none",
            label="hollow: from notes alone",
        )
        handles.append(hollow)
    legend_below(figure, {str(handle.get_label()): handle for handle in handles})
    return figure


def _draw(axes: Axes, table: pd.DataFrame, agents: list[str]) -> None:
    """One game."""
    levels = list(dict.fromkeys(table["level"]))
    present = [agent for agent in agents if (table["agent"] == agent).any()]
    for level, agent in itertools.product(levels, present):
        own = table[(table["level"] == level) & (table["agent"] == agent)]
        if own.empty:
            continue
        scores = own["score"].to_numpy(float)
        place = levels.index(level) + 0.1 * (present.index(agent) - (len(present) - 1) / 2)
        hollow = "trust" in own and bool((own["trust"] != TRUSTED).any())
        mark = _mark(agents.index(agent), agent, hollow)
        axes.plot(
            [scores.min(), scores.max()], [place, place], color=mark.get_color(), linewidth=1.2
        )
        mark.set_data([np.mean(scores)], [place])
        axes.add_line(mark)
    axes.set_yticks(range(len(levels)), [str(level) for level in levels], fontsize=8)
    axes.set_ylim(len(levels) - 0.4, -0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e5e5e5")
    axes.set_axisbelow(True)


def _mark(number: int, agent: str, hollow: bool) -> Line2D:
    """Return an agent's mark, the same in all panels."""
    mark = Line2D(
        [],
        [],
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number % len(MARKERS)],
        markersize=5,
        label=agent,
    )
    mark.set_linestyle("none")
    mark.set_markerfacecolor("white" if hollow else COLOURS[number % len(COLOURS)])
    return mark


# Agents' marks stand that share of the range of returns apart, so that equal returns all show
APART = 0.012


def score_so_far(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Steps taken at the end of each episode, and the mean return of all episodes until then: both
    [episodes].

    The last is the score `budget_mean`. The episode that the budget cut is left out, as it is
    there.

    Raises:
        ValueError: several tasks, or a budget of episodes.
    """
    if evaluation.num_tasks != 1 or not isinstance(evaluation.budget, Steps):
        raise ValueError(
            f"A score so far is that of one task and a budget of steps, not {evaluation.num_tasks}"
            f" and {evaluation.budget}."
        )
    whole = evaluation.whole()
    returns = evaluation.returns[whole]
    ends = (evaluation.start_step + evaluation.length)[whole]
    return ends, returns.cumsum() / np.arange(1, len(returns) + 1)


def budget_figure(played: Mapping[str, Evaluation], y: str = "return") -> Figure:
    """Above, a mark for each episode at the step in which it ended; below, the score so far, up to
    the end of the budget.

    Args:
        played: by label, evaluations of one task with the same budget of steps. y: what returns
            are, with their unit.

    Raises:
        ValueError: nothing played, different budgets, or as `score_so_far`.
    """
    if len({evaluation.budget for evaluation in played.values()}) != 1:
        raise ValueError(
            "Episodes stand side by side if they were played within the same budget, by one agent"
            " at least."
        )
    figure = Figure(figsize=(7.5, 5.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    scores = {label: score_so_far(evaluation) for label, evaluation in played.items()}
    returns = {
        label: evaluation.returns[evaluation.whole()] for label, evaluation in played.items()
    }
    everything = np.concatenate(list(returns.values()))
    apart = APART * max(float(np.ptp(everything)), 1.0)
    for i, (label, (ends, mean)) in enumerate(scores.items()):
        look = {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "markersize": 4,
        }
        shift = apart * (i - (len(scores) - 1) / 2) * 2
        above.plot(ends, returns[label] + shift, linestyle="none", alpha=0.7, label=label, **look)
        steps = [*ends, played[label].budget.total]
        below.step(
            steps,
            [*mean, mean[-1]],
            where="post",
            linestyle=DASHES[i % len(DASHES)],
            color=look["color"],
            linewidth=2,
            label=label,
        )
    for axes, name in ((above, y), (below, "score so far (mean)")):
        axes.set_ylabel("\n".join(filter(None, (name, without_zero(axes)))), fontsize=9)
    below.set_xlabel("environment steps")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e5e5e5")
        axes.set_axisbelow(True)
        axes.set_xlim(left=0)
    handles, labels = above.get_legend_handles_labels()
    legend_below(figure, dict(zip(labels, handles, strict=True)))
    return figure
