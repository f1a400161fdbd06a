"""A policy for tasks with few observations and actions, all alike before the first is tried:
bandits, and small unknown MDPs.

Every pair of observation and action has a memory of its own: a GRU, shared by all, that reads the
rewards of that pair and of no other. An action's score is a learned function of its memory where
the agent stands and of the steps played and left, like a Gittins index. So the number of weights
doesn't depend on how many pairs there are, what is learned about one holds for all, and a network
trained on 10 arms plays 50. It doesn't plan: what an action leads to, other than its reward, it
can't remember.
"""

import math
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn

from metarl.core.step import Step
from metarl.networks.actions import check_size
from metarl.networks.cores.gru import GRU
from metarl.networks.cores.keyed_memory import KeyedMemory, one_by_one, places_of
from metarl.networks.layers import linear
from metarl.networks.normalisation import RunningMoments
from metarl.networks.policies.policy import PolicyOutput, Reach

__all__ = ["PerPairMemoryPolicy", "ArmsState"]


class ArmsState(NamedTuple):
    """What the policy remembers of B rows, for k pairs of observation and action.

    R numbers are read out of each memory.
    """

    memory: Tensor  # [B, k, H]
    readout: Tensor  # [B, k, R] of `memory`
    played: Tensor  # [B] int64, steps of the meta-episode so far
    observation: Tensor  # [B] int64, the last one acted on


