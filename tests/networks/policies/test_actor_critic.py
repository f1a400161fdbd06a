"""The policy without memory: encoders by size, one answer for each observation, precision."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.networks.encoders import Impala, Plain
from metarl.networks.policies.actor_critic import ActorCritic, ActorCriticConfig

ACTIONS = gym.spaces.Discrete(5)


def images(side, channels=3):
    return gym.spaces.Box(0, 255, (side, side, channels), np.uint8)


def network(space, **settings):
    return ActorCritic(space, ACTIONS, ActorCriticConfig(**settings), torch_generator(0))


@pytest.mark.parametrize(("side", "convolutions"), [(64, 3), (36, 3), (20, 2)])
def test_the_encoder_goes_by_the_size_of_images(side, convolutions):
    encoder = network(images(side)).encoder
    assert isinstance(encoder, Plain)
    assert len(encoder.convolutions) == convolutions


@pytest.mark.parametrize("encoder", ["nature", "impala", "rl2"])
def test_each_observation_is_judged_by_itself(encoder):
    policy = network(images(40), encoder=encoder)
    seen = torch.randint(256, (2, 3, 40, 40, 3), generator=torch_generator(1), dtype=torch.uint8)
    output = policy(seen)
    assert output.parameters.shape == (2, 3, 5)
    assert output.value.shape == (2, 3)
    assert torch.allclose(policy(seen[1, 2]).value, output.value[1, 2], atol=1e-5)


def test_numbers_are_read_by_hidden_layers():
    policy = network(gym.spaces.Box(-1, 1, (4,), np.float32), hidden_size=8)
    assert policy.encoder is None
    assert policy(torch.zeros(7, 4)).value.shape == (7,)
    assert network(gym.spaces.Discrete(3))(torch.tensor([0, 2])).parameters.shape == (2, 5)


@pytest.mark.parametrize("encoder", ["nature", "impala"])
def test_half_precision_differs_by_rounding_only_and_keeps_weights_in_float32(encoder):
    seen = torch.randint(256, (16, 40, 40, 3), generator=torch_generator(1), dtype=torch.uint8)
    exact, rounded = (
        network(images(40), encoder=encoder, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    assert isinstance(exact.encoder, Impala if encoder == "impala" else Plain)
    values = [policy(seen).value for policy in (exact, rounded)]
    assert values[1].dtype == torch.float32
    assert 0 < (values[0] - values[1]).abs().max() < 0.1 * values[0].std() + 0.02
    for policy, value in zip((exact, rounded), values, strict=True):
        value.square().sum().backward()
        assert all(weight.grad.dtype == torch.float32 for weight in policy.encoder.parameters())
    pairs = [
        (a.grad.flatten(), b.grad.flatten())
        for a, b in zip(exact.encoder.parameters(), rounded.encoder.parameters(), strict=True)
    ]
    one, other = (torch.cat(each) for each in zip(*pairs, strict=True))
    assert torch.nn.functional.cosine_similarity(one, other, 0) > 0.99


def test_all_actions_start_about_equally_likely():
    seen = torch.randint(256, (16, 40, 40, 3), generator=torch_generator(1), dtype=torch.uint8)
    assert network(images(40))(seen).parameters.abs().max() < 0.1


@pytest.mark.parametrize(
    "settings", [{"encoder": "large"}, {"hidden_size": 0}, {"precision": "float8"}]
)
def test_bad_settings(settings):
    with pytest.raises(
        ValueError, match="no encoder 'large'|hidden_size must be|no precision 'float8'"
    ):
        ActorCriticConfig(**settings)
