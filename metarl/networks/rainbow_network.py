"""Rainbow's network: returns of every action as a distribution over fixed atoms, from duelling
streams with noisy layers.

Hessel et al. 2018 (arXiv 1710.02298), section 4; duelling after Wang et al. 2016 (arXiv
1511.06581), equation 9; atoms after Bellemare et al. 2017 (arXiv 1707.06887); noisy layers after
Fortunato et al. 2018. Each can be switched off.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn

from metarl.core.arguments import check_fields
from metarl.networks.actions import check_size
from metarl.networks.encoders import Plain, make_encoder, scaled
from metarl.networks.inputs import StepInputs
from metarl.networks.noisy import Noise, NoisyLinear, draw_noise
from metarl.networks.perceptron import uniform_linear

__all__ = ["RainbowNetwork", "RainbowNetworkConfig"]


@dataclass(frozen=True)
class RainbowNetworkConfig:
    """The shape of Rainbow's network.

    Attributes:
        encoder: of images; "auto" is the Nature network's where images are large enough for it,
            otherwise RL²'s or none.
        layers: units of each rectified layer over observations that no encoder reads.
        hidden: units of each stream's hidden layer, which reads an encoder's convolutions as in the
            paper. 0 leaves it out: both streams then share the encoder's own last layer, which is
            less than half the work.
        duelling: one stream for the state and one for the actions' advantages, rather than one in
            all.
        noisy: noise in the streams' weights explores; otherwise an epsilon of all actions is
            random.
        sigma: noise at the start.
        distributional: learn the distribution of returns, rather than its mean.
        atoms: points of its support, evenly spaced.
        v_min: the first atom, in units of the return of scaled and clipped rewards.
        v_max: the last one.
        precision: what encoders compute in; weights stay float32. "bfloat16" is faster where the
            processor has instructions for it.
    """

    encoder: Literal["auto", "none", "rl2", "nature", "impala"] = "auto"
    layers: tuple[int, ...] = (128,)
    hidden: int = 512
    duelling: bool = True
    noisy: bool = True
    sigma: float = 0.5
    distributional: bool = True
    atoms: int = 51
    v_min: float = -10.0
    v_max: float = 10.0
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.encoder not in ("auto", "none", "rl2", "nature", "impala"):
            raise ValueError(
                f"encoder must be auto, none, rl2, nature or impala, not {self.encoder!r}."
            )
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be float32 or bfloat16, not {self.precision!r}.")
        if any(size < 1 for size in self.layers) or self.hidden < 0:
            raise ValueError(
                f"Layers need at least one unit each, not {self.layers}, and hidden can't be"
                f" negative, as {self.hidden} is."
            )
        if self.sigma < 0:
            raise ValueError(f"sigma can't be negative, as {self.sigma} is.")
        if self.distributional and (self.atoms < 2 or not self.v_min < self.v_max):
            raise ValueError(
                f"A support needs 2 atoms or more and v_min < v_max, not {self.atoms} on"
                f" [{self.v_min}, {self.v_max}]."
            )


class RainbowNetwork(nn.Module):
    """Gives every action of a Discrete space a distribution of returns, or a mean return.

    Boxes that aren't images are normalised by moments that `learn_moments` takes; until then they
    are read as they are.

    Args:
        observation_space, action_space: of one task.
        config: the shape.
        rng: draws the initial weights.

    Raises:
        ValueError: actions that aren't Discrete from 0, or observations that the encoder can't
            read.
    """

    support: Tensor

    def __init__(
        self,
        observation_space: gym.Space,
        action_space: gym.Space,
        config: RainbowNetworkConfig,
        rng: Generator,
    ):
        super().__init__()
        if not isinstance(action_space, gym.spaces.Discrete) or action_space.start != 0:
            raise ValueError(
                f"Rainbow chooses among Discrete actions that start at 0, not {action_space}; use"
                " PPO, or discretise them."
            )
        check_size(
            "Actions",
            action_space,
            int(action_space.n) * (config.atoms if config.distributional else 1),
        )
        self.config = config
        self.num_actions = int(action_space.n)
        self.encoder: Any = _encoder(observation_space, config, rng)
        self.inputs = StepInputs(
            observation_space, action_space, encoded=self.encoder is not None, observation_only=True
        )
        sizes = (
            (max(1, self.inputs.size), *config.layers)
            if self.encoder is None
            else (self.encoder.size,)
        )
        self.layers = nn.ModuleList(uniform_linear(*pair, rng) for pair in pairwise(sizes))
        self.atoms = config.atoms if config.distributional else 1
        self.advantage = self._stream(sizes[-1], self.num_actions * self.atoms, rng)
        self.state = self._stream(sizes[-1], self.atoms, rng) if config.duelling else None
        streams = [self.advantage] if self.state is None else [self.advantage, self.state]
        # In the order of `forward`
        self._noisy = tuple(
            layer for stream in streams for layer in stream if isinstance(layer, NoisyLinear)
        )
        support = (
            torch.linspace(config.v_min, config.v_max, config.atoms)
            if config.distributional
            else torch.zeros(1)
        )
        self.register_buffer("support", support)  # [Z]

    def noise(self, rng: Generator, rows: int | None = None) -> list[Noise]:
        """Draws for every noisy layer: one for a whole batch, or one for each of `rows` rows."""
        return draw_noise(self._noisy, rng, rows)

    def forward(self, observation: Tensor, noise: list[Noise] | None = None) -> Tensor:
        """Outputs [B, A, Z] for observations [B, *obs]: unnormalised log-probabilities of the
        atoms, or, with Z = 1, values.

        Without noise, noisy layers use their mean weights.
        """
        hidden = (
            self.encoder(observation)
            if self.encoder is not None
            else self.inputs.encode(observation)
        )
        if hidden.shape[1] == 0:  # an observation that never changes
            hidden = hidden.new_zeros(len(hidden), 1)
        for layer in self.layers:
            hidden = layer(hidden).relu()
        draws = iter(noise or ())
        outputs = _pass(self.advantage, hidden, draws).unflatten(1, (self.num_actions, self.atoms))
        if self.state is None:
            return outputs
        return _pass(self.state, hidden, draws)[:, None] + outputs - outputs.mean(1, keepdim=True)

    def values(self, outputs: Tensor) -> Tensor:
        """Mean returns [B, A] of outputs [B, A, Z]."""
        return outputs.softmax(-1) @ self.support if self.config.distributional else outputs[..., 0]

    @torch.no_grad()
    def learn_moments(self, observations: Tensor) -> None:
        """Normalise boxes by the moments of `observations` [n, *obs].

        Images and discrete observations stay as they are.
        """
        if self.inputs.normalises:
            self.inputs.observation_moments.update(observations)

    def _stream(self, inputs: int, outputs: int, rng: Generator) -> nn.ModuleList:
        sizes = (inputs, self.config.hidden, outputs) if self.config.hidden else (inputs, outputs)
        if self.config.noisy:
            return nn.ModuleList(
                NoisyLinear(*pair, self.config.sigma, rng) for pair in pairwise(sizes)
            )
        return nn.ModuleList(uniform_linear(*pair, rng) for pair in pairwise(sizes))


def _pass(stream: nn.ModuleList, hidden: Tensor, draws: Any) -> Tensor:
    """[B, F] through the layers of a stream, rectified between them."""
    for i, layer in enumerate(stream):
        hidden = hidden if i == 0 else hidden.relu()
        hidden = (
            layer(hidden, next(draws, None)) if isinstance(layer, NoisyLinear) else layer(hidden)
        )
    return hidden


class Convolutions(nn.Module):
    """Those of a plain encoder, without its linear layer: what reads them has layers of its own."""

    def __init__(self, encoder: Plain):
        super().__init__()
        self.layers = encoder.convolutions
        self.size = encoder.linear.in_features
        self.dtype = encoder.dtype

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, F] of images [B, H, W, C] of bytes."""
        hidden = scaled(images, self.dtype)
        for layer in self.layers:
            hidden = layer(hidden).relu_()
        return hidden.flatten(1).to(torch.float32)


def _encoder(space: gym.Space, config: RainbowNetworkConfig, rng: Generator) -> Any:
    """Return what reads observations of `space`, if that is a network of its own."""
    encoder = make_encoder(
        config.encoder, space, rng, getattr(torch, config.precision), preferred=("nature", "rl2")
    )
    return Convolutions(encoder) if isinstance(encoder, Plain) and config.hidden else encoder
