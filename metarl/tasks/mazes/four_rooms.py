"""Four rooms.

A grid of 104 cells with slippery floors, in which a task's goal is a cell (Sutton et al. 1999,
Frans et al. 2017).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import (
    TaskDistribution,
    Tasks,
    Transition,
    check_draw,
    check_split,
)
from metarl.tasks.control.physics_range import check_horizon
from metarl.tasks.mazes.four_rooms_drawing import draw_rooms

__all__ = ["CELLS", "GOALS", "ROOMS", "START", "FourRooms", "FourRoomsTasks", "best_play"]

ROOMS = (
    "#############",
    "#.....#.....#",
    "#.....#.....#",
    "#...........#",
    "#.....#.....#",
    "#.....#.....#",
    "##.####.....#",
    "#.....###.###",
    "#.....#.....#",
    "#.....#.....#",
    "#...........#",
    "#.....#.....#",
    "#############",
)
# (row, column), by number
CELLS = tuple(
    (i, j) for i, row in enumerate(ROOMS) for j, square in enumerate(row) if square == "."
)
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right, as (row, column)
SLIP = 1 / 3  # chance that a move goes on to a random neighbour
START = 62  # the doorway between the two rooms on the right
# cells with this remainder are goals of the test split; both splits are then equally hard
EVERY = 4
HELD_OUT = 1
# On the lower right: 20 cells
ROOM = tuple(cell for cell, (row, column) in enumerate(CELLS) if row > 7 and column > 6)
# On the upper right: 30 cells
UPPER_ROOM = tuple(cell for cell, (row, column) in enumerate(CELLS) if row < 7 and column > 6)
CANDIDATES = (68, 80, 90, 103)  # in that room, that the released code draws a goal from
RELEASED = 103  # that it then sets, whichever was drawn


def separated(cells: Iterable[int]) -> dict[str, tuple[int, ...]]:
    """Goals for train and others for test, the start for neither."""
    return {
        "train": tuple(cell for cell in cells if cell % EVERY != HELD_OUT and cell != START),
        "test": tuple(cell for cell in cells if cell % EVERY == HELD_OUT and cell != START),
    }


GOALS: dict[str, dict[str, tuple[int, ...]]] = {  # by the argument `goals` and the split
    "any": separated(range(len(CELLS))),
    "room": separated(ROOM),
    "upper-room": separated(UPPER_ROOM),
    "four": {"train": CANDIDATES, "test": CANDIDATES},
    "released": {"train": (RELEASED,), "test": (RELEASED,)},
}


@dataclass(frozen=True, eq=False)
class FourRoomsTasks(Tasks):
    """n hidden goals."""

    goal: Tensor  # [n] int64, a cell's number


class FourRooms(TaskDistribution):
    """Four rooms with a doorway between any two that touch; being in the goal's cell pays, and
    where that is isn't shown.

    | part | value |
    |---|---|
    | observation | Discrete(104): the agent's cell; free cells of the 13 x 13 grid are numbered row by row |
    | action | Discrete(4): up, down, left, right |
    | transition | into a wall: stays. Else it moves, and with probability 1/3 goes on at once to a free neighbour of where it came to |
    | task | the goal, a cell |
    | reward | 1 for each step that ends in the goal, else 0 |
    | start | cell 62, the doorway between the two rooms on the right |
    | end | truncated at the horizon; the goal ends nothing |
    | success | the step ended in the goal |
    | splits | train: 77 cells in all four rooms, test: 26 others among them, each equally likely; "four" and "released" are finite |
    | optimum | not computed |
    | upper bound | goal known, by backward induction: exact; 34 to 98 of 100 by goal, on average 68.6 in either split ("room": 73) |
    | versions | v0 |

    By `goals`, they are
    - "any": all cells but the start, in disjoint sets for train and test;
    - "room": the cells of the room on the lower right, 15 for train and 5 for test: what is common
      to tasks is where to look;
    - "upper-room": likewise the room on the upper right, 23 and 7;
    - "four": cells 68, 80, 90 and 103 of the room on the lower right, the same ones in both splits;
    - "released": always 103, in the lower right corner. The code that Frans et al. released draws
      one of those four and then sets 103, whichever it was, so that there is only one task and
      nothing to meta-learn. All four are in the room of "room".

    Beside a wall the agent stays in the goal by walking into the wall, and is paid for most steps;
    elsewhere it has to leave and come back, and is paid for about two steps in five. Random actions
    score 0.9.

    Source: Sutton, Precup & Singh 1999, section 2 (the rooms), Frans et al. 2017 (arXiv 1710.09767)
        and its code (start, slips, horizon),
    where Sutton et al. have a move that fails go in another direction instead.

    Args:
        goals: where they are drawn from: "any", "room", "upper-room", "four" or "released".
            horizon: steps an episode.
    """

    id = "FourRooms-v0"
    has_success = True
    hides = ("goal",)

    def __init__(self, goals: str = "any", horizon: int = 100):
        check_horizon(horizon)
        if goals not in GOALS:
            raise ValueError(f"There are no goals {goals!r}; choose one of {', '.join(GOALS)}.")
        self.goals = goals
        self.horizon = horizon
        self.finite = goals in ("four", "released")
        self.observation_space = gym.spaces.Discrete(len(CELLS))
        self.action_space = gym.spaces.Discrete(len(MOVES))

    def config(self) -> dict[str, Any]:
        return {"goals": self.goals, "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> FourRoomsTasks:
        check_draw(self, n, split, seed)
        cells = torch.tensor(GOALS[self.goals][split])
        drawn = numpy_generator(seed, self.id, split).integers(len(cells), size=n)
        return FourRoomsTasks(cells[torch.from_numpy(drawn)])

    def task_count(self, split: str) -> int:
        check_split(self, split)
        return len(GOALS[self.goals][split])

    def every_task(self, split: str, seed: int) -> FourRoomsTasks:
        check_split(self, split)
        return FourRoomsTasks(torch.tensor(GOALS[self.goals][split]))

    def reset(self, tasks: FourRoomsTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        start = torch.full_like(tasks.goal, START)
        return start, start

    def step(
        self, tasks: FourRoomsTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        floor = floor_on(state.device)
        slips, which = torch.rand(2, len(state), generator=rng, device=rng.device).unbind()
        cell = floor.following[state, action]
        drawn = (which * floor.degree[cell]).to(torch.int64)  # one of its neighbours
        cell = torch.where((slips < SLIP) & (cell != state), floor.neighbours[cell, drawn], cell)
        arrived = cell == tasks.goal
        return Transition(cell, cell, arrived.to(torch.float32), torch.zeros_like(arrived), arrived)

    def upper_bound(self, tasks: FourRoomsTasks, episodes: int) -> Tensor:
        return episodes * best_play(self.horizon, tasks.goal.device).value[tasks.goal]

    def render(self, tasks: FourRoomsTasks, state: Tensor) -> Tensor:
        return torch.stack(
            [self.render_path(tasks[i], state[i : i + 1], 0) for i in range(len(tasks))]
        )

    def render_path(self, tasks: FourRoomsTasks, states: Tensor, moment: int) -> Tensor:
        return draw_rooms(
            CELLS,
            len(ROOMS),
            CELLS[int(tasks.goal[0])],
            [CELLS[cell] for cell in states.tolist()],
            moment,
        )


class Floor(NamedTuple):
    """Where moves lead to, on one device."""

    following: Tensor  # [104, 4] int64 the cell that each move leads to, without a slip
    neighbours: Tensor  # [104, 4] int64 the free neighbours, then the first one again
    degree: Tensor  # [104] how many they are


@cache
def floor_on(device: torch.device) -> Floor:
    """Return the tables of a step; made once, so that a step copies nothing to its device."""
    number = {cell: i for i, cell in enumerate(CELLS)}
    following = [
        [number.get((row + down, column + right), i) for down, right in MOVES]
        for i, (row, column) in enumerate(CELLS)
    ]
    free = [[to for to in row if to != i] for i, row in enumerate(following)]
    neighbours = [row + row[:1] * (len(MOVES) - len(row)) for row in free]
    return Floor(
        *(
            torch.tensor(table, device=device)
            for table in (following, neighbours, [len(row) for row in free])
        )
    )


def transition_matrix() -> Tensor:
    """[104, 4, 104] float64: the chance of each next cell, by cell and action."""
    floor = floor_on(torch.device("cpu"))
    cells = torch.eye(len(CELLS), dtype=torch.float64)
    onwards = torch.stack(
        [
            cells[row[:degree]].mean(0)
            for row, degree in zip(floor.neighbours, floor.degree.tolist(), strict=True)
        ]
    )
    stays = (floor.following == torch.arange(len(CELLS))[:, None])[..., None]
    return torch.where(
        stays,
        cells[floor.following],
        (1 - SLIP) * cells[floor.following] + SLIP * onwards[floor.following],
    )


class BestPlay(NamedTuple):
    """How to play when the goal is known, for all 104 goals."""

    value: Tensor  # [104] the expected return from the start, by goal
    action: Tensor  # [104, H, 104] int64 the best action, by goal, steps gone and cell


@cache
def best_play(horizon: int, device: torch.device) -> BestPlay:
    """Backward induction over `horizon` steps for each goal."""
    transitions = transition_matrix().flatten(0, 1)  # [104 * 4, 104]
    cells = len(CELLS)
    action = torch.zeros(len(CELLS), horizon, len(CELLS), dtype=torch.int64)
    values = torch.zeros(cells, cells, dtype=torch.float64)  # of each cell, for each goal
    for t in reversed(range(horizon)):
        values, best = (
            (transitions @ (torch.eye(cells, dtype=torch.float64) + values))
            .view(cells, len(MOVES), cells)
            .max(1)
        )
        action[:, t] = best.T
    return BestPlay(values[START].to(device), action.to(device))
