"""The identity task: name the number that you are shown. Every learner must solve it."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition, check_draw

__all__ = ["Identity", "IdentityTasks"]


@dataclass(frozen=True, eq=False)
class IdentityTasks(Tasks):
    """n sequences of numbers to show."""

    numbers: Tensor  # [n, horizon] int64


class Identity(TaskDistribution):
    """Each step shows a number; reward 1 for naming it, else 0. Nothing has to be remembered.

    | part | value |
    |---|---|
    | observation | Discrete(numbers) |
    | action | Discrete(numbers) |
    | reward | 1 where action = observation, else 0 |
    | start | the task's first number |
    | end | truncated at the horizon, or terminated there with `terminates` |
    | splits | train, test: independent streams; finite, so they overlap |
    | optimum | the horizon, every episode |
    | versions | v0 |

    Args:
        numbers: how many numbers there are.
        horizon: steps an episode.
        terminates: end by termination rather than by the horizon.
    """

    id = "Identity-v0"
    has_success = True
    finite = True
    reveals = True

    def __init__(self, numbers: int = 4, horizon: int = 5, terminates: bool = False):
        if numbers < 1 or horizon < 1:
            raise ValueError(
                f"numbers and horizon must be at least 1, not {numbers} and {horizon}."
            )
        self.numbers = numbers
        self.horizon = horizon
        self.terminates = terminates
        self.observation_space = gym.spaces.Discrete(numbers)
        self.action_space = gym.spaces.Discrete(numbers)

    def config(self) -> dict[str, Any]:
        return {"numbers": self.numbers, "horizon": self.horizon, "terminates": self.terminates}

    def sample(self, n: int, split: str, seed: int) -> IdentityTasks:
        check_draw(self, n, split, seed)
        return IdentityTasks(
            torch.from_numpy(
                numpy_generator(seed, self.id, split).integers(self.numbers, size=(n, self.horizon))
            )
        )

    def reset(self, tasks: IdentityTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(tasks.numbers[:, 0]), tasks.numbers[:, 0]

    def step(
        self, tasks: IdentityTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        shown = tasks.numbers.gather(1, state[:, None])[:, 0]
        reward = (action == shown).to(torch.float32)
        following = state + 1
        ended = (following >= self.horizon) & self.terminates
        observation = tasks.numbers.gather(1, following.clamp_max(self.horizon - 1)[:, None])[:, 0]
        return Transition(
            following.clamp_max(self.horizon - 1), observation, reward, ended, reward > 0
        )

    def optimum(self, episodes: int) -> float:
        return float(episodes * self.horizon)

    def upper_bound(self, tasks: IdentityTasks, episodes: int) -> Tensor:
        return torch.full((len(tasks),), float(episodes * self.horizon), dtype=torch.float64)
