"""UCRL2 for finite horizons: plan in the best of all MDPs that the data don't rule out."""

import math
from typing import ClassVar

import torch
from torch import Generator, Tensor

from metarl.agents.tabular.history import History
from metarl.agents.tabular.planning import action_values, optimistic_values
from metarl.agents.tabular.planning_agent import TabularAgent, Ties
from metarl.agents.tabular.posterior import Estimate, check_estimate, point_estimate
from metarl.core.budget import Budget
from metarl.core.task_distribution import TaskDistribution

__all__ = ["UCRL2", "confidence_radii"]


class UCRL2(TabularAgent):
    """Plans at each episode's start by extended value iteration over confidence sets for rewards
    and transitions.

    With n visits of a state and action after t steps, the sets hold rewards up to scale * sqrt(7
    log(2 S A t / delta) / (2 n)) above the estimate, and transition rows within an L1 distance of
    scale * sqrt(14 S log(2 A t / delta) / n) of it. Episodes are short, so a plan lasts for one of
    them, rather than until some count has doubled.

    Args:
        scale: of both radii; 1 is the original, far too careful for meta-episodes of a few hundred
            steps.
        delta: the probability with which the original's sets may fail.
        estimate: the sets' centres. "maximum-likelihood" is the original, for rewards between 0 and
            1; these rewards have no bounds, and the "posterior" mean gives what was seldom tried a
            sensible centre.
        reward_prior_mean, ties: as for every `TabularAgent`.

    Source: Jaksch, Ortner & Auer 2010, "Near-optimal regret bounds for reinforcement learning",
        figure 1 and section 3.1.
    """

    id = "ucrl2"
    label = "UCRL2"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {
        "scale": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
    }

    def __init__(
        self,
        distribution: TaskDistribution,
        budget: Budget,
        scale: float = 0.03,
        delta: float = 0.05,
        estimate: Estimate = "posterior",
        reward_prior_mean: float | None = None,
        ties: Ties = "first",
    ):
        super().__init__(distribution, budget, reward_prior_mean, ties)
        if not 0 <= scale < math.inf or not 0 < delta < 1:
            raise ValueError(
                "scale is finite and can't be negative, and delta lies between 0 and 1, not"
                f" {scale} and {delta}."
            )
        check_estimate(estimate)
        self.scale = scale
        self.delta = delta
        self.estimate = estimate

    def plan(self, history: History, rng: Generator) -> Tensor:
        rewards, transitions = point_estimate(self.prior, history, self.estimate)
        reward_radius, transition_radius = confidence_radii(
            history.visits, history.length, self.states, self.actions, self.delta
        )
        optimistic = rewards + self.scale * reward_radius
        return action_values(
            optimistic,
            optimistic_values(transitions, self.scale * transition_radius),
            self.states,
            self.horizon,
        )


def confidence_radii(
    visits: Tensor, steps: Tensor, states: int, actions: int, delta: float
) -> tuple[Tensor, Tensor]:
    """Half-widths of the reward intervals and L1 radii of the transition balls (Jaksch et al. 2010,
    equations 3 and 4).

    Args:
        visits: [B, S * A]. steps: [B] transitions seen so far.
        states: S. actions: A. delta: failure probability.

    Returns:
        Each [B, S * A].
    """
    log_steps = torch.log(steps.clamp_min(1).to(visits.dtype))[:, None]  # [B, 1]
    tried = visits.clamp_min(1)
    reward_radius = (3.5 * (math.log(2 * states * actions / delta) + log_steps) / tried).sqrt()
    transition_radius = (14 * states * (math.log(2 * actions / delta) + log_steps) / tried).sqrt()
    return reward_radius, transition_radius
