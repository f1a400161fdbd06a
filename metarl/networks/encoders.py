"""Encoders: features of images, trained with the policy.

Three shapes from the literature: RL²'s own (Duan et al. 2016, section 3.3), the Nature network
(Mnih et al. 2015, "Human-level control through deep reinforcement learning", methods) and the
residual one of IMPALA (Espeholt et al. 2018, arXiv 1802.01561, figure 3, right). Images are
[height, width, channels] of bytes, as Gymnasium has them; they are scaled to [0, 1] here, and stay
bytes until then.

What a backward pass keeps of a 30x40 RGB image is 33 KB (rl2) or 365 KB (impala), of a stack of
four 84x84 ones 199 KB (nature). A minibatch of a recurrent policy holds whole meta-episodes, so
take more minibatches where that is too much.
"""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear as linear_of
from torch.nn.functional import max_pool2d

from metarl.networks.convolution import Convolution
from metarl.networks.inputs import is_image
from metarl.networks.layers import linear

__all__ = ["ENCODERS", "Impala", "Plain", "check_vectors", "fitting_encoder", "make_encoder"]

ENCODERS = ("rl2", "nature", "impala")
GAIN = math.sqrt(2)  # keeps the size of what passes a rectifier


class Plain(nn.Module):
    """Convolutions without padding, each rectified, then a rectified linear layer.

    Args:
        shape: height, width and channels of an image.
        layers: filters, side of a filter and stride of each convolution.
        hidden_size: F, outputs of the linear layer.
        rng: draws the initial weights.
        dtype: what is computed in; weights and features are float32 all the same.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        layers: tuple[tuple[int, int, int], ...],
        hidden_size: int,
        rng: Generator,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        self.dtype = dtype
        height, width, channels = shape
        convolutions = []
        for filters, kernel, stride in layers:
            convolutions.append(Convolution(channels, filters, kernel, stride, 0, rng, GAIN))
            height = (height - kernel) // stride + 1
            width = (width - kernel) // stride + 1
            channels = filters
        self.convolutions: Any = nn.ModuleList(convolutions)
        self.linear = linear(height * width * channels, hidden_size, rng, GAIN)
        self.size = hidden_size

    def forward(self, images: Tensor) -> Tensor:
        """Features [..., F] of images [..., H, W, C] of bytes."""
        hidden = scaled(images.reshape(-1, *images.shape[-3:]), self.dtype)
        for convolution in self.convolutions:
            hidden = convolution(hidden).relu_()
        return features(self.linear, hidden).reshape(*images.shape[:-3], self.size)


RL2_LAYERS = ((16, 5, 2), (16, 5, 2))
NATURE_LAYERS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))


class Impala(nn.Module):
    """Three sections, each a convolution, a pooling that halves the image, and two residual blocks;
    then a rectified linear layer.

    Args:
        shape: height, width and channels of an image.
        rng: draws the initial weights.
        dtype: what is computed in; weights and features are float32 all the same.
    """

    FILTERS = (16, 32, 32)

    def __init__(
        self, shape: tuple[int, int, int], rng: Generator, dtype: torch.dtype = torch.float32
    ):
        super().__init__()
        self.dtype = dtype
        height, width, channels = shape
        self.sections: Any = nn.ModuleList()
        for filters in self.FILTERS:
            first = Convolution(channels, filters, 3, 1, 1, rng, GAIN)
            self.sections.append(
                nn.ModuleList([first, Residual(filters, rng), Residual(filters, rng)])
            )
            height = (height + 1) // 2
            width = (width + 1) // 2
            channels = filters
        self.size = 256
        self.linear = linear(height * width * channels, self.size, rng, GAIN)

    def forward(self, images: Tensor) -> Tensor:
        """Features [..., 256] of images [..., H, W, C] of bytes."""
        hidden = scaled(images.reshape(-1, *images.shape[-3:]), self.dtype)
        for convolution, *blocks in self.sections:
            hidden = max_pool2d(convolution(hidden).permute(0, 3, 1, 2), 3, 2, 1).permute(
                0, 2, 3, 1
            )
            for block in blocks:
                hidden = block(hidden)
        return features(self.linear, hidden.relu()).reshape(*images.shape[:-3], self.size)


class Residual(nn.Module):
    """An image of features plus what two rectified convolutions make of it."""

    def __init__(self, channels: int, rng: Generator):
        super().__init__()
        self.first = Convolution(channels, channels, 3, 1, 1, rng, GAIN)
        # Six blocks add up
        self.second = Convolution(channels, channels, 3, 1, 1, rng, GAIN / math.sqrt(6))

    def forward(self, hidden: Tensor) -> Tensor:
        """[N, H, W, C] of [N, H, W, C]."""
        return hidden + self.second(self.first(hidden.relu()).relu_())


def scaled(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Bytes as floating numbers in [0, 1]."""
    return images.to(dtype).mul_(1 / 255)


def features(layer: nn.Linear, hidden: Tensor) -> Tensor:
    """Return what a rectified linear layer makes of images [N, H, W, C] of any floating type.

    [N, F] float32.
    """
    return (
        linear_of(hidden.flatten(1), layer.weight.to(hidden.dtype), layer.bias.to(hidden.dtype))
        .relu_()
        .to(torch.float32)
    )


