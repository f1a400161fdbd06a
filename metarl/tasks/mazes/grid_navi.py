"""GridNavi, the grid of VariBAD: find a hidden goal cell, then go straight to it."""

from dataclasses import dataclass
from functools import cache
from typing import Any

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
from metarl.tasks.mazes.drawings import draw_maze
from metarl.tasks.mazes.layouts import MazeTasks

__all__ = ["MOVES", "GridNavi", "GridNaviTasks"]

MOVES = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))  # stay, up, right, down, left, as (x, y)


@dataclass(frozen=True, eq=False)
class GridNaviTasks(Tasks):
    """n hidden goals."""

    goal: Tensor  # [n, 2] int64, x and y


class GridNavi(TaskDistribution):
    """A grid with one hidden goal cell, on which the agent may stay and be paid.

    | part | value |
    |---|---|
    | observation | MultiDiscrete(size, size): x and y of the agent |
    | action | Discrete(5): stay, up, right, down, left; a move off the grid stays |
    | reward | +1 for a step that ends on the goal, -0.1 for any other |
    | start | the corner (0, 0) |
    | end | truncated at the horizon |
    | success | the step ended on the goal |
    | splits | train, test: uniform over all cells but the start and the three around it; finite (21 goals at size 5), so they overlap |
    | optimum | not computed |
    | upper bound | goal known: 11.071 an episode on average at size 5 and horizon 15 |
    | versions | v0 |

    Args:
        size: cells along a side. horizon: steps an episode.

    Source: Zintgraf et al. 2020, section 5.1 (arXiv 1910.08348), where a meta-episode has 4
        episodes.
    """

    id = "GridNavi-v0"
    has_success = True
    hides = ("goal",)
    finite = True

    def __init__(self, size: int = 5, horizon: int = 15):
        if size < 3 or horizon < 1:
            raise ValueError(
                "size must be at least 3, so that a goal lies away from the start, and horizon at"
                f" least 1: {size}, {horizon}."
            )
        self.size = size
        self.horizon = horizon
        self.observation_space = gym.spaces.MultiDiscrete([size, size])
        self.action_space = gym.spaces.Discrete(len(MOVES))
        x, y = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        self.goals = torch.stack([x, y], -1)[torch.maximum(x, y) > 1]  # [G, 2]

    def config(self) -> dict[str, Any]:
        return {"size": self.size, "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> GridNaviTasks:
        check_draw(self, n, split, seed)
        drawn = numpy_generator(seed, self.id, split).integers(len(self.goals), size=n)
        return GridNaviTasks(self.goals[torch.from_numpy(drawn)])

    def task_count(self, split: str) -> int:
        return len(self.goals)

    def every_task(self, split: str, seed: int) -> GridNaviTasks:
        check_split(self, split)
        return GridNaviTasks(self.goals)

    def reset(self, tasks: GridNaviTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        start = torch.zeros_like(tasks.goal)
        return start, start

    def step(
        self, tasks: GridNaviTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        place = (state + moves_on(state.device)[action]).clamp(0, self.size - 1)
        arrived = (place == tasks.goal).all(1)
        reward = torch.where(arrived, 1.0, -0.1)
        return Transition(place, place, reward, torch.zeros_like(arrived), arrived)

    def render_path(self, tasks: GridNaviTasks, states: Tensor, moment: int) -> Tensor:
        walls = torch.zeros(1, 2 * self.size + 1, 2 * self.size + 1, dtype=torch.bool)
        walls[:, [0, -1]] = walls[:, :, [0, -1]] = True
        # Rows from above, columns
        places = torch.stack([self.size - 1 - states[:, 1], states[:, 0]], 1)
        goal = (self.size - 1 - tasks.goal[:, 1]) * self.size + tasks.goal[:, 0]
        corner = torch.tensor([(self.size - 1) * self.size])
        return draw_maze(
            MazeTasks(walls, corner, goal, torch.zeros(1, dtype=torch.int64)), places, moment
        )

    def upper_bound(self, tasks: GridNaviTasks, episodes: int) -> Tensor:
        # Steps that end elsewhere
        away = (tasks.goal.sum(1) - 1).clamp_max(self.horizon).to(torch.float64)
        return episodes * (self.horizon - 1.1 * away)


@cache
def moves_on(device: torch.device) -> Tensor:
    """MOVES [5, 2] on a device; made once, so that a step copies nothing there."""
    return torch.tensor(MOVES, device=device)
