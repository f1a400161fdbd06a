"""A policy with memory: inputs, a core that remembers, and heads for actions and values.

A user's own `nn.Module` serves as policy if it has `initial_state(batch_size)` and `forward(step,
state) -> (PolicyOutput, state)` and forgets the rows that `step.meta_episode_start` flags;
`metarl.networks.policies.own_policy` checks it and adds the rest of what `MemoryPolicy` asks.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn

from metarl.core.arguments import check_fields
from metarl.core.step import Step
from metarl.networks.actions import action_distribution
from metarl.networks.cores.attention import Attention
from metarl.networks.cores.feed_forward import FeedForward
from metarl.networks.cores.gru import GRU
from metarl.networks.cores.lstm import LSTM
from metarl.networks.encoders import ENCODERS, encode_counted, make_encoder
from metarl.networks.inputs import StepInputs
from metarl.networks.layers import linear

__all__ = ["CORES", "MemoryPolicy", "NetworkConfig", "Policy", "PolicyOutput", "Reach", "Seen"]

CORES = ("gru", "lstm", "attention")  # with memory, of `Policy`
# Without memory; with policies of their own, see `metarl.networks.policies.build`
OTHERS = ("none", "per_pair_memory", "spatial_memory")


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a policy with memory.

    Attributes:
        core: what remembers: a GRU, an LSTM, causal attention over the meta-episode, a GRU for each
            pair of observation and action ("per_pair_memory", for bandits and small MDPs), or for
            each place beside one that goes along ("spatial_memory", for mazes). "none" remembers
            nothing and reads the current observation only, with no previous action, reward or
            episode start: to compare with.
        hidden_size: size of the hidden vector, width of the attention, size of each pair's memory,
            or of both hidden layers.
        layers: attention layers; recurrent cores have one.
        heads: attention heads.
        previous_observation: read the observation before the current one too, so that a step holds
            a whole transition.
        encoder: what images are read by: RL²'s two convolutions, the Nature network, IMPALA's
            residual one, or nothing (pixels as numbers); "auto" takes RL²'s for images of 13x13
            pixels or more, and nothing for other observations (see
            `metarl.networks.encoders.fitting_encoder`). All work with every core but
            "per_pair_memory", which reads no images.
    """

    core: Literal["gru", "lstm", "attention", "none", "per_pair_memory", "spatial_memory"] = "gru"
    hidden_size: int = 64
    layers: int = 2
    heads: int = 4
    previous_observation: bool = False
    encoder: Literal["auto", "none", "rl2", "nature", "impala"] = "auto"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.core not in (*CORES, *OTHERS):
            raise ValueError(
                f"There is no core {self.core!r}; choose one of {', '.join((*CORES, *OTHERS))}."
            )
        if min(self.hidden_size, self.layers, self.heads) < 1:
            raise ValueError(
                f"hidden_size, layers and heads must be at least 1, not {self.hidden_size},"
                f" {self.layers} and {self.heads}."
            )
        if self.encoder not in ("auto", "none", *ENCODERS):
            raise ValueError(
                f"There is no encoder {self.encoder!r}; choose one of"
                f" {', '.join(('auto', 'none', *ENCODERS))}."
            )
        if self.core == "per_pair_memory" and self.encoder in ENCODERS:
            able = [core for core in (*CORES, *OTHERS) if core != "per_pair_memory"]
            raise ValueError(
                f"The core {self.core!r} reads no images; for the encoder {self.encoder!r} choose"
                f" {', '.join(able)}."
            )
        if self.core == "none" and self.previous_observation:
            raise ValueError(
                "A policy without memory can't read the previous observation; leave"
                " previous_observation off, or choose a core."
            )


class PolicyOutput(NamedTuple):
    """What a policy says of B rows."""

    parameters: Tensor  # [..., B, P] of the action distribution
    value: Tensor  # [..., B] return to go, as the learner normalises it


class Reach(NamedTuple):
    """For how many steps a policy may act."""

    policy: Any  # the policy, as it is for that many steps
    steps: int | None  # None: for as many as one likes
    # For `steps` and no other number, since what it does depends on the steps left
    exactly: bool = False


@runtime_checkable
class MemoryPolicy(Protocol):
    """What learners ask of a policy with memory, an `nn.Module`; they know no network by name."""

    def initial_state(self, batch_size: int) -> Any:
        """Return the memory of `batch_size` rows that have seen nothing."""
        ...

    def __call__(self, step: Step, state: Any) -> tuple["PolicyOutput", Any]:
        """Take one step of B rows; rows that start a meta-episode forget first."""
        ...

    def sequence(self, steps: Any) -> "PolicyOutput":
        """Return what it says along whole meta-episodes [T, B, ...], of steps or of what
        `preprocess` made of them.
        """
        ...

    def preprocess(self, steps: Step, valid: Tensor) -> Any:
        """Return what `sequence` reads of steps [T, B, ...] without weights, to be kept for a whole
        update.

        Where `valid` [T, B] is false, nobody asks for what it says.
        """
        ...

    def learn_moments(self, steps: Step, valid: Tensor) -> None:
        """Take a rollout [T, B] into the normalisers of its inputs, between updates."""
        ...

    def under_budget(self, max_steps: int) -> Reach:
        """Return what it becomes for meta-episodes of `max_steps` steps, and for how many steps
        that may act.

        Raises:
            ValueError: it can't act for that long.
        """
        ...

    def lengthened(self, weights: dict[str, Tensor], max_steps: int) -> dict[str, Tensor]:
        """Return `weights` of such a policy for another length as a start for one of `max_steps`
        steps.
        """
        ...


