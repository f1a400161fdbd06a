"""MLSH in a task that it has never seen: a master learns which sub-policy to call, and where it is
asked for, copies of those learn on.

Adaptation is a state transition: the state holds each row's master with its optimiser, the choices
since its last update, the option that acts now and for how long it has.
"""

from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget, Episodes
from metarl.core.seeding import torch_generator
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, where_rows
from metarl.learners.hierarchy.options import Hierarchy, by_sub_policy
from metarl.learners.policy_gradient.advantages import estimate_advantages
from metarl.learners.policy_gradient.stacked_ppo import Stack, StackedPPO, improved
from metarl.learners.policy_gradient.trajectory import Trajectory
from metarl.learners.policy_gradient.trajectory_buffer import (
    empty_episodes,
    note_choice,
    note_outcome,
    time_first,
)
from metarl.networks.finite import check_output

__all__ = ["FineTuning", "MLSHAgent", "MLSHState", "OwnSubPolicies", "episodes_between"]


def episodes_between(steps: int, horizon: int) -> int:
    """Whole episodes that D = `steps` make, one at least."""
    return max(1, steps // horizon)


class FineTuning(NamedTuple):
    """How an agent's own sub-policies learn on."""

    settings: StackedPPO
    after: int  # W, updates of the master alone
    weigh_by_use: bool  # whether steps are as long as a sub-policy's share of the steps
    own: bool  # whether each learns from its own steps, rather than from all


class OwnSubPolicies(NamedTuple):
    """Copies of the sub-policies that learn on in B tasks."""

    stack: Stack  # of B K
    steps: Trajectory  # since the last update


class MLSHState(NamedTuple):
    """What the agent holds of B tasks."""

    masters: Stack  # of B
    episodes: Trajectory  # choices since the last update
    own: OwnSubPolicies | None  # None where sub-policies stay as they are
    collected: Tensor  # [B] int64, episodes since the last update
    played: Tensor  # [B] int64, episodes of the meta-episode that are over
    option: Tensor  # [B] int64, that acts now
    clock: Tensor  # [B] int64, steps of this episode so far


class MLSHAgent:
    """Improves a master, begun anew in each task, by PPO after every D steps; fine-tuning, after W
    times, sub-policies too.

    Args:
        hierarchy: how masters and sub-policies act.
        first_master: weights that masters begin with, one tensor a parameter.
        sub_policies: [K, ...] each; they don't change, but copies may.
        settings: of a master's update.
        steps: D, of whole episodes.
        most_likely: whether the most likely options and actions are taken once learning is over;
            they are drawn before.
        distribution: for its horizon.
        budget: with `Episodes(K, after)`, learning is over after K.
        fine_tuning: how each task's copies of the sub-policies learn on; they don't if left out.

    Raises:
        ValueError: the budget scores episodes after learning, but has too few to learn from.
    """

    __repr__ = agent_repr

    def __init__(
        self,
        hierarchy: Hierarchy,
        first_master: list[Tensor],
        sub_policies: list[Tensor],
        settings: StackedPPO,
        steps: int,
        most_likely: bool,
        distribution: TaskDistribution,
        budget: Budget,
        fine_tuning: FineTuning | None = None,
    ):
        self.hierarchy = hierarchy
        self.first_master = first_master
        self.sub_policies = sub_policies
        self.settings = settings
        self.fine_tuning = fine_tuning
        self.horizon = distribution.horizon
        self.most_likely = most_likely
        self.episodes = episodes_between(steps, distribution.horizon)
        if isinstance(budget, Episodes) and budget.after and 0 < budget.learning < self.episodes:
            raise ValueError(
                f"MLSH's master learns from {self.episodes} episodes at a time, so it wouldn't from"
                f" {budget.learning}: give it that many at least, such as Episodes({self.episodes},"
                f" after={budget.after})."
            )
        self.learning = budget.learning if isinstance(budget, Episodes) and budget.after else None
        length: Literal["any", "exactly"] = "any" if self.learning is None else "exactly"
        self.made_for = MadeFor(
            distribution, budget, tasks="spaces", length=length, horizon="at most"
        )

    def initial_state(self, batch_size: int) -> MLSHState:
        """Masters that know nothing, nothing played."""
        hierarchy = self.hierarchy
        device = self.first_master[0].device
        times = -(-self.horizon // hierarchy.option_length)
        episodes = empty_episodes(
            batch_size, times, self.episodes, hierarchy.inputs.size, hierarchy.option_space, device
        )
        masters = Stack.of(
            [weight.expand(batch_size, *weight.shape) for weight in self.first_master]
        )
        own = None
        if self.fine_tuning is not None:
            room = empty_episodes(
                batch_size,
                self.horizon,
                self.episodes,
                hierarchy.inputs.size,
                hierarchy.action_space,
                device,
            )
            own = OwnSubPolicies(
                Stack.of([repeated(weight, batch_size) for weight in self.sub_policies]), room
            )
        return MLSHState(
            masters,
            episodes,
            own,
            *(torch.zeros(batch_size, dtype=torch.int64, device=device) for _ in range(4)),
        )

    @torch.no_grad()
    def act(self, step: Step, state: MLSHState, rng: Generator) -> tuple[Tensor, MLSHState]:
        """Note what the last action brought, improve the masters whose D steps are over, choose
        options where N steps are, and act.
        """
        hierarchy = self.hierarchy
        option_length = self.hierarchy.option_length
        state = self.improve(self.note(step, self.forget(step.meta_episode_start, state)))
        features = hierarchy.inputs(step)
        over = (
            torch.zeros_like(step.prev_terminated)
            if self.learning is None
            else state.played >= self.learning
        )
        settled = over if self.most_likely else torch.zeros_like(over)
        option, log_prob = (
            part[:, 0]
            for part in hierarchy.choose(
                state.masters.weights, features[:, None], rng, settled[:, None]
            )
        )
        chooses = state.clock % option_length == 0
        check_output(f"A master of this {type(self).__name__}", log_prob)
        option = torch.where(chooses, option, state.option)
        note_choice(
            state.episodes,
            state.clock // option_length,
            state.collected,
            features,
            option,
            log_prob,
            chooses,
        )
        parameters = hierarchy.parameters(
            self.sub_policies if state.own is None else state.own.stack.weights, features, option
        )
        check_output(f"A sub-policy of this {type(self).__name__}", parameters)
        drawn = hierarchy.actions.sample(parameters, rng)
        if state.own is not None:
            likelihood = hierarchy.actions.log_prob(parameters, drawn)
            note_choice(
                state.own.steps,
                state.clock,
                state.collected,
                features,
                drawn,
                likelihood,
                torch.ones_like(over),
            )
        action = where_rows(settled, hierarchy.actions.mode(parameters), drawn)
        return hierarchy.actions.to_environment(action), state._replace(
            option=option, clock=state.clock + 1
        )

    def forget(self, start: Tensor, state: MLSHState) -> MLSHState:
        """Rows that start a meta-episode begin with a new master and no episodes."""
        if not bool(start.any()):
            return state
        state.episodes.valid[start] = False
        own = state.own
        rows = torch.nonzero(start).flatten()
        if own is not None:
            own.steps.valid[start] = False
            own.stack.put(
                self.copies(rows),
                Stack.of([repeated(weight, len(rows)) for weight in self.sub_policies]),
            )
        counts = (torch.where(start, 0, count) for count in state[3:])
        return MLSHState(
            state.masters.where(start, self.first_master), state.episodes, own, *counts
        )

    def copies(self, rows: Tensor) -> Tensor:
        """Places in the stack of own sub-policies of those of `rows`."""
        each = self.hierarchy.num_options
        return (rows[:, None] * each + torch.arange(each, device=rows.device)).flatten()

    def note(self, step: Step, state: MLSHState) -> MLSHState:
        """Return the last action's reward, and how its episode ended if it did."""
        hierarchy = self.hierarchy
        acted = state.clock > 0
        over = note_outcome(
            state.episodes,
            step,
            (state.clock - 1) // hierarchy.option_length,
            state.collected,
            acted,
            hierarchy.inputs.encode,
        )
        if state.own is not None:
            note_outcome(
                state.own.steps,
                step,
                state.clock - 1,
                state.collected,
                acted,
                hierarchy.inputs.encode,
            )
        return state._replace(
            clock=torch.where(over, 0, state.clock),
            collected=state.collected + over,
            played=state.played + over,
        )

    def improve(self, state: MLSHState) -> MLSHState:
        """Improve what has D steps and still learns; buffers of D steps are then empty."""
        due = state.collected >= self.episodes
        if not bool(due.any()):
            return state
        learns = due if self.learning is None else due & (state.played <= self.learning)
        chosen = torch.nonzero(learns).flatten()
        if len(chosen):
            batch = estimate_advantages(
                time_first(state.episodes).columns(chosen),
                self.settings.discount,
                self.settings.gae_lambda,
                by_time_alone=True,
            )
            # The same in all rows and updates: a row depends on no other's
            cuts = torch_generator(0, "master's minibatches")
            own = state.masters.of_rows(chosen)
            state.masters.put(
                chosen,
                improved(
                    self.hierarchy.master, self.hierarchy.options, own, batch, self.settings, cuts
                ),
            )
        if self.fine_tuning is not None and state.own is not None:
            warm = chosen[state.played[chosen] > self.fine_tuning.after * self.episodes]
            if len(warm):
                self.fine_tune(
                    warm, time_first(state.episodes).action[:, warm], state.own, self.fine_tuning
                )
            state.own.steps.valid[due] = False
        state.episodes.valid[due] = False
        return state._replace(collected=torch.where(due, 0, state.collected))

    def fine_tune(
        self, rows: Tensor, choices: Tensor, own: OwnSubPolicies, tuning: FineTuning
    ) -> None:
        """Improve the sub-policies of `rows` [j], by choices [H, j, E], as training does, or by all
        steps.
        """
        hierarchy = self.hierarchy
        copies = self.copies(rows)
        settings = tuning.settings
        batch = estimate_advantages(
            time_first(own.steps).columns(rows), settings.discount, settings.gae_lambda
        )
        # [j, T E]
        option = (
            choices.repeat_interleave(hierarchy.option_length, 0)[: self.horizon]
            .transpose(0, 1)
            .flatten(1)
        )
        apart, share = by_sub_policy(batch, option, hierarchy, tuning.own)
        cuts = torch_generator(0, "sub-policies' minibatches")
        before = own.stack.of_rows(copies)
        scale = share if tuning.weigh_by_use else None
        after = improved(
            hierarchy.sub_policy, hierarchy.actions, before, apart, settings, cuts, scale
        )
        own.stack.put(copies, after)


def repeated(weight: Tensor, times: int) -> Tensor:
    """[times K, ...] of [K, ...]."""
    return weight.repeat(times, *(1,) * (weight.dim() - 1))
