"""A policy with memory: inputs, a core that remembers, and heads for actions and values.

A user's own `nn.Module` serves as policy if it has `initial_state(batch_size)` and `forward(step, state) -> (PolicyOutput, state)`
and forgets the rows that `step.meta_episode_start` flags; `unroll` then trains it step by step.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor, nn

from metarl.envs.meta_episode import Step
from metarl.networks.actions import action_distribution
from metarl.networks.attention import Attention
from metarl.networks.feed_forward import FeedForward
from metarl.networks.gru import GRU
from metarl.networks.inputs import StepInputs
from metarl.networks.layers import linear
from metarl.networks.lstm import LSTM
from metarl.tasks.spaces import action_dtype, observation_dtype

__all__ = ["CORES", "NetworkConfig", "Policy", "PolicyOutput", "check_policy", "unroll"]

CORES = ("gru", "lstm", "attention")  # with memory, of `Policy`; `metarl.networks.arms` has a policy of its own
KNOWN = (*CORES, "none", "arms")


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a policy with memory.

    Attributes:
        core: what remembers: a GRU, an LSTM, causal attention over the meta-episode, or a GRU for each
            pair of observation and action ("arms", for bandits and small MDPs). "none" remembers nothing and
            reads the current observation only, with no previous action, reward or episode start: to compare with.
        units: size of the hidden vector, width of the attention, size of each pair's memory, or of both hidden layers.
        layers: attention layers; recurrent cores have one.
        heads: attention heads.
        previous_observation: read the observation before the current one too, so that a step holds a whole transition.
    """

    core: Literal["gru", "lstm", "attention", "none", "arms"] = "gru"
    units: int = 64
    layers: int = 2
    heads: int = 4
    previous_observation: bool = False

    def __post_init__(self) -> None:
        if self.core not in KNOWN:
            raise ValueError(f"There is no core {self.core!r}; choose one of {', '.join(KNOWN)}.")
        if min(self.units, self.layers, self.heads) < 1:
            raise ValueError(f"units, layers and heads must be at least 1, not {self.units}, {self.layers} and {self.heads}.")
        if self.core == "none" and self.previous_observation:
            raise ValueError(
                "A policy without memory can't read the previous observation; leave previous_observation off, or choose a core."
            )


class PolicyOutput(NamedTuple):
    """What a policy says of B rows."""

    parameters: Tensor  # [..., B, P] of the action distribution
    value: Tensor  # [..., B] return to go, as the learner normalises it


class PolicyState(NamedTuple):
    """What a policy remembers."""

    core: Any
    observation: Tensor  # [B, *obs] the last one seen


