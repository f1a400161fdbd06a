"""The Bayes-optimal agent for Bernoulli bandits.

No agent that starts ignorant scores higher on average.
"""

from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from metarl.agents.bandits.posterior import ArmCounts, no_counts, take_in
from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget, max_steps
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.bounds import MAX_STATES, bernoulli_table, state_count

__all__ = ["BayesOptimal"]

TIE = 1e-9  # values that differ by less are equal but for rounding


class Lookup(NamedTuple):
    """The values of all states of `bernoulli_table`, whatever the number of pulls made, in one
    sorted list.
    """

    words: Tensor  # [codes] int64
    keys: Tensor  # [states] int64, increasing
    values: Tensor  # [states] float64


class BayesOptimal:
    """Bernoulli bandits: pulls the arm of the highest Bayes-optimal value, from an exact table; of
    equal arms, the first.

    Raises:
        ValueError: not a Bernoulli bandit, or too many states to enumerate.

    Source: Duff 2002, chapter 1, of the Bayes-adaptive process; states as in
        `metarl.tasks.bandits.bounds`.
    """

    id = "bayes-optimal"
    label = "Bayes-optimal"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not isinstance(distribution, BernoulliBandit):
            raise ValueError(
                f"The exact optimum is known for BernoulliBandit-v0, not for {distribution.id}; use"
                " gittins for other bandits."
            )
        self.made_for = MadeFor(distribution, budget, length="exactly")
        self.arms = distribution.arms
        self.pulls = max_steps(budget, distribution)
        if state_count(self.arms, self.pulls) > MAX_STATES:
            raise ValueError(
                f"{self.arms} arms and {self.pulls} pulls have more than {MAX_STATES:,} states, too"
                " many for the Bayes-optimal agent; use gittins, which is near-optimal."
            )
        self._lookup = _lookup(self.arms, self.pulls)

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`.

        Bernoulli bandits, if the budget is small enough.
        """
        return isinstance(distribution, BernoulliBandit)

    def initial_state(self, batch_size: int) -> ArmCounts:
        """No pulls."""
        return no_counts(batch_size, self.arms)

    def act(self, step: Step, state: ArmCounts, rng: Generator) -> tuple[Tensor, ArmCounts]:
        """Count the last pull and choose the next."""
        counts = take_in(state, step)
        values = self.action_values(counts)
        best = values.amax(1, keepdim=True) - TIE
        return (values >= best).to(torch.uint8).argmax(1), counts

    def action_values(self, counts: ArmCounts) -> Tensor:
        """Return the best expected sum of rewards still to come [B, arms] after a pull of each arm,
        that pull's included.
        """
        if self._lookup.keys.device != counts.pulls.device:
            self._lookup = Lookup(*(part.to(counts.pulls.device) for part in self._lookup))
        words, keys, values = self._lookup
        # Rows that are over may go on being asked
        pulls = counts.pulls.long().clamp_max(self.pulls)
        failures = (counts.pulls - counts.sums).round().long().clamp_max(self.pulls)
        code = pulls * (pulls + 1) // 2 + failures  # metarl.tasks.bandits.bounds.pair_code
        # Arms that nobody ever gets round to have no part in a state
        spare = self.arms - min(self.arms, self.pulls)
        rest = (
            words[code].sum(1, keepdim=True) - spare * words[0] - words[code]
        )  # [B, arms], wrapping
        win, lose = (
            values[torch.searchsorted(keys, rest + words[code + more]).clamp_(max=len(keys) - 1)]
            for more in (pulls + 1, pulls + 2)
        )
        mean = (pulls - failures + 1) / (pulls + 2).to(torch.float64)
        return mean * (1 + win) + (1 - mean) * lose


@lru_cache(maxsize=2)
def _lookup(arms: int, pulls: int) -> Lookup:
    table = bernoulli_table(arms, pulls)
    keys = np.concatenate(table.keys)
    values = np.concatenate(table.values)
    order = np.argsort(keys)
    return Lookup(*(torch.from_numpy(array) for array in (table.words, keys[order], values[order])))
