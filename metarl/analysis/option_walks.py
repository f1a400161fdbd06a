"""Where each sub-policy of a hierarchy walks to, left to itself."""

from itertools import permutations
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from metarl.analysis.figure_style import COLOURS, DASHES, heading, legend_below
from metarl.envs.budget import Episodes
from metarl.envs.meta_episode import Step
from metarl.evaluation.recording import record
from metarl.learners.mlsh import MLSH
from metarl.learners.options import Hierarchy
from metarl.tasks.contract import TaskDistribution

__all__ = ["OneOption", "Walks", "angles", "draw_walks", "own_axes", "walks"]


class OneOption:
    """An agent that takes the most likely actions of one sub-policy all the time.

    Args:
        hierarchy: how it acts. sub_policies: [K, ...] each. option: which, from 0.
    """

    def __init__(self, hierarchy: Hierarchy, sub_policies: list[Tensor], option: int):
        self.hierarchy, self.sub_policies, self.option = hierarchy, sub_policies, option

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing is kept."""
        return ()

    @torch.no_grad()
    def act(self, step: Step, state: tuple[()], rng: Generator) -> tuple[Tensor, tuple[()]]:
        """The sub-policy's most likely action."""
        features = self.hierarchy.inputs(step)
        option = torch.full((len(features),), self.option, device=features.device)
        mode = self.hierarchy.actions.mode(self.hierarchy.parameters(self.sub_policies, features, option))
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
    """Let each sub-policy walk `num` times for an episode of `distribution`, whose states hold a `torso` [..., 2]."""
    sub_policies, paths = learner.sub_policies.weights, []
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
    """An axis for each of K ways [K, 2], of as many axes [K, 2], dealt out so that the largest angle is smallest.

    Raises:
        ValueError: not as many axes as ways.
    """
    if len(ways) != len(axes):
        raise ValueError(f"{len(ways)} sub-policies can't have an axis each of {len(axes)}.")
    dealt = min(permutations(range(len(axes))), key=lambda order: float(angles(ways, axes[list(order)]).max()))
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