class Policy(nn.Module):
    """Inputs, core, heads.

    Args:
        observation_space, action_space: of one task.
        config: the shape.
        max_steps: most steps in a meta-episode.
        rng: draws the initial weights.
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, config: NetworkConfig, max_steps: int, rng: Generator):
        super().__init__()
        self.inputs = StepInputs(observation_space, action_space, config.previous_observation, observation_only=config.core == "none")
        if config.core == "attention":
            self.core: Any = Attention(self.inputs.size, config.units, rng, max_steps, config.layers, config.heads)
        else:
            self.core = {"gru": GRU, "lstm": LSTM, "none": FeedForward}[config.core](self.inputs.size, config.units, rng)
        num_parameters = action_distribution(action_space).num_parameters
        self.heads = linear(config.units, num_parameters + 1, rng)  # the action distribution's parameters, then the value
        with torch.no_grad():
            self.heads.weight[:-1].mul_(0.01)  # all actions start about equally likely

    def initial_state(self, batch_size: int) -> PolicyState:
        """The memory of `batch_size` rows that have seen nothing."""
        space = self.inputs.space
        observation = torch.zeros((batch_size, *(space.shape or ())), dtype=observation_dtype(space), device=self.heads.weight.device)
        return PolicyState(self.core.initial_state(batch_size), observation)

    def forward(self, step: Step, state: PolicyState) -> tuple[PolicyOutput, PolicyState]:
        """One step of B rows; rows that start a meta-episode forget first."""
        output, core = self.core(self.inputs(step, state.observation), forget(state.core, step.meta_episode_start))
        return self._heads(output), PolicyState(core, step.observation)

    def sequence(self, steps: Step | Tensor) -> PolicyOutput:
        """Whole meta-episodes from their first step, each a column of `steps` [T, B, ...]; equals `forward` step by step.

        `steps` may also be what `read` made of them.
        """
        return self._heads(self.core.sequence(steps if isinstance(steps, Tensor) else self.read(steps)))

    def read(self, steps: Step) -> Tensor:
        """Features [T, B, F] of whole meta-episodes. No weights are involved, so that a learner can keep them for a whole update."""
        previous = torch.cat([steps.observation[:1], steps.observation[:-1]]) if self.inputs.previous_observation else None
        return self.inputs(steps, previous)

    def learn_moments(self, steps: Step, valid: Tensor) -> None:
        """Take a rollout [T, B] into the running moments of the inputs; call it between updates, never within one."""
        self.inputs.learn_moments(steps, valid)

    def _heads(self, output: Tensor) -> PolicyOutput:
        heads = self.heads(output)
        return PolicyOutput(heads[..., :-1], heads[..., -1])


def forget(state: Any, rows: Tensor) -> Any:
    """Core states with zeros in `rows` [B]; an attention cache needs only its clock set back."""
    if isinstance(state, Tensor):
        return state.masked_fill(rows.reshape(rows.shape + (1,) * (state.dim() - rows.dim())), 0)
    if hasattr(state, "clock"):
        return state._replace(clock=torch.where(rows, 0, state.clock))
    parts = [forget(part, rows) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


@torch.no_grad()
def check_policy(policy: Any, observation_space: gym.Space, action_space: gym.Space, device: torch.device) -> None:
    """Raise ValueError unless `policy`, a user's own, puts out what actions of `action_space` need."""
    rows, first = 2, torch.as_tensor(np.array(getattr(observation_space, "start", 0)))
    observation = torch.zeros((rows, *(observation_space.shape or ())), dtype=observation_dtype(observation_space)) + first
    action = torch.zeros((rows, *(action_space.shape or ())), dtype=action_dtype(action_space))
    yes = torch.ones(rows, dtype=torch.bool)
    step = Step(observation.to(observation_dtype(observation_space)), action, torch.zeros(rows), ~yes, ~yes, observation, yes)
    answer = policy(Step(*(field.to(device) for field in step)), policy.initial_state(rows))
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], PolicyOutput)):
        raise ValueError(f"{type(policy).__name__}'s forward must return (PolicyOutput(parameters, value), state).")
    wanted, found = (rows, action_distribution(action_space).num_parameters), tuple(answer[0].parameters.shape)
    if found != wanted or tuple(answer[0].value.shape) != (rows,):
        raise ValueError(
            f"{type(policy).__name__} puts out parameters {found} and values {tuple(answer[0].value.shape)} for {rows} rows; "
            f"{action_space} needs {wanted} and {(rows,)}."
        )


def unroll(policy: Any, steps: Step | Tensor) -> PolicyOutput:
    """What `policy` says along whole meta-episodes [T, B, ...]: in parallel if it can, else step by step."""
    if hasattr(policy, "sequence"):
        return policy.sequence(steps)
    assert isinstance(steps, Step)
    state, outputs = policy.initial_state(steps.prev_reward.shape[1]), []
    for t in range(len(steps.prev_reward)):
        output, state = policy(Step(*(field[t] for field in steps)), state)
        outputs.append(output)
    return PolicyOutput(torch.stack([o.parameters for o in outputs]), torch.stack([o.value for o in outputs]))
