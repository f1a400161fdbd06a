"""Encoders.

The papers' shapes and sizes, a reference composed by hand, which observations get which, and
sentences for the rest.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, linear, max_pool2d

from metarl.cli import main
from metarl.networks.encoders import ENCODERS, Impala, make_encoder
from metarl.networks.policies.policy import NetworkConfig


def images_of(*shape):
    return gym.spaces.Box(0, 255, shape, np.uint8)


def made(name, *shape, seed=0):
    return make_encoder(name, images_of(*shape), torch.Generator().manual_seed(seed))


def drawn(*shape):
    return torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(5)
    )


def scramble(encoder):
    """Biases other than zero, so that leaving one out would show."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-0.5, 0.5, generator=rng)


@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        # = 1,684,128, as in Mnih et al. before the heads
        ("nature", (84, 84, 4), 8_224 + 32_832 + 36_928 + (7 * 7 * 64 + 1) * 512),
        ("impala", (72, 96, 3), 97_600 + (9 * 12 * 32 + 1) * 256),  # Espeholt et al.'s images
        ("impala", (64, 64, 3), 622_144),  # Procgen's images
        # Duan et al.'s images
        ("rl2", (30, 40, 3), (75 + 1) * 16 + (400 + 1) * 16 + (5 * 7 * 16 + 1) * 256),
    ],
)
def test_parameters_are_as_many_as_in_the_papers(name, shape, wanted):
    assert sum(parameter.numel() for parameter in made(name, *shape).parameters()) == wanted


@pytest.mark.parametrize(("name", "size"), [("rl2", 256), ("nature", 512), ("impala", 256)])
@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (0,)], ids=str)
def test_any_leading_dimensions(name, size, leading):
    encoder = made(name, 36, 40, 3)
    images = drawn(2, 3, 36, 40, 3)
    part = {(): images[0, 0], (3,): images[0], (2, 3): images, (0,): images[0, :0]}[leading]
    features = encoder(part)
    assert features.shape == (*leading, size)
    assert encoder.size == size
    assert features.dtype == torch.float32
    if leading:
        torch.testing.assert_close(features.flatten(0, -2), encoder(part.flatten(0, -4)))


def test_rl2s_equals_a_reference_composed_by_hand():
    encoder = made("rl2", 30, 40, 3)
    scramble(encoder)
    image = torch.zeros(30, 40, 3, dtype=torch.uint8)
    # a red wall, a green line, something blue and faint
    image[:, 10:20, 0] = 255
    image[5, :, 1] = 128
    image[20:25, 30:, 2] = 7
    first, second = encoder.convolutions
    hidden = image.permute(2, 0, 1)[None].float() / 255
    for layer, shape in ((first, (16, 13, 18)), (second, (16, 5, 7))):
        hidden = conv2d(hidden, layer.weight, layer.bias, stride=2).clamp_min(0)
        assert hidden.shape == (1, *shape)
    wanted = linear(
        hidden.permute(0, 2, 3, 1).flatten(1), encoder.linear.weight, encoder.linear.bias
    ).clamp_min(0)
    torch.testing.assert_close(encoder(image), wanted[0])
    assert 0 < int((wanted > 0).sum()) < 256


def test_natures_equals_a_reference_composed_by_hand():
    encoder = made("nature", 40, 50, 4)
    image = drawn(2, 40, 50, 4)
    scramble(encoder)
    hidden = image.permute(0, 3, 1, 2).float() / 255
    for layer, stride in zip(encoder.convolutions, (4, 2, 1), strict=True):
        hidden = conv2d(hidden, layer.weight, layer.bias, stride=stride).clamp_min(0)
    wanted = linear(
        hidden.permute(0, 2, 3, 1).flatten(1), encoder.linear.weight, encoder.linear.bias
    ).clamp_min(0)
    torch.testing.assert_close(encoder(image), wanted)


