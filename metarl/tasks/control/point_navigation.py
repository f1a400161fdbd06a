"""Point navigation: walk in a plane to a goal that is never shown."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import STREAMS, TaskDistribution, Tasks, Transition, check_draw
from metarl.tasks.canvas import BLACK, GREEN, PALE, Canvas, time_colour
from metarl.tasks.control.physics_range import check_horizon

__all__ = ["EDGE", "MOST_MOVE", "REACHED", "PointNavigation", "PointNavigationTasks"]

EDGE = 0.5  # goals lie at most that far from the start, along each axis
MOST_MOVE = 0.1  # of a step, along each axis
REACHED = 0.01  # the goal is reached when it is nearer than that along both axes
PIXELS = 160  # a picture's side


@dataclass(frozen=True, eq=False)
class PointNavigationTasks(Tasks):
    """n hidden goals."""

    goal: Tensor  # [n, 2] x and y


class PointNavigation(TaskDistribution):
    """A point in the plane that is paid for being near a goal, which it has to find by the reward
    alone.

    | part | value |
    |---|---|
    | observation | x and y of the point; the start is (0, 0) in every task. Nothing tells the goal |
    | action | Box(-0.1, 0.1, (2,)): the move along x and y, clipped |
    | reward | minus the distance to the goal after the move; its square with `squared` |
    | start | (0, 0) |
    | end | terminated when the goal is nearer than 0.01 along both axes; truncated at the horizon |
    | success | the step reached the goal |
    | splits | train, test, validation: goals uniform in [-0.5, 0.5]², independent streams |
    | optimum | not computed |
    | upper bound | goal known: at full speed along both axes until it is reached, about -0.7 an episode |
    | versions | v0 |

    Finn et al. 2017 (arXiv 1703.03400, section 5.3) write of the squared distance; the returns of
    their figure are those of the distance.

    Args:
        squared: whether the reward is the distance's square. horizon: most steps in an episode.
    """

    id = "PointNavigation-v0"
    has_success = True
    splits = STREAMS

    def __init__(self, squared: bool = False, horizon: int = 100):
        check_horizon(horizon)
        self.squared = squared
        self.horizon = horizon
        farthest = MOST_MOVE * horizon
        self.observation_space = gym.spaces.Box(-farthest, farthest, (2,), np.float32)
        self.action_space = gym.spaces.Box(-MOST_MOVE, MOST_MOVE, (2,), np.float32)

    def config(self) -> dict[str, Any]:
        return {"squared": self.squared, "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> PointNavigationTasks:
        check_draw(self, n, split, seed)
        return PointNavigationTasks(
            torch.from_numpy(numpy_generator(seed, self.id, split).uniform(-EDGE, EDGE, (n, 2)))
        )

    def reset(self, tasks: PointNavigationTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        start = torch.zeros_like(tasks.goal)
        return start, start.to(torch.float32)

    def step(
        self, tasks: PointNavigationTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        farthest = MOST_MOVE * self.horizon
        # Rounding adds up
        place = (state + action.to(state.dtype).clamp(-MOST_MOVE, MOST_MOVE)).clamp(
            -farthest, farthest
        )
        away = tasks.goal - place
        arrived = (away.abs() < REACHED).all(1)
        squares = away.square().sum(1)
        return Transition(
            place,
            place.to(torch.float32),
            -(squares if self.squared else squares.sqrt()),
            arrived,
            arrived,
        )

    def upper_bound(self, tasks: PointNavigationTasks, episodes: int) -> Tensor:
        """Return each axis on its own is never farther off than at full speed towards the goal, and
        no episode ends sooner.
        """
        left = tasks.goal.abs()
        total = torch.zeros_like(tasks.goal[:, 0])
        playing = torch.ones_like(total, dtype=torch.bool)
        for _ in range(min(self.horizon, round(EDGE / MOST_MOVE) + 1)):
            left = (left - MOST_MOVE).clamp_min(0)
            squares = left.square().sum(1)
            total = total - torch.where(playing, squares if self.squared else squares.sqrt(), 0)
            playing = playing & (left >= REACHED).any(1)
        return episodes * total

    def render_path(self, tasks: PointNavigationTasks, states: Tensor, moment: int) -> Tensor:
        canvas = Canvas(PIXELS, PIXELS, PIXELS / (3 * EDGE))
        square = [(-EDGE, -EDGE), (EDGE, -EDGE), (EDGE, EDGE), (-EDGE, EDGE), (-EDGE, -EDGE)]
        canvas.line(square, 0.01, PALE)
        places = [(float(x), float(y)) for x, y in states[: moment + 1]]
        for i, pair in enumerate(pairwise(places)):
            canvas.line(pair, 0.015, time_colour(i / max(1, len(states) - 1)))
        canvas.disc((float(tasks.goal[0, 0]), float(tasks.goal[0, 1])), 0.03, GREEN)
        canvas.disc(places[-1], 0.02, BLACK)
        return torch.from_numpy(canvas.picture())
