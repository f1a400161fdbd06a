"""Rainbow's network.

Advantages around zero, values of atoms, every kind of observation, rows apart, and what it refuses.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.networks.rainbow_network import RainbowNetwork, RainbowNetworkConfig
from tests.networks.made_steps import random_steps

ACTION = gym.spaces.Discrete(3)
SMALL = {"layers": (8,), "hidden": 6, "atoms": 5}
SPACES = {
    "discrete": gym.spaces.Discrete(4),
    "constant": gym.spaces.Discrete(1),
    "multi-binary": gym.spaces.MultiBinary((2, 2)),
    "box": gym.spaces.Box(-1, 1, (3,)),
    "small image": gym.spaces.Box(0, 255, (14, 15, 3), np.uint8),
    "image": gym.spaces.Box(0, 255, (36, 40, 4), np.uint8),
}


def network(space=SPACES["box"], **settings):
    return RainbowNetwork(
        space,
        ACTION,
        RainbowNetworkConfig(**{**SMALL, **settings}),
        torch.Generator().manual_seed(0),
    )


def observations(space, rows=5):
    return random_steps(space, ACTION, length=1, rows=rows).observation[0]


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("hidden", [0, 6])
def test_it_reads_every_kind_of_observation(kind, hidden):
    made = network(SPACES[kind], hidden=hidden)
    outputs = made(observations(SPACES[kind]), made.noise(torch.Generator().manual_seed(1)))
    assert outputs.shape == (5, 3, 5)
    assert made.values(outputs).shape == (5, 3)
    outputs.sum().backward()


def test_advantages_of_duelling_streams_sum_to_zero():
    made = network()
    seen = observations(SPACES["box"])
    outputs = made(seen)
    with torch.no_grad():
        # Whatever advantages are, the state's stream is their mean
        made.advantage[-1].bias += torch.arange(15.0)
        moved = made(seen)
    assert torch.allclose(moved.mean(1), outputs.mean(1), atol=1e-5)
    assert not torch.allclose(moved, outputs, atol=1e-2)
    alone = network(duelling=False)
    assert alone.state is None
    assert alone(seen).shape == (5, 3, 5)


def test_values_are_means_over_the_support():
    made = network(v_min=-2.0, v_max=2.0)
    assert made.support.tolist() == [-2, -1, 0, 1, 2]
    probabilities = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.0])
    assert made.values((probabilities + 1e-12).log()[None, None]).item() == pytest.approx(
        0.0, abs=1e-6
    )
    mean_only = network(distributional=False)
    outputs = mean_only(observations(SPACES["box"]))
    assert outputs.shape == (5, 3, 1)
    assert torch.equal(mean_only.values(outputs), outputs[..., 0])


def test_without_noisy_layers_there_is_no_noise():
    made = network(noisy=False)
    assert made.noise(torch.Generator().manual_seed(0)) == []
    assert not any("noise" in name for name, _ in made.named_parameters())


def test_rows_with_noise_of_their_own_do_not_depend_on_each_other():
    made = network()
    seen = observations(SPACES["box"])
    noise = made.noise(torch.Generator().manual_seed(1), rows=5)
    together = made(seen, noise)
    changed = made(seen * torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0])[:, None], noise)
    others = [0, 1, 3, 4]
    assert torch.equal(together[others], changed[others])
    assert not torch.allclose(
        made(seen[:1].expand(5, -1), noise)[0], made(seen[:1].expand(5, -1), noise)[1]
    )


def test_streams_read_the_convolutions_or_share_the_encoders_last_layer():
    own = network(SPACES["image"])
    shared = network(SPACES["image"], hidden=0)
    # Of 36 x 40 pixels, the Nature network's convolutions leave 1 x 1 x 64
    assert own.advantage[0].weight.shape == (6, 64)
    assert [tuple(layer.weight.shape) for layer in shared.advantage] == [(15, 512)]


def test_boxes_are_normalised_once_moments_are_learned():
    made = network()
    seen = observations(SPACES["box"], 200)
    before = made(seen)
    made.learn_moments(100 * seen)
    assert torch.allclose(made(100 * seen), made(100 * seen))
    assert not torch.allclose(made(seen), before)
    image = network(SPACES["image"])
    image.learn_moments(observations(SPACES["image"]))
    assert image.inputs.normalises is False


def test_half_precision_stays_near():
    exact, rough = (
        network(SPACES["image"], precision=precision) for precision in ("float32", "bfloat16")
    )
    seen = observations(SPACES["image"])
    assert exact(seen).dtype == rough(seen).dtype == torch.float32
    assert torch.allclose(exact(seen), rough(seen), atol=0.05)


@pytest.mark.parametrize(
    "action",
    [gym.spaces.Box(-1, 1, (2,)), gym.spaces.Discrete(3, start=1), gym.spaces.MultiBinary(2)],
)
def test_actions_must_be_discrete_from_zero(action):
    with pytest.raises(ValueError, match="discretise"):
        RainbowNetwork(
            SPACES["box"], action, RainbowNetworkConfig(), torch.Generator().manual_seed(0)
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "vgg"}, "encoder must be"),
        ({"hidden": -1}, "at least one unit"),
        ({"sigma": -0.1}, "sigma can't be negative"),
        ({"atoms": 1}, "2 atoms or more"),
        ({"v_min": 1.0, "v_max": 1.0}, "v_min < v_max"),
        ({"precision": "float16"}, "precision must be"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        RainbowNetworkConfig(**settings)
