"""Thompson sampling, plain and optimistic."""

from typing import ClassVar

import torch
from torch import Generator, Tensor

from metarl.agents.bandits.posterior import ArmCounts, is_bandit, no_counts, posterior_of, take_in
from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution

__all__ = ["OptimisticThompson", "Thompson"]


class Thompson:
    """Draws the arms' means from the posterior and pulls the best arm of the draw.

    Source: Thompson 1933; Duan et al. 2016, section 3.1.
    """

    id = "thompson"
    label = "Thompson"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        self.made_for = MadeFor(distribution, budget, length="at most")
        self.posterior, self.arms = posterior_of(distribution, budget)

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
        return self.imagine(counts, rng).argmax(1), counts

    def imagine(self, counts: ArmCounts, rng: Generator) -> Tensor:
        """Return the means [B, arms] to act upon."""
        return self.posterior.draw(counts, rng)


class OptimisticThompson(Thompson):
    """Bandits: draws the arms' means from the posterior several times and acts upon the densest
    draw.

    Args:
        draws: m, whole vectors of means to draw; the one of the highest posterior density counts.
        clipped: raise every arm of the draw to its posterior mean at least. With draws=1 this is
            the usual optimistic sampling (May et al. 2012), which doesn't reproduce the figures of
            Duan et al. 2016; the densest of 10 to 30 draws does.

    Source: Duan et al. 2016, section 3.1.
    """

    id = "optimistic-thompson"
    label = "OTS"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {"draws": (1, 3, 10, 30)}

    def __init__(
        self, distribution: TaskDistribution, budget: Budget, draws: int = 10, clipped: bool = False
    ):
        super().__init__(distribution, budget)
        if draws < 1 or draws != int(draws):
            raise ValueError(
                "draws is how many vectors of means to draw, a whole number of at least 1, not"
                f" {draws}."
            )
        self.draws = int(draws)
        self.clipped = clipped

    def imagine(self, counts: ArmCounts, rng: Generator) -> Tensor:
        """Return the densest of the draws, clipped if so asked."""
        best = self.posterior.draw(counts, rng)
        density = self.posterior.log_density(counts, best)
        for _ in range(self.draws - 1):
            other = self.posterior.draw(counts, rng)
            other_density = self.posterior.log_density(counts, other)
            denser = other_density > density
            best = torch.where(denser[:, None], other, best)
            density = torch.where(denser, other_density, density)
        return torch.maximum(best, self.posterior.mean(counts)) if self.clipped else best
