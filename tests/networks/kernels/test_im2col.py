"""Convolutions as matrix products: equal to PyTorch's, with derivatives of any order."""

import pytest
import torch
from torch.nn.functional import conv2d

from metarl.core.seeding import torch_generator
from metarl.networks.kernels.im2col import convolve, fold, places, windows

shapes = pytest.mark.parametrize(
    ("height", "width", "stride"), [(6, 6, 2), (7, 4, 2), (5, 3, 1), (8, 9, 3), (1, 1, 2)]
)


def random(*shape, name="x"):
    return torch.randn(*shape, generator=torch_generator(0, name), dtype=torch.float64)


@shapes
def test_it_is_pytorchs_convolution_for_each_task(height, width, stride):
    images = random(2, 3, 4, height, width)
    weight = random(2, 5, 3, 3, 3, name="w")
    bias = random(2, 5, name="b")
    out = convolve(images, weight, bias, stride)
    for i in range(2):
        wanted = conv2d(images[i].transpose(0, 1), weight[i], bias[i], stride, 1).transpose(0, 1)
        torch.testing.assert_close(out[i], wanted)
    assert out.shape[-2:] == (places(height, stride), places(width, stride))


@shapes
def test_fold_is_the_adjoint_of_windows(height, width, stride):
    images = random(2, 3, 2, height, width)
    columns = windows(images, stride)
    other = random(*columns.shape, name="y")
    torch.testing.assert_close(
        (columns * other).sum(), (images * fold(other, tuple(images.shape), stride)).sum()
    )


def test_first_and_second_derivatives():
    images, weight, bias = (
        x.requires_grad_()
        for x in (random(1, 2, 1, 4, 3), random(1, 2, 2, 3, 3, name="w"), random(1, 2, name="b"))
    )
    torch.autograd.gradcheck(lambda *a: convolve(*a, 2), (images, weight, bias))
    torch.autograd.gradgradcheck(lambda *a: convolve(*a, 2), (images, weight, bias))
