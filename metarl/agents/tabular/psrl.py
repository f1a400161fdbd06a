"""Posterior sampling for reinforcement learning.

Act for an episode as if one sampled MDP were the truth.
"""

from torch import Generator, Tensor

from metarl.agents.tabular.history import History
from metarl.agents.tabular.planning import action_values, expected_values
from metarl.agents.tabular.planning_agent import TabularAgent
from metarl.agents.tabular.posterior import sample_model
from metarl.core.budget import Budget
from metarl.core.task_distribution import TaskDistribution

__all__ = ["PSRL"]


class PSRL(TabularAgent):
    """At each episode's start, draws one MDP from the posterior and follows its optimal policy.

    Args:
        reward_prior_mean: as for every `TabularAgent`.

    Source: Strens 2000, "A Bayesian framework for reinforcement learning"; Osband, Russo & Van Roy
        2013 (arXiv 1306.0940).
    """

    id = "psrl"
    label = "PSRL"

    def __init__(
        self, distribution: TaskDistribution, budget: Budget, reward_prior_mean: float | None = None
    ):
        super().__init__(distribution, budget, reward_prior_mean)

    def plan(self, history: History, rng: Generator) -> Tensor:
        rewards, transitions = sample_model(self.prior, history, rng)
        return action_values(rewards, expected_values(transitions), self.states, self.horizon)
