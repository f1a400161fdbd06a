"""Linear layers with noise in their weights that is trained too: exploration without a schedule
(Fortunato et al. 2018, arXiv 1706.10295).

The noise is factorised: one number for each input and one for each output. It is an argument, drawn
by `draw_noise`; a layer called without any uses its mean weights.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

__all__ = ["Noise", "NoisyLinear", "draw_noise"]


class Noise(NamedTuple):
    """Draws for one layer, already through x -> sign(x) sqrt(|x|)."""

    inputs: Tensor  # [I], or [B, I]: each row its own
    outputs: Tensor  # [O], or [B, O]


class NoisyLinear(nn.Module):
    """y = (W + S * e_out e_in') x + b + s * e_out, with trained W, S, b and s.

    W and b start uniform within 1 / sqrt(I), every entry of S and s at sigma / sqrt(I) (section
    3.2).

    Args:
        inputs, outputs: I and O. sigma: how much noise there is at first; 0.5 in the papers.
        rng: draws the initial weights.
    """

    def __init__(self, inputs: int, outputs: int, sigma: float, rng: Generator):
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        nn.init.uniform_(self.weight, -bound, bound, generator=rng)
        nn.init.uniform_(self.bias, -bound, bound, generator=rng)
        self.weight_noise = nn.Parameter(torch.full((outputs, inputs), sigma * bound))
        self.bias_noise = nn.Parameter(torch.full((outputs,), sigma * bound))

    def forward(self, inputs: Tensor, noise: Noise | None) -> Tensor:
        """[B, I] give [B, O]."""
        if noise is None:
            return linear(inputs, self.weight, self.bias)
        # One product with the noisy weights takes three quarters of the time of two
        if noise.inputs.dim() == 1:
            weight = torch.addcmul(
                self.weight, self.weight_noise, torch.outer(noise.outputs, noise.inputs)
            )
            return linear(inputs, weight, torch.addcmul(self.bias, self.bias_noise, noise.outputs))
        noisy = linear(inputs * noise.inputs, self.weight_noise, self.bias_noise)
        return torch.addcmul(linear(inputs, self.weight, self.bias), noisy, noise.outputs)


def draw_noise(
    layers: Sequence[NoisyLinear], rng: Generator, rows: int | None = None
) -> list[Noise]:
    """Noise for each of `layers`.

    One draw for a whole batch, or one for each of `rows` rows; `rng` is of the layers' device.
    """
    sizes = [size for layer in layers for size in (layer.weight.shape[1], layer.weight.shape[0])]
    shape = (sum(sizes),) if rows is None else (rows, sum(sizes))
    normal = torch.randn(shape, generator=rng, device=rng.device)
    parts = (normal.sign() * normal.abs().sqrt()).split(sizes, -1)
    return [Noise(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
