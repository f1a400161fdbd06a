"""Moving bandits.

Two places are shown, one of them pays, and only the reward tells which (Frans et al. 2017).
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
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
from metarl.tasks.canvas import BLACK, GREEN, GREY, PALE, Canvas, time_colour
from metarl.tasks.control.physics_range import check_horizon

__all__ = ["MOVES", "SIDE", "MovingBandits", "MovingBanditsTasks", "Plane", "move_towards"]

SIDE = 400.0  # of the square that goals are drawn in; the agent starts in its middle
STRIDE = 20.0  # of one move
REACH = 50.0  # a step pays when it ends nearer than that to the correct goal
MOVES = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))  # stay, right, left, up, down, as (x, y)
MARGIN = 40.0  # that a picture shows around the square
PIXELS = 160  # a picture's side
ARRIVED = (170, 221, 203)  # where the correct goal pays


@dataclass(frozen=True, eq=False)
class MovingBanditsTasks(Tasks):
    """n tasks: which of the two goals pays."""

    correct: Tensor  # [n] int64, 0 or 1


class Plane(NamedTuple):
    """Where n episodes stand."""

    place: Tensor  # [n, 2] x and y of the agent
    goals: Tensor  # [n, 2, 2] x and y of the first and of the second goal


class MovingBandits(TaskDistribution):
    """A point that sees two goals, which lie elsewhere in every episode; the task is which one
    pays, and isn't shown.

    | part | value |
    |---|---|
    | observation | Box(6): x and y of the agent, of the first goal and of the second, each divided by 400 |
    | action | Discrete(5): stay, or 20 along +x, -x, +y, -y; there are no walls |
    | task | which goal is the correct one: the first or the second, equally likely |
    | reward | 1 for each step that ends nearer than 50 to the correct goal, else 0 |
    | start | the agent at (200, 200), both goals drawn anew, uniform in [0, 400]², independent of the task |
    | end | truncated at the horizon |
    | success | the step was paid |
    | splits | train, test: the same two tasks (finite); goals are drawn by the environment's noise, so no two episodes are alike |
    | optimum | not computed |
    | upper bound | task known: 43.8 of 50, the mean over goals of the shortest way; exact, by integration |
    | versions | v0 |

    Returns of 50 to compare with. Without looking at rewards: always to the same goal 23.1, to the
    nearer one 24.0, to one of the two that is drawn every 10 steps 17.5, to within 50 of the middle
    between them 6.4, random actions 2.4. With a look at them: to the nearer goal, and on to the
    other where the first doesn't pay, 41.1 already in a task's first episode.

    Source: Frans et al. 2017 (MLSH, arXiv 1710.09767), section 6.1. Sizes, and that goals move from
        episode to episode, are those of the
    code that its authors released.

    Args:
        horizon: steps an episode.
    """

    id = "MovingBandits-v0"
    has_success = True
    finite = True
    hides = ("correct",)

    def __init__(self, horizon: int = 50):
        check_horizon(horizon)
        self.horizon = horizon
        farthest = STRIDE * horizon
        low = [SIDE / 2 - farthest] * 2 + [0.0] * 4
        high = [SIDE / 2 + farthest] * 2 + [SIDE] * 4
        self.observation_space = gym.spaces.Box(
            np.float32(np.divide(low, SIDE)), np.float32(np.divide(high, SIDE)), dtype=np.float32
        )
        self.action_space = gym.spaces.Discrete(len(MOVES))

    def config(self) -> dict[str, Any]:
        return {"horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> MovingBanditsTasks:
        check_draw(self, n, split, seed)
        return MovingBanditsTasks(
            torch.from_numpy(numpy_generator(seed, self.id, split).integers(2, size=n))
        )

    def task_count(self, split: str) -> int:
        return 2

    def every_task(self, split: str, seed: int) -> MovingBanditsTasks:
        check_split(self, split)
        return MovingBanditsTasks(torch.arange(2))

    def reset(self, tasks: MovingBanditsTasks, rng: Generator) -> tuple[Plane, Tensor]:
        goals = SIDE * torch.rand(len(tasks), 2, 2, generator=rng, device=rng.device)
        state = Plane(torch.full_like(goals[:, 0], SIDE / 2), goals)
        return state, _shown(state)

    def step(
        self, tasks: MovingBanditsTasks, state: Plane, action: Tensor, rng: Generator
    ) -> Transition:
        state = Plane(state.place + STRIDE * moves_on(state.place.device)[action], state.goals)
        goal = torch.where(tasks.correct[:, None] == 0, state.goals[:, 0], state.goals[:, 1])
        paid = (goal - state.place).square().sum(1) < REACH**2
        return Transition(
            state, _shown(state), paid.to(torch.float32), torch.zeros_like(paid), paid
        )

    def upper_bound(self, tasks: MovingBanditsTasks, episodes: int) -> Tensor:
        """Step t can be paid where the goal is within reach after t moves.

        The mean over goals of how many steps can.
        """
        value = sum(share_within_reach(t) for t in range(1, self.horizon + 1))
        return torch.full(
            (len(tasks),), episodes * value, dtype=torch.float64, device=tasks.correct.device
        )

    def render(self, tasks: MovingBanditsTasks, state: Plane) -> Tensor:
        return torch.stack(
            [
                self.render_path(tasks[i], Plane(*(part[i : i + 1] for part in state)), 0)
                for i in range(len(tasks))
            ]
        )

    def render_path(self, tasks: MovingBanditsTasks, states: Plane, moment: int) -> Tensor:
        canvas = Canvas(PIXELS, PIXELS, PIXELS / (SIDE + 2 * MARGIN), (SIDE / 2, SIDE / 2))
        correct = int(tasks.correct[0])
        goals = states.goals[moment].tolist()
        for i in sorted(range(2), key=lambda i: i == correct):  # the correct one on top
            canvas.disc((goals[i][0], goals[i][1]), REACH, ARRIVED if i == correct else PALE)
        canvas.line([(0, 0), (SIDE, 0), (SIDE, SIDE), (0, SIDE), (0, 0)], 3, GREY)
        for i in sorted(range(2), key=lambda i: i == correct):
            canvas.disc((goals[i][0], goals[i][1]), 14, GREEN if i == correct else GREY)
        places = [(float(x), float(y)) for x, y in states.place[: moment + 1]]
        for t, pair in enumerate(pairwise(places)):
            canvas.line(pair, 8, time_colour(t / max(1, len(states.place) - 1)))
        canvas.disc(places[-1], 10, BLACK)
        return torch.from_numpy(canvas.picture())


def move_towards(observation: Tensor, goal: Tensor) -> Tensor:
    """Return the action [n] whose move ends nearest to a goal.

    Nothing reaches a goal in fewer steps: moves along one axis don't change what is left along the
    other, and each of them saves less of the squared distance than the one before, so the best so
    many moves are the best ones, one by one.

    Args:
        observation: [n, 6] of MovingBandits.
        goal: [n] int64, 0 or 1: which one to go to.
    """
    place, *goals = observation.unflatten(1, (3, 2)).unbind(1)  # [n, 2] each, divided by SIDE
    away = SIDE * (torch.where(goal[:, None] == 0, goals[0], goals[1]) - place)
    return (away[:, None] - STRIDE * moves_on(away.device)).square().sum(2).argmin(1)


def _shown(state: Plane) -> Tensor:
    return torch.cat([state.place, state.goals.flatten(1)], 1) / SIDE  # [n, 6]


@cache
def moves_on(device: torch.device) -> Tensor:
    """MOVES [5, 2] on a device; made once, so that a step copies nothing there."""
    return torch.tensor(MOVES, dtype=torch.float32, device=device)


@cache
def share_within_reach(moves: int) -> float:
    """Return the share of goals that at most so many moves come within reach of: the area of
    overlapping discs, cut by the square.

    In a quarter of the square, the discs around the points i strides to the right and at most
    `moves` - i up cover the column at x from 0 up to the highest reach of any i, without a gap;
    columns are summed by the midpoint rule.
    """
    half = SIDE / 2
    columns = 20_000
    x = (torch.arange(columns, dtype=torch.float64) + 0.5) * (half / columns)
    i = torch.arange(min(moves, round(half / STRIDE)) + 1, dtype=torch.float64)[:, None]
    squares = REACH**2 - (x - STRIDE * i).square()  # [strides to the right, columns]
    height = torch.where(squares > 0, STRIDE * (moves - i) + squares.clamp_min(0).sqrt(), 0)
    return float(height.amax(0).clamp_max(half).mean()) / half
