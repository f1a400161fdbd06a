"""The perceptron.

Layers as its config says, weights as PyTorch would draw them, sentences for shapes that can't be.
"""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.networks.perceptron import Perceptron, PerceptronConfig, uniform_linear


@pytest.mark.parametrize(("activation", "function"), [("tanh", torch.tanh), ("relu", torch.relu)])
def test_layers_are_as_configured(activation, function):
    network = Perceptron(2, 3, PerceptronConfig((5, 4), activation), torch_generator(0))
    assert [(layer.in_features, layer.out_features) for layer in network.layers] == [
        (2, 5),
        (5, 4),
        (4, 3),
    ]
    x = torch.rand(7, 2, generator=torch_generator(1))
    first, second, last = network.layers
    torch.testing.assert_close(network(x), last(function(second(function(first(x))))))


def test_weights_are_uniform_and_from_their_generator():
    layer, again = (uniform_linear(16, 4000, torch_generator(0)) for _ in range(2))
    assert torch.equal(layer.weight, again.weight)
    for values in (layer.weight, layer.bias):
        assert 0.24 < float(values.detach().abs().max()) <= 0.25
        assert float(values.detach().var()) == pytest.approx(0.25**2 / 3, rel=0.1)


def test_bad_shapes_get_a_sentence():
    with pytest.raises(ValueError, match="at least one unit each"):
        PerceptronConfig((4, 0))
    with pytest.raises(ValueError, match="activation must be 'tanh' or 'relu', not 'gelu'"):
        PerceptronConfig(activation="gelu")
