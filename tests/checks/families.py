"""A sound family of tasks and a sound agent that the tests of the checks break one thing at a time."""

from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition, check_split


@dataclass(frozen=True, eq=False)
class WalkTasks(Tasks):
    """n hidden goals."""

    goal: Tensor  # [n, 2]


class Walk(TaskDistribution):
    """Walk on a plane with random steps, from a random start towards a hidden goal.

    Leaving the field ends the episode.
    """

    id = "Walk-v0"
    horizon = 6

    def __init__(self, speed: float = 1.0):
        self.speed = speed
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def config(self) -> dict:
        return {"speed": self.speed}

    def sample(self, n: int, split: str, seed: int) -> WalkTasks:
        check_split(self, split)
        return WalkTasks(
            torch.from_numpy(numpy_generator(seed, self.id, split).standard_normal((n, 2)))
        )

    def reset(self, tasks: WalkTasks, rng: Generator) -> tuple:
        position = self.draw(len(tasks), tasks.goal.dtype, rng)
        return (position,), position

    def step(self, tasks: WalkTasks, state: tuple, action: Tensor, rng: Generator) -> Transition:
        noise = 0.3 * self.draw(len(tasks), tasks.goal.dtype, rng)
        position = state[0] + self.speed * action.to(noise.dtype) + noise
        distance = (position - tasks.goal).norm(dim=1)
        return Transition(
            (position,), position, -distance, position.norm(dim=1) > 2.5, distance < 0.5
        )

    def draw(self, n: int, dtype: torch.dtype, rng: Generator) -> Tensor:
        return torch.randn(n, 2, generator=rng, dtype=dtype)

    def upper_bound(self, tasks: WalkTasks, episodes: int) -> Tensor:
        return torch.zeros(len(tasks), dtype=torch.float64)


class Counter:
    """Pulls each arm of a bandit once, then the arm of the best mean so far, with a little chance."""

    def __init__(self, distribution: TaskDistribution, budget: object = None):
        self.arms = int(distribution.action_space.n)

    def initial_state(self, batch_size: int) -> tuple:
        return torch.zeros(batch_size, self.arms), torch.zeros(batch_size, self.arms)

    def act(self, step: Step, state: tuple, rng: Generator) -> tuple:
        counts, sums = self.forget(step, state)
        arm = (
            torch.nn.functional.one_hot(step.prev_action, self.arms)
            * ~step.meta_episode_start[:, None]
        )
        counts = counts + arm
        sums = sums + arm * step.prev_reward[:, None]
        score = torch.where(counts > 0, sums / counts.clamp_min(1), 2.0) + 0.2 * self.luck(
            counts, rng
        )
        return score.argmax(1), (counts, sums)

    def forget(self, step: Step, state: tuple) -> tuple:
        return tuple(torch.where(step.meta_episode_start[:, None], 0.0, part) for part in state)

    def luck(self, counts: Tensor, rng: Generator) -> Tensor:
        return torch.rand(counts.shape, generator=rng)
