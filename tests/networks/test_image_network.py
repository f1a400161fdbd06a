"""The network of few-shot image classification: layers of PyTorch's own give the same."""

import pytest
import torch
from torch import nn

from metarl.networks.image_network import ImageNetwork, ImageNetworkConfig
from metarl.tasks.seeding import torch_generator


def test_it_is_a_stack_of_pytorchs_layers():
    network = ImageNetwork((1, 28, 28), 5, ImageNetworkConfig(filters=8), torch_generator(0))
    layers: list[nn.Module] = []
    for i in range(4):
        layers += [nn.Conv2d(8 if i else 1, 8, 3, 2, 1), nn.BatchNorm2d(8, track_running_stats=False), nn.ReLU()]
    plain = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 2 * 2, 5))
    for own, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        assert own.shape == theirs.shape
        theirs.data.copy_(own.data)
    images = torch.rand(6, 1, 28, 28, generator=torch_generator(1))
    torch.testing.assert_close(network(images), plain(images))


def test_the_papers_network_has_as_many_weights_as_it_should():
    network = ImageNetwork((1, 28, 28), 5, ImageNetworkConfig(), torch_generator(0))
    assert sum(p.numel() for p in network.parameters()) == 64 * 9 + 3 * 64 * 64 * 9 + 4 * 3 * 64 + (64 * 4 + 1) * 5


def test_bad_shapes_get_a_sentence():
    with pytest.raises(ValueError, match="filters, layers and stride must be at least 1, not 0, 4 and 2"):
        ImageNetworkConfig(filters=0)
