"""A policy for actions that are alike before the first is tried, such as a bandit's arms; it reads any number of them.

Every action has a memory of its own: a GRU, shared by all actions, that reads the rewards of that action and of no other. An action's
score is a learned function of its memory and of the steps played and left, like a Gittins index. So the number of weights doesn't depend
on the number of actions, what is learned about one action holds for all, and a network trained on 10 arms plays 50.
"""

import math
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn

from metarl.envs.meta_episode import Step
from metarl.networks.gru import GRU, accumulate, advance, over_steps, retrace, with_one
from metarl.networks.layers import linear
from metarl.networks.normalisation import RunningMoments
from metarl.networks.policy import PolicyOutput

__all__ = ["ArmsPolicy", "ArmsState"]


class ArmsState(NamedTuple):
    """What the policy remembers of B rows with k actions; R numbers are read out of each memory."""

    memory: Tensor  # [B, k, H]
    readout: Tensor  # [B, k, R] of `memory`
    played: Tensor  # [B] int64, steps of the meta-episode so far


class ArmsPolicy(nn.Module):
    """A memory for each action, and scores that fall or rise with the steps left.

    Args:
        observation_space: must tell nothing (one value). action_space: Discrete.
        units: H, size of an action's memory.
        max_steps: T, steps of a meta-episode that the policy is trained for.
        rng: draws the initial weights.
    """

    RANK = 16  # R, numbers that are read out of each memory

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, units: int, max_steps: int, rng: Generator):
        super().__init__()
        if (
            not isinstance(action_space, gym.spaces.Discrete)
            or not isinstance(observation_space, gym.spaces.Discrete)
            or observation_space.n > 1
        ):
            raise ValueError(
                f"The core 'arms' is for tasks whose observation never changes and whose actions are Discrete, "
                f"not for {observation_space} and {action_space}; choose gru, lstm or attention."
            )
        self.num_actions, self.max_steps = int(action_space.n), max_steps
        self.reward_moments = RunningMoments(())
        self.gru = GRU(1, units, rng)
        self.expand = linear(units, 2 * self.RANK, rng, math.sqrt(2))
        self.contract = linear(2 * self.RANK, self.RANK, rng)
        self.clock_expand = linear(CLOCK_FEATURES, 32, rng, math.sqrt(2))
        self.clock_contract = linear(32, 2 * self.RANK + 1, rng)  # for each step, how read-outs make scores and values; the value's offset
        with torch.no_grad():
            self.clock_contract.weight[: self.RANK].mul_(0.1)  # all actions start about equally likely

    def initial_state(self, batch_size: int) -> ArmsState:
        """Memories of `batch_size` rows that have seen nothing."""
        memory = self.gru.bias.new_zeros(batch_size, self.num_actions, self.gru.size)
        readout = self.read(memory[:1, :1]).expand(batch_size, self.num_actions, -1).clone()
        return ArmsState(memory, readout, torch.zeros(batch_size, dtype=torch.int64, device=memory.device))

    def forward(self, step: Step, state: ArmsState) -> tuple[PolicyOutput, ArmsState]:
        """One step of B rows; rows that start a meta-episode forget first."""
        start, rows = step.meta_episode_start, torch.arange(len(step.prev_reward), device=step.prev_reward.device)
        memory = state.memory.masked_fill(start[:, None, None], 0)
        empty = self.read(memory.new_zeros(self.gru.size))
        readout = torch.where(start[:, None, None], empty, state.readout)
        action, old = step.prev_action, memory[rows, step.prev_action]
        new = torch.where(start[:, None], old, self.gru(self.features(step), old)[0])
        memory, readout = (
            memory.index_put((rows, action), new),
            readout.index_put((rows, action), torch.where(start[:, None], empty, self.read(new))),
        )
        played = torch.where(start, 0, state.played + 1)
        clock = self.clock(played)
        seen = torch.matmul(readout, clock[:, :-1].unflatten(-1, (self.RANK, 2)))  # [B, k, 2]
        return self.output(seen, clock[:, -1]), ArmsState(memory, readout, played)

    def sequence(self, steps: Step) -> PolicyOutput:
        """Whole meta-episodes from their first step, each a column of `steps` [T, B, ...]; equals `forward` step by step."""
        length = len(steps.prev_reward)
        clock = self.clock(torch.arange(length, device=steps.prev_reward.device))
        gru = self.gru
        hidden = ArmsMemory.apply(
            self.features(steps), steps.prev_action, self.num_actions, gru.weight_input, gru.weight_hidden, gru.bias, gru.bias_hidden
        )[0]
        seen = LatestReadouts.apply(self.read(hidden), steps.prev_action, self.num_actions, clock[:, :-1].unflatten(-1, (self.RANK, 2)))[0]
        return self.output(seen, clock[:, -1:])

    def features(self, step: Step) -> Tensor:
        """What a memory reads of its action's reward: [..., 1]."""
        return self.reward_moments.normalise(step.prev_reward)[..., None]

    def read(self, memory: Tensor) -> Tensor:
        """[..., R] of memories [..., H]."""
        return self.contract(torch.relu(self.expand(memory)))

    def clock(self, played: Tensor) -> Tensor:
        """[..., 2 R + 1] for a number of steps played."""
        return self.clock_contract(torch.relu(self.clock_expand(clock_features(played, self.max_steps).to(self.clock_expand.weight.dtype))))

    def output(self, seen: Tensor, offset: Tensor) -> PolicyOutput:
        """Scores are logits; the value is what actions promise, weighted by how likely they are, and an offset [..., B]."""
        logits, promise = seen.unbind(-1)
        return PolicyOutput(logits, (logits.detach().softmax(-1) * promise).sum(-1) + offset)

    @torch.no_grad()
    def learn_moments(self, steps: Step, valid: Tensor) -> None:
        """Take a rollout [T, B] into the running moments; call it between updates, never within one."""
        self.reward_moments.update(steps.prev_reward[valid & ~steps.meta_episode_start])


