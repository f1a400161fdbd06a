"""What sub-policies have come to do.

Where each walks to by itself, and a map of its likely actions.
"""

from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Generator, Tensor

from metarl.analysis.figure_style import COLOURS, DASHES, heading, headline, legend_below
from metarl.core.budget import Episodes
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.recording import record
from metarl.learners.hierarchy.mlsh import MLSH
from metarl.learners.hierarchy.options import Hierarchy
from metarl.tasks.control.moving_bandits import MOVES, REACH, SIDE

__all__ = [
    "OneOption",
    "Walks",
    "angles",
    "draw_walks",
    "likely_actions",
    "option_information",
    "option_maps",
    "own_axes",
    "walks",
]


class OneOption:
    """An agent that takes the most likely actions of one sub-policy all the time.

    Args:
        hierarchy: how it acts. sub_policies: [K, ...] each. option: which, from 0.
    """

    def __init__(self, hierarchy: Hierarchy, sub_policies: list[Tensor], option: int):
        self.hierarchy = hierarchy
        self.sub_policies = sub_policies
        self.option = option

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing is kept."""
        return ()

    @torch.no_grad()
    def act(self, step: Step, state: tuple[()], rng: Generator) -> tuple[Tensor, tuple[()]]:
        """Return the sub-policy's most likely action."""
        features = self.hierarchy.inputs(step)
        option = torch.full((len(features),), self.option, device=features.device)
        mode = self.hierarchy.actions.mode(
            self.hierarchy.parameters(self.sub_policies, features, option)
        )
        return self.hierarchy.actions.to_environment(mode), state


class Walks(NamedTuple):
    """n walks of each of K sub-policies from the start."""

    paths: np.ndarray  # [K, n, T + 1, 2] places, in m

    @property
    def displacement(self) -> np.ndarray:
        """Mean way [K, 2] from the first place to the last, in m."""
        ways: np.ndarray = (self.paths[:, :, -1] - self.paths[:, :, 0]).mean(1)
        return ways


def walks(learner: MLSH, distribution: TaskDistribution, num: int, seed: int) -> Walks:
    """Let each sub-policy walk `num` times for an episode of `distribution`, whose states hold a
    `torso` [..., 2].
    """
    sub_policies = learner.sub_policies.weights
    paths = []
    for option in range(learner.config.sub_policies):
        agent = OneOption(learner.hierarchy, sub_policies, option)
        recorded = record(agent, distribution, "test", num, seed, Episodes(1))
        paths.append(np.stack([own[0].states.torso.numpy() for own in recorded.episodes]))
    return Walks(np.stack(paths))


def angles(ways: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Degrees [...] between ways [..., 2] and axes [..., 2]; 90 of a way of no length."""
    lengths = np.linalg.norm(ways, axis=-1) * np.linalg.norm(axes, axis=-1)
    cosine = (ways * axes).sum(-1) / np.maximum(lengths, 1e-12)
    degrees: np.ndarray = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return degrees


def own_axes(ways: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return an axis for each of K ways [K, 2], of as many axes [K, 2], dealt out so that the
    largest angle is smallest.

    Raises:
        ValueError: not as many axes as ways.
    """
    if len(ways) != len(axes):
        raise ValueError(f"{len(ways)} sub-policies can't have an axis each of {len(axes)}.")
    dealt = min(
        permutations(range(len(axes))),
        key=lambda order: float(angles(ways, axes[list(order)]).max()),
    )
    return axes[list(dealt)]


def draw_walks(found: Walks, note: str = "") -> Figure:
    """Draw every walk from above, a colour and a dash for each sub-policy.

    Args:
        found: what was walked. note: further words below the title, such as the seed.
    """
    # As high and as wide as the walks.
    everywhere = np.concatenate([(paths - paths[:, :1]).reshape(-1, 2) for paths in found.paths])
    width, height = np.maximum(np.ptp(everywhere, axis=0), 1e-6)
    scale = 5.0 / max(width, height)
    size = (max(4.6, 0.9 + scale * width), 1.5 + max(1.5, scale * height))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    for k, paths in enumerate(found.paths):
        for i, path in enumerate(paths):
            label = f"sub-policy {k + 1}" if i == 0 else None
            style = {"color": COLOURS[k % len(COLOURS)], "linestyle": DASHES[k % len(DASHES)]}
            axes.plot(*(path - path[0]).T, linewidth=0.8, alpha=0.8, label=label, **style)
    axes.set(xlabel="to the right, m", ylabel="up, m", aspect="equal")
    legend_below(figure)
    drawn = f"{len(found.paths[0])} walks each, from above"
    heading(axes, "Where each sub-policy walks", "; ".join(filter(None, (drawn, note))))
    return figure


# The pairs that are drawn
GOALS = (((100.0, 300.0), (300.0, 100.0)), ((100.0, 100.0), (300.0, 300.0)))
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
    """Return each sub-policy's most likely action [K, m] at observations [m, F]."""
    hierarchy: Any = learner.hierarchy
    features = hierarchy.seen(hierarchy.inputs.encode(observations.to(learner.device)))
    parameters = hierarchy.sub_policy(
        learner.sub_policies.weights, features.expand(hierarchy.num_options, *features.shape)
    )
    return hierarchy.actions.mode(parameters).cpu()


def option_maps(learner: MLSH, note: str = "") -> Figure:
    """Draw where sub-policies of moving bandits walk from every place: a row for each of two pairs
    of goals, a column a sub-policy.

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
                axes.annotate(
                    f"goal {number + 1}", goal, ha="center", va="center", fontsize=9, bbox=ground
                )
            way = moves[acts[k]]
            still = (way == 0).all(1)
            axes.quiver(
                *places[~still].T,
                *way[~still].T,
                angles="xy",
                scale=24,
                width=0.006,
                color="#333333",
            )
            axes.plot(*places[still].T, ".", color="#333333", markersize=3)
            axes.set(
                xlim=(-15, SIDE + 15), ylim=(-15, SIDE + 15), aspect="equal", xticks=[], yticks=[]
            )
            axes.set_title(f"sub-policy {k + 1}" if i == 0 else "", fontsize=10)
        row[0].set_ylabel(f"goals, pair {i + 1} of {len(GOALS)}", fontsize=10)
    drawn = f"most likely action at each of {len(places)} places; a dot is to stay"
    headline(
        figure,
        "Moving bandits: where each sub-policy moves",
        "; ".join(filter(None, (drawn, note))),
    )
    return figure
