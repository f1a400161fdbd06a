"""A GRU memory for each of k keys, all run by the same weights; at each step a row writes to one of
them.

The GRU is that of `metarl.networks.cores.gru`, with its backward pass written out likewise.
"""

from typing import Any

import torch
from torch import Tensor

from metarl.networks.cores.gru import accumulate, advance, over_steps, retrace, with_one

__all__ = ["KeyedMemory", "one_by_one", "places_of"]


class KeyedMemory(torch.autograd.Function):
    """Memories [T, B, H] after each of T writes, from features [T, B, F] and keys [T, B], of
    `num_keys` a row.

    The first write is none: its row is an empty memory. Each write goes on from the last one that
    had the same key.
    """

    @staticmethod
    def forward(
        features: Tensor,
        key: Tensor,
        num_keys: int,
        weight_input: Tensor,
        weight_hidden: Tensor,
        bias: Tensor,
        bias_hidden: Tensor,
    ) -> tuple[Tensor, ...]:
        length, rows, hidden_size = *key.shape, bias.shape[-1]
        gates = features.new_empty((3, length, rows, hidden_size))
        inputs = with_one(features)
        weight_input = torch.cat([weight_input, bias[:, None]], 1)
        for g, scale in enumerate((1, 1, 2)):  # the candidate's is doubled, as in `advance`
            torch.matmul(inputs, scale * weight_input[g], out=gates[g])
        hidden, recurrent, olds = (
            features.new_zeros((length, rows, hidden_size)) for _ in range(3)
        )
        weights = [weight.contiguous() for weight in weight_hidden]
        places = places_of(key, num_keys)
        latest = features.new_zeros(rows * num_keys, hidden_size)
        for t in range(1, length):
            torch.index_select(latest, 0, places[t], out=olds[t])
            advance(gates[:, t], recurrent[t], olds[t], hidden[t], weights, bias_hidden)
            latest.index_copy_(0, places[t], hidden[t])
        return hidden, gates, recurrent, olds

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        features, key, ctx.num_keys, _, weight_hidden, _, _ = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(features, key, weight_hidden, *output)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None, *_: Any) -> tuple[Any, ...]:
        if grad_output is None:
            return (None,) * 7
        features, key, weight_hidden, hidden, gates, recurrent, olds = ctx.saved_tensors
        grads = torch.zeros_like(gates)
        grad_recurrent = torch.zeros_like(recurrent)
        weights = [weight.t().contiguous() for weight in weight_hidden]
        places = places_of(key, ctx.num_keys)
        latest = hidden.new_zeros(key.shape[1] * ctx.num_keys, hidden.shape[-1])
        for t in reversed(range(1, len(hidden))):
            grad = latest.index_select(0, places[t]).add_(grad_output[t])
            retrace(grad, gates[:, t], recurrent[t], hidden[t], grads[:, t], grad_recurrent[t])
            grad *= gates[1, t]
            for part, weight in zip(
                (grads[0, t], grads[1, t], grad_recurrent[t]), weights, strict=True
            ):
                accumulate(grad, part, weight)
            latest.index_copy_(0, places[t], grad)
        grad_hidden = torch.stack(
            [over_steps(olds, part) for part in (grads[0], grads[1], grad_recurrent)]
        )
        grad_input = torch.stack([over_steps(with_one(features), grads[g]) for g in range(3)])
        return (
            None,
            None,
            None,
            grad_input[:, :-1],
            grad_hidden,
            grad_input[:, -1],
            grad_recurrent.sum((0, 1)),
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *arguments: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Stacked networks, one after another."""
        return one_by_one(KeyedMemory, info, in_dims, arguments)


def places_of(key: Tensor, num_keys: int) -> Tensor:
    """Return where the rows' keys [T, B] lie among the B k memories of all rows."""
    return key + num_keys * torch.arange(key.shape[1], device=key.device)


def one_by_one(
    function: Any, info: Any, in_dims: tuple[int | None, ...], arguments: tuple[Any, ...]
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """Return a function under vmap as a loop, stacked along a new first dimension."""
    members = [
        function.apply(
            *(
                part if dim is None else part.select(dim, i)
                for part, dim in zip(arguments, in_dims, strict=True)
            )
        )
        for i in range(info.batch_size)
    ]
    outputs = tuple(torch.stack(parts) for parts in zip(*members, strict=True))
    return outputs, (0,) * len(outputs)
