"""Bernoulli bandits, as in Duan et al. 2016, section 3.1."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import STREAMS, TaskDistribution, Tasks, Transition, check_draw
from metarl.tasks.bandits.bounds import bernoulli_optimum, bernoulli_relaxation

__all__ = ["BernoulliBandit", "BernoulliBanditTasks"]


@dataclass(frozen=True, eq=False)
class BernoulliBanditTasks(Tasks):
    """n bandits."""

    means: Tensor  # [n, arms] success probabilities


class BernoulliBandit(TaskDistribution):
    """k arms that pay 0 or 1, success probabilities drawn uniformly; each pull is a one-step
    episode.

    | part | value |
    |---|---|
    | observation | Discrete(1), always 0 |
    | action | Discrete(arms), the arm to pull |
    | reward | 1 with the arm's probability p, else 0; p ~ U[0, 1] independently |
    | end | every step terminates |
    | splits | train, test, validation: independent streams |
    | optimum | exact by dynamic programming over sorted posterior counts, for short horizons |
    | upper bound | known means; relaxation: Lagrangian, one arm at a price |
    | versions | v0 |

    Args:
        arms: k, at least 1.

    Source: Duan et al. 2016, section 3.1 (arXiv 1611.02779).
    """

    id = "BernoulliBandit-v0"
    has_success = False
    splits = STREAMS
    horizon = 1

    def __init__(self, arms: int = 5):
        if arms < 1:
            raise ValueError(f"A bandit needs at least one arm, not {arms}.")
        self.arms = arms
        self.observation_space = gym.spaces.Discrete(1)
        self.action_space = gym.spaces.Discrete(arms)

    def config(self) -> dict[str, Any]:
        return {"arms": self.arms}

    def sample(self, n: int, split: str, seed: int) -> BernoulliBanditTasks:
        check_draw(self, n, split, seed)
        return BernoulliBanditTasks(
            torch.from_numpy(numpy_generator(seed, self.id, split).random((n, self.arms)))
        )

    def reset(self, tasks: Tasks, rng: Generator) -> tuple[Tensor, Tensor]:
        zeros = torch.zeros(len(tasks), dtype=torch.int64, device=rng.device)
        return zeros, zeros

    def step(
        self, tasks: BernoulliBanditTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        means = tasks.means
        noise = torch.rand(means.shape[0], generator=rng, device=rng.device, dtype=means.dtype)
        reward = (noise < means.gather(1, action[:, None])[:, 0]).to(means.dtype)
        ended = torch.ones_like(reward, dtype=torch.bool)
        return Transition(state, state, reward, ended, ~ended)

    def optimum(self, episodes: int) -> float | None:
        """Return the Bayes-optimal total of `episodes` pulls, or None where its state space is too
        large to enumerate.
        """
        return bernoulli_optimum(self.arms, episodes)

    def upper_bound(self, tasks: BernoulliBanditTasks, episodes: int) -> Tensor:
        return episodes * tasks.means.amax(1)

    def relaxation(self, episodes: int) -> float:
        return bernoulli_relaxation(self.arms, episodes)
