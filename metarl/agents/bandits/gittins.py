"""The Gittins index agent: pull the arm that would be worth the highest price on its own."""

from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from metarl.agents.bandits.gittins_index import (
    IndexTable,
    bernoulli_index_table,
    bernoulli_indices,
    gaussian_index_table,
)
from metarl.agents.bandits.posterior import (
    ArmCounts,
    best_arm,
    is_bandit,
    no_counts,
    posterior_of,
    take_in,
)
from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget, max_steps
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit

__all__ = ["Gittins"]


class TensorTable(NamedTuple):
    """An `IndexTable` prepared for look-up.

    An arm that ends after e pulls takes programs low[e] and low[e] + 1, mixed.
    """

    low: Tensor  # [n + 1] int64
    weight: Tensor  # [n + 1] float32: of the upper program
    ends: Tensor  # [E + 1] int64
    offsets: Tensor  # [E + 1] int64
    values: Tensor  # [states] float32


class Gittins:
    """Pulls the arm of the highest index; of equal arms, the first.

    The finite-horizon index for the pulls left is near-optimal for a budget: it loses what several
    arms of unequal past lose by not being planned for together. The discounted index is Gittins's
    own, optimal for an endless discounted bandit.

    Args:
        discount: None for the finite-horizon index of the pulls left, or the discount of the index,
            in (0, 1) (Bernoulli only).

    Source: Gittins 1979; Duan et al. 2016, section 3.1, take the best of several published
        approximations.
    """

    id = "gittins"
    label = "Gittins"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(
        self, distribution: TaskDistribution, budget: Budget, discount: float | None = None
    ):
        self.made_for = MadeFor(
            distribution, budget, length="exactly" if discount is None else "at most"
        )
        self.posterior, self.arms = posterior_of(distribution, budget)
        self.distribution = distribution
        self.pulls = max_steps(budget, distribution)
        self.discount = discount
        self.gaussian = isinstance(distribution, GaussianBandit)
        if discount is not None and self.gaussian:
            raise ValueError(
                "Gaussian arms have only the finite-horizon index here; leave the discount out."
            )
        self._discounted = torch.empty(0)
        self._finite = _empty_table()
        if discount is not None:
            self._discounted = torch.from_numpy(
                np.concatenate(bernoulli_indices(self.pulls + 1, discount))
            ).to(torch.float32)
        elif isinstance(distribution, GaussianBandit):
            self.scale = distribution.prior_std
            self._finite = _prepare(
                gaussian_index_table(
                    self.pulls, distribution.noise / self.scale if self.scale else 1.0
                ),
                self.pulls,
            )
        else:
            self._finite = _prepare(bernoulli_index_table(self.pulls), self.pulls)

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
        return best_arm(self.indices(counts), False, rng), counts

    def indices(self, counts: ArmCounts) -> Tensor:
        """Return the arms' indices [B, arms], in units of reward a pull."""
        if self._finite.values.device != counts.pulls.device:
            self._finite = TensorTable(*(part.to(counts.pulls.device) for part in self._finite))
            self._discounted = self._discounted.to(counts.pulls.device)
        pulls = counts.pulls.long()
        failures = (counts.pulls - counts.sums).round().long()
        # metarl.tasks.bandits.bounds.pair_code
        code = pulls if self.gaussian else pulls * (pulls + 1) // 2 + failures
        if self.discount is not None:
            return self._discounted[code.clamp_max(len(self._discounted) - 1)]
        # [B, 1]; rows that are over may go on being asked
        left = (self.pulls - pulls.sum(1, keepdim=True)).clamp_min(1)
        end = (pulls + left).clamp_max(self.pulls)
        low = self._finite.low[end]
        weight = self._finite.weight[end]
        mean = self.posterior.mean(counts)
        lower, upper = (self._program(program, pulls, code, mean) for program in (low, low + 1))
        return torch.lerp(lower, upper, weight)

    def _program(self, program: Tensor, pulls: Tensor, code: Tensor, mean: Tensor) -> Tensor:
        """Indices by the programs [B, arms] named.

        An arm with no pull left there is worth its mean.
        """
        table = self._finite
        value = table.values[(table.offsets[program] + code).clamp_(0, len(table.values) - 1)]
        value = mean + self.scale * value if self.gaussian else value
        return torch.where(pulls < table.ends[program], value, mean)


def _prepare(table: IndexTable, pulls: int) -> TensorTable:
    """Find the two programs for every number of pulls at which an arm may end.

    The last one stands twice.
    """
    ends = np.concatenate([table.ends, table.ends[-1:]])
    offsets = np.concatenate([table.offsets, table.offsets[-1:]])
    wanted = np.arange(pulls + 1)
    low = np.clip(np.searchsorted(table.ends, wanted, side="right") - 1, 0, None)
    width = np.maximum(ends[low + 1] - ends[low], 1)
    weight = np.clip((wanted - ends[low]) / width, 0, 1).astype(np.float32)
    return TensorTable(
        *(torch.from_numpy(part) for part in (low, weight, ends, offsets, table.values))
    )


def _empty_table() -> TensorTable:
    nothing = torch.empty(0, dtype=torch.int64)
    return TensorTable(nothing, nothing, nothing, nothing, nothing)
