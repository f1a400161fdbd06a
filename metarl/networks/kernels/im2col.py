"""Convolutions as matrix products, for images of many tasks with a filter bank each.

Images lie as [n, channels, m, height, width]: all that one task's filters meet is one matrix, so
that a convolution is a single `bmm`. PyTorch's own way, a convolution in n groups, has no fast
second derivative on a CPU.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["KERNEL", "convolve", "fold", "places", "windows"]

KERNEL = 3  # side of the filters, in pixels; images get a border of one zero


def places(length: int, stride: int) -> int:
    """Windows along a side of `length` pixels."""
    return (length + 2 - KERNEL) // stride + 1


def convolve(images: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """Images [n, C, m, H, W], weights [n, F, C, 3, 3] and biases [n, F] give [n, F, m, H', W']."""
    n, _, m, height, width = images.shape
    columns = windows(images, stride)
    out = torch.baddbmm(bias[..., None], weight.flatten(2), columns)
    return out.view(n, -1, m, places(height, stride), places(width, stride))


def windows(images: Tensor, stride: int) -> Tensor:
    """Return every 3 x 3 window of images [n, C, m, H, W], as [n, C x 9, m x H' x W'].

    Differentiable any number of times.
    """
    out: Tensor = _Windows.apply(images, stride)
    return out


def fold(columns: Tensor, shape: tuple[int, ...], stride: int) -> Tensor:
    """Return the adjoint of `windows`.

    Each pixel of images of `shape` gets the sum of its entries.
    """
    out: Tensor = _Fold.apply(columns, shape, stride)
    return out


class _Windows(torch.autograd.Function):
    """`windows`, whose derivative is `fold`."""

    @staticmethod
    def forward(images: Tensor, stride: int) -> Tensor:
        n, channels = images.shape[:2]
        views = (
            pad(images, (1, 1, 1, 1)).unfold(3, KERNEL, stride).unfold(4, KERNEL, stride)
        )  # [n, C, m, H', W', 3, 3]
        return views.permute(0, 1, 5, 6, 2, 3, 4).reshape(n, channels * KERNEL**2, -1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        images, ctx.stride = inputs
        ctx.shape = tuple(images.shape)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
        return _Fold.apply(grad_output, ctx.shape, ctx.stride), None


class _Fold(torch.autograd.Function):
    """`fold`, whose derivative is `windows`."""

    @staticmethod
    def forward(columns: Tensor, shape: tuple[int, ...], stride: int) -> Tensor:
        n, channels, m, height, width = shape
        rows = places(height, stride)
        places_across = places(width, stride)
        parts = columns.view(n, channels, KERNEL, KERNEL, m, rows, places_across)
        padded = columns.new_zeros(n, channels, m, height + 2, width + 2)
        for i in range(KERNEL):
            for j in range(KERNEL):
                padded[
                    ..., i : i + stride * rows : stride, j : j + stride * places_across : stride
                ] += parts[:, :, i, j]
        return padded[..., 1:-1, 1:-1]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.stride = inputs[2]

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
        return _Windows.apply(grad_output, ctx.stride), None, None
