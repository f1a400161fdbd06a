"""An agent that adapts by policy gradients.

It plays E episodes, takes one step, and plays on with weights that are the task's own.
"""

import copy
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.arguments import check_fields
from metarl.core.budget import Budget, Episodes
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, where_rows
from metarl.learners.initialisation.inner_loop import Problem, broadcast, task_gradients, totals
from metarl.learners.optimizers import SGD
from metarl.learners.policy_gradient.advantages import estimate_advantages
from metarl.learners.policy_gradient.trajectory import Trajectory
from metarl.learners.policy_gradient.trajectory_buffer import (
    empty_episodes,
    note_choice,
    note_outcome,
    time_first,
)
from metarl.learners.settings import check_counts, check_step_sizes
from metarl.networks.actions import action_distribution
from metarl.networks.finite import check_output
from metarl.networks.inputs import StepInputs

__all__ = ["Adaptation", "AdaptingPolicyAgent", "AdaptingState"]

STEPS_AT_ONCE = 200_000  # of all rows that a gradient is taken for at a time


@dataclass(frozen=True)
class Adaptation:
    """One update of a policy in a task, in training as at test.

    Attributes:
        episodes: E, played between updates.
        inner_lr: size of the gradient step.
        discount, gae_lambda: of the generalised advantages.
        log_std: logarithm of a box's deviations before training, in units of half the box.
        act: how an agent chooses in the episodes that are scored after the last of learning: draw
            from the policy, or its most likely action. It always draws while it learns.
    """

    episodes: int = 20
    inner_lr: float = 0.1
    discount: float = 0.99
    gae_lambda: float = 1.0
    log_std: float = 0.0
    act: Literal["sample", "mode"] = "mode"

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts(episodes=self.episodes)
        check_step_sizes(inner_lr=self.inner_lr)
        if not (0 <= self.discount <= 1 and 0 <= self.gae_lambda <= 1):
            raise ValueError(
                f"discount and gae_lambda must lie in [0, 1], not {self.discount} and"
                f" {self.gae_lambda}."
            )
        if self.act not in ("sample", "mode"):
            raise ValueError(f"act must be 'sample' or 'mode', not {self.act!r}.")


class AdaptingState(NamedTuple):
    """What an agent holds of B tasks: fast weights, and the episodes since the last update."""

    weights: list[Tensor]  # [B, ...] each
    episodes: Trajectory
    collected: Tensor  # [B] int64, episodes since the last update
    clock: Tensor  # [B] int64, steps of this episode so far
    played: Tensor  # [B] int64, episodes of the meta-episode that are over


