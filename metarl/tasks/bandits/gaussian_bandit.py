"""Gaussian bandits: arms whose rewards are normal around unknown means."""

import math
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import STREAMS, TaskDistribution, Tasks, Transition, check_draw

__all__ = ["GaussianBandit", "GaussianBanditTasks"]


@dataclass(frozen=True, eq=False)
class GaussianBanditTasks(Tasks):
    """n bandits."""

    means: Tensor  # [n, arms]


class GaussianBandit(TaskDistribution):
    """k arms with normal rewards of known standard deviation; each pull is a one-step episode.

    | part | value |
    |---|---|
    | observation | Discrete(1), always 0 |
    | action | Discrete(arms), the arm to pull |
    | reward | N(m, noise²), m ~ N(prior_mean, prior_std²) independently |
    | end | every step terminates |
    | splits | train, test, validation: independent streams |
    | optimum | not computed |
    | upper bound | known means |
    | versions | v0 |

    Args:
        arms: k, at least 1.
        prior_mean, prior_std: of the arms' means (units of reward).
        noise: standard deviation of one reward.
    """

    id = "GaussianBandit-v0"
    has_success = False
    splits = STREAMS
    horizon = 1

    def __init__(
        self, arms: int = 5, prior_mean: float = 0.0, prior_std: float = 1.0, noise: float = 1.0
    ):
        if arms < 1:
            raise ValueError(f"A bandit needs at least one arm, not {arms}.")
        if not all(math.isfinite(value) for value in (prior_mean, prior_std, noise)):
            raise ValueError(
                f"prior_mean, prior_std and noise must be finite numbers, not {prior_mean},"
                f" {prior_std} and {noise}."
            )
        if prior_std < 0 or noise < 0:
            raise ValueError(f"prior_std and noise can't be negative, not {prior_std} and {noise}.")
        self.arms = arms
        self.prior_mean = prior_mean
        self.prior_std = prior_std
        self.noise = noise
        self.observation_space = gym.spaces.Discrete(1)
        self.action_space = gym.spaces.Discrete(arms)

    def config(self) -> dict[str, Any]:
        return {
            "arms": self.arms,
            "prior_mean": self.prior_mean,
            "prior_std": self.prior_std,
            "noise": self.noise,
        }

    def sample(self, n: int, split: str, seed: int) -> GaussianBanditTasks:
        check_draw(self, n, split, seed)
        draws = numpy_generator(seed, self.id, split).standard_normal((n, self.arms))
        return GaussianBanditTasks(torch.from_numpy(self.prior_mean + self.prior_std * draws))

    def reset(self, tasks: Tasks, rng: Generator) -> tuple[Tensor, Tensor]:
        zeros = torch.zeros(len(tasks), dtype=torch.int64, device=rng.device)
        return zeros, zeros

    def step(
        self, tasks: GaussianBanditTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        means = tasks.means
        noise = torch.randn(means.shape[0], generator=rng, device=rng.device, dtype=means.dtype)
        reward = means.gather(1, action[:, None])[:, 0] + self.noise * noise
        ended = torch.ones_like(reward, dtype=torch.bool)
        return Transition(state, state, reward, ended, ~ended)

    def upper_bound(self, tasks: GaussianBanditTasks, episodes: int) -> Tensor:
        return episodes * tasks.means.amax(1)
