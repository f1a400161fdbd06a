"""A point on a line that walks to a goal it doesn't see, for tensors: thousands step at once."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from metarl.core.arguments import check_whole
from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import STREAMS, TaskDistribution, Tasks, Transition, check_draw
from torch import Generator, Tensor

__all__ = ["NewTask", "NewTaskTasks"]

EDGE = 1.0  # goals lie up to here on both sides
MOST_MOVE = 0.25  # in a step
NEAR = 0.1  # counts as arrived


@dataclass(frozen=True, eq=False)
class NewTaskTasks(Tasks):
    """n lines."""

    goal: Tensor  # [n] position


class NewTask(TaskDistribution):
    """A point on a line walks to a goal that it doesn't see; rewards tell how far off it is.

    | part | value |
    |---|---|
    | observation | Box [1]: the position |
    | action | Box [1]: the move, at most 0.25 either way |
    | reward | minus the distance to the goal after the move |
    | start | position 0 |
    | end | truncated at the horizon |
    | success | less than 0.1 from the goal |
    | splits | train, test, validation: goal ~ U[-1, 1], independent streams |
    | upper bound | the way straight to the goal; exact for an agent that knows it |
    | versions | v0 |

    Args:
        horizon: steps in an episode.
    """

    id = "NewTask-v0"
    has_success = True
    splits = STREAMS

    def __init__(self, horizon: int = 10):
        self.horizon = check_whole("horizon", horizon)
        farthest = MOST_MOVE * self.horizon
        self.observation_space = gym.spaces.Box(-farthest, farthest, (1,))
        self.action_space = gym.spaces.Box(-MOST_MOVE, MOST_MOVE, (1,))

    def config(self) -> dict[str, Any]:
        """Return the arguments that make this distribution again."""
        return {"horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> NewTaskTasks:
        """Draw n goals; the generator's name keeps the splits apart."""
        check_draw(self, n, split, seed)
        rng = numpy_generator(seed, self.id, split)
        return NewTaskTasks(torch.from_numpy(rng.uniform(-EDGE, EDGE, n)))

    def reset(self, tasks: NewTaskTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        """Start in the middle."""
        position = torch.zeros_like(tasks.goal)  # [n]
        return position, _observation(position)

    def step(
        self, tasks: NewTaskTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        """Move, and pay for the distance that is left."""
        move = action[:, 0].to(state.dtype).clamp(-MOST_MOVE, MOST_MOVE)
        farthest = MOST_MOVE * self.horizon
        position = (state + move).clamp(-farthest, farthest)  # rounding adds up
        distance = (tasks.goal - position).abs()
        never = torch.zeros_like(distance, dtype=torch.bool)
        return Transition(position, _observation(position), -distance, never, distance < NEAR)

    def upper_bound(self, tasks: NewTaskTasks, episodes: int) -> Tensor:
        """Return what walking straight to each goal [n] is paid."""
        moves = torch.arange(1, self.horizon + 1, device=tasks.goal.device)
        left = tasks.goal.abs()[:, None] - MOST_MOVE * moves  # [n, horizon]
        return -episodes * left.clamp_min(0).sum(1)


def _observation(position: Tensor) -> Tensor:
    """Return what an agent sees [n, 1] of positions [n]."""
    return position[:, None].to(torch.float32)
