"""A core that remembers nothing: what memory is worth is measured against it."""

import math

import torch
from torch import Generator, Tensor, nn

from metarl.networks.layers import orthogonal

__all__ = ["FeedForward"]


class FeedForward(nn.Module):
    """Two hidden layers with tanh, in place of a core with memory; its state is empty.

    Args:
        inputs: F, size of a step's features.
        hidden_size: H, size of both hidden layers.
        rng: draws the initial weights.
    """

    max_steps: int | None = None  # it remembers for as long as one likes

    def __init__(self, inputs: int, hidden_size: int, rng: Generator):
        super().__init__()
        self.size = hidden_size
        self.weights = nn.ParameterList(
            [
                orthogonal(inputs, hidden_size, rng, math.sqrt(2)),
                orthogonal(hidden_size, hidden_size, rng, math.sqrt(2)),
            ]
        )
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(hidden_size)) for _ in range(2)])

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing."""
        return ()

    def forward(self, features: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        """Return one step: features [B, F] give (output [B, H], nothing)."""
        return self.sequence(features), state

    def sequence(self, features: Tensor) -> Tensor:
        """Any number of steps at once: features [..., F] give outputs [..., H]."""
        for weight, bias in zip(self.weights, self.biases, strict=True):
            features = torch.tanh(features @ weight + bias)
        return features
