"""An explorer of mazes that draws a map.

Depth-first until it has found the goal, then the shortest known path.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, where_rows
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.layouts import DIRECTIONS, neighbours, path_lengths

__all__ = ["MazeExplorer", "MazeMap"]


class MazeMap(NamedTuple):
    """What B rows know of their mazes, on a square of P = (2 S - 1)^2 places around the start."""

    is_open: Tensor  # [B, P, 4] bool, passages seen
    visited: Tensor  # [B, P] bool
    # [B, P] float, when a place was last seen from beside it, or first from further away; below 0:
    # never
    noticed: Tensor
    goal: Tensor  # [B] int64 place, -1 until it is found
    place: Tensor  # [B] int64
    observation: Tensor  # [B, *obs] the last one seen
    clock: Tensor  # [B] int64, steps of the meta-episode


class MazeExplorer:
    """Depth-first search by its own map, which lasts from episode to episode; the goal once found,
    it takes the shortest known path.

    It goes to the unvisited place that it noticed last, by the shortest known path (in a perfect
    maze: on, or back the way it came), and among places noticed together to the nearest, or a
    random one of these. It knows what an agent may know: its moves, and all walls that its window
    has shown; wider windows show walls and passages of cells further away, too.
    """

    id = "maze-explorer"
    label = "Systematic explorer"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not isinstance(distribution, GridMaze):
            raise ValueError(f"The systematic explorer plays GridMaze, not {distribution.id}.")
        self.made_for = MadeFor(distribution, budget)
        self.distribution = distribution
        self.side = 2 * distribution.size - 1
        self.neighbours = neighbours(self.side)
        self.opposite = torch.tensor([2, 3, 0, 1])
        self.visible = visible_passages(distribution.window)

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`: grid mazes only."""
        return isinstance(distribution, GridMaze)

    def initial_state(self, batch_size: int) -> MazeMap:
        """Return an empty map."""
        places = self.side**2
        return MazeMap(
            torch.zeros(batch_size, places, 4, dtype=torch.bool),
            torch.zeros(batch_size, places, dtype=torch.bool),
            torch.full((batch_size, places), -1.0),
            torch.full((batch_size,), -1),
            torch.full((batch_size,), places // 2),
            torch.zeros(
                (batch_size, *(self.distribution.observation_space.shape or ())), dtype=torch.int64
            ),
            torch.zeros(batch_size, dtype=torch.int64),
        )

    @torch.no_grad()
    def act(self, step: Step, state: MazeMap, rng: Generator) -> tuple[Tensor, MazeMap]:
        """Draw what is seen, then go where the map says."""
        device = step.observation.device
        batch_size = len(step.prev_reward)
        state = MazeMap(*(part.to(device) for part in state))
        empty = MazeMap(*(part.to(device) for part in self.initial_state(batch_size)))
        goal = state.goal
        rows = torch.arange(batch_size, device=device)
        nowhere = torch.zeros(batch_size, 3, dtype=torch.int64, device=device)
        moved = self.distribution.odometry(nowhere, state.observation, step.prev_action)[:, :2]
        reached = state.place + moved @ torch.tensor([self.side, 1], device=device)
        # A row whose meta-episode is over isn't told, and may walk off its map
        reached = reached.clamp(0, self.side**2 - 1)
        goal = torch.where(step.prev_terminated & ~step.meta_episode_start, reached, goal)
        state = where_rows(step.meta_episode_start, empty, state._replace(goal=goal))
        start = torch.full_like(reached, self.side**2 // 2)
        state = state._replace(
            place=torch.where(step.episode_start, start, reached),
            observation=step.observation,
            clock=state.clock + 1,
        )
        state = self.drawn(state, rows, rng)
        # A wide window may show passages that no known way leads to
        within = torch.isfinite(path_lengths(state.is_open, state.place))
        frontier = torch.where(state.visited | ~within, -1.0, state.noticed).argmax(1)
        lengths = path_lengths(state.is_open, torch.where(state.goal >= 0, state.goal, frontier))
        following = lengths[rows[:, None], self.neighbours.to(device)[state.place]]  # [B, 4]
        return torch.where(state.is_open[rows, state.place], following, torch.inf).argmin(1), state

    def drawn(self, state: MazeMap, rows: Tensor, rng: Generator) -> MazeMap:
        """Return the map with the passages seen from where each row stands."""
        device = rows.device
        places = self.side**2
        visible = self.visible
        squares = state.observation.flatten(1)
        luck = torch.rand((len(rows), len(visible)), generator=rng, device=device)
        furthest = max(each.steps for each in visible)
        is_open = state.is_open.clone()
        visited = state.visited.clone()
        noticed = state.noticed.clone()
        for i, each in enumerate(visible):
            passage = squares[:, each.square] == 0
            # Beyond the maze all is closed
            here = (state.place + each.down * self.side + each.right).clamp(0, places - 1)
            there = self.neighbours.to(device)[here, each.direction]
            back = self.opposite[each.direction]
            is_open[rows, here, each.direction] |= passage
            is_open[rows, there, back] |= passage  # a passage leads both ways
            seen = state.clock + (luck[:, i] + furthest - each.steps) / furthest
            # Far places count from when they were first seen: else it might go to and fro between
            # two
            before = noticed[rows, there]
            news = passage if (each.down, each.right) == (0, 0) else passage & (before < 0)
            noticed[rows, there] = torch.where(news, torch.maximum(seen, before), before)
        visited[rows, state.place] = True
        return state._replace(is_open=is_open, visited=visited, noticed=noticed)


class Visible(NamedTuple):
    """A passage, or a wall, that a window shows."""

    down: int  # cells from the agent's to the one that it leads out of
    right: int
    direction: int
    square: int  # of the flattened window
    steps: int  # at least so many lead through it


def visible_passages(window: int) -> list[Visible]:
    """Return what a window of that radius, in squares of the drawing, shows of which cells.

    Each passage from both of its cells.
    """
    reach = range(-(window // 2) - 1, window // 2 + 2)
    width = 2 * window + 1
    found = []
    for down in reach:
        for right in reach:
            for direction, (rows, columns) in enumerate(DIRECTIONS):
                row = 2 * down + rows
                column = 2 * right + columns
                if max(abs(row), abs(column)) <= window:
                    steps = abs(down + rows) + abs(right + columns)
                    if (down, right) == (0, 0) or window > 1:
                        found.append(
                            Visible(
                                down,
                                right,
                                direction,
                                (row + window) * width + column + window,
                                max(steps, 1),
                            )
                        )
    return found
