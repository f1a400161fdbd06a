"""What an agent knows of a bandit's arms.

Counts of pulls, sums of rewards, and the posterior that the true prior gives them.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor

from metarl.agents.bandits.beta_quantiles import beta_quantiles
from metarl.core.budget import Budget, max_steps
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit

__all__ = [
    "ArmCounts",
    "BernoulliPosterior",
    "GaussianPosterior",
    "Posterior",
    "best_arm",
    "is_bandit",
    "no_counts",
    "posterior_of",
    "take_in",
]


class ArmCounts(NamedTuple):
    """All that the past of a bandit tells."""

    pulls: Tensor  # [B, arms] float32
    sums: Tensor  # [B, arms] float32: sum of the rewards


def no_counts(batch_size: int, arms: int) -> ArmCounts:
    """Counts before the first pull."""
    return ArmCounts(torch.zeros(batch_size, arms), torch.zeros(batch_size, arms))


def take_in(counts: ArmCounts, step: Step) -> ArmCounts:
    """Add the last pull to the counts, in place.

    Rows whose meta-episode starts forget theirs instead.
    """
    going_on = (~step.meta_episode_start)[:, None].to(torch.float32)  # [B, 1]
    pulls, sums = (count.to(step.prev_reward.device).mul_(going_on) for count in counts)
    arm = step.prev_action[:, None]
    pulls.scatter_add_(1, arm, going_on)
    sums.scatter_add_(1, arm, going_on * step.prev_reward[:, None].to(torch.float32))
    return ArmCounts(pulls, sums)


def best_arm(scores: Tensor, random_ties: bool, rng: Generator) -> Tensor:
    """Return the arm [B] of the highest score [B, arms].

    The first one of equals, or any of them with equal probability.
    """
    if not random_ties:
        return scores.argmax(1)
    noise = torch.rand(scores.shape, generator=rng, device=rng.device)
    return torch.where(scores == scores.amax(1, keepdim=True), noise, -1.0).argmax(1)


class Posterior(Protocol):
    """What counts say about the arms' means."""

    prior_pulls: float  # pulls that the prior is worth, where UCB1 counts them

    def mean(self, counts: ArmCounts) -> Tensor:
        """Posterior means [B, arms]."""
        ...

    def width(self, counts: ArmCounts) -> Tensor:
        """UCB1's 1 / sqrt(pulls) [B, arms], prior pulls included, in units of reward."""
        ...

    def draw(self, counts: ArmCounts, rng: Generator) -> Tensor:
        """Independent draws of the arms' means [B, arms]."""
        ...

    def log_density(self, counts: ArmCounts, means: Tensor) -> Tensor:
        """Return the posterior's log density [B] at `means` [B, arms], up to a constant that
        depends on the counts alone.
        """
        ...


class BernoulliPosterior:
    """Beta(1 + successes, 1 + failures): the prior counts as one success and one failure.

    Args:
        most_pulls: of one arm, which `draw` prepares for.
    """

    prior_pulls = 2.0

    def __init__(self, most_pulls: int):
        self.most_pulls = most_pulls

    def mean(self, counts: ArmCounts) -> Tensor:
        """(successes + 1) / (pulls + 2)."""
        return (counts.sums + 1) / (counts.pulls + 2)

    def width(self, counts: ArmCounts) -> Tensor:
        """1 / sqrt(pulls + 2)."""
        return torch.rsqrt(counts.pulls + 2)

    def draw(self, counts: ArmCounts, rng: Generator) -> Tensor:
        """Return a Beta draw for each arm."""
        noise = torch.randn(counts.pulls.shape, generator=rng, device=rng.device)
        return beta_quantiles(counts.sums, counts.pulls, noise, self.most_pulls)

    def log_density(self, counts: ArmCounts, means: Tensor) -> Tensor:
        """Return the likelihood of the rewards seen, since the prior is flat."""
        inside = means.clamp(1e-12, 1 - 1e-7)  # no 0 log 0; 1 - 1e-7 is below 1 in float32 too
        return torch.addcmul(
            counts.sums * inside.log(), counts.pulls - counts.sums, (1 - inside).log()
        ).sum(1)


class GaussianPosterior:
    """Normal means with a normal prior and known noise.

    Args:
        prior_mean, prior_std, noise: of the bandit (units of reward).
    """

    prior_pulls = 1.0

    def __init__(self, prior_mean: float, prior_std: float, noise: float):
        self.prior_mean = prior_mean
        self.prior_variance = prior_std**2
        self.noise_variance = noise**2

    def mean(self, counts: ArmCounts) -> Tensor:
        """Return the prior mean, and the observed one as its weight grows."""
        surplus = counts.sums - counts.pulls * self.prior_mean
        return self.prior_mean + surplus * self.prior_variance / self._scale(counts)

    def width(self, counts: ArmCounts) -> Tensor:
        """Return the posterior standard deviation, which is noise / sqrt(pulls + noise² /
        prior_std²).
        """
        return (
            (self.prior_variance * (1 - counts.pulls * self.prior_variance / self._scale(counts)))
            .clamp_min(0)
            .sqrt()
        )

    def draw(self, counts: ArmCounts, rng: Generator) -> Tensor:
        """Return a normal draw for each arm."""
        noise = torch.randn(counts.pulls.shape, generator=rng, device=rng.device)
        return self.mean(counts) + self.width(counts) * noise

    def log_density(self, counts: ArmCounts, means: Tensor) -> Tensor:
        """Half the squared distance from the posterior mean, in standard deviations, negated."""
        return -0.5 * (
            (means - self.mean(counts)) / self.width(counts).clamp_min(1e-30)
        ).square().sum(1)

    def _scale(self, counts: ArmCounts) -> Tensor:
        # Nothing is 0/0 without noise
        return (self.noise_variance + counts.pulls * self.prior_variance).clamp_min(1e-30)


def is_bandit(distribution: TaskDistribution) -> bool:
    """Return whether `posterior_of` knows `distribution`."""
    return isinstance(distribution, BernoulliBandit | GaussianBandit)


def posterior_of(distribution: TaskDistribution, budget: Budget) -> tuple[Posterior, int]:
    """Return the posterior under the distribution's own prior, for as many pulls as the budget
    allows, and the number of arms.

    Raises:
        ValueError: it isn't a bandit whose prior is known here.
    """
    if isinstance(distribution, BernoulliBandit):
        return BernoulliPosterior(max_steps(budget, distribution)), distribution.arms
    if isinstance(distribution, GaussianBandit):
        return (
            GaussianPosterior(distribution.prior_mean, distribution.prior_std, distribution.noise),
            distribution.arms,
        )
    raise ValueError(
        f"Bandit agents play BernoulliBandit-v0 and GaussianBandit-v0, not {distribution.id}."
    )
