"""Paths of policies that adapt in PointNavigation, goal by goal.

Before the first update and after each (Finn et al. 2017, figure 4).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metarl.analysis.figure_style import COLOURS, DASHES, legend_below
from metarl.core.agent import Agent
from metarl.core.budget import Budget, Episodes
from metarl.core.seeding import torch_generator
from metarl.evaluation.episodes import episode_lengths
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.tasks.control.point_navigation import EDGE, PointNavigation

__all__ = ["Walks", "paths_figure", "walk"]

MARGIN = 1.25  # a panel's half side, in units of the goals' farthest


@dataclass(frozen=True, eq=False)
class Walks:
    """What an agent walks towards each of n goals, after more and more updates.

    Attributes:
        goals: [n, 2] x and y.
        places: by number of updates, the path [T + 1, 2] towards each goal in the one episode that
            follows them, from the start on.
        evaluations: by number of updates, all episodes played; the last of each task is the path's,
            those before led to the updates.
    """

    goals: np.ndarray
    places: dict[int, list[np.ndarray]]
    evaluations: dict[int, Evaluation]

    def returns(self, updates: int) -> np.ndarray:
        """Return the return [n] of the paths after so many updates."""
        return self.evaluations[updates].scores("after_k")


def walk(
    make_agent: Callable[[Budget], Agent],
    distribution: PointNavigation,
    num_goals: int,
    seed: int,
    episodes: int,
    updates: int = 3,
) -> Walks:
    """Return one episode towards each of `num_goals` test goals after 0, 1, ..., `updates` updates.

    An agent is made anew for each number of updates, so that it knows which episode is scored.
    Goals and random numbers are the same each time: three updates are those of two, and one more.

    Args:
        make_agent: gives the agent for a budget. seed: names the goals. episodes: E, played before
            each update.

    Raises:
        ValueError: no goals, no episodes, or a negative number of updates.
    """
    if min(num_goals, episodes) < 1 or updates < 0:
        raise ValueError(
            f"Name at least 1 goal, 1 episode and 0 updates, not {num_goals}, {episodes} and"
            f" {updates}."
        )
    places = {}
    evaluations = {}
    for update in range(updates + 1):
        budget = Episodes(update * episodes, after=1)
        played = evaluate(
            make_agent(budget), distribution, "test", num_goals, seed, budget, record_actions=True
        )
        places[update] = _last_paths(played, distribution)
        evaluations[update] = played
    return Walks(distribution.sample(num_goals, "test", seed).goal.numpy(), places, evaluations)


def paths_figure(rows: Mapping[str, Walks], goals: Sequence[int]) -> Figure:
    """Return a row for each label and a column for each of `goals`; a panel's title is the return
    before and after all updates.

    The grey square holds all goals. Paths that leave a panel go on outside of it.

    Raises:
        ValueError: nothing to draw, or walks towards different goals.
    """
    if not goals or len({walks.goals.tobytes() for walks in rows.values()}) != 1:
        raise ValueError(
            "Paths stand side by side if they were walked towards the same goals, one at least."
        )
    figure = Figure(figsize=(0.5 + 2.2 * len(goals), 0.6 + 2.35 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(goals), sharex=True, sharey=True, squeeze=False)
    for panels, (label, walks) in zip(grid, rows.items(), strict=True):
        for axes, goal in zip(panels, goals, strict=True):
            _draw(axes, walks, goal)
        panels[0].set_ylabel(label)
    handles, labels = grid[0][0].get_legend_handles_labels()
    legend_below(figure, dict(zip(labels, handles, strict=True)))
    return figure


def _last_paths(played: Evaluation, distribution: PointNavigation) -> list[np.ndarray]:
    """Return the path of each task's last episode, walked again by the actions that were recorded.

    Nothing in these tasks is random.
    """
    assert played.actions is not None
    tasks = distribution.sample(played.num_tasks, played.split, played.seed)
    start = played.start_step.reshape(len(tasks), -1)[:, -1]
    length = episode_lengths(played)[:, -1]
    # Those after an end are cut off below
    steps = np.minimum(start[:, None] + np.arange(length.max()), played.actions.shape[1] - 1)
    actions = torch.from_numpy(np.take_along_axis(played.actions, steps[:, :, None], 1))
    rng = torch_generator(0, "not used by PointNavigation")
    state, _ = distribution.reset(tasks, rng)
    states = [state]
    for action in actions.unbind(1):
        state = distribution.step(tasks, state, action, rng).state
        states.append(state)
    return [
        path[: end + 1] for path, end in zip(torch.stack(states, 1).numpy(), length, strict=True)
    ]


def _draw(axes: Axes, walks: Walks, goal: int) -> None:
    """The paths to one goal."""
    axes.plot(
        [-EDGE, EDGE, EDGE, -EDGE, -EDGE],
        [-EDGE, -EDGE, EDGE, EDGE, -EDGE],
        color="#d0d0d0",
        linewidth=1,
    )
    for i, (update, paths) in enumerate(walks.places.items()):
        name = f"after {update} update" + "s" * (update > 1) if update else "before"
        # Later ones are thinner, so that paths which coincide all show
        thin = max(1.2, 3.6 - 0.8 * i)
        colour = COLOURS[i % len(COLOURS)]
        dash = DASHES[(3, 0, 1, 2, 4, 5)[i % 6]]
        axes.plot(
            *paths[goal].T,
            linestyle=dash,
            color=colour,
            linewidth=thin,
            marker="o",
            markevery=[-1],
            markersize=5,
            label=name,
        )
    axes.plot(
        0,
        0,
        linestyle="",
        marker="o",
        markersize=8,
        markerfacecolor="none",
        markeredgecolor="#6b6b6b",
        label="start",
    )
    axes.plot(
        *walks.goals[goal],
        linestyle="",
        marker="*",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor="black",
        label="goal",
    )
    before, after = (
        walks.returns(update)[goal] for update in (min(walks.places), max(walks.places))
    )
    axes.set_title(f"{before:.1f} → {after:.1f}", loc="left", fontsize=9)
    axes.set_aspect("equal")
    axes.set_xlim(-MARGIN * EDGE, MARGIN * EDGE)
    axes.set_ylim(-MARGIN * EDGE, MARGIN * EDGE)
    axes.set_xticks([-EDGE, 0, EDGE])
    axes.set_yticks([-EDGE, 0, EDGE])
    axes.tick_params(labelsize=8)
