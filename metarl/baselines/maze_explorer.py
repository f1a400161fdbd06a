"""An explorer of mazes that draws a map: depth-first until it has found the goal, then the shortest known path."""

from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.envs.budget import Budget
from metarl.envs.meta_episode import Step
from metarl.tasks.contract import TaskDistribution, where_rows
from metarl.tasks.grid_maze import GridMaze
from metarl.tasks.maze_layouts import neighbours, path_lengths

__all__ = ["MazeExplorer", "MazeMap"]


class MazeMap(NamedTuple):
    """What B rows know of their mazes, on a square of P = (2 S - 1)^2 places around the start."""

    is_open: Tensor  # [B, P, 4] bool, passages seen
    visited: Tensor  # [B, P] bool
    noticed: Tensor  # [B, P] float, when a place was last seen through a passage; below 0: never
    goal: Tensor  # [B] int64 place, -1 until it is found
    place: Tensor  # [B] int64
    observation: Tensor  # [B, *obs] the last one seen
    clock: Tensor  # [B] int64, steps of the meta-episode


class MazeExplorer:
    """Depth-first search by its own map, which lasts from episode to episode; the goal once found, it takes the shortest known path.

    It goes to the unvisited place that it noticed last, by the shortest known path (in a perfect maze: on, or back the way it came), and
    among places noticed together to a random one. It knows what an agent may know: its moves, and the walls of the cells where it stood.
    """

    id = "maze-explorer"
    label = "Systematic explorer"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not isinstance(distribution, GridMaze):
            raise ValueError(f"The systematic explorer plays GridMaze, not {distribution.id}.")
        self.distribution, self.side = distribution, 2 * distribution.size - 1
        self.neighbours = neighbours(self.side)
        self.opposite = torch.tensor([2, 3, 0, 1])

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Whether this agent can play `distribution`: grid mazes only."""
        return isinstance(distribution, GridMaze)

    def initial_state(self, batch_size: int) -> MazeMap:
        """An empty map."""
        places = self.side**2
        return MazeMap(
            torch.zeros(batch_size, places, 4, dtype=torch.bool),
            torch.zeros(batch_size, places, dtype=torch.bool),
            torch.full((batch_size, places), -1.0),
            torch.full((batch_size,), -1),
            torch.full((batch_size,), places // 2),
            torch.zeros((batch_size, *(self.distribution.observation_space.shape or ())), dtype=torch.int64),
            torch.zeros(batch_size, dtype=torch.int64),
        )

    @torch.no_grad()
    def act(self, step: Step, state: MazeMap, rng: Generator) -> tuple[Tensor, MazeMap]:
        """Draw what is seen, then go where the map says."""
        device, batch_size = step.observation.device, len(step.prev_reward)
        state = MazeMap(*(part.to(device) for part in state))
        empty = MazeMap(*(part.to(device) for part in self.initial_state(batch_size)))
        goal, rows = state.goal, torch.arange(batch_size, device=device)
        nowhere = torch.zeros(batch_size, 3, dtype=torch.int64, device=device)
        moved = self.distribution.reckon(nowhere, state.observation, step.prev_action)[:, :2]
        reached = state.place + moved @ torch.tensor([self.side, 1], device=device)
        reached = reached.clamp(0, self.side**2 - 1)  # a row whose meta-episode is over isn't told, and may walk off its map
        goal = torch.where(step.prev_terminated & ~step.meta_episode_start, reached, goal)
        state = where_rows(step.meta_episode_start, empty, state._replace(goal=goal))
        start = torch.full_like(reached, self.side**2 // 2)
        state = state._replace(place=torch.where(step.episode_start, start, reached), observation=step.observation, clock=state.clock + 1)
        state = self.drawn(state, rows, rng)
        frontier = torch.where(state.visited, -1.0, state.noticed).argmax(1)
        lengths = path_lengths(state.is_open, torch.where(state.goal >= 0, state.goal, frontier))
        following = lengths[rows[:, None], self.neighbours.to(device)[state.place]]  # [B, 4]
        return torch.where(state.is_open[rows, state.place], following, torch.inf).argmin(1), state

    def drawn(self, state: MazeMap, rows: Tensor, rng: Generator) -> MazeMap:
        """The map with the passages seen from where each row stands."""
        device, radius = rows.device, self.distribution.window
        squares = [(radius - 1, radius), (radius, radius + 1), (radius + 1, radius), (radius, radius - 1)]
        passage = torch.stack([state.observation[:, row, column] == 0 for row, column in squares], 1)  # [B, 4]
        around = self.neighbours.to(device)[state.place]
        is_open, visited, noticed = state.is_open.clone(), state.visited.clone(), state.noticed.clone()
        is_open[rows, state.place] = passage
        luck = torch.rand(passage.shape, generator=rng, device=device)
        for direction in range(4):  # a passage leads both ways
            there, back = around[:, direction], self.opposite[direction]
            is_open[rows, there, back] |= passage[:, direction]
            seen = state.clock + luck[:, direction]
            noticed[rows, there] = torch.where(passage[:, direction], seen, noticed[rows, there])
        visited[rows, state.place] = True
        return state._replace(is_open=is_open, visited=visited, noticed=noticed)
