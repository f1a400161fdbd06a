"""Bayesian exploration bonus.

Plan on the posterior mean, with a bonus for what was seldom tried.
"""

import math
from typing import ClassVar

from torch import Generator, Tensor

from metarl.agents.tabular.history import History
from metarl.agents.tabular.planning import action_values, expected_values
from metarl.agents.tabular.planning_agent import TabularAgent, Ties
from metarl.agents.tabular.posterior import point_estimate
from metarl.core.budget import Budget
from metarl.core.task_distribution import TaskDistribution

__all__ = ["BEB"]


class BEB(TabularAgent):
    """Plans on the posterior mean with beta / (1 + prior_visits + visits) added to every reward.

    Args:
        beta: scale of the bonus (units of reward).
        prior_visits: visits that the prior counts for. Kolter & Ng count the sum of the Dirichlet
            prior's concentrations, 10 for the default MDPs, which makes the bonus fade more slowly.
        reward_prior_mean, ties: as for every `TabularAgent`.

    Source: Kolter & Ng 2009, "Near-Bayesian exploration in polynomial time".
    """

    id = "beb"
    label = "BEB"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {
        "beta": (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 10.0, 20.0, 30.0, 40.0)
    }

    def __init__(
        self,
        distribution: TaskDistribution,
        budget: Budget,
        beta: float = 1.0,
        prior_visits: float = 0.0,
        reward_prior_mean: float | None = None,
        ties: Ties = "first",
    ):
        super().__init__(distribution, budget, reward_prior_mean, ties)
        if not (0 <= beta < math.inf and 0 <= prior_visits < math.inf):
            raise ValueError(
                f"beta and prior_visits must be finite and can't be negative, not {beta} and"
                f" {prior_visits}."
            )
        self.beta = beta
        self.prior_visits = prior_visits

    def plan(self, history: History, rng: Generator) -> Tensor:
        rewards, transitions = point_estimate(self.prior, history, "posterior")
        bonus = self.beta / (1 + self.prior_visits + history.visits)  # [B, S * A]
        return action_values(
            rewards + bonus, expected_values(transitions), self.states, self.horizon
        )
