"""An agent that is told the maze: the upper bound, played."""

from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.reveal import Revealed
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, where_rows
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.layouts import neighbours, passages
from metarl.tasks.mazes.visual_maze import (
    FORWARD,
    LEFT,
    RIGHT,
    VisualMaze,
    cheapest_ways,
    exact_costs,
)

__all__ = ["KnownMaze", "KnownPath"]


class KnownPath(NamedTuple):
    """The best direction from every cell and heading of each row's maze, and where the row is."""

    direction: Tensor  # [B, S S, 4] int64
    start: Tensor  # [B, 2] int64, cell and heading
    pose: Tensor  # [B, 2] int64


class KnownMaze:
    """Plays `reveal(GridMaze(...))` and `reveal(VisualMaze(...))` along the shortest path.

    In first person, turns count as steps.
    """

    id = "known-maze"
    label = "Known maze"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not self.supports(distribution):
            raise ValueError(
                "KnownMaze plays mazes that are told to it, reveal(GridMaze(...)) or"
                f" reveal(VisualMaze(...)) with 4 turns and 1 stride, not {distribution!r}."
            )
        assert isinstance(distribution, Revealed)
        assert isinstance(distribution.wrapped, GridMaze | VisualMaze)
        self.made_for = MadeFor(distribution, budget)
        self.distribution = distribution
        self.size = distribution.wrapped.size
        self.turns = isinstance(distribution.wrapped, VisualMaze)
        self.costs = exact_costs() if self.turns else torch.ones(4, 4, dtype=torch.float64)

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`.

        Revealed mazes only, in first person those whose turns are right angles.
        """
        if not isinstance(distribution, Revealed):
            return False
        maze = distribution.wrapped
        return isinstance(maze, GridMaze) or (
            isinstance(maze, VisualMaze) and (maze.turns, maze.strides) == (4, 1)
        )

    def initial_state(self, batch_size: int) -> KnownPath:
        """Nothing told."""
        nowhere = torch.zeros(batch_size, 2, dtype=torch.int64)
        return KnownPath(
            torch.zeros(batch_size, self.size**2, 4, dtype=torch.int64), nowhere, nowhere
        )

    @torch.no_grad()
    def act(self, step: Step, state: KnownPath, rng: Generator) -> tuple[Tensor, KnownPath]:
        """Find the paths where the maze is new, and follow them."""
        device = step.observation.device
        state = KnownPath(*(part.to(device) for part in state))
        around = neighbours(self.size).to(device)
        if bool(step.meta_episode_start.any()):
            told = self.distribution.parameters_of(step.observation)
            start = torch.stack([told["start"], told["heading"]], 1).to(torch.int64)
            direction = self.directions(told["walls"] > 0.5, told["goal"].to(torch.int64), around)
            state = where_rows(step.meta_episode_start, KnownPath(direction, start, start), state)
        cell, heading = torch.where(step.episode_start[:, None], state.start, state.pose).unbind(1)
        wanted = state.direction[torch.arange(len(cell), device=device), cell, heading]
        if not self.turns:
            # No wall stops it
            return wanted, state._replace(pose=torch.stack([around[cell, wanted], heading], 1))
        apart = (wanted - heading) % 4
        action = torch.where(apart == 0, FORWARD, torch.where(apart == 3, LEFT, RIGHT))
        heading = torch.where(apart == 0, heading, (heading + torch.where(apart == 3, -1, 1)) % 4)
        return action, state._replace(
            pose=torch.stack([torch.where(apart == 0, around[cell, wanted], cell), heading], 1)
        )

    def directions(self, walls: Tensor, goal: Tensor, around: Tensor) -> Tensor:
        """Return the direction [B, S S, 4] in which to leave each cell, by heading, on a cheapest
        way to the goal.
        """
        # After leaving by each direction
        onward = cheapest_ways(walls, goal, self.costs)[
            :, around, torch.arange(4, device=walls.device)
        ]
        onward = torch.where(passages(walls), onward, torch.inf)
        return (onward[:, :, None] + self.costs.to(walls.device)).argmin(-1)
