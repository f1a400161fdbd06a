"""A recurrent network of plain layers (Elman 1990), which a user might bring.

PyTorch's own recurrent layers can't be vectorised.
"""

import torch
from torch import Generator, Tensor, nn

from metarl.networks.perceptron import uniform_linear


class Recurrent(nn.Module):
    """Sequences [m, T, inputs] give [m, outputs], read off the last state."""

    def __init__(self, inputs: int, hidden_size: int, outputs: int, rng: Generator):
        super().__init__()
        self.reads = uniform_linear(inputs, hidden_size, rng)
        self.keeps = uniform_linear(hidden_size, hidden_size, rng)
        self.says = uniform_linear(hidden_size, outputs, rng)
        self.hidden_size = hidden_size

    def forward(self, sequences: Tensor) -> Tensor:
        state = sequences.new_zeros(len(sequences), self.hidden_size)
        for t in range(sequences.shape[1]):
            state = torch.tanh(self.reads(sequences[:, t]) + self.keeps(state))
        return self.says(state)
