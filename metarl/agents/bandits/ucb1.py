"""UCB1: optimism by a confidence width (Auer, Cesa-Bianchi and Fischer 2002)."""

import math
from typing import ClassVar

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

__all__ = ["UCB1"]


class UCB1:
    """Pulls the arm of the highest mean + c sqrt(2 ln t / T), T the arm's pulls and t those of all
    arms.

    Counts start with one success and one failure for each arm, and t counts them too. Gaussian arms
    start with their prior's worth of pulls, and the width is in units of the noise.

    Args:
        c: width of the confidence bound.
        random_ties: of equal arms, pull any rather than the first.

    Source: Auer et al. 2002, with c and the initial counts of Duan et al. 2016, section 3.1.
    """

    id = "ucb1"
    label = "UCB1"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {
        "c": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1.0)
    }

    __repr__ = agent_repr

    def __init__(
        self,
        distribution: TaskDistribution,
        budget: Budget,
        c: float = 0.2,
        random_ties: bool = False,
    ):
        if not 0 <= c < math.inf:
            raise ValueError(
                f"c is the width of a confidence bound and can't be {c}; give a number of at"
                " least 0."
            )
        self.made_for = MadeFor(distribution, budget)
        self.posterior, self.arms = posterior_of(distribution, budget)
        self.c = c
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
        total = (
            counts.pulls.sum(1, keepdim=True) + self.arms * self.posterior.prior_pulls
        )  # [B, 1], at least 1
        bounds = self.posterior.mean(counts) + self.c * (
            2 * total.log()
        ).sqrt() * self.posterior.width(counts)
        return best_arm(bounds, self.random_ties, rng), counts
