"""Mazes seen from above through a small window.

Explore in the first episode, walk straight to the goal in the next.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Generator, Tensor

from metarl.core.capabilities import Odometry
from metarl.core.task_distribution import TaskDistribution, Transition
from metarl.tasks.mazes.drawings import draw_maze, places_of
from metarl.tasks.mazes.layouts import DIRECTIONS, MazeTasks, between, distances
from metarl.tasks.mazes.splits import MazeSplits

__all__ = ["GOAL_REWARD", "STEP_REWARD", "WALL_REWARD", "GridMaze", "default_horizon", "path_bound"]

GOAL_REWARD = 1.0
WALL_REWARD = -0.001
STEP_REWARD = -0.04


class GridMaze(TaskDistribution):
    r"""A maze of cells whose walls are sensed nearby; neither the agent's place nor the goal is
    ever shown.

    | part | value |
    |---|---|
    | observation | MultiBinary(2 window + 1, 2 window + 1): walls of the drawing around the agent; radius 1 shows the cell's own four |
    | action | Discrete(4): north, east, south, west |
    | reward | -0.04 a step, -0.001 more for walking into a wall (and staying), +1 on the goal |
    | start | the task's start cell, in every episode of a meta-episode |
    | end | terminated on the goal; truncated at the horizon |
    | success | the goal was reached |
    | splits | train, test: frozen sets of mazes, or new ones without end; validation: new ones, beside a frozen test set |
    | | disjoint by a hash of maze, start and goal; or your own |
    | optimum | not computable |
    | upper bound | the shortest path, known from the start |
    | versions | v0 |

    Args:
        size: S, cells along a side.
        window: radius of what is seen, in squares of the drawing (two to a cell).
        algorithm: "depth-first" or "kruskal".
        loops: chance of each wall between two cells to be opened beyond the perfect maze.
        horizon: steps an episode; 0 takes 250 up to 5 cells a side and 1,000 beyond, as in the
            paper.
        train_mazes, test_mazes: size of the frozen sets; 0 draws new mazes without end.
        drawings: your own mazes for training, one text each: 2 S + 1 lines of 2 S + 1 squares,
            where "#" is a wall, "S" the start, "G" the goal and anything else is open, such as
            "#####\n#S..#\n###.#\n#G..#\n#####". Size, algorithm, loops and numbers of mazes are
            then theirs. All of one size.
        test_drawings: those for tests, none of them among `drawings`; if left out, tests are on
            `drawings` too, and `finite` says so.

    Raises:
        ValueError: arguments that no maze fits, or a drawing that is none, such as one whose goal
            can't be reached.

    Source: rewards and horizons of Duan et al. 2016, section 3.3 (arXiv 1611.02779), whose mazes
        are seen in first person.
    """

    id = "GridMaze-v0"
    has_success = True
    reveals = True  # the walls around the start
    hides = ("goal", "heading")

    def __init__(
        self,
        size: int = 5,
        window: int = 1,
        algorithm: str = "depth-first",
        loops: float = 0.0,
        horizon: int = 0,
        train_mazes: int = 1000,
        test_mazes: int = 1000,
        drawings: Sequence[str] = (),
        test_drawings: Sequence[str] = (),
    ):
        self.mazes = MazeSplits(
            size, algorithm, loops, train_mazes, test_mazes, drawings, test_drawings
        )
        if window < 1:
            raise ValueError(
                f"window must be at least 1, so that a cell's own walls are seen, not {window}."
            )
        if horizon < 0:
            raise ValueError(f"horizon must be at least 1, or 0 for the paper's, not {horizon}.")
        self.splits = self.mazes.splits
        self.size = self.mazes.size
        self.finite = self.mazes.finite
        self.window = window
        self.horizon = horizon or default_horizon(self.size)
        self.observation_space = gym.spaces.MultiBinary((2 * window + 1, 2 * window + 1))
        self.action_space = gym.spaces.Discrete(4)

    def config(self) -> dict[str, Any]:
        return {"window": self.window, "horizon": self.horizon, **self.mazes.config()}

    def sample(self, n: int, split: str, seed: int) -> MazeTasks:
        return self.mazes.sample(self, n, split, seed)

    def task_count(self, split: str) -> int | None:
        return self.mazes.count(split)

    def reset(self, tasks: MazeTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        return tasks.start, self._look(tasks, tasks.start)

    def step(self, tasks: MazeTasks, state: Tensor, action: Tensor, rng: Generator) -> Transition:
        tables = tables_of(self.size, self.window, state.device)
        crossed = tables.crossed[state].gather(1, action[:, None])
        blocked = tasks.walls.flatten(1).gather(1, crossed)[:, 0]
        cell = torch.where(blocked, state, state + tables.offsets[action])
        arrived = cell == tasks.goal
        reward = STEP_REWARD + WALL_REWARD * blocked + GOAL_REWARD * arrived
        return Transition(cell, self._look(tasks, cell), reward.to(torch.float32), arrived, arrived)

    @property
    def odometry(self) -> Odometry:
        """An action leads on, or into a wall that the agent saw; headings are always 0."""
        return self._moved

    def _moved(self, pose: Tensor, observation: Tensor, action: Tensor) -> Tensor:
        tables = tables_of(self.size, self.window, action.device)
        blocked = observation.flatten(-2)[..., tables.nearest].gather(-1, action[..., None])
        moved = torch.where(blocked > 0, 0, tables.directions[action])
        return torch.cat([pose[..., :2] + moved, pose[..., 2:]], -1)

    def upper_bound(self, tasks: MazeTasks, episodes: int) -> Tensor:
        apart = distances(tasks.walls, tasks.goal).gather(1, tasks.start[:, None])[:, 0]
        return path_bound(apart, self.horizon, episodes)

    def render(self, tasks: MazeTasks, state: Tensor) -> Tensor:
        return torch.stack(
            [
                draw_maze(tasks[i], places_of(state[i : i + 1], self.size), 0)
                for i in range(len(tasks))
            ]
        )

    def render_path(self, tasks: MazeTasks, states: Tensor, moment: int) -> Tensor:
        return draw_maze(tasks, places_of(states, self.size), moment)

    def _look(self, tasks: MazeTasks, cell: Tensor) -> Tensor:
        squares = tasks.walls.flatten(1).gather(
            1, tables_of(self.size, self.window, cell.device).seen[cell]
        )
        return squares.unflatten(1, self.observation_space.shape).to(torch.int64)


class Tables(NamedTuple):
    """What a step looks up, on one device."""

    crossed: Tensor  # [S S, 4] square of the flattened drawing that a move crosses
    seen: Tensor  # [S S, (2 window + 1)^2] squares that are seen from a cell
    offsets: Tensor  # [4] from a cell to the next one in each direction
    directions: Tensor  # [4, 2]
    nearest: Tensor  # [4] where in the flattened window the cell's own walls are


@cache
def tables_of(size: int, window: int, device: torch.device) -> Tables:
    """Return the tables of mazes of a size.

    Made once, so that a step copies nothing to its device.
    """
    directions = torch.tensor(DIRECTIONS)
    tables = Tables(
        between(size),
        window_squares(size, window),
        directions @ torch.tensor([size, 1]),
        directions,
        (directions + window) @ torch.tensor([2 * window + 1, 1]),
    )
    return Tables(*(table.to(device) for table in tables))


def window_squares(size: int, window: int) -> Tensor:
    """Squares of the flattened drawing within `window` of each cell.

    [S S, (2 window + 1)^2]; beyond the border lies more wall.
    """
    cell = torch.arange(size * size)
    reach = torch.arange(-window, window + 1)
    row = (2 * (cell // size) + 1)[:, None] + reach  # [S S, 2 window + 1]
    column = (2 * (cell % size) + 1)[:, None] + reach
    squares = (
        row.clamp(0, 2 * size)[:, :, None] * (2 * size + 1) + column.clamp(0, 2 * size)[:, None, :]
    )
    return squares.flatten(1)


def default_horizon(size: int) -> int:
    """Steps an episode in Duan et al. 2016: 250 in the small mazes, 1,000 in the large ones."""
    return 250 if size <= 5 else 1000


def path_bound(steps: Tensor, horizon: int, episodes: int) -> Tensor:
    """Return the best return [n] of `episodes` episodes where the goal is `steps` [n] away."""
    return episodes * torch.where(
        steps <= horizon, GOAL_REWARD + STEP_REWARD * steps, STEP_REWARD * horizon
    )
