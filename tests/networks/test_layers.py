"""Initial weights: orthogonal, of the gain asked for, drawn from the generator given."""

import pytest
import torch

from metarl.networks.layers import linear, orthogonal


@pytest.mark.parametrize(("inputs", "outputs"), [(6, 6), (3, 8), (8, 3)])
def test_linear_weights_are_orthogonal_and_biases_zero(inputs, outputs):
    layer = linear(inputs, outputs, torch.Generator().manual_seed(1), gain=0.5)
    small = layer.weight @ layer.weight.T if outputs <= inputs else layer.weight.T @ layer.weight
    torch.testing.assert_close(small, 0.25 * torch.eye(min(inputs, outputs)), rtol=0, atol=1e-6)
    assert layer.bias.eq(0).all()
    assert layer(torch.zeros(4, inputs)).shape == (4, outputs)


def test_orthogonal_weights():
    weight = orthogonal(5, 5, torch.Generator().manual_seed(1), gain=2.0)
    torch.testing.assert_close(weight.T @ weight, 4 * torch.eye(5), rtol=0, atol=1e-5)


def test_weights_come_from_the_generator_alone():
    before = torch.get_rng_state()
    first, again, other = (
        linear(4, 4, torch.Generator().manual_seed(seed)).weight for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())
