"""Mazes seen in first person.

The tasks of `GridMaze`, walked and turned through with nothing but a small image to go by.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.capabilities import Odometry
from metarl.core.task_distribution import (
    EpisodeRows,
    TaskDistribution,
    Tasks,
    TensorRows,
    Transition,
    where_rows,
)
from metarl.tasks.mazes.drawings import draw_maze
from metarl.tasks.mazes.grid_maze import (
    GOAL_REWARD,
    STEP_REWARD,
    WALL_REWARD,
    default_horizon,
    path_bound,
)
from metarl.tasks.mazes.layouts import DIRECTIONS, MazeTasks, passages
from metarl.tasks.mazes.ray_caster import COLUMNS, ROWS, WALL, cast, column_table, draw_views
from metarl.tasks.mazes.splits import MazeSplits

__all__ = ["FORWARD", "LEFT", "RIGHT", "Pose", "VisualMaze", "cheapest_ways"]

LEFT, RIGHT, FORWARD = range(3)
CLEARANCE = 0.02  # cells that a step leaves between the eye and a wall ahead
REACH = 0.5  # cells from the goal's middle
# A row of pixels that walls reach which stand less than 0.7 cells ahead, and others don't
SKY_ROW = 7


class Pose(NamedTuple):
    """Where n agents stand and look."""

    position: Tensor  # [n, 2] float32, cells down and right from the maze's upper left corner
    heading: Tensor  # [n] int64, turns clockwise from north


class VisualMaze(TaskDistribution):
    r"""A maze in first person: the same tasks, rewards and ends as `GridMaze` with the same
    arguments, but one must look, turn and walk.

    | part | value |
    |---|---|
    | observation | Box(0, 255, (30, 40, 3), uint8): the view ahead, red, green, blue; 90 degrees wide |
    | action | Discrete(3): turn left, turn right (by 360 / turns degrees each), walk forward (1 / strides of a cell) |
    | reward | -0.04 a step, -0.001 more for walking into a wall (and staying), +1 on the goal |
    | start | the middle of the task's start cell, with the task's heading, in every episode of a meta-episode |
    | end | terminated within half a cell of the goal cell's middle; truncated at the horizon |
    | success | the goal was reached |
    | splits | train, test: frozen sets of mazes, or new ones without end; validation: new ones, beside a frozen test set |
    | | disjoint by a hash of maze, start and goal; or your own |
    | optimum | not computable |
    | upper bound | with 4 turns and 1 stride the shortest way, turns counted; otherwise a lower bound on its length, turns not counted |
    | versions | v0 |

    The world: cells lie 1 apart; walls are 0.2 thick, 0.55 high and as long as the corridor; the
    eye is halfway up. The side of a wall that looks north is red, east green, south blue, west
    yellow, all darker with distance: colours tell directions, as `GridMaze`'s actions do, and not
    places. With `landmarks`, each square of wall has one of four variants of its hue, drawn by a
    hash of the square and of all the maze's walls: places seen before can be recognised, but what
    they look like says nothing about another maze. A magenta pillar, 0.3 wide, stands on the goal;
    walls hide it. An agent is a point that a wall stops 0.02 before it.

    An episode's first view depends on the task (`reveals`), since its start is the task's; it shows
    neither the place nor what walls hide.

    Args:
        size: S, cells along a side.
        algorithm: "depth-first" or "kruskal".
        loops: chance of each wall between two cells to be opened beyond the perfect maze.
        horizon: steps an episode; 0 takes 250 up to 5 cells a side and 1,000 beyond, as in the
            paper.
        train_mazes, test_mazes: size of the frozen sets; 0 draws new mazes without end.
        drawings: your own mazes for training, one text each: 2 S + 1 lines of 2 S + 1 squares,
            where "#" is a wall, "S" the start, "G" the goal and anything else is open, such as
            "#####\n#S..#\n###.#\n#G..#\n#####". Size, algorithm, loops and numbers of mazes are
            then theirs. All of one size; agents face north at the start.
        test_drawings: those for tests, none of them among `drawings`; if left out, tests are on
            `drawings` too, and `finite` says so.
        turns: headings in a full circle, a multiple of 4.
        strides: steps from one cell's middle to the next; 4 turns and 1 stride make short walks, 12
            and 3 long ones.
        landmarks: whether wall squares differ in tint.

    Raises:
        ValueError: arguments that no maze fits, or a drawing that is none, such as one whose goal
            can't be reached.

    Source: rewards, horizons, image size of Duan et al. 2016, section 3.3 (arXiv 1611.02779), who
        used ViZDoom.
    """

    id = "VisualMaze-v0"
    has_success = True
    reveals = True
    headings = 4  # that `odometry` tells apart

    def __init__(
        self,
        size: int = 5,
        algorithm: str = "depth-first",
        loops: float = 0.0,
        horizon: int = 0,
        train_mazes: int = 1000,
        test_mazes: int = 1000,
        turns: int = 4,
        strides: int = 1,
        landmarks: bool = True,
        drawings: Sequence[str] = (),
        test_drawings: Sequence[str] = (),
    ):
        self.mazes = MazeSplits(
            size, algorithm, loops, train_mazes, test_mazes, drawings, test_drawings
        )
        if horizon < 0:
            raise ValueError(f"horizon must be at least 1, or 0 for the paper's, not {horizon}.")
        if turns < 4 or turns % 4:
            raise ValueError(
                "turns must be a multiple of 4, so that all four directions can be faced, not"
                f" {turns}."
            )
        if strides < 1:
            raise ValueError(
                f"strides must be at least 1 step from one cell to the next, not {strides}."
            )
        self.splits = self.mazes.splits
        self.size = self.mazes.size
        self.finite = self.mazes.finite
        self.turns = turns
        self.strides = strides
        self.landmarks = landmarks
        self.horizon = horizon or default_horizon(self.size)
        self.observation_space = gym.spaces.Box(0, 255, (ROWS, COLUMNS, 3), np.uint8)
        self.action_space = gym.spaces.Discrete(3)

    def config(self) -> dict[str, Any]:
        own = {"turns": self.turns, "strides": self.strides, "landmarks": self.landmarks}
        return {"horizon": self.horizon, **own, **self.mazes.config()}

    def sample(self, n: int, split: str, seed: int) -> MazeTasks:
        return self.mazes.sample(self, n, split, seed)

    def task_count(self, split: str) -> int | None:
        return self.mazes.count(split)

    def reset(self, tasks: MazeTasks, rng: Generator) -> tuple[Pose, Tensor]:
        pose = self.first_pose(tasks)
        return pose, self.look(tasks, pose)

    def first_pose(self, tasks: MazeTasks) -> Pose:
        """Return where episodes start."""
        return Pose(middle(tasks.start, self.size), tasks.heading * (self.turns // 4))

    def look(self, tasks: MazeTasks, pose: Pose) -> Tensor:
        """Return what is seen from there: [n, 30, 40, 3] uint8."""
        forward = compass(self.turns, pose.heading.device)[pose.heading]
        return draw_views(
            tasks.walls, pose.position, forward, middle(tasks.goal, self.size), self.landmarks
        )

    def step(self, tasks: MazeTasks, state: Pose, action: Tensor, rng: Generator) -> Transition:
        heading = (state.heading + (action == RIGHT).long() - (action == LEFT).long()) % self.turns
        ahead = compass(self.turns, heading.device)[state.heading]
        room = 1 / cast(tasks.walls, state.position, ahead[:, :, None]).nearness[:, 0]
        walks = action == FORWARD
        blocked = room < 1 / self.strides + CLEARANCE
        moves = (walks & ~blocked)[:, None] / self.strides
        pose = Pose(state.position + moves * ahead, heading)
        distance = (pose.position - middle(tasks.goal, self.size)).square().sum(1).sqrt()
        # Standing half a cell away counts, however steps were rounded
        arrived = distance < REACH + 1e-4
        reward = STEP_REWARD + WALL_REWARD * (walks & blocked) + GOAL_REWARD * arrived
        return Transition(pose, self.look(tasks, pose), reward.to(torch.float32), arrived, arrived)

    def open(self, num_rows: int, rng: Generator) -> EpisodeRows:
        return (VisualRows if rng.device.type == "cpu" else TensorRows)(self, num_rows, rng)

    @property
    def odometry(self) -> Odometry | None:
        """None unless a turn is 90 degrees and a step one cell.

        Headings are counted clockwise from the one at the episode's start. A wall straight ahead
        fills the view, so a blocked step shows.
        """
        return reckoned if (self.turns, self.strides) == (4, 1) else None

    def render_path(self, tasks: MazeTasks, states: Pose, moment: int) -> Tensor:
        nearest = round(float(states.heading[moment]) * 4 / self.turns) % 4
        return draw_maze(tasks, states.position - 0.5, moment, nearest)

    def upper_bound(self, tasks: MazeTasks, episodes: int) -> Tensor:
        rows = torch.arange(len(tasks), device=tasks.start.device)
        if self.turns == 4 and self.strides == 1:
            steps = cheapest_ways(tasks.walls, tasks.goal, exact_costs())[
                rows, tasks.start, tasks.heading
            ]
        else:
            # The least way between the middle lines of two openings that meet at a corner
            corner = WALL / math.sqrt(2)
            costs = torch.eye(4, dtype=torch.float64) * (1 - corner) + corner
            beyond = (
                cheapest_ways(tasks.walls, tasks.goal, costs)[rows, tasks.start].amin(1) - corner
            )
            # From the start's middle to the first opening it is half a cell
            steps = ((beyond + 0.5) * self.strides - 1e-3).ceil()
        return path_bound(steps, self.horizon, episodes)


class VisualRows(TensorRows):
    """Rows on a CPU, where only those that start an episode draw its first view.

    A GPU would wait for their number.
    """

    distribution: VisualMaze

    def reset(self, mask: Tensor, tasks: Tasks) -> Tensor:
        assert isinstance(tasks, MazeTasks), "VisualMaze plays the tasks that it samples"
        pose = self.distribution.first_pose(tasks)
        rows = mask.nonzero()[:, 0]
        views = torch.zeros(self.num_rows, ROWS, COLUMNS, 3, dtype=torch.uint8)
        if len(rows):
            views[rows] = self.distribution.look(
                tasks[rows], Pose(pose.position[rows], pose.heading[rows])
            )
        self.state = pose if self.state is None else where_rows(mask, pose, self.state)
        self.tasks = tasks
        return views


def middle(cell: Tensor, size: int) -> Tensor:
    """Points [n, 2] float32 in the middle of cells [n]."""
    return torch.stack([cell // size, cell % size], 1).to(torch.float32) + 0.5


def reckoned(pose: Tensor, observation: Tensor, action: Tensor) -> Tensor:
    """Return the next pose [..., 3] (row, column, heading) after `action` [...] on the view
    `observation` [..., 30, 40, 3].
    """
    blocked = (observation[..., SKY_ROW, COLUMNS // 2, :] != sky_on(pose.device)).any(-1)
    walks = (action == FORWARD) & ~blocked
    ahead = compass(4, pose.device)[pose[..., 2]].to(torch.int64)
    heading = (pose[..., 2] + (action == RIGHT).long() - (action == LEFT).long()) % 4
    return torch.cat([pose[..., :2] + walks[..., None] * ahead, heading[..., None]], -1)


@cache
def sky_on(device: torch.device) -> Tensor:
    """Return the colour [3] uint8 of SKY_ROW where no wall stands near."""
    return torch.from_numpy(column_table(np.zeros((1, 3)))[0, 0, SKY_ROW]).to(device)


@cache
def compass(turns: int, device: torch.device) -> Tensor:
    """Unit vectors [turns, 2] float32 (down, right), clockwise from north.

    Exact along both axes.
    """
    angle = np.arange(turns) * (2 * np.pi / turns)
    return torch.from_numpy(
        np.stack([-np.cos(angle), np.sin(angle)], 1).round(12).astype(np.float32)
    ).to(device)


def exact_costs() -> Tensor:
    """Steps [4, 4] that it takes to leave a cell by a direction when facing another.

    Turns, and the step itself.
    """
    apart = (torch.arange(4)[:, None] - torch.arange(4)) % 4
    return 1.0 + torch.minimum(apart, 4 - apart).to(torch.float64)


def cheapest_ways(walls: Tensor, goal: Tensor, costs: Tensor) -> Tensor:
    """Least cost from every cell and heading to the goal, by relaxing it until nothing changes
    (Bellman 1958).

    Args:
        walls: [n, 2 S + 1, 2 S + 1] bool. goal: [n] cells.
        costs: [4, 4] at least 0, of leaving a cell by direction j after having come into it by
            direction i.

    Returns:
        [n, S S, 4] float64, infinite where no way leads to the goal.
    """
    size = walls.shape[-1] // 2
    is_open = passages(walls)
    rows = torch.arange(len(walls), device=walls.device)
    offsets = torch.tensor([down * size + right for down, right in DIRECTIONS], device=walls.device)
    neighbour = (torch.arange(size * size, device=walls.device)[:, None] + offsets).clamp(
        0, size * size - 1
    )
    directions = torch.arange(4, device=walls.device)
    costs = costs.to(walls.device)
    ways = torch.full(
        (len(walls), size * size, 4), torch.inf, dtype=torch.float64, device=walls.device
    )
    ways[rows, goal] = 0.0
    for _ in range(4 * size * size):
        # [n, S S, 4] after leaving by each direction
        onward = torch.where(is_open, ways[:, neighbour, directions], torch.inf)
        shorter = torch.minimum(ways, (onward[:, :, None] + costs).amin(-1))
        if bool((shorter == ways).all()):
            break
        ways = shorter
    return ways