class AdaptingPolicyAgent:
    """Takes a gradient step on every E episodes, from weights that all tasks share.

    Args:
        problem: the policy and its surrogate loss.
        initial: the weights, one tensor a parameter.
        inputs: reads observations.
        adaptation: the steps.
        distribution: for its spaces and horizon.
        budget: the episodes after its first K are scored; whoever has none to score after draws all
            actions.

    Raises:
        ValueError: the budget scores episodes after learning, but has too few to learn from.
    """

    __repr__ = agent_repr

    def __init__(
        self,
        problem: Problem,
        initial: list[Tensor],
        inputs: StepInputs,
        adaptation: Adaptation,
        distribution: TaskDistribution,
        budget: Budget,
    ):
        if (
            isinstance(budget, Episodes)
            and budget.after
            and 0 < budget.learning < adaptation.episodes
        ):
            raise ValueError(
                f"This agent adapts every {adaptation.episodes} episodes, so it wouldn't in"
                f" {budget.learning}: give it that many at least, such as"
                f" Episodes({adaptation.episodes}, after={budget.after})."
            )
        self.action_space = distribution.action_space
        self.problem = problem
        self.initial = initial
        self.inputs = inputs
        self.adaptation = adaptation
        self.actions = action_distribution(distribution.action_space)
        self.horizon = distribution.horizon
        self.learning = (
            budget.learning
            if isinstance(budget, Episodes) and budget.after and adaptation.act == "mode"
            else None
        )
        length: Literal["any", "exactly"] = "any" if self.learning is None else "exactly"
        self.made_for = MadeFor(
            distribution, budget, tasks="spaces", length=length, horizon="at most"
        )

    def with_inner_lr(self, inner_lr: float) -> "AdaptingPolicyAgent":
        """Return the same agent, taking steps of another size."""
        other = copy.copy(self)
        other.adaptation = replace(self.adaptation, inner_lr=inner_lr)
        return other

    def initial_state(self, batch_size: int) -> AdaptingState:
        """Shared weights, nothing played."""
        device = self.initial[0].device
        each = self.adaptation.episodes
        episodes = empty_episodes(
            batch_size, self.horizon, each, self.inputs.size, self.action_space, device
        )
        counts = [torch.zeros(batch_size, dtype=torch.int64, device=device) for _ in range(3)]
        return AdaptingState(
            [weight.clone() for weight in broadcast(self.initial, batch_size)], episodes, *counts
        )

    @torch.no_grad()
    def act(self, step: Step, state: AdaptingState, rng: Generator) -> tuple[Tensor, AdaptingState]:
        """Note what the last action brought, adapt the rows whose E episodes are over, and act."""
        state = self.forget(step.meta_episode_start, state)
        state = self.adapt(self.note(step, state))
        features = self.inputs(step)
        parameters = self.problem.network(state.weights, features[:, None])[:, 0]
        check_output(f"The policy of this {type(self).__name__}", parameters)
        action = self.actions.sample(parameters, rng)
        log_prob = self.actions.log_prob(parameters, action)
        note_choice(
            state.episodes,
            state.clock,
            state.collected,
            features,
            action,
            log_prob,
            torch.ones_like(step.prev_terminated),
        )
        if self.learning is not None:
            done = state.played >= self.learning
            action = where_rows(done, self.actions.mode(parameters), action)
        return self.actions.to_environment(action), state._replace(clock=state.clock + 1)

    def forget(self, start: Tensor, state: AdaptingState) -> AdaptingState:
        """Rows that start a meta-episode begin with the shared weights and no episodes."""
        if not bool(start.any()):
            return state
        weights = [
            where_rows(start, shared.expand_as(own), own)
            for shared, own in zip(self.initial, state.weights, strict=True)
        ]
        state.episodes.valid[start] = False
        collected, clock, played = (torch.where(start, 0, count) for count in state[2:])
        return AdaptingState(weights, state.episodes, collected, clock, played)

    def note(self, step: Step, state: AdaptingState) -> AdaptingState:
        """Return the last action's reward, and how its episode ended if it did."""
        over = note_outcome(
            state.episodes,
            step,
            state.clock - 1,
            state.collected,
            state.clock > 0,
            self.inputs.encode,
        )
        return state._replace(
            clock=torch.where(over, 0, state.clock),
            collected=state.collected + over,
            played=state.played + over,
        )

    def adapt(self, state: AdaptingState) -> AdaptingState:
        """Return one gradient step for the rows that have E episodes and still learn.

        Buffers of E episodes are then empty.
        """
        due = state.collected >= self.adaptation.episodes
        if not bool(due.any()):
            return state
        learns = due if self.learning is None else due & (state.played <= self.learning)
        self.improve(torch.nonzero(learns).flatten(), state)
        state.episodes.valid[due] = False
        return state._replace(collected=torch.where(due, 0, state.collected))

    def improve(self, chosen: Tensor, state: AdaptingState) -> None:
        """One gradient step for the rows `chosen`, in place, some at a time.

        Their episodes must fit in memory, layer by layer.
        """
        for rows in chosen.split(
            max(1, STEPS_AT_ONCE // (self.horizon * self.adaptation.episodes))
        ):
            self.improve_some(rows, state)

    def improve_some(self, chosen: Tensor, state: AdaptingState) -> None:
        """The same, all at once.

        Raises:
            ValueError: the weights of a row aren't finite any more.
        """
        episodes = time_first(state.episodes).columns(chosen)
        weights = [weight[chosen] for weight in state.weights]
        found = task_gradients(
            self.problem,
            weights,
            estimate_advantages(episodes, self.adaptation.discount, self.adaptation.gae_lambda),
        )
        moved = SGD(self.adaptation.inner_lr).step(weights, found.gradients, {})[0]
        bad = torch.nonzero(~torch.isfinite(totals(moved))).flatten()
        if len(bad):
            row = int(chosen[bad[0]])
            update = int(state.played[row]) // self.adaptation.episodes
            raise ValueError(
                f"Adaptation diverged: update {update} of row {row} leaves weights that aren't"
                " finite. Use a smaller inner lr."
            )
        for whole, part in zip(state.weights, moved, strict=True):
            whole[chosen] = part
