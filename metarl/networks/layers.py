"""Linear layers with weights drawn from a generator of their own."""

import warnings

import torch
from torch import Generator, nn

__all__ = ["linear", "orthogonal", "unset_linear"]


def linear(inputs: int, outputs: int, rng: Generator, gain: float = 1.0) -> nn.Linear:
    """Return a linear layer with orthogonal weights of the given gain and zero biases."""
    layer = unset_linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain, generator=rng)
    nn.init.zeros_(layer.bias)
    return layer


def unset_linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear layer whose weights are still to be set.

    There may be no inputs, where an observation never changes.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        return nn.utils.skip_init(nn.Linear, inputs, outputs)


def orthogonal(rows: int, columns: int, rng: Generator, gain: float = 1.0) -> nn.Parameter:
    """Return an orthogonal weight [rows, columns]."""
    weight = torch.empty(rows, columns)
    nn.init.orthogonal_(weight, gain, generator=rng)
    return nn.Parameter(weight)
