"""A policy without memory for single episodes: an encoder of images or a perceptron, and heads for
actions and values.

The Nature network with both heads on its 512 features is that of PPO's Atari experiments (Schulman
et al. 2017, arXiv 1707.06347, section 6.4), IMPALA's that of CoinRun's larger agents (Cobbe et al.
2018, arXiv 1812.02341, section 3).
"""

from dataclasses import dataclass
from typing import Any, Literal

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn

from metarl.core.arguments import check_fields
from metarl.networks.actions import action_distribution
from metarl.networks.cores.feed_forward import FeedForward
from metarl.networks.encoders import ENCODERS, make_encoder
from metarl.networks.inputs import StepInputs
from metarl.networks.layers import linear
from metarl.networks.policies.policy import PolicyOutput

__all__ = ["ActorCritic", "ActorCriticConfig"]


PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class ActorCriticConfig:
    """The shape of a policy without memory.

    Attributes:
        encoder: what images are read by: the Nature network, IMPALA's residual one, or RL²'s two
            convolutions; "auto" takes the Nature network for images of 36x36 pixels or more and
            RL²'s for smaller ones. Other observations have none.
        hidden_size: size of both hidden layers where there is no encoder.
        precision: what an encoder computes in; "bfloat16" takes about half of the time where the
            processor has instructions for it (AVX-512 BF16, AMX, GPUs), and much more where it
            hasn't.
    """

    encoder: Literal["auto", "none", "rl2", "nature", "impala"] = "auto"
    hidden_size: int = 64
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.encoder not in ("auto", "none", *ENCODERS):
            raise ValueError(
                f"There is no encoder {self.encoder!r}; choose one of"
                f" {', '.join(('auto', 'none', *ENCODERS))}."
            )
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"There is no precision {self.precision!r}; choose one of {', '.join(PRECISIONS)}."
            )
        if self.hidden_size < 1:
            raise ValueError(f"hidden_size must be at least 1, not {self.hidden_size}.")


class ActorCritic(nn.Module):
    """Encoder or hidden layers, then heads.

    Args:
        observation_space, action_space: of one task.
        config: the shape.
        rng: draws the initial weights.

    Raises:
        ValueError: spaces that it can't read or act in.
    """

    def __init__(
        self,
        observation_space: gym.Space,
        action_space: gym.Space,
        config: ActorCriticConfig,
        rng: Generator,
    ):
        super().__init__()
        precision = PRECISIONS[config.precision]
        self.encoder = make_encoder(
            config.encoder, observation_space, rng, precision, preferred=("nature", "rl2")
        )
        encoded = self.encoder is not None
        self.inputs = StepInputs(
            observation_space, action_space, encoded=encoded, observation_only=True
        )
        self.hidden: Any = (
            None
            if self.encoder is not None
            else FeedForward(self.inputs.size, config.hidden_size, rng)
        )
        size = self.encoder.size if self.encoder is not None else config.hidden_size
        # The distribution's, then the value
        self.heads = linear(size, action_distribution(action_space).num_parameters + 1, rng)
        with torch.no_grad():
            self.heads.weight[:-1].mul_(0.01)  # all actions start about equally likely

    def sequence(self, observations: Tensor) -> PolicyOutput:
        """Return what it says of observations [..., *obs], each by itself."""
        features = (
            self.hidden.sequence(self.inputs.encode(observations))
            if self.encoder is None
            else self.encoder(observations)
        )
        heads = self.heads(features)
        return PolicyOutput(heads[..., :-1], heads[..., -1])

    forward = sequence