CLOCK_FEATURES = 5


def clock_features(played: Tensor, max_steps: int) -> Tensor:
    """[..., 5]: shares and logarithms of the steps played and left, and the logarithm of their sum, each about 1 at most."""
    played = played.to(torch.float32)
    left = (max_steps - played).clamp_min(1)
    scale = 1 / math.log(1000)
    whole = torch.full_like(played, math.log(max_steps) * scale)
    return torch.stack([played / max_steps, left / max_steps, torch.log1p(played) * scale, left.log() * scale, whole], -1)


class ArmsMemory(torch.autograd.Function):
    """Memories [T, B, H] of the actions that were just taken, from reward features [T, B, F] and actions [T, B].

    The first row is no action. The GRU of `metarl.networks.gru`, but each step goes on from the step that last took the same action.
    """

    @staticmethod
    def forward(
        features: Tensor, action: Tensor, num_actions: int, weight_input: Tensor, weight_hidden: Tensor, bias: Tensor, bias_hidden: Tensor
    ) -> tuple[Tensor, ...]:
        length, rows, units = *action.shape, bias.shape[-1]
        gates = features.new_empty((3, length, rows, units))
        inputs, weight_input = with_one(features), torch.cat([weight_input, bias[:, None]], 1)
        for g, scale in enumerate((1, 1, 2)):  # the candidate's is doubled, as in `advance`
            torch.matmul(inputs, scale * weight_input[g], out=gates[g])
        hidden, recurrent, olds = (features.new_zeros((length, rows, units)) for _ in range(3))
        weights, places = [weight.contiguous() for weight in weight_hidden], places_of(action, num_actions)
        latest = features.new_zeros(rows * num_actions, units)
        for t in range(1, length):
            torch.index_select(latest, 0, places[t], out=olds[t])
            advance(gates[:, t], recurrent[t], olds[t], hidden[t], weights, bias_hidden)
            latest.index_copy_(0, places[t], hidden[t])
        return hidden, gates, recurrent, olds

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        features, action, ctx.num_actions, _, weight_hidden, _, _ = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(features, action, weight_hidden, *output)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None, *_: Any) -> tuple[Any, ...]:
        if grad_output is None:
            return (None,) * 7
        features, action, weight_hidden, hidden, gates, recurrent, olds = ctx.saved_tensors
        grads, grad_recurrent = torch.zeros_like(gates), torch.zeros_like(recurrent)
        weights, places = [weight.t().contiguous() for weight in weight_hidden], places_of(action, ctx.num_actions)
        latest = hidden.new_zeros(action.shape[1] * ctx.num_actions, hidden.shape[-1])
        for t in reversed(range(1, len(hidden))):
            grad = latest.index_select(0, places[t]).add_(grad_output[t])
            retrace(grad, gates[:, t], recurrent[t], hidden[t], grads[:, t], grad_recurrent[t])
            grad *= gates[1, t]
            for part, weight in zip((grads[0, t], grads[1, t], grad_recurrent[t]), weights, strict=True):
                accumulate(grad, part, weight)
            latest.index_copy_(0, places[t], grad)
        grad_hidden = torch.stack([over_steps(olds, part) for part in (grads[0], grads[1], grad_recurrent)])
        grad_input = torch.stack([over_steps(with_one(features), grads[g]) for g in range(3)])
        return None, None, None, grad_input[:, :-1], grad_hidden, grad_input[:, -1], grad_recurrent.sum((0, 1))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Stacked networks, one after another."""
        return one_by_one(ArmsMemory, info, in_dims, arguments)


class LatestReadouts(torch.autograd.Function):
    """[T, B, k, 2]: every action's latest read-out times the step's weights [T, R, 2], from read-outs [T, B, R] of the actions just taken.

    Actions not yet taken have the read-out of the first row, which stands for an empty memory.
    """

    @staticmethod
    def forward(readout: Tensor, action: Tensor, num_actions: int, weight: Tensor) -> tuple[Tensor, Tensor]:
        length, rows = action.shape
        places, before = places_of(action, num_actions), torch.empty_like(readout)
        latest = readout[0].repeat_interleave(num_actions, 0)  # [B k, R]
        seen = readout.new_empty((length, rows * num_actions, 2))
        for t in range(length):
            if t > 0:
                torch.index_select(latest, 0, places[t], out=before[t])
                latest.index_copy_(0, places[t], readout[t])
            torch.mm(latest, weight[t], out=seen[t])
        return seen.view(length, rows, num_actions, 2), torch.cat([before.flatten(), latest.flatten()])

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
        places, rank = places_of(action, ctx.num_actions), readout.shape[-1]
        before, latest = kept[: readout.numel()].view_as(readout), kept[readout.numel() :].view(-1, rank).clone()
        grad_readout, grad_weight, grad = torch.empty_like(readout), torch.empty_like(weight), torch.zeros_like(latest)
        for t in reversed(range(len(readout))):
            here = grad_output[t].reshape(-1, 2)
            torch.mm(latest.t(), here, out=grad_weight[t])
            grad.addmm_(here, weight[t].t())
            if t > 0:
                torch.index_select(grad, 0, places[t], out=grad_readout[t])
                grad.index_fill_(0, places[t], 0)
                latest.index_copy_(0, places[t], before[t])
        grad_readout[0] = grad.view(readout.shape[1], -1, rank).sum(1)
        return grad_readout, None, None, grad_weight

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Stacked networks, one after another."""
        return one_by_one(LatestReadouts, info, in_dims, arguments)


def places_of(action: Tensor, num_actions: int) -> Tensor:
    """Where the rows' actions [T, B] lie among B k memories."""
    return action + num_actions * torch.arange(action.shape[1], device=action.device)


def one_by_one(
    function: Any, info: Any, in_dims: tuple[int | None, ...], arguments: tuple[Any, ...]
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """A function under vmap as a loop, stacked along a new first dimension."""
    members = [
        function.apply(*(part if dim is None else part.select(dim, i) for part, dim in zip(arguments, in_dims, strict=True)))
        for i in range(info.batch_size)
    ]
    outputs = tuple(torch.stack(parts) for parts in zip(*members, strict=True))
    return outputs, (0,) * len(outputs)
