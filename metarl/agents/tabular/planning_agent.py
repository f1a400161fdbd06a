"""What all planning agents for tabular MDPs share.

Remember, plan when an episode starts, follow the plan.
"""

import copy
import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.agents.tabular.history import History, no_history, remember
from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget, max_steps
from metarl.core.seeding import torch_generator
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, where_rows
from metarl.tasks.mdps.random_mdp import RandomMDP

__all__ = ["PlanState", "TabularAgent", "Ties"]

Ties = Literal["first", "random"]


class PlanState(NamedTuple):
    """What a planning agent carries from step to step."""

    history: History
    plan: Tensor  # [B, H, S] int64: the action for each state with t steps of the episode gone
    clock: Tensor  # [B] int64: steps of the episode gone
    state: Tensor  # [B] int64: where the last action was taken


class TabularAgent(ABC):
    """Plans once an episode from all that it has seen; subclasses say how in `plan`.

    Args:
        distribution: random MDPs, whose priors, sizes and horizon the agent knows.
        budget: the meta-episode that it is to play; it needs room to remember that many steps.
        reward_prior_mean: mean of the reward means that the agent believes in, None for the true
            one. 0 is what the figures of Duan et al. 2016 agree with, although the MDPs there have
            a mean of 1.
        ties: of actions that look equally good take the "first" or a "random" one.

    Attributes:
        prior: the distribution that the agent believes in.
    """

    id: ClassVar[str]
    label: ClassVar[str]
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(
        self,
        distribution: TaskDistribution,
        budget: Budget,
        reward_prior_mean: float | None = None,
        ties: Ties = "first",
    ):
        if not isinstance(distribution, RandomMDP):
            raise ValueError(
                f"{type(self).__name__} plays random MDPs (RandomMDP-v0), not {distribution.id}."
            )
        if ties not in ("first", "random"):
            raise ValueError(f"There is no rule {ties!r} for ties; choose first or random.")
        self.made_for = MadeFor(distribution, budget, length="at most")
        self.distribution = distribution
        self.budget = budget
        self.ties = ties
        self.prior = copy.copy(distribution)
        if reward_prior_mean is not None and not math.isfinite(reward_prior_mean):
            raise ValueError(
                f"reward_prior_mean must be a finite number or None, not {reward_prior_mean}."
            )
        if reward_prior_mean is not None:
            self.prior.reward_prior_mean = reward_prior_mean
        self.states = distribution.states
        self.actions = distribution.actions
        self.horizon = distribution.horizon

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`: random MDPs only."""
        return isinstance(distribution, RandomMDP)

    @abstractmethod
    def plan(self, history: History, rng: Generator) -> Tensor:
        """Action values [B, H, S, A] to be greedy by in the episode that starts, given all that was
        seen.

        `rng` is a stream of this call's own; draw in shapes that don't depend on what was seen.
        """

    def initial_state(self, batch_size: int) -> PlanState:
        """Nothing seen, nothing planned."""
        zeros = torch.zeros(batch_size, dtype=torch.int64)
        history = no_history(
            batch_size, max_steps(self.budget, self.distribution), self.states, self.actions
        )
        return PlanState(
            history,
            torch.zeros(batch_size, self.horizon, self.states, dtype=torch.int64),
            zeros,
            zeros.clone(),
        )

    @torch.no_grad()
    def act(self, step: Step, state: PlanState, rng: Generator) -> tuple[Tensor, PlanState]:
        """Remember the last transition, plan where an episode starts, and follow the plan."""
        observation = step.observation
        if state.clock.device != observation.device:
            state = _to(state, observation.device)
        history = remember(state.history, step, state.state, self.states, self.actions)
        starts = step.episode_start
        plan = state.plan
        # Drawn at every step: whether others plan doesn't matter
        stream = torch.randint(2**62, (), generator=rng, device=rng.device)
        if bool(starts.any()):
            fresh = self._policy(
                history, torch_generator(int(stream), "plan", device=observation.device)
            )
            plan = fresh if bool(starts.all()) else where_rows(starts, fresh, plan)
        clock = torch.where(starts, 0, state.clock + 1).clamp_max(self.horizon - 1)
        rows = torch.arange(len(observation), device=observation.device)
        return plan[rows, clock, observation], PlanState(history, plan, clock, observation)

    def _policy(self, history: History, rng: Generator) -> Tensor:
        values = self.plan(history, rng)
        if self.ties == "first":
            return values.argmax(-1)  # [B, H, S]
        best = values == values.amax(-1, keepdim=True)
        return (
            torch.rand(values.shape, generator=rng, device=values.device)
            .add_(1)
            .mul_(best)
            .argmax(-1)
        )


def _to(state: PlanState, device: torch.device) -> PlanState:
    history = History(*(part.to(device) for part in state.history))
    return PlanState(history, state.plan.to(device), state.clock.to(device), state.state.to(device))
