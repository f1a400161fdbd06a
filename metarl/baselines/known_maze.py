"""An agent that is told the maze: the upper bound, played."""

from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.envs.budget import Budget
from metarl.envs.meta_episode import Step
from metarl.tasks.contract import TaskDistribution, where_rows
from metarl.tasks.grid_maze import GridMaze
from metarl.tasks.maze_layouts import distances, neighbours, passages
from metarl.tasks.reveal import Revealed

__all__ = ["KnownMaze", "KnownPath"]


class KnownPath(NamedTuple):
    """The best direction from every cell of each row's maze, and where the row is."""

    direction: Tensor  # [B, S S] int64
    start: Tensor  # [B] int64
    cell: Tensor  # [B] int64


class KnownMaze:
    """Plays `reveal(GridMaze(...))` along the shortest path."""

    id = "known-maze"
    label = "Known maze"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not self.supports(distribution):
            raise ValueError(f"KnownMaze plays grid mazes that are told to it, reveal(GridMaze(...)), not {distribution.id}.")
        assert isinstance(distribution, Revealed)
        assert isinstance(distribution.wrapped, GridMaze)
        self.distribution, self.size = distribution, distribution.wrapped.size

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Whether this agent can play `distribution`: revealed grid mazes only."""
        return isinstance(distribution, Revealed) and isinstance(distribution.wrapped, GridMaze)

    def initial_state(self, batch_size: int) -> KnownPath:
        """Nothing told."""
        none = torch.zeros(batch_size, dtype=torch.int64)
        return KnownPath(torch.zeros(batch_size, self.size**2, dtype=torch.int64), none, none)

    @torch.no_grad()
    def act(self, step: Step, state: KnownPath, rng: Generator) -> tuple[Tensor, KnownPath]:
        """Find the paths where the maze is new, and follow them."""
        device = step.observation.device
        state = KnownPath(*(part.to(device) for part in state))
        around = neighbours(self.size).to(device)
        if bool(step.meta_episode_start.any()):
            told = self.distribution.parameters_of(step.observation)
            walls, goal = told["walls"] > 0.5, told["goal"].to(torch.int64)
            lengths = torch.where(passages(walls), distances(walls, goal)[:, around], torch.inf)
            start = told["start"].to(torch.int64)
            state = where_rows(step.meta_episode_start, KnownPath(lengths.argmin(-1), start, start), state)
        cell = torch.where(step.episode_start, state.start, state.cell)
        action = state.direction.gather(1, cell[:, None])[:, 0]
        following = around[cell, action]  # where the step leads, which no wall stops
        return action, state._replace(cell=following)