class Seen(NamedTuple):
    """What a policy with an encoder reads of steps, before any weight is involved."""

    images: Tensor  # [..., B, H, W, C] bytes
    rest: Tensor  # [..., B, F] features of the rest
    counts: Tensor  # [..., B] bool: where not, nobody asks for what the policy says, and the image isn't looked at


class PolicyState(NamedTuple):
    """What a policy remembers."""

    core: Any
    observation: Tensor  # [B, *obs] the last one seen


class Policy(nn.Module):
    """Inputs, for images an encoder, core, heads.

    Args:
        observation_space, action_space: of one task.
        config: the shape.
        max_steps: most steps in a meta-episode.
        rng: draws the initial weights.

    Raises:
        ValueError: spaces that the policy or its encoder can't read or act in.
    """

    def __init__(
        self,
        observation_space: gym.Space,
        action_space: gym.Space,
        config: NetworkConfig,
        max_steps: int,
        rng: Generator,
    ):
        super().__init__()
        self.static_shapes = False  # true: don't look at a value to save work
        self.encoder = make_encoder(config.encoder, observation_space, rng)
        if self.encoder is not None and config.previous_observation:
            raise ValueError(
                "Encoded images are read once, and remembered by the core; leave"
                " previous_observation out."
            )
        encoded = self.encoder is not None
        memoryless = config.core == "none"
        self.inputs = StepInputs(
            observation_space, action_space, config.previous_observation, encoded, memoryless
        )
        size = self.inputs.size if self.encoder is None else self.encoder.size + self.inputs.size
        if config.core == "attention":
            self.core: Any = Attention(
                size, config.hidden_size, rng, max_steps, config.layers, config.heads
            )
        else:
            self.core = {"gru": GRU, "lstm": LSTM, "none": FeedForward}[config.core](
                size, config.hidden_size, rng
            )
        num_parameters = action_distribution(action_space).num_parameters
        # The action distribution's parameters, then the value
        self.heads = linear(config.hidden_size, num_parameters + 1, rng)
        with torch.no_grad():
            self.heads.weight[:-1].mul_(0.01)  # all actions start about equally likely

    def initial_state(self, batch_size: int) -> PolicyState:
        """Return the memory of `batch_size` rows that have seen nothing."""
        space = self.inputs.space
        observation = torch.zeros(
            (batch_size, *(space.shape or ())),
            dtype=self.inputs.observation_dtype,
            device=self.heads.weight.device,
        )
        return PolicyState(self.core.initial_state(batch_size), observation)

    def forward(self, step: Step, state: PolicyState) -> tuple[PolicyOutput, PolicyState]:
        """Return one step of B rows; rows that start a meta-episode forget first."""
        features = self.inputs(step, state.observation)
        if self.encoder is not None:
            features = torch.cat([self.encoder(step.observation), features], -1)
        output, core = self.core(features, forget(state.core, step.meta_episode_start))
        return self._heads(output), PolicyState(core, step.observation)

    def sequence(self, steps: Step | Tensor | Seen) -> PolicyOutput:
        """Whole meta-episodes from their first step, each a column of `steps` [T, B, ...]; equals
        `forward` step by step.

        `steps` may also be what `preprocess` made of them.
        """
        seen = self.preprocess(steps) if isinstance(steps, Step) else steps
        return self._heads(
            self.core.sequence(self._encoded(seen) if isinstance(seen, Seen) else seen)
        )

    def preprocess(self, steps: Step, valid: Tensor | None = None) -> Tensor | Seen:
        """Return what there is to read in whole meta-episodes: features [T, B, F], for an encoder
        its images and features of the rest.

        No weights are involved, so that a learner can keep it for a whole update. What the policy
        says after a row's meta-episode is over, where `valid` [T, B] is false, must not be used
        then.
        """
        previous = (
            torch.cat([steps.observation[:1], steps.observation[:-1]])
            if self.inputs.previous_observation
            else None
        )
        features = self.inputs(steps, previous)
        if self.encoder is None:
            return features
        return Seen(
            steps.observation,
            features,
            torch.ones_like(steps.meta_episode_start) if valid is None else valid,
        )

    def learn_moments(self, steps: Step, valid: Tensor) -> None:
        """Take a rollout [T, B] into the running moments of the inputs.

        Call it between updates, never within one.
        """
        self.inputs.learn_moments(steps, valid)

    def under_budget(self, max_steps: int) -> Reach:
        """Return itself, and the steps that its core can remember.

        Raises:
            ValueError: an attention core remembers fewer than `max_steps`.
        """
        longest = self.core.max_steps
        if longest is not None and max_steps > longest:
            raise ValueError(
                f"This policy remembers {longest} steps and can't act for {max_steps}; train it"
                " with more episodes or use a recurrent core."
            )
        return Reach(self, longest)

    def lengthened(self, weights: dict[str, Tensor], max_steps: int) -> dict[str, Tensor]:
        """Return `weights` for `max_steps` steps.

        Attention's positions that are new get the last one.
        """
        name = "core.positions"
        if name not in weights or len(weights[name]) == max_steps:
            return weights
        positions = weights[name][:max_steps]
        missing = max_steps - len(positions)
        return {**weights, name: torch.cat([positions, positions[-1:].expand(missing, -1)])}

    def _encoded(self, seen: Seen) -> Tensor:
        """Features [T, B, F]: the encoder's, zeros where steps don't count, and the rest."""
        assert self.encoder is not None
        if self.static_shapes:
            return torch.cat([self.encoder(seen.images), seen.rest], -1)
        return torch.cat([encode_counted(self.encoder, seen.images, seen.counts), seen.rest], -1)

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
