"""A long short-term memory (Hochreiter & Schmidhuber 1997, with forget gates as in Gers et al.

2000).
"""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from metarl.networks.layers import orthogonal

__all__ = ["LSTM", "LSTMState"]


class LSTMState(NamedTuple):
    """What an LSTM remembers."""

    hidden: Tensor  # [B, H]
    cell: Tensor  # [B, H]


class LSTM(nn.Module):
    """One recurrent layer; gates are ordered input, forget, output, candidate.

    Args:
        inputs: F, size of a step's features.
        hidden_size: H, size of the hidden vector and of the cell.
        rng: draws the initial weights; forget gates start open (bias 1).
    """

    max_steps: int | None = None  # it remembers for as long as one likes

    def __init__(self, inputs: int, hidden_size: int, rng: Generator):
        super().__init__()
        self.size = hidden_size
        self.weight_input = nn.Parameter(
            torch.empty(inputs, 4 * hidden_size).normal_(
                0, 1 / math.sqrt(max(1, inputs)), generator=rng
            )
        )
        self.weight_hidden = nn.Parameter(
            torch.cat([orthogonal(hidden_size, hidden_size, rng).detach() for _ in range(4)], 1)
        )
        self.bias = nn.Parameter(
            torch.cat(
                [torch.zeros(hidden_size), torch.ones(hidden_size), torch.zeros(2 * hidden_size)]
            )
        )

    def initial_state(self, batch_size: int) -> LSTMState:
        """Zeros."""
        return LSTMState(
            self.bias.new_zeros(batch_size, self.size), self.bias.new_zeros(batch_size, self.size)
        )

    def forward(self, features: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """Return one step: features [B, F] give (output [B, H], new state)."""
        state = self._cell(features @ self.weight_input + self.bias, state)
        return state.hidden, state

    def sequence(self, features: Tensor) -> Tensor:
        """Whole sequences from an empty memory: features [T, B, F] give outputs [T, B, H]."""
        state = self.initial_state(features.shape[1])
        outputs = []
        for gates in (features @ self.weight_input + self.bias).unbind(0):
            state = self._cell(gates, state)
            outputs.append(state.hidden)
        return torch.stack(outputs)

    def _cell(self, inputs: Tensor, state: LSTMState) -> LSTMState:
        gates = inputs + state.hidden @ self.weight_hidden
        enter, forget, leave = gates[..., : 3 * self.size].sigmoid().chunk(3, -1)
        cell = forget * state.cell + enter * gates[..., 3 * self.size :].tanh()
        return LSTMState(leave * cell.tanh(), cell)
