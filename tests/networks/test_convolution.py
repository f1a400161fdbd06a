"""Convolutions: PyTorch's own, forward and backward, for one network and for several at once."""

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import conv2d

from metarl.networks.convolution import Convolution, Convolve

MADE = [(5, 2, 0), (8, 4, 0), (3, 1, 1)]  # kernel, stride, padding


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def reference(images, weight, bias, stride, padding):
    return conv2d(images.permute(0, 3, 1, 2), weight, bias, stride, padding).permute(0, 2, 3, 1)


@pytest.mark.parametrize(("kernel", "stride", "padding"), MADE)
def test_outputs_and_gradients_equal_pytorchs(kernel, stride, padding):
    layer = Convolution(3, 4, kernel, stride, padding, generator())
    with torch.no_grad():
        layer.bias.uniform_(-1, 1, generator=generator(1))
    images = torch.rand(2, 13, 16, 3, generator=generator(2), requires_grad=True)
    wanted = reference(images, layer.weight, layer.bias, stride, padding)
    out = layer(images)
    torch.testing.assert_close(out, wanted)
    inputs = (images, layer.weight, layer.bias)
    factor = torch.rand(wanted.shape, generator=generator(3))
    for ours, theirs in zip(
        torch.autograd.grad(out, inputs, factor),
        torch.autograd.grad(wanted, inputs, factor),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_gradients_equal_differences():
    rng = generator()
    parts = [
        torch.rand(shape, generator=rng, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 2, 5, 6), (3, 2, 3, 3), (3,))
    ]
    assert torch.autograd.gradcheck(lambda *given: Convolve.apply(*given, 2, 1), parts)


@pytest.mark.parametrize("shared", [False, True], ids=["images of their own", "the same images"])
def test_several_at_once_equal_each_apart(shared):
    layers = [Convolution(3, 4, 5, 2, 0, generator(seed)) for seed in range(3)]
    images = torch.rand(3, 2, 13, 16, 3, generator=generator(9))
    stacked, _ = stack_module_state(layers)
    run = vmap(
        lambda own, given: functional_call(layers[0], own, (given,)),
        in_dims=(0, None if shared else 0),
    )
    out = run(stacked, images[0] if shared else images)
    factor = torch.rand(out.shape, generator=generator(3))
    (out * factor).sum().backward()
    for i, layer in enumerate(layers):
        own = layer(images[0 if shared else i])
        torch.testing.assert_close(out[i], own)
        (own * factor[i]).sum().backward()
        torch.testing.assert_close(stacked["weight"].grad[i], layer.weight.grad)
        torch.testing.assert_close(stacked["bias"].grad[i], layer.bias.grad)


def test_weights_are_orthogonal_of_the_gain_and_come_from_the_generator_alone():
    before = torch.get_rng_state()
    first, again, other = (
        Convolution(3, 4, 5, 2, 0, generator(seed), gain=2.0) for seed in (1, 1, 2)
    )
    rows = first.weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, 4 * torch.eye(4), rtol=0, atol=1e-5)
    assert first.bias.eq(0).all()
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(before, torch.get_rng_state())


def test_channels_stay_last_in_memory():
    out = Convolution(3, 4, 5, 2, 0, generator())(torch.rand(2, 13, 16, 3, generator=generator()))
    assert out.is_contiguous()