class PerPairMemoryPolicy(nn.Module):
    """A memory for each pair of observation and action, and scores that change with the steps left.

    Args:
        observation_space, action_space: Discrete.
        hidden_size: H, size of a memory.
        max_steps: T, steps of a meta-episode that the policy is trained for.
        rng: draws the initial weights.

    Raises:
        ValueError: other spaces.
    """

    RANK = 16  # R, numbers that are read out of each memory

    def __init__(
        self,
        observation_space: gym.Space,
        action_space: gym.Space,
        hidden_size: int,
        max_steps: int,
        rng: Generator,
    ):
        super().__init__()
        if not isinstance(action_space, gym.spaces.Discrete) or not isinstance(
            observation_space, gym.spaces.Discrete
        ):
            raise ValueError(
                "The core 'per_pair_memory' is for Discrete observations and actions, not for"
                f" {observation_space} and {action_space}; choose gru, lstm or attention."
            )
        if action_space.start != 0:
            raise ValueError(
                "The core 'per_pair_memory' is for actions that start at 0, not for"
                f" {action_space}; choose gru, lstm or attention."
            )
        check_size(
            "Pairs of observation and action",
            observation_space,
            int(observation_space.n) * int(action_space.n),
        )
        self.num_observations = int(observation_space.n)
        self.first_observation = int(observation_space.start)
        self.num_actions = int(action_space.n)
        self.max_steps = max_steps
        self.static_shapes = False  # true: don't look at a value to save work
        self.reward_moments = RunningMoments(())
        self.gru = GRU(1, hidden_size, rng)
        self.expand = linear(hidden_size, 2 * self.RANK, rng, math.sqrt(2))
        self.contract = linear(2 * self.RANK, self.RANK, rng)
        # Of read-outs: an action's score, its promise here, its promise anywhere
        self.roles = 2 if self.num_observations == 1 else 3
        self.clock_expand = linear(CLOCK_FEATURES, 32, rng, math.sqrt(2))
        self.clock_contract = linear(
            32, self.roles * self.RANK + 1, rng
        )  # at each step, how read-outs play their roles; the value's offset
        with torch.no_grad():
            # Some read-outs start with a small part in all roles, so scores start small
            self.clock_contract.weight[: self.RANK].mul_(0.1)

    def initial_state(self, batch_size: int) -> ArmsState:
        """Memories of `batch_size` rows that have seen nothing."""
        pairs = self.num_observations * self.num_actions
        memory = self.gru.bias.new_zeros(batch_size, pairs, self.gru.size)
        readout = self.read_out(memory[:1, :1]).expand(batch_size, pairs, -1).clone()
        none = torch.zeros(batch_size, dtype=torch.int64, device=memory.device)
        return ArmsState(memory, readout, none, none)

    def forward(self, step: Step, state: ArmsState) -> tuple[PolicyOutput, ArmsState]:
        """Return one step of B rows; rows that start a meta-episode forget first."""
        start = step.meta_episode_start
        rows = torch.arange(len(step.prev_reward), device=step.prev_reward.device)
        memory = state.memory
        readout = state.readout
        if self.static_shapes or start.device.type != "cpu" or bool(start.any()):
            memory = memory.masked_fill(start[:, None, None], 0)
            readout = torch.where(
                start[:, None, None], self.read_out(memory.new_zeros(self.gru.size)), readout
            )
        pair = self.pair(torch.where(start, step.observation, state.observation), step.prev_action)
        old = memory[rows, pair]
        new = torch.where(start[:, None], old, self.gru(self.features(step), old)[0])
        # The caller never reuses a state
        put = torch.Tensor.index_put if torch.is_grad_enabled() else torch.Tensor.index_put_
        memory, readout = (
            put(memory, (rows, pair), new),
            put(readout, (rows, pair), self.read_out(new)),
        )
        played = torch.where(start, 0, state.played + 1)
        clock = self.clock(played)
        seen = torch.matmul(
            readout, clock[:, :-1].unflatten(-1, (self.RANK, self.roles))
        )  # [B, k, roles]
        return self.output(seen, step.observation, clock[:, -1]), ArmsState(
            memory, readout, played, step.observation
        )

    def sequence(self, steps: Step) -> PolicyOutput:
        """Whole meta-episodes from their first step, each a column of `steps` [T, B, ...].

        Equals `forward` step by step.
        """
        clock = self.clock(torch.arange(len(steps.prev_reward), device=steps.prev_reward.device))
        pair = self.pair(
            torch.cat([steps.observation[:1], steps.observation[:-1]]), steps.prev_action
        )
        pairs = self.num_observations * self.num_actions
        gru = self.gru
        hidden = KeyedMemory.apply(
            self.features(steps),
            pair,
            pairs,
            gru.weight_input,
            gru.weight_hidden,
            gru.bias,
            gru.bias_hidden,
        )[0]
        seen = LatestReadouts.apply(
            self.read_out(hidden), pair, pairs, clock[:, :-1].unflatten(-1, (self.RANK, self.roles))
        )[0]
        return self.output(seen, steps.observation, clock[:, -1:])

    def preprocess(self, steps: Step, valid: Tensor) -> Step:
        """Return `steps`: what is read of them depends on weights from the first operation on."""
        return steps

    def under_budget(self, max_steps: int) -> Reach:
        """Return itself, set to meta-episodes of exactly `max_steps` steps.

        What it does depends on the steps left.
        """
        self.max_steps = max_steps
        return Reach(self, max_steps, exactly=True)

    def lengthened(self, weights: dict[str, Tensor], max_steps: int) -> dict[str, Tensor]:
        """Return `weights`, which don't depend on the length."""
        return weights

    def pair(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return where a pair's memory lies among all."""
        return (observation - self.first_observation) * self.num_actions + action

    def features(self, step: Step) -> Tensor:
        """Return what a memory reads of its pair's reward: [..., 1]."""
        return self.reward_moments.normalise(step.prev_reward)[..., None]

    def read_out(self, memory: Tensor) -> Tensor:
        """[..., R] of memories [..., H]."""
        return self.contract(torch.relu(self.expand(memory)))

    def clock(self, played: Tensor) -> Tensor:
        """[..., roles R + 1] for a number of steps played."""
        return self.clock_contract(
            torch.relu(
                self.clock_expand(
                    clock_features(played, self.max_steps).to(self.clock_expand.weight.dtype)
                )
            )
        )

    def output(self, seen: Tensor, observation: Tensor, offset: Tensor) -> PolicyOutput:
        """Scores [..., B, k, roles] here are logits.

        The value is what likely actions promise here and anywhere, and an offset [..., B].
        """
        seen = seen.unflatten(-2, (self.num_observations, self.num_actions))
        # [..., B, observations, roles - 1]
        promises = (seen[..., 0].detach().softmax(-1)[..., None] * seen[..., 1:]).sum(-2)
        here = (observation - self.first_observation)[..., None]
        logits = seen[..., 0].take_along_dim(here[..., None], -2)[..., 0, :]
        value = promises[..., 0].take_along_dim(here, -1)[..., 0]
        if self.roles > 2:
            value = value + promises[..., 1].mean(-1)
        return PolicyOutput(logits, value + offset)

    @torch.no_grad()
    def learn_moments(self, steps: Step, valid: Tensor) -> None:
        """Take a rollout [T, B] into the running moments.

        Call it between updates, never within one.
        """
        self.reward_moments.update(steps.prev_reward[valid & ~steps.meta_episode_start])


CLOCK_FEATURES = 5


def clock_features(played: Tensor, max_steps: int) -> Tensor:
    """[..., 5].

    Shares and logarithms of the steps played and left, and the logarithm of their sum, each about 1
    at most.
    """
    played = played.to(torch.float32)
    left = (max_steps - played).clamp_min(1)
    scale = 1 / math.log(1000)
    whole = torch.full_like(played, math.log(max_steps) * scale)
    return torch.stack(
        [
            played / max_steps,
            left / max_steps,
            torch.log1p(played) * scale,
            left.log() * scale,
            whole,
        ],
        -1,
    )


class LatestReadouts(torch.autograd.Function):
    """[T, B, k, C]: every action's latest read-out times the step's weights [T, R, C], from
    read-outs [T, B, R] of the actions just taken.

    Actions not yet taken have the read-out of the first row, which stands for an empty memory.
    """

    @staticmethod
    def forward(
        readout: Tensor, action: Tensor, num_actions: int, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        length, rows = action.shape
        places = places_of(action, num_actions)
        before = torch.empty_like(readout)
        latest = readout[0].repeat_interleave(num_actions, 0)  # [B k, R]
        seen = readout.new_empty((length, rows * num_actions, weight.shape[-1]))
        for t in range(length):
            if t > 0:
                torch.index_select(latest, 0, places[t], out=before[t])
                latest.index_copy_(0, places[t], readout[t])
            torch.mm(latest, weight[t], out=seen[t])
        return seen.view(length, rows, num_actions, -1), torch.cat(
            [before.flatten(), latest.flatten()]
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        readout, action, ctx.num_actions, weight = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(readout, action, weight, output[1])

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None, *_: Any) -> tuple[Any, ...]:
        if grad_output is None:
            return (None,) * 4
        readout, action, weight, kept = ctx.saved_tensors
        places = places_of(action, ctx.num_actions)
        rank = readout.shape[-1]
        before = kept[: readout.numel()].view_as(readout)
        latest = kept[readout.numel() :].view(-1, rank).clone()
        grad_readout = torch.empty_like(readout)
        grad_weight = torch.empty_like(weight)
        grad = torch.zeros_like(latest)
        for t in reversed(range(len(readout))):
            here = grad_output[t].reshape(-1, weight.shape[-1])
            torch.mm(latest.t(), here, out=grad_weight[t])
            grad.addmm_(here, weight[t].t())
            if t > 0:
                torch.index_select(grad, 0, places[t], out=grad_readout[t])
                grad.index_fill_(0, places[t], 0)
                latest.index_copy_(0, places[t], before[t])
        grad_readout[0] = grad.view(readout.shape[1], -1, rank).sum(1)
        return grad_readout, None, None, grad_weight

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *arguments: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Stacked networks, one after another."""
        return one_by_one(LatestReadouts, info, in_dims, arguments)
