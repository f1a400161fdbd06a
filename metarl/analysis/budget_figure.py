"""An agent that learns while it plays a budget of steps: the return of each episode, and the score so far (Nichol et al. 2018)."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from metarl.analysis.figure_style import COLOURS, DASHES, MARKERS, legend_below, without_zero
from metarl.envs.budget import Steps
from metarl.evaluation.protocol import Evaluation

__all__ = ["budget_figure", "score_so_far"]

APART = 0.012  # agents' marks stand that share of the range of returns apart, so that equal returns all show


def score_so_far(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Steps taken at the end of each episode, and the mean return of all episodes until then: both [episodes].

    The last is the score `budget_mean`. The episode that the budget cut is left out, as it is there.

    Raises:
        ValueError: several tasks, or a budget of episodes.
    """
    if evaluation.num_tasks != 1 or not isinstance(evaluation.budget, Steps):
        raise ValueError(f"A score so far is that of one task and a budget of steps, not {evaluation.num_tasks} and {evaluation.budget}.")
    whole = evaluation.whole()
    returns = evaluation.returns[whole]
    ends = (evaluation.start_step + evaluation.length)[whole]
    return ends, returns.cumsum() / np.arange(1, len(returns) + 1)


def budget_figure(played: Mapping[str, Evaluation], y: str = "return") -> Figure:
    """Above, a mark for each episode at the step in which it ended; below, the score so far, up to the end of the budget.

    Args:
        played: by label, evaluations of one task with the same budget of steps. y: what returns are, with their unit.

    Raises:
        ValueError: nothing played, different budgets, or as `score_so_far`.
    """
    if len({evaluation.budget for evaluation in played.values()}) != 1:
        raise ValueError("Episodes stand side by side if they were played within the same budget, by one agent at least.")
    figure = Figure(figsize=(7.5, 5.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    scores = {label: score_so_far(evaluation) for label, evaluation in played.items()}
    returns = {label: evaluation.returns[evaluation.whole()] for label, evaluation in played.items()}
    everything = np.concatenate(list(returns.values()))
    apart = APART * max(float(np.ptp(everything)), 1.0)
    for i, (label, (ends, mean)) in enumerate(scores.items()):
        look = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)], "markersize": 4}
        shift = apart * (i - (len(scores) - 1) / 2) * 2
        above.plot(ends, returns[label] + shift, linestyle="none", alpha=0.7, label=label, **look)
        steps = [*ends, played[label].budget.total]
        below.step(steps, [*mean, mean[-1]], where="post", linestyle=DASHES[i % len(DASHES)], color=look["color"], linewidth=2, label=label)
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