def encode_counted(encoder: nn.Module, images: Tensor, counts: Tensor) -> Tensor:
    """Features [T, B, E] of images [T, B, H, W, C] where `counts` [T, B] is true.

    Zeros elsewhere, at no cost.
    """
    if bool(counts.all()):
        return encoder(images)
    encoded = encoder(images[counts])  # [n, E]
    return encoded.new_zeros((*counts.shape, encoded.shape[-1])).index_put((counts,), encoded)


def make_encoder(
    name: str,
    space: gym.Space,
    rng: Generator,
    dtype: torch.dtype = torch.float32,
    preferred: tuple[str, ...] = ("rl2",),
) -> Plain | Impala | None:
    """Return the encoder called `name` for observations of `space`; None where they are read as
    they are.

    "auto" is the first of `preferred` that the images are large enough for, and none for all else.

    Raises:
        ValueError: observations that aren't images, have their channels first, or are too small.
    """
    name = fitting_encoder(name, space, preferred)
    if name == "none":
        return None
    height, width, channels = space.shape or ()
    shape = (height, width, channels)
    if name == "impala":
        return Impala(shape, rng, dtype)
    if name == "nature":
        return Plain(shape, NATURE_LAYERS, 512, rng, dtype)
    return Plain(shape, RL2_LAYERS, 256, rng, dtype)


def fitting_encoder(name: str, space: gym.Space, preferred: tuple[str, ...] = ("rl2",)) -> str:
    """Return which encoder reads observations of `space` where `name` is asked for, or "none".

    This is the one place that decides what is an image: a Box of uint8 [height, width, channels].
    Vectors of any length, greys without a channel axis and images too small for any of `preferred`
    are read as they are where `name` is "auto".

    Raises:
        ValueError: `name` can't read them, or "auto" can't tell what they are: frames or channels
            in front, images in floats.
    """
    if name == "none":
        return name
    _check_image_layout(name, space)
    if not is_image(space):
        if name == "auto":
            return "none"
        raise ValueError(
            f"The encoder {name!r} reads images: a Box of uint8 [height, width, channels], not"
            f" {space}; leave the encoder at 'auto'."
        )
    height, width, _ = space.shape or ()
    side = min(height, width)
    if name == "auto":
        return next((known for known in preferred if side >= SMALLEST[known]), "none")
    if side < SMALLEST[name]:
        others = "'rl2' or 'impala'" if side >= SMALLEST["rl2"] else "'impala' or 'none'"
        raise ValueError(
            f"The encoder {name!r} needs images of {SMALLEST[name]}x{SMALLEST[name]} pixels or"
            f" more, not {height}x{width}; choose {others}."
        )
    return name


def check_vectors(learner: str, id: str, space: gym.Space, able: str) -> None:
    """Raise ValueError where a `learner` without encoders would read the images of distribution
    `id` as long vectors.

    Args:
        able: learners that have encoders, as the message names them.
    """
    try:
        shows_images = fitting_encoder("auto", space) != "none"
    except ValueError:
        shows_images = True
    if shows_images:
        raise ValueError(
            f"{learner} reads vectors; {id} shows images. Train {able}, which have encoders."
        )


def _check_image_layout(name: str, space: gym.Space) -> None:
    """Raise ValueError for what looks like images, but isn't laid out as encoders read them.

    What they mustn't guess is refused.
    """
    if not isinstance(space, gym.spaces.Box) or len(space.shape) < 3:
        return
    shape = list(space.shape)
    smallest = SMALLEST["rl2"]
    if space.dtype == "uint8":
        unsure = (
            _channels_first(space.shape, name)
            if len(shape) == 3
            else sum(side >= smallest for side in shape) >= 2
        )
        if unsure:
            advice = (
                "Move them last (numpy.moveaxis(image, 0, -1)), and frames too, which Gymnasium's"
                " FrameStackObservation puts first"
            )
            if len(shape) > 3:
                advice += " (of colour frames: numpy.concatenate(list(frames), -1))"
            if name == "auto" and len(shape) == 3 and shape[0] >= smallest:
                advice += "; if it is height, width and channels after all, name an encoder"
            raise ValueError(
                f"Images must be [height, width, channels]; {shape} looks like channels first."
                f" {advice}; or choose encoder='none' to read bytes as they come."
            )
        return
    bounded = bool(np.isfinite(space.low).all() and np.isfinite(space.high).all())
    if name == "auto" and bounded and sum(side >= smallest for side in shape) >= 2:
        raise ValueError(
            f"Observations of shape {shape} in {space.dtype} look like images, which encoders read"
            " as bytes: give a Box(0, 255, [height, width, channels], uint8), or choose"
            " encoder='none' to read all numbers as one long vector."
        )


def _channels_first(shape: tuple[int, ...], name: str) -> bool:
    """Return whether an array of this shape is, or may well be, [channels, height, width].

    Of screens that an encoder could read.
    """
    first, second, third = shape
    if min(second, third) < SMALLEST["rl2"] or first == second:
        return False
    # No encoder could read so low a picture, nor is a picture as wide as it has channels; the rest
    # is doubtful.
    if first < SMALLEST["rl2"] or second == third:
        return True
    return name == "auto" and third >= min(first, second)


def smallest_side(layers: tuple[tuple[int, int, int], ...]) -> int:
    """Pixels that an image needs for the last convolution to fit once."""
    side = 1
    for _, kernel, stride in reversed(layers):
        side = (side - 1) * stride + kernel
    return side


# Pixels that the lower side of an image needs.
SMALLEST = {"rl2": smallest_side(RL2_LAYERS), "nature": smallest_side(NATURE_LAYERS), "impala": 1}
