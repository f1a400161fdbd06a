"""Encoders: features of images, trained with the policy.

Three shapes from the literature: RL²'s own (Duan et al. 2016, section 3.3), the Nature network (Mnih et al. 2015, "Human-level control
through deep reinforcement learning", methods) and the residual one of IMPALA (Espeholt et al. 2018, arXiv 1802.01561, figure 3, right).
Images are [height, width, channels] of bytes, as Gymnasium has them; they are scaled to [0, 1] here, and stay bytes until then.

What a backward pass keeps of a 30x40 RGB image is 33 KB (rl2) or 365 KB (impala), of a stack of four 84x84 ones 199 KB (nature). A
minibatch of a recurrent policy holds whole meta-episodes, so take more minibatches where that is too much.
"""

import math
from typing import Any

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear as linear_of
from torch.nn.functional import max_pool2d

from metarl.networks.convolution import Convolution
from metarl.networks.inputs import is_image
from metarl.networks.layers import linear

__all__ = ["ENCODERS", "Impala", "Plain", "make_encoder"]

ENCODERS = ("rl2", "nature", "impala")
GAIN = math.sqrt(2)  # keeps the size of what passes a rectifier


class Plain(nn.Module):
    """Convolutions without padding, each rectified, then a rectified linear layer.

    Args:
        shape: height, width and channels of an image.
        layers: filters, side of a filter and stride of each convolution.
        units: F, outputs of the linear layer.
        rng: draws the initial weights.
        dtype: what is computed in; weights and features are float32 all the same.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        layers: tuple[tuple[int, int, int], ...],
        units: int,
        rng: Generator,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        self.dtype = dtype
        height, width, channels = shape
        convolutions = []
        for filters, kernel, stride in layers:
            convolutions.append(Convolution(channels, filters, kernel, stride, 0, rng, GAIN))
            height, width, channels = (height - kernel) // stride + 1, (width - kernel) // stride + 1, filters
        self.convolutions: Any = nn.ModuleList(convolutions)
        self.linear = linear(height * width * channels, units, rng, GAIN)
        self.size = units

    def forward(self, images: Tensor) -> Tensor:
        """Features [..., F] of images [..., H, W, C] of bytes."""
        hidden = scaled(images.reshape(-1, *images.shape[-3:]), self.dtype)
        for convolution in self.convolutions:
            hidden = convolution(hidden).relu_()
        return features(self.linear, hidden).reshape(*images.shape[:-3], self.size)


RL2_LAYERS = ((16, 5, 2), (16, 5, 2))
NATURE_LAYERS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))


class Impala(nn.Module):
    """Three sections, each a convolution, a pooling that halves the image, and two residual blocks; then a rectified linear layer.

    Args:
        shape: height, width and channels of an image.
        rng: draws the initial weights.
        dtype: what is computed in; weights and features are float32 all the same.
    """

    FILTERS = (16, 32, 32)

    def __init__(self, shape: tuple[int, int, int], rng: Generator, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.dtype = dtype
        height, width, channels = shape
        self.sections: Any = nn.ModuleList()
        for filters in self.FILTERS:
            first = Convolution(channels, filters, 3, 1, 1, rng, GAIN)
            self.sections.append(nn.ModuleList([first, Residual(filters, rng), Residual(filters, rng)]))
            height, width, channels = (height + 1) // 2, (width + 1) // 2, filters
        self.size = 256
        self.linear = linear(height * width * channels, self.size, rng, GAIN)

    def forward(self, images: Tensor) -> Tensor:
        """Features [..., 256] of images [..., H, W, C] of bytes."""
        hidden = scaled(images.reshape(-1, *images.shape[-3:]), self.dtype)
        for convolution, *blocks in self.sections:
            hidden = max_pool2d(convolution(hidden).permute(0, 3, 1, 2), 3, 2, 1).permute(0, 2, 3, 1)
            for block in blocks:
                hidden = block(hidden)
        return features(self.linear, hidden.relu()).reshape(*images.shape[:-3], self.size)


class Residual(nn.Module):
    """An image of features plus what two rectified convolutions make of it."""

    def __init__(self, channels: int, rng: Generator):
        super().__init__()
        self.first = Convolution(channels, channels, 3, 1, 1, rng, GAIN)
        self.second = Convolution(channels, channels, 3, 1, 1, rng, GAIN / math.sqrt(6))  # six blocks add up

    def forward(self, hidden: Tensor) -> Tensor:
        """[N, H, W, C] of [N, H, W, C]."""
        return hidden + self.second(self.first(hidden.relu()).relu_())


def scaled(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Bytes as floating numbers in [0, 1]."""
    return images.to(dtype).mul_(1 / 255)


def features(layer: nn.Linear, hidden: Tensor) -> Tensor:
    """What a rectified linear layer makes of images [N, H, W, C] of any floating type: [N, F] float32."""
    return linear_of(hidden.flatten(1), layer.weight.to(hidden.dtype), layer.bias.to(hidden.dtype)).relu_().to(torch.float32)


def encode_counted(encoder: nn.Module, images: Tensor, counts: Tensor) -> Tensor:
    """Features [T, B, E] of images [T, B, H, W, C] where `counts` [T, B] is true; zeros elsewhere, at no cost."""
    if bool(counts.all()):
        return encoder(images)
    encoded = encoder(images[counts])  # [n, E]
    return encoded.new_zeros((*counts.shape, encoded.shape[-1])).index_put((counts,), encoded)


def make_encoder(name: str, space: gym.Space, rng: Generator, dtype: torch.dtype = torch.float32) -> Plain | Impala | None:
    """The encoder called `name` for observations of `space`; None where they are read as they are.

    "auto" is RL²'s for images that are large enough for it, and none otherwise.

    Raises:
        ValueError: observations that aren't images, have their channels first, or are too small.
    """
    if name == "none" or (name == "auto" and not is_image(space)):
        return None
    if not is_image(space):
        raise ValueError(
            f"The encoder {name!r} reads images: a Box of uint8 [height, width, channels], not {space}; leave the encoder at 'auto'."
        )
    height, width, channels = space.shape or ()
    if height <= 4 < smallest_side(RL2_LAYERS) <= min(width, channels):
        raise ValueError(
            f"Images must be [height, width, channels]; {list(space.shape or ())} looks like channels first. "
            "Move them last (numpy.moveaxis(image, 0, -1)), or choose encoder='none' to read bytes as they come."
        )
    side, smallest = min(height, width), {"nature": smallest_side(NATURE_LAYERS), "impala": 1}.get(name, smallest_side(RL2_LAYERS))
    if side < smallest:
        if name == "auto":
            return None
        others = "'rl2' or 'impala'" if side >= smallest_side(RL2_LAYERS) else "'impala' or 'none'"
        raise ValueError(
            f"The encoder {name!r} needs images of {smallest}x{smallest} pixels or more, not {height}x{width}; choose {others}."
        )
    shape = (height, width, channels)
    if name == "impala":
        return Impala(shape, rng, dtype)
    return Plain(shape, NATURE_LAYERS, 512, rng, dtype) if name == "nature" else Plain(shape, RL2_LAYERS, 256, rng, dtype)


def smallest_side(layers: tuple[tuple[int, int, int], ...]) -> int:
    """Pixels that an image needs for the last convolution to fit once."""
    side = 1
    for _, kernel, stride in reversed(layers):
        side = (side - 1) * stride + kernel
    return side