def test_impalas_equals_a_reference_composed_by_hand():
    encoder = made("impala", 15, 20, 3)
    image = drawn(2, 15, 20, 3)
    scramble(encoder)
    hidden = image.permute(0, 3, 1, 2).float() / 255
    for (layer, *blocks), shape in zip(
        encoder.sections, ((16, 8, 10), (32, 4, 5), (32, 2, 3)), strict=True
    ):
        hidden = max_pool2d(conv2d(hidden, layer.weight, layer.bias, padding=1), 3, 2, 1)
        assert hidden.shape[1:] == shape
        for block in blocks:
            inner = conv2d(
                hidden.clamp_min(0), block.first.weight, block.first.bias, padding=1
            ).clamp_min(0)
            hidden = hidden + conv2d(inner, block.second.weight, block.second.bias, padding=1)
    flat = hidden.clamp_min(0).permute(0, 2, 3, 1).flatten(1)
    torch.testing.assert_close(
        encoder(image), linear(flat, encoder.linear.weight, encoder.linear.bias).clamp_min(0)
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_every_weight_gets_a_gradient_and_images_stay_as_they_are(name):
    encoder = made(name, 36, 40, 3)
    images = drawn(4, 36, 40, 3)
    before = images.clone()
    encoder(images).square().sum().backward()
    assert all(float(parameter.grad.abs().sum()) > 0 for parameter in encoder.parameters())
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", ENCODERS)
def test_the_generator_decides_the_weights(name):
    before = torch.get_rng_state()
    first, again, other = (made(name, 36, 36, 1, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[entry], again[entry]) for entry in first)
    assert not torch.equal(first["linear.weight"], other["linear.weight"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.Discrete(3),
        gym.spaces.Box(-np.inf, np.inf, (30, 40, 3)),
        gym.spaces.Box(0, 255, (128,), np.uint8),
        images_of(12, 40, 3),
    ],
    ids=["discrete", "floats", "a vector of bytes", "a small image"],
)
def test_by_itself_only_images_of_bytes_large_enough_are_encoded(space):
    assert make_encoder("auto", space, torch.Generator()) is None


def test_by_itself_an_image_gets_rl2s_and_none_on_request():
    auto = made("auto", 13, 13, 1).state_dict()
    own = made("rl2", 13, 13, 1).state_dict()
    assert all(torch.equal(auto[name], own[name]) for name in own)
    assert made("none", 30, 40, 3) is None


def test_an_encoder_that_is_named_reads_what_only_looks_doubtful():
    assert made("rl2", 20, 84, 96)(drawn(2, 20, 84, 96)).shape == (2, 256)


def test_smallest_images():
    assert made("nature", 36, 36, 3)(drawn(2, 36, 36, 3)).shape == (2, 512)
    assert made("rl2", 13, 13, 1)(drawn(2, 13, 13, 1)).shape == (2, 256)
    assert isinstance(made("impala", 1, 1, 1), Impala)
    assert made("impala", 1, 1, 1)(drawn(2, 1, 1, 1)).shape == (2, 256)


@pytest.mark.parametrize(
    ("name", "space", "sentence"),
    [
        (
            "nature",
            images_of(35, 80, 3),
            "'nature' needs images of 36x36 pixels or more, not 35x80; choose 'rl2' or 'impala'",
        ),
        (
            "nature",
            images_of(8, 80, 3),
            "36x36 pixels or more, not 8x80; choose 'impala' or 'none'",
        ),
        (
            "rl2",
            images_of(30, 12, 3),
            "'rl2' needs images of 13x13 pixels or more, not 30x12; choose 'impala' or 'none'",
        ),
        ("nature", gym.spaces.Discrete(3), "'nature' reads images: a Box of uint8"),
        ("rl2", gym.spaces.Box(0, 1, (30, 40, 3)), "'rl2' reads images: a Box of uint8"),
        (
            "impala",
            gym.spaces.Box(0, 255, (128,), np.uint8),
            "'impala' reads images: a Box of uint8",
        ),
        ("auto", images_of(3, 84, 84), r"\[3, 84, 84\] looks like channels first. Move them last"),
        ("nature", images_of(4, 84, 84), r"\[4, 84, 84\] looks like channels first"),
        ("nature", images_of(64, 84, 84), r"\[64, 84, 84\] looks like channels first"),
        (
            "auto",
            images_of(20, 84, 96),
            (
                "looks like channels first.*if it is height, width and channels after all, name an"
                " encoder"
            ),
        ),
        (
            "rl2",
            images_of(4, 84, 84, 3),
            r"\[4, 84, 84, 3\] looks like channels first.*numpy.concatenate",
        ),
        (
            "auto",
            gym.spaces.Box(0, 1, (30, 40, 3)),
            "look like images, which encoders read as bytes",
        ),
    ],
)
def test_what_does_not_fit_gets_a_sentence(name, space, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_encoder(name, space, torch.Generator())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"encoder": "resnet"},
            "no encoder 'resnet'; choose one of auto, none, rl2, nature, impala",
        ),
        (
            {"encoder": "rl2", "core": "per_pair_memory"},
            (
                "'per_pair_memory' reads no images; for the encoder 'rl2' choose gru, lstm,"
                " attention, none, spatial_memory"
            ),
        ),
    ],
)
def test_bad_settings_get_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        NetworkConfig(**settings)


def test_one_flag_chooses_the_encoder(tmp_path, capsys):
    words = [
        "train",
        "rl2",
        "--distribution",
        "BernoulliBandit-v0",
        "--folder",
        str(tmp_path / "run"),
        "--network.encoder",
        "nature",
    ]
    with pytest.raises(SystemExit):
        main(words)
    assert "The encoder 'nature' reads images" in capsys.readouterr().err
