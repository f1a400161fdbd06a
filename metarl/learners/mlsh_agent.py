"""MLSH in a task that it has never seen: sub-policies stay as they are, and a master learns which of them to call.

Adaptation is a state transition: the state holds each row's master with its optimiser, the choices since its last update, the option that
acts now and for how long it has.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from metarl.envs.budget import Budget, Episodes
from metarl.envs.meta_episode import Step
from metarl.learners.collected import Collected, nothing_collected
from metarl.learners.options import Hierarchy
from metarl.learners.policy_episodes import judge
from metarl.learners.stacked_ppo import Stack, StackedPPO, improved
from metarl.tasks.contract import TaskDistribution, where_rows
from metarl.tasks.seeding import torch_generator

__all__ = ["MLSHAgent", "MLSHState", "episodes_between"]


def episodes_between(steps: int, horizon: int) -> int:
    """Whole episodes that D = `steps` make, one at least."""
    return max(1, steps // horizon)


class MLSHState(NamedTuple):
    """What the agent holds of B tasks."""

    masters: Stack  # of B
    episodes: Collected  # choices since the last update
    collected: Tensor  # [B] int64, episodes since the last update
    played: Tensor  # [B] int64, episodes of the meta-episode that are over
    option: Tensor  # [B] int64, that acts now
    clock: Tensor  # [B] int64, steps of this episode so far


class MLSHAgent:
    """Improves a master, begun anew in each task, by PPO after every D steps.

    Args:
        hierarchy: how masters and sub-policies act.
        first_master: weights that masters begin with, one tensor a parameter.
        sub_policies: [K, ...] each; they don't change.
        settings: of a master's update.
        steps: D, of whole episodes.
        most_likely: whether the most likely options and actions are taken once learning is over; they are drawn before.
        distribution: for its horizon.
        budget: with `Episodes(K, after)`, learning is over after K.

    Raises:
        ValueError: the budget scores episodes after learning, but has too few to learn from.
    """

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
    ):
        self.hierarchy, self.first_master, self.sub_policies, self.settings = hierarchy, first_master, sub_policies, settings
        self.horizon, self.most_likely = distribution.horizon, most_likely
        self.episodes = episodes_between(steps, distribution.horizon)
        if isinstance(budget, Episodes) and budget.after and 0 < budget.learning < self.episodes:
            raise ValueError(
                f"MLSH's master learns from {self.episodes} episodes at a time, so it wouldn't from {budget.learning}: give it that many "
                f"at least, such as Episodes({self.episodes}, after={budget.after})."
            )
        self.learning = budget.learning if isinstance(budget, Episodes) and budget.after else None

    def initial_state(self, batch_size: int) -> MLSHState:
        """Masters that know nothing, nothing played."""
        hierarchy, device = self.hierarchy, self.first_master[0].device
        times = -(-self.horizon // hierarchy.every)
        episodes = nothing_collected(batch_size, times, self.episodes, hierarchy.inputs.size, hierarchy.option_space, device)
        masters = Stack.of([weight.expand(batch_size, *weight.shape) for weight in self.first_master])
        return MLSHState(masters, episodes, *(torch.zeros(batch_size, dtype=torch.int64, device=device) for _ in range(4)))

    @torch.no_grad()
    def act(self, step: Step, state: MLSHState, rng: Generator) -> tuple[Tensor, MLSHState]:
        """Note what the last action brought, improve the masters whose D steps are over, choose options where N steps are, and act."""
        hierarchy, every = self.hierarchy, self.hierarchy.every
        state = self.improve(self.note(step, self.forget(step.meta_episode_start, state)))
        features = hierarchy.inputs(step)
        over = torch.zeros_like(step.prev_terminated) if self.learning is None else state.played >= self.learning
        settled = over if self.most_likely else torch.zeros_like(over)
        option, log_prob = (part[:, 0] for part in hierarchy.choose(state.masters.weights, features[:, None], rng, settled[:, None]))
        chooses = state.clock % every == 0
        option = torch.where(chooses, option, state.option)
        state.episodes.note_choice(state.clock // every, state.collected, features, option, log_prob, chooses)
        parameters = hierarchy.parameters(self.sub_policies, features, option)
        drawn = hierarchy.actions.sample(parameters, rng)
        action = where_rows(settled, hierarchy.actions.mode(parameters), drawn)
        return hierarchy.actions.to_environment(action), state._replace(option=option, clock=state.clock + 1)

    def forget(self, start: Tensor, state: MLSHState) -> MLSHState:
        """Rows that start a meta-episode begin with a new master and no episodes."""
        if not bool(start.any()):
            return state
        state.episodes.valid[start] = False
        counts = (torch.where(start, 0, count) for count in state[2:])
        return MLSHState(state.masters.where(start, self.first_master), state.episodes, *counts)

    def note(self, step: Step, state: MLSHState) -> MLSHState:
        """The last action's reward, and how its episode ended if it did."""
        time = (state.clock - 1) // self.hierarchy.every
        over = state.episodes.note_outcome(step, time, state.collected, state.clock > 0, self.hierarchy.inputs.encode)
        return state._replace(clock=torch.where(over, 0, state.clock), collected=state.collected + over, played=state.played + over)

    def improve(self, state: MLSHState) -> MLSHState:
        """Improve the masters that have D steps and still learn; buffers of D steps are then empty."""
        due = state.collected >= self.episodes
        if not bool(due.any()):
            return state
        learns = due if self.learning is None else due & (state.played <= self.learning)
        chosen = torch.nonzero(learns).flatten()
        if len(chosen):
            judged = judge(state.episodes.of(chosen), self.settings.discount, self.settings.gae_lambda)
            cuts = torch_generator(0, "master's minibatches")  # the same in all rows and updates: a row depends on no other's
            own = state.masters.of_rows(chosen)
            state.masters.put(chosen, improved(self.hierarchy.master, self.hierarchy.options, own, judged, self.settings, cuts))
        state.episodes.valid[due] = False
        return state._replace(collected=torch.where(due, 0, state.collected))
