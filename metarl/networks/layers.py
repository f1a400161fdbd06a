"""Linear layers with weights drawn from a generator of their own."""

import torch
from torch import Generator, nn

__all__ = ["linear", "orthogonal"]


def linear(inputs: int, outputs: int, rng: Generator, gain: float = 1.0) -> nn.Linear:
    """A linear layer with orthogonal weights of the given gain and zero biases."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain, generator=rng)
    nn.init.zeros_(layer.bias)
    return layer


def orthogonal(rows: int, columns: int, rng: Generator, gain: float = 1.0) -> nn.Parameter:
    """An orthogonal weight [rows, columns]."""
    weight = torch.empty(rows, columns)
    nn.init.orthogonal_(weight, gain, generator=rng)
    return nn.Parameter(weight)
