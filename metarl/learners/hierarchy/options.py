"""Options: a master policy chooses, every N steps, which of K sub-policies acts for the next N.

Sub-policies are shared by all tasks, masters are the tasks' own.
"""

from typing import NamedTuple

import gymnasium as gym
import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from metarl.core.step import Step
from metarl.core.supervised import Examples
from metarl.learners.policy_gradient.advantages import PolicyGradientBatch
from metarl.learners.policy_gradient.trajectory import Trajectory
from metarl.networks.actions import ActionDistribution, action_distribution
from metarl.networks.inputs import StepInputs
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import PerceptronConfig
from metarl.networks.policies.perceptron_policy import PolicyPerceptron
from metarl.networks.policies.policy import PolicyOutput

__all__ = ["Hierarchy", "HierarchyPlayer", "Shared", "as_choices", "by_sub_policy", "shared_out"]

# Rows that sub-policies compute at once are multiples of it, since libraries prepare products anew
# for every size
BLOCK = 128


class Shared(NamedTuple):
    """B rows shared out among K sub-policies, so that none computes another's."""

    rows: Tensor  # [K, L] that each computes: its own, and others' where another has more
    place: Tensor  # [B] of each row's result among all [K L]


def shared_out(option: Tensor, num_options: int) -> Shared:
    """Rows of options [B], each to its own sub-policy."""
    mine = torch.arange(num_options, device=option.device)[:, None] == option  # [K, B]
    size = min(-(-int(mine.sum(1).max()) // BLOCK) * BLOCK, len(option))
    rows = mine.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :size]
    rank = mine.cumsum(1).gather(0, option[None])[0] - 1
    return Shared(rows, option * size + rank)


class Hierarchy:
    """The shapes of masters and sub-policies, and how they act.

    Args:
        inputs: reads observations. action_space: of one task.
        num_options: K. option_length: N, steps that a choice holds.
        random_option: probability that a choice is drawn uniformly instead.
        network: the shape of masters and sub-policies.
        rng: draws the initial weights.
        log_std: logarithm of a box's deviations at first, in units of half the box.
        master_only_features: how many of a feature vector's first numbers sub-policies don't see.

    Attributes:
        master, sub_policy: functions of stacked weights. first_master: weights that masters start
            from, one tensor a parameter.
        first_sub_policies: [K, ...] each.
    """

    def __init__(
        self,
        inputs: StepInputs,
        action_space: gym.Space,
        num_options: int,
        option_length: int,
        random_option: float,
        network: PerceptronConfig,
        rng: Generator,
        log_std: float,
        master_only_features: int = 0,
    ):
        if not 0 <= master_only_features < max(1, inputs.size):
            raise ValueError(
                f"master_only_features must leave sub-policies something of {inputs.size} features"
                f" to see, and is {master_only_features}."
            )
        self.master_only_features = master_only_features
        self.inputs = inputs
        self.num_options = num_options
        self.option_length = option_length
        self.random_option = random_option
        self.option_space = gym.spaces.Discrete(num_options)
        self.action_space = action_space
        self.options: ActionDistribution = action_distribution(self.option_space)
        self.actions: ActionDistribution = action_distribution(action_space)
        self.master = PerTask(PolicyPerceptron(inputs.size, self.option_space, network, rng))
        every_sub = [
            PerTask(
                PolicyPerceptron(
                    inputs.size - master_only_features, action_space, network, rng, log_std
                )
            )
            for _ in range(num_options)
        ]
        self.sub_policy, self.first_master = every_sub[0], self.master.weights()
        self.first_sub_policies = [
            torch.stack(parts) for parts in zip(*(sub.weights() for sub in every_sub), strict=True)
        ]

    def choose(
        self,
        masters: list[Tensor],
        features: Tensor,
        rng: Generator,
        most_likely: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Options [n, m] and their log-probabilities, of n masters for features [n, m, F].

        Rows that `most_likely` [n, m] flags aren't drawn.
        """
        parameters = self.master(masters, features)
        option = self.options.sample(parameters, rng)
        if self.random_option:
            uniform, chance = (
                torch.rand(option.shape, generator=rng, device=option.device) for _ in range(2)
            )
            option = torch.where(
                chance < self.random_option, (uniform * self.num_options).long(), option
            )
        if most_likely is not None:
            option = torch.where(most_likely, self.options.mode(parameters), option)
        return option, self.options.log_prob(parameters, option)

    def seen(self, features: Tensor) -> Tensor:
        """Return what sub-policies see [..., seen] of features [..., F]."""
        return features[..., self.master_only_features :]

    def parameters(self, sub_policies: list[Tensor], features: Tensor, option: Tensor) -> Tensor:
        """Parameters [B, P] of the action distributions of the sub-policies `option` [B], for
        features [B, F].

        Sub-policies are K for all rows, or [B K] in all, each row's own K.
        """
        rows = torch.arange(len(option), device=option.device)
        features = self.seen(features)
        if len(sub_policies[0]) > self.num_options:
            own = [weight[rows * self.num_options + option] for weight in sub_policies]
            return self.sub_policy(own, features[:, None])[:, 0]
        every = self.sub_policy(
            sub_policies, features.expand(self.num_options, *features.shape)
        )  # [K, B, P]
        return every[option, rows]

    def own_parameters(
        self, sub_policies: list[Tensor], features: Tensor, shared: Shared
    ) -> Tensor:
        """Return the same, where no sub-policy computes the others' rows.

        A row's result is then rounded otherwise as others' options differ.
        """
        own = (
            self.seen(features)
            .index_select(0, shared.rows.flatten())
            .unflatten(0, shared.rows.shape)
        )  # [K, L, seen]
        return self.sub_policy(sub_policies, own).flatten(0, 1).index_select(0, shared.place)


class HierarchyPlayer:
    """n masters over shared sub-policies as `collect` plays them: one episode a row, a task's rows
    side by side.

    Attributes:
        chosen: options [n R] of each choice so far. log_prob: theirs, under the master.
    """

    def __init__(
        self,
        hierarchy: Hierarchy,
        masters: list[Tensor],
        sub_policies: list[Tensor],
        rng: Generator,
    ):
        self.hierarchy = hierarchy
        self.masters = masters
        self.sub_policies = sub_policies
        self.rng = rng
        self.chosen: list[Tensor] = []
        self.log_prob: list[Tensor] = []

    def initial_state(self, batch_size: int) -> int:
        """Steps played."""
        return 0

    def __call__(self, step: Step, played: int) -> tuple[PolicyOutput, int]:
        """Parameters [B, P] of the sub-policies that act now; it values nothing."""
        features = self.hierarchy.inputs(step)
        if played % self.hierarchy.option_length == 0:
            option, log_prob = self.hierarchy.choose(
                self.masters, features.unflatten(0, (len(self.masters[0]), -1)), self.rng
            )
            self.chosen.append(option.flatten())
            self.log_prob.append(log_prob.flatten())
            self.shared = shared_out(self.chosen[-1], self.hierarchy.num_options)
        parameters = self.hierarchy.own_parameters(self.sub_policies, features, self.shared)
        return PolicyOutput(parameters, torch.zeros_like(step.prev_reward)), played + 1


def as_choices(episodes: Trajectory, player: HierarchyPlayer) -> Trajectory:
    """Return the same episodes as a master sees them, a choice every N steps, with the sum of the
    rewards until the next.

    Args:
        episodes: [T, n, R] steps. player: who played them.
    """
    option_length = player.hierarchy.option_length
    steps, n, _ = episodes.reward.shape

    def by_choice(part: Tensor) -> Tensor:
        """Return [H, N, n, R] of [T, n, R], the last choice's filled up."""
        return pad(part, (0, 0, 0, 0, 0, -steps % option_length)).unflatten(0, (-1, option_length))

    option, log_prob = (
        torch.stack(parts).unflatten(1, (n, -1)) for parts in (player.chosen, player.log_prob)
    )
    return Trajectory(
        observation=episodes.observation[::option_length],
        action=option,
        log_prob=log_prob,
        reward=by_choice(torch.where(episodes.valid, episodes.reward, 0)).sum(1),
        terminated=by_choice(episodes.terminated & episodes.valid).any(1),
        valid=episodes.valid[::option_length],
        final_observation=episodes.final_observation,
    )


def by_sub_policy(
    batch: Examples, option: Tensor, hierarchy: Hierarchy, own: bool = True
) -> tuple[Examples, Tensor]:
    """Return the steps of each of g groups of tasks, for every sub-policy of the group those that
    were its own.

    Args:
        batch: inputs [g, m, F] and targets [g, m]. option: [g, m] whose each step was. hierarchy:
            for K, and for what they see.
        own: otherwise every sub-policy is given all steps.

    Returns:
        (inputs [g K, m, seen] and targets [g K, m], where the others' steps count nothing, shares
        [g K] of the group's steps that count).
    """
    targets = batch.targets
    numbers = torch.arange(hierarchy.num_options, device=option.device)
    every = [
        part[:, None].expand(-1, len(numbers), *part.shape[1:]).flatten(0, 1)  # [g K, m, ...]
        for part in (hierarchy.seen(batch.inputs), *targets[:4], option)
    ]
    inputs, action, log_prob, advantage, weight, taken = every
    mine = ((numbers.repeat(len(option))[:, None] == taken) | (not own)).to(weight.dtype)
    share = (mine * weight).sum(1) / weight.sum(1)
    return (
        Examples(inputs, PolicyGradientBatch(action, log_prob, advantage * mine, weight * mine)),
        share,
    )
