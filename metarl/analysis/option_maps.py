"""What sub-policies have come to do: a map of each one's likely action, and how much an option tells of the task."""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from metarl.analysis.figure_style import COLOURS, headline
from metarl.learners.mlsh import MLSH
from metarl.tasks.moving_bandits import MOVES, REACH, SIDE

__all__ = ["likely_actions", "option_information", "option_maps"]

GOALS = (((100.0, 300.0), (300.0, 100.0)), ((100.0, 100.0), (300.0, 300.0)))  # the pairs that are drawn
POINTS = 15  # along a side of a map


def option_information(options: np.ndarray, tasks: np.ndarray) -> float:
    """Mutual information, in bits, of the option at a step and the kind of task.

    Args:
        options: [steps, n], from 0. tasks: [n] kinds, from 0.
    """
    counts = np.zeros((int(options.max()) + 1, int(tasks.max()) + 1))
    np.add.at(counts, (options, np.broadcast_to(tasks, options.shape)), 1.0)
    joint = counts / counts.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log2(joint[there] / apart[there])).sum())


@torch.no_grad()
def likely_actions(learner: MLSH, observations: Tensor) -> Tensor:
    """Each sub-policy's most likely action [K, m] at observations [m, F]."""
    hierarchy: Any = learner.hierarchy
    features = hierarchy.seen(hierarchy.inputs.encode(observations.to(learner.device)))
    parameters = hierarchy.sub_policy(learner.sub_policies.weights, features.expand(hierarchy.num_options, *features.shape))
    return hierarchy.actions.mode(parameters).cpu()


def option_maps(learner: MLSH, note: str = "") -> Figure:
    """Draw where sub-policies of moving bandits walk from every place: a row for each of two pairs of goals, a column a sub-policy.

    Args:
        learner: whose sub-policies. note: further words below the title, such as the seed.
    """
    count = learner.config.sub_policies
    figure = Figure(figsize=(3.2 * count + 0.8, 7.0), layout="constrained")
    panels = figure.subplots(len(GOALS), count, squeeze=False)
    along = np.linspace(0, SIDE, POINTS)
    places = np.stack(np.meshgrid(along, along), -1).reshape(-1, 2)
    moves = np.array(MOVES, float)
    for i, (row, goals) in enumerate(zip(panels, GOALS, strict=True)):
        seen = np.concatenate([places, np.tile(np.ravel(goals), (len(places), 1))], 1) / SIDE
        acts = likely_actions(learner, torch.as_tensor(seen, dtype=torch.float32)).numpy()
        for k, axes in enumerate(row):
            for number, goal in enumerate(goals):
                axes.add_patch(Circle(goal, REACH, color=COLOURS[number], alpha=0.3, linewidth=0))
                # A ground of its own, since arrows lie below.
                ground: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
                axes.annotate(f"goal {number + 1}", goal, ha="center", va="center", fontsize=9, bbox=ground)
            way = moves[acts[k]]
            still = (way == 0).all(1)
            axes.quiver(*places[~still].T, *way[~still].T, angles="xy", scale=24, width=0.006, color="#333333")
            axes.plot(*places[still].T, ".", color="#333333", markersize=3)
            axes.set(xlim=(-15, SIDE + 15), ylim=(-15, SIDE + 15), aspect="equal", xticks=[], yticks=[])
            axes.set_title(f"sub-policy {k + 1}" if i == 0 else "", fontsize=10)
        row[0].set_ylabel(f"goals, pair {i + 1} of {len(GOALS)}", fontsize=10)
    drawn = f"most likely action at each of {len(places)} places; a dot is to stay"
    headline(figure, "Moving bandits: where each sub-policy moves", "; ".join(filter(None, (drawn, note))))
    return figure
