"""Causal self-attention over whole sequences.

PyTorch's fused attention works in blocks that are wide for the narrow heads of a policy: on a CPU,
at 16 units a head and 100 to 250 steps, its forward and backward pass take three to nine times as
long as the same products written out. On a GPU it is used as it is.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

__all__ = ["causal_attention"]

CHUNK = 64  # queries at a time: later keys are never multiplied, and few are only to be masked out


def causal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return what each step attends to (Vaswani et al.

    2017, section 3.2.1): [B, N, T, D] of queries, keys and values of the same shape.
    """
    if query.device.type == "cpu":
        return CausalAttention.apply(query, key, value)[0]
    return scaled_dot_product_attention(query, key, value, is_causal=True)


class CausalAttention(torch.autograd.Function):
    """The same on a CPU.

    Also returns each chunk's attention weights [B N, chunk, keys], which the backward pass needs.
    """

    @staticmethod
    def forward(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        q, k, v = (part.flatten(0, -3) for part in (query, key, value))
        later = q.new_full((CHUNK, CHUNK), -math.inf).triu(1)
        attended = []
        weights = []
        for first, last in chunks(q.shape[1]):
            scores = torch.bmm(
                q[:, first:last] / math.sqrt(q.shape[-1]), k[:, :last].transpose(1, 2)
            )
            scores[:, :, first:] += later[: last - first, : last - first]
            weights.append(scores.softmax(-1))
            attended.append(torch.bmm(weights[-1], v[:, :last]))
        return torch.cat(attended, 1).view(query.shape), *weights

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs, *output)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if grad_output is None:
            return None, None, None
        *parts, output = ctx.saved_tensors[:4]
        q, k, v, out, grad = (part.flatten(0, -3) for part in (*parts, output, grad_output))
        scale = 1 / math.sqrt(q.shape[-1])
        shared = (grad * out).sum(-1, keepdim=True)  # sum over keys of weight times its gradient
        grad_q = []
        grad_k = torch.zeros_like(k)
        grad_v = torch.zeros_like(v)
        for (first, last), weights in zip(chunks(q.shape[1]), ctx.saved_tensors[4:], strict=True):
            here = grad[:, first:last]
            grad_scores = (
                torch.bmm(here, v[:, :last].transpose(1, 2))
                .sub_(shared[:, first:last])
                .mul_(weights)
                .mul_(scale)
            )
            grad_q.append(torch.bmm(grad_scores, k[:, :last]))
            grad_k[:, :last] += torch.bmm(grad_scores.transpose(1, 2), q[:, first:last])
            grad_v[:, :last] += torch.bmm(weights.transpose(1, 2), here)
        return tuple(part.view(output.shape) for part in (torch.cat(grad_q, 1), grad_k, grad_v))

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *parts: Tensor
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Stacked networks: attention has no weights, so members are only more rows."""
        moved = [
            part.expand(info.batch_size, *part.shape) if dim is None else part.movedim(dim, 0)
            for part, dim in zip(parts, in_dims, strict=True)
        ]
        attended, *weights = CausalAttention.apply(*(part.flatten(0, 1) for part in moved))
        out = (
            attended.unflatten(0, (info.batch_size, -1)),
            *(part.unflatten(0, (info.batch_size, -1)) for part in weights),
        )
        return out, (0,) * len(out)


def chunks(length: int) -> list[tuple[int, int]]:
    """First and last + 1 of each chunk of queries."""
    return [(first, min(first + CHUNK, length)) for first in range(0, length, CHUNK)]
