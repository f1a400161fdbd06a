"""A causal transformer over the steps of a meta-episode (Vaswani et al.

2017, layer norms first); its state is the key-value cache.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import layer_norm, scaled_dot_product_attention

from metarl.networks.kernels.causal_attention import causal_attention
from metarl.networks.layers import linear

__all__ = ["Attention", "AttentionState"]


class AttentionState(NamedTuple):
    """What the steps so far left behind, written in place; L layers, N heads, width W = N D."""

    keys: Tensor  # [B, L, N, T, D]
    values: Tensor  # [B, L, N, T, D]
    clock: Tensor  # [B] int64, steps seen


class Block(nn.Module):
    """Self-attention, then a perceptron, each on normalised inputs and added to them."""

    def __init__(self, width: int, heads: int, depth: int, rng: Generator):
        super().__init__()
        self.heads = heads
        self.project = linear(width, 3 * width, rng)
        self.merge = linear(width, width, rng, 1 / math.sqrt(2 * depth))
        self.expand = linear(width, 2 * width, rng, math.sqrt(2))
        self.contract = linear(2 * width, width, rng, 1 / math.sqrt(2 * depth))

    def split(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [..., N, D] of hidden vectors [..., W]."""
        width = hidden.shape[-1]
        query, key, value = (
            self.project(layer_norm(hidden, (width,)))
            .unflatten(-1, (3, self.heads, width // self.heads))
            .unbind(-3)
        )
        return query, key, value

    def finish(self, hidden: Tensor, attended: Tensor) -> Tensor:
        """Return the block's output [..., W] from its input and what its heads [..., N, D] attended
        to.
        """
        hidden = hidden + self.merge(attended.flatten(-2))
        return hidden + self.contract(
            torch.relu(self.expand(layer_norm(hidden, hidden.shape[-1:])))
        )


class Attention(nn.Module):
    """Every step attends to all steps of its meta-episode so far.

    Args:
        inputs: F, size of a step's features.
        hidden_size: W, width.
        rng: draws the initial weights.
        max_steps: T, longest meta-episode; positions are learned.
        layers, heads: depth, and heads a layer.
    """

    def __init__(
        self,
        inputs: int,
        hidden_size: int,
        rng: Generator,
        max_steps: int,
        layers: int = 2,
        heads: int = 4,
    ):
        super().__init__()
        if hidden_size % heads:
            raise ValueError(
                f"The attention core's width must be a multiple of its heads; {hidden_size} isn't"
                f" one of {heads}."
            )
        self.size = hidden_size
        self.heads = heads
        self.max_steps = max_steps
        # true: read the whole cache at every step, as on a GPU, rather than look at the clock's
        # value
        self.static_shapes = False
        self.embed = linear(inputs, hidden_size, rng)
        self.positions = nn.Parameter(
            torch.empty(max_steps, hidden_size).normal_(0, 0.02, generator=rng)
        )
        self.blocks: Any = nn.ModuleList(
            Block(hidden_size, heads, layers, rng) for _ in range(layers)
        )

    def initial_state(self, batch_size: int) -> AttentionState:
        """Return an empty cache."""
        shape = (batch_size, len(self.blocks), self.heads, self.max_steps, self.size // self.heads)
        keys = self.positions.new_zeros(shape)
        values = self.positions.new_zeros(shape)
        return AttentionState(
            keys, values, torch.zeros(batch_size, dtype=torch.int64, device=keys.device)
        )

    def forward(self, features: Tensor, state: AttentionState) -> tuple[Tensor, AttentionState]:
        """Return one step.

        Features [B, F] give (output [B, W], the state with this step written in).
        """
        keys, values, clock = state
        now = clock.clamp_max(self.max_steps - 1)  # rows that are over idle on the last place
        hidden = self.embed(features) + self.positions[now]
        length = (
            self.max_steps
            if self.static_shapes or clock.device.type != "cpu"
            else int(now.max()) + 1
        )
        past = (torch.arange(length, device=clock.device) <= now[:, None])[
            :, None, None
        ]  # [B, 1, 1, T]
        rows = torch.arange(len(clock), device=clock.device)
        for layer, block in enumerate(self.blocks):
            query, key, value = block.split(hidden)
            keys[rows, layer, :, now] = key
            values[rows, layer, :, now] = value
            attended = scaled_dot_product_attention(
                query[:, :, None],
                keys[:, layer, :, :length],
                values[:, layer, :, :length],
                attn_mask=past,
            )
            hidden = block.finish(hidden, attended[:, :, 0])
        return layer_norm(hidden, (self.size,)), AttentionState(keys, values, clock + 1)

    def sequence(self, features: Tensor) -> Tensor:
        """Whole meta-episodes from their start: features [T, B, F] give outputs [T, B, W]."""
        if len(features) > self.max_steps:
            raise ValueError(
                f"This attention core remembers {self.max_steps} steps; it can't read"
                f" {len(features)}."
            )
        hidden = self.embed(features.transpose(0, 1)) + self.positions[: len(features)]  # [B, T, W]
        for block in self.blocks:
            query, key, value = (part.transpose(-2, -3) for part in block.split(hidden))
            hidden = block.finish(hidden, causal_attention(query, key, value).transpose(-2, -3))
        return layer_norm(hidden, (self.size,)).transpose(0, 1)
