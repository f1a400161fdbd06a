"""Greedy and ε-greedy bandit agents."""

from typing import ClassVar

import torch
from torch import Generator, Tensor

from metarl.agents.bandits.posterior import (
    ArmCounts,
    best_arm,
    is_bandit,
    no_counts,
    posterior_of,
    take_in,
)
from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution

__all__ = ["BanditEpsilonGreedy", "BanditGreedy"]


class BanditGreedy:
    """Bandits: pulls the arm of the highest posterior mean.

    Args:
        random_ties: of equal arms, pull any; the default pulls the first, which is what reproduces
            the published figures.

    Source: Duan et al. 2016, section 3.1.
    """

    id = "bandit-greedy"
    label = "Greedy"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget, random_ties: bool = False):
        self.made_for = MadeFor(distribution, budget)
        self.posterior, self.arms = posterior_of(distribution, budget)
        self.random_ties = random_ties

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`: Bernoulli and Gaussian bandits."""
        return is_bandit(distribution)

    def initial_state(self, batch_size: int) -> ArmCounts:
        """No pulls."""
        return no_counts(batch_size, self.arms)

    def act(self, step: Step, state: ArmCounts, rng: Generator) -> tuple[Tensor, ArmCounts]:
        """Count the last pull and choose the next."""
        counts = take_in(state, step)
        return best_arm(self.posterior.mean(counts), self.random_ties, rng), counts


class BanditEpsilonGreedy(BanditGreedy):
    """Bandits: pulls the arm of the highest posterior mean, but a uniformly random one with
    probability epsilon.

    Args:
        epsilon: that probability.
        random_ties: as for `BanditGreedy`.

    Source: Duan et al. 2016, section 3.1.
    """

    id = "bandit-epsilon-greedy"
    label = "ε-greedy"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {
        "epsilon": (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2)
    }

    def __init__(
        self,
        distribution: TaskDistribution,
        budget: Budget,
        epsilon: float = 0.05,
        random_ties: bool = False,
    ):
        super().__init__(distribution, budget, random_ties)
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon is a probability, not {epsilon}.")
        self.epsilon = epsilon

    def act(self, step: Step, state: ArmCounts, rng: Generator) -> tuple[Tensor, ArmCounts]:
        """Choose greedily, but for a random arm now and then."""
        greedy, counts = super().act(step, state, rng)
        chance = torch.rand(greedy.shape, generator=rng, device=rng.device)
        anything = torch.randint(self.arms, greedy.shape, generator=rng, device=rng.device)
        return torch.where(chance < self.epsilon, anything, greedy), counts
