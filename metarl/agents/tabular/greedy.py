"""Greedy agents for tabular MDPs.

Plan on a point estimate of the model, with or without random actions.
"""

from typing import ClassVar

import torch
from torch import Generator, Tensor

from metarl.agents.tabular.history import History
from metarl.agents.tabular.planning import action_values, expected_values
from metarl.agents.tabular.planning_agent import PlanState, TabularAgent, Ties
from metarl.agents.tabular.posterior import Estimate, check_estimate, point_estimate
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution

__all__ = ["MDPEpsilonGreedy", "MDPGreedy"]


class MDPGreedy(TabularAgent):
    """Random MDPs: plans on a point estimate of rewards and transitions.

    With the true prior this agent does better than the column of the same name in Duan et al. 2016
    (149.6 for 134.8 at 10 episodes, 154.7 with random ties). That column agrees with
    estimate="mode", reward_prior_mean=0, ties="random".

    Args:
        estimate: which one, as in `metarl.agents.tabular.posterior.point_estimate`.
        reward_prior_mean, ties: as for every `TabularAgent`.

    Source: Duan et al. 2016, section 3.2 (arXiv 1611.02779).
    """

    id = "mdp-greedy"
    label = "Greedy"

    def __init__(
        self,
        distribution: TaskDistribution,
        budget: Budget,
        estimate: Estimate = "posterior",
        reward_prior_mean: float | None = None,
        ties: Ties = "first",
    ):
        super().__init__(distribution, budget, reward_prior_mean, ties)
        check_estimate(estimate)
        self.estimate = estimate

    def plan(self, history: History, rng: Generator) -> Tensor:
        rewards, transitions = point_estimate(self.prior, history, self.estimate)
        return action_values(rewards, expected_values(transitions), self.states, self.horizon)


class MDPEpsilonGreedy(MDPGreedy):
    """Random MDPs: plans on a point estimate, but each action is replaced by a uniformly random one
    with probability epsilon.

    Args:
        epsilon: that probability.
        estimate: as for `MDPGreedy`. reward_prior_mean, ties: as for every `TabularAgent`.

    Source: Duan et al. 2016, section 3.2 (arXiv 1611.02779).
    """

    id = "mdp-epsilon-greedy"
    label = "ε-greedy"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {"epsilon": (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)}

    def __init__(
        self,
        distribution: TaskDistribution,
        budget: Budget,
        epsilon: float = 0.05,
        estimate: Estimate = "posterior",
        reward_prior_mean: float | None = None,
        ties: Ties = "first",
    ):
        super().__init__(distribution, budget, estimate, reward_prior_mean, ties)
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon is a probability, not {epsilon}.")
        self.epsilon = epsilon

    def act(self, step: Step, state: PlanState, rng: Generator) -> tuple[Tensor, PlanState]:
        """Follow the greedy plan, but for a random action now and then."""
        planned, state = super().act(step, state, rng)
        chance = torch.rand(planned.shape, generator=rng, device=rng.device)
        anything = torch.randint(self.actions, planned.shape, generator=rng, device=rng.device)
        return torch.where(chance < self.epsilon, anything, planned), state
