"""The network of few-shot image classification: layers of PyTorch's own give the same."""

import pytest
import torch
from torch import nn

from metarl.core.seeding import torch_generator
from metarl.networks.image_network import ImageNetwork, ImageNetworkConfig


def test_it_is_a_stack_of_pytorchs_layers():
    network = ImageNetwork((1, 28, 28), 5, ImageNetworkConfig(filters=8), torch_generator(0))
    layers: list[nn.Module] = []
    for i in range(4):
        layers += [
            nn.Conv2d(8 if i else 1, 8, 3, 2, 1),
            nn.BatchNorm2d(8, track_running_stats=False),
            nn.ReLU(),
        ]
    plain = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 2 * 2, 5))
    for own, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        assert own.shape == theirs.shape
        theirs.data.copy_(own.data)
    images = torch.rand(6, 1, 28, 28, generator=torch_generator(1))
    torch.testing.assert_close(network(images), plain(images))


def test_the_papers_network_has_as_many_weights_as_it_should():
    network = ImageNetwork((1, 28, 28), 5, ImageNetworkConfig(), torch_generator(0))
    assert (
        sum(p.numel() for p in network.parameters())
        == 64 * 9 + 3 * 64 * 64 * 9 + 4 * 3 * 64 + (64 * 4 + 1) * 5
    )


def test_pooling_comes_before_the_rectifier_and_halves_the_sides():
    network = ImageNetwork(
        (3, 13, 11), 5, ImageNetworkConfig(6, layers=2, stride=1, pool=True), torch_generator(0)
    )
    layers: list[nn.Module] = []
    for i in range(2):
        layers += [
            nn.Conv2d(6 if i else 3, 6, 3, 1, 1),
            nn.BatchNorm2d(6, track_running_stats=False),
            nn.MaxPool2d(2),
            nn.ReLU(),
        ]
    plain = nn.Sequential(*layers, nn.Flatten(), nn.Linear(6 * 3 * 2, 5))
    for own, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        theirs.data.copy_(own.data)
    images = torch.rand(2, 4, 3, 13, 11, generator=torch_generator(1))
    torch.testing.assert_close(network(images[0]), plain(images[0]))
    stacked = network.stacked(
        [weight.expand(2, *weight.shape) for weight in network.parameters()], images
    )
    torch.testing.assert_close(stacked, torch.stack([plain(each) for each in images]))


def test_the_papers_network_for_mini_imagenet_ends_in_800_features():
    network = ImageNetwork(
        (3, 84, 84), 5, ImageNetworkConfig(32, stride=1, pool=True), torch_generator(0)
    )
    assert network.last.in_features == 32 * 5 * 5


def test_bad_shapes_get_a_sentence():
    with pytest.raises(
        ValueError,
        match="4 layers leave nothing of images of 8 x 8 pixels; use fewer, or larger images",
    ):
        ImageNetwork((1, 8, 8), 5, ImageNetworkConfig(4, stride=1, pool=True), torch_generator(0))
    with pytest.raises(
        ValueError, match="filters, layers and stride must be at least 1, not 0, 4 and 2"
    ):
        ImageNetworkConfig(filters=0)
