"""Optimistic posterior sampling.

Several sampled MDPs, and for every state and action the best that any of them promises.
"""

from typing import ClassVar

import torch
from torch import Generator, Tensor

from metarl.agents.tabular.history import History
from metarl.agents.tabular.planning import action_values, expected_values
from metarl.agents.tabular.planning_agent import TabularAgent
from metarl.agents.tabular.posterior import sample_model
from metarl.core.budget import Budget
from metarl.core.task_distribution import TaskDistribution

__all__ = ["OPSRL"]


class OPSRL(TabularAgent):
    """At each episode's start, draws several MDPs from the posterior, solves each, and is greedy by
    the highest action value of any.

    Args:
        samples: MDPs drawn an episode; 1 is PSRL.
        reward_prior_mean: as for every `TabularAgent`.

    Source: Duan et al. 2016, section 3.2; Osband & Van Roy 2017, "Why is posterior sampling better
        than optimism for reinforcement
    learning?" (arXiv 1607.00215).
    """

    id = "opsrl"
    label = "OPSRL"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {"samples": (2, 5, 10, 20)}

    def __init__(
        self,
        distribution: TaskDistribution,
        budget: Budget,
        samples: int = 5,
        reward_prior_mean: float | None = None,
    ):
        super().__init__(distribution, budget, reward_prior_mean)
        if samples < 1 or samples != int(samples):
            raise ValueError(f"samples must be a whole number of at least 1, not {samples}.")
        self.samples = int(samples)

    def plan(self, history: History, rng: Generator) -> Tensor:
        best = None
        for _ in range(self.samples):
            rewards, transitions = sample_model(self.prior, history, rng)
            values = action_values(rewards, expected_values(transitions), self.states, self.horizon)
            best = values if best is None else torch.maximum(best, values)
        assert best is not None, "samples is at least 1"
        return best
