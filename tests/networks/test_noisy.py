"""Noisy layers.

Their start, the variance of what they put out, and one noise for a batch or one a row.
"""

import math

import pytest
import torch

from metarl.networks.noisy import Noise, NoisyLinear, draw_noise


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_it_starts_as_in_the_paper():
    layer = NoisyLinear(16, 300, 0.5, rng())
    assert layer.weight.abs().max() <= 1 / 4
    assert layer.weight.abs().max() > 0.24
    assert torch.all(layer.weight_noise == 0.5 / 4)
    assert torch.all(layer.bias_noise == 0.5 / 4)


def test_noise_has_the_variance_of_its_closed_form():
    layer = NoisyLinear(3, 2, 0.7, rng())
    inputs = torch.tensor([1.0, -2.0, 0.5])
    draws = 200_000
    with torch.no_grad():
        layer.weight_noise.copy_(torch.tensor([[0.1, 0.4, 0.2], [0.3, 0.1, 0.5]]))
        layer.bias_noise.copy_(torch.tensor([0.2, 0.6]))
        (noise,) = draw_noise([layer], rng(1), draws)
        outputs = layer(inputs.expand(draws, 3), noise)
        mean = layer(inputs[None], None)[0]
        factor = math.sqrt(2 / math.pi)  # of x -> sign(x) sqrt(|x|) of a normal number: E|x|
        wanted = (
            factor**2 * (layer.weight_noise * inputs).square().sum(1)
            + factor * layer.bias_noise.square()
        )
    assert torch.allclose(outputs.var(0), wanted, rtol=0.03)
    assert torch.all((outputs.mean(0) - mean).abs() < 4 * (wanted / draws).sqrt())


def test_one_noise_for_a_batch_is_the_same_noise_in_every_row():
    layer = NoisyLinear(5, 4, 0.5, rng())
    inputs = torch.randn(7, 5, generator=rng(2))
    (noise,) = draw_noise([layer], rng(1))
    each = Noise(noise.inputs.expand(7, 5), noise.outputs.expand(7, 4))
    assert torch.allclose(layer(inputs, noise), layer(inputs, each), atol=1e-6)
    assert not torch.allclose(layer(inputs, noise), layer(inputs, None), atol=1e-3)


def test_without_noise_it_is_a_linear_layer():
    layer = NoisyLinear(5, 4, 0.5, rng())
    inputs = torch.randn(7, 5, generator=rng(2))
    assert torch.equal(layer(inputs, None), inputs @ layer.weight.T + layer.bias)


def test_layers_have_noise_of_their_own_and_gradients_reach_it():
    layers = [NoisyLinear(5, 4, 0.5, rng()), NoisyLinear(4, 3, 0.5, rng())]
    first, second = draw_noise(layers, rng(1), 6)
    assert [tuple(part.shape) for part in (*first, *second)] == [(6, 5), (6, 4), (6, 4), (6, 3)]
    assert not torch.equal(first.outputs, second.inputs)
    layers[1](layers[0](torch.ones(6, 5), first), second).sum().backward()
    assert all(
        parameter.grad.abs().sum() > 0 for layer in layers for parameter in layer.parameters()
    )


@pytest.mark.parametrize("rows", [None, 3])
def test_the_same_generator_gives_the_same_noise(rows):
    layer = NoisyLinear(5, 4, 0.5, rng())
    (one,), (same,), (other,) = (draw_noise([layer], rng(seed), rows) for seed in (1, 1, 2))
    assert torch.equal(one.inputs, same.inputs)
    assert not torch.equal(one.inputs, other.inputs)
