"""An agent that is told the MDP: the upper bound, played."""

from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.reveal import Revealed
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, where_rows
from metarl.tasks.mdps.random_mdp import RandomMDP, optimal_values

__all__ = ["KnownModel", "KnownPlan"]


class KnownPlan(NamedTuple):
    """The optimal policy of each row's task, and how much of the episode is gone."""

    plan: Tensor  # [B, H, S] int64
    clock: Tensor  # [B] int64


class KnownModel:
    """Plays `reveal(RandomMDP(...))` by the optimal policy of the task that its observations tell
    it.
    """

    id = "known-model"
    label = "Known model"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not isinstance(distribution, Revealed) or not isinstance(
            distribution.wrapped, RandomMDP
        ):
            raise ValueError(
                "KnownModel plays random MDPs that are told to it, reveal(RandomMDP(...)), not"
                f" {distribution.id}."
            )
        self.made_for = MadeFor(distribution, budget)
        self.distribution = distribution
        self.wrapped = distribution.wrapped

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`: revealed random MDPs only."""
        return isinstance(distribution, Revealed) and isinstance(distribution.wrapped, RandomMDP)

    def initial_state(self, batch_size: int) -> KnownPlan:
        """Nothing told, nothing planned."""
        plan = torch.zeros(batch_size, self.wrapped.horizon, self.wrapped.states, dtype=torch.int64)
        return KnownPlan(plan, torch.zeros(batch_size, dtype=torch.int64))

    @torch.no_grad()
    def act(self, step: Step, state: KnownPlan, rng: Generator) -> tuple[Tensor, KnownPlan]:
        """Plan where the task is new, and follow the plan."""
        observation = step.observation
        plan = state.plan.to(observation.device)
        clock = state.clock.to(observation.device)
        if bool(step.meta_episode_start.any()):
            told = self.distribution.parameters_of(observation)
            _, values = optimal_values(
                told["reward_means"], told["transitions"], self.wrapped.horizon
            )
            plan = where_rows(step.meta_episode_start, values.argmax(-1), plan)
        clock = torch.where(step.episode_start, 0, clock + 1).clamp_max(self.wrapped.horizon - 1)
        rows = torch.arange(len(observation), device=observation.device)
        place = self.distribution.observation_of(observation)[:, 0].to(torch.int64)
        return plan[rows, clock, place], KnownPlan(plan, clock)
