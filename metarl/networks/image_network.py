"""The convolutional network of few-shot classification whose weights may differ from task to task
(Nichol et al. 2018, section 6.1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import batch_norm, conv2d, max_pool2d

from metarl.core.arguments import check_fields
from metarl.networks.kernels.im2col import convolve, places
from metarl.networks.perceptron import uniform_linear

__all__ = ["ImageNetwork", "ImageNetworkConfig"]

EPSILON = 1e-5  # added to variances


@dataclass(frozen=True)
class ImageNetworkConfig:
    """The shape of an image network.

    Attributes:
        filters: of each layer.
        layers: of convolution, normalisation and rectifier.
        stride: pixels from one window to the next.
        pool: halve each layer's sides by the largest of 2 x 2 neighbours, before the rectifier.
    """

    filters: int = 64
    layers: int = 4
    stride: int = 2
    pool: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if min(self.filters, self.layers, self.stride) < 1:
            raise ValueError(
                f"filters, layers and stride must be at least 1, not {self.filters}, {self.layers}"
                f" and {self.stride}."
            )


class ImageNetwork(nn.Module):
    """Layers of 3 x 3 convolution, batch normalisation by the batch's own moments, and rectifier;
    then one linear layer.

    Images [m, C, H, W] give [m, outputs]. Since moments are the batch's, all images of a batch have
    a say in each one's output.

    Args:
        shape: C, H, W. outputs: numbers an image gets. config: the layers.
        rng: draws the initial weights.
    """

    def __init__(
        self, shape: tuple[int, int, int], outputs: int, config: ImageNetworkConfig, rng: Generator
    ):
        super().__init__()
        channels, height, width = shape
        self.config = config
        self.shape = shape
        self.layers = nn.ModuleList()
        for _ in range(config.layers):
            self.layers.append(_Layer(channels, config.filters, rng))
            channels = config.filters
            height = places(height, config.stride)
            width = places(width, config.stride)
            if config.pool:
                height = height // 2
                width = width // 2
        if min(height, width) < 1:
            raise ValueError(
                f"{config.layers} layers leave nothing of images of {shape[1]} x {shape[2]} pixels;"
                " use fewer, or larger images."
            )
        self.last = uniform_linear(channels * height * width, outputs, rng)

    def forward(self, images: Tensor) -> Tensor:
        """[m, C, H, W] give [m, outputs]."""
        layer: Any
        for layer in self.layers:
            out = conv2d(images, layer.weight, layer.bias, self.config.stride, 1)
            out = batch_norm(out, None, None, layer.scale, layer.shift, True, 0.0, EPSILON)
            images = torch.relu(max_pool2d(out, 2) if self.config.pool else out)
        outputs: Tensor = self.last(images.flatten(1))
        return outputs

    def stacked(self, weights: Sequence[Tensor], images: Tensor) -> Tensor:
        """Return the same with weights [n, ...] for images [n, m, C, H, W]."""
        n, m = images.shape[:2]
        images = images.transpose(1, 2)  # [n, C, m, H, W]
        for i in range(0, 4 * self.config.layers, 4):
            weight, bias, scale, shift = weights[i : i + 4]
            out = convolve(images, weight, bias, self.config.stride)
            # Tasks' filters as channels of one image: moments are of each alone
            each = out.reshape(1, -1, *out.shape[2:])
            normed = batch_norm(
                each, None, None, scale.reshape(-1), shift.reshape(-1), True, 0.0, EPSILON
            )
            if self.config.pool:
                normed = max_pool2d(normed.flatten(0, 1), 2)
            images = torch.relu(normed).view(*out.shape[:3], *normed.shape[-2:])
        features = images.transpose(1, 2).reshape(n, m, -1)
        return torch.baddbmm(weights[-1][:, None], features, weights[-2].transpose(1, 2))


class _Layer(nn.Module):
    """The weights of one layer of an image network."""

    def __init__(self, channels: int, filters: int, rng: Generator):
        super().__init__()
        bound = 1 / math.sqrt(channels * 9)
        self.weight = nn.Parameter(torch.empty(filters, channels, 3, 3))
        self.bias = nn.Parameter(torch.empty(filters))
        nn.init.uniform_(self.weight, -bound, bound, generator=rng)
        nn.init.uniform_(self.bias, -bound, bound, generator=rng)
        self.scale = nn.Parameter(torch.ones(filters))
        self.shift = nn.Parameter(torch.zeros(filters))
