"""The core without memory.

Its maths, and a policy that reads the current observation and nothing else.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.networks.cores.feed_forward import FeedForward
from metarl.networks.policies.policy import NetworkConfig, Policy
from metarl.networks.policies.stacked import StackedPolicy
from tests.networks.made_steps import at, random_steps

SPACES = {
    "box": (gym.spaces.Box(-np.inf, np.inf, (3,)), gym.spaces.Box(-1, 1, (2,))),
    "discrete": (gym.spaces.Discrete(4), gym.spaces.Discrete(3)),
    "never changes": (gym.spaces.Discrete(1), gym.spaces.Discrete(3)),
}
LENGTH = 6
ROWS = 5


def memoryless(observation_space, action_space, seed=0):
    policy = Policy(
        observation_space,
        action_space,
        NetworkConfig("none", hidden_size=8),
        LENGTH,
        torch_generator(seed),
    )
    with torch.no_grad():
        policy.heads.weight[:-1] *= 100  # so that it says something from the start
    policy.learn_moments(
        random_steps(observation_space, action_space, seed=9),
        torch.ones(LENGTH, ROWS, dtype=torch.bool),
    )
    return policy


def test_two_layers_of_tanh():
    core = FeedForward(3, 4, torch_generator(0)).double()
    features = torch.randn(LENGTH, ROWS, 3, generator=torch_generator(1), dtype=torch.float64)
    with torch.no_grad():
        core.biases[0] += 1
    first = torch.tanh(features @ core.weights[0] + 1)
    wanted = torch.tanh(first @ core.weights[1])
    torch.testing.assert_close(core.sequence(features), wanted, rtol=0, atol=1e-12)
    output, state = core(features[2], core.initial_state(ROWS))
    torch.testing.assert_close(output, wanted[2], rtol=0, atol=1e-12)
    assert state == ()
    torch.testing.assert_close(
        core.weights[1].T @ core.weights[1], 2 * torch.eye(4).double(), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("spaces", SPACES.values(), ids=SPACES)
def test_whole_meta_episodes_equal_single_steps(spaces):
    policy = memoryless(*spaces)
    steps = random_steps(*spaces)
    whole = policy.sequence(steps)
    state = policy.initial_state(ROWS)
    for t in range(LENGTH):
        output, state = policy(at(steps, t), state)
        torch.testing.assert_close(output.parameters, whole.parameters[t])
        torch.testing.assert_close(output.value, whole.value[t])


@pytest.mark.parametrize("spaces", SPACES.values(), ids=SPACES)
def test_only_the_current_observation_is_read(spaces):
    policy = memoryless(*spaces)
    steps = random_steps(*spaces, seed=1)
    other = random_steps(*spaces, seed=2)
    one = policy.sequence(steps)
    two = policy.sequence(other._replace(observation=steps.observation))
    assert torch.equal(one.parameters, two.parameters)
    assert torch.equal(one.value, two.value)
    backwards = policy.sequence(type(steps)(*(field.flip(0) for field in steps)))
    torch.testing.assert_close(backwards.parameters.flip(0), one.parameters)


def test_the_observation_is_read():
    policy = memoryless(*SPACES["box"])
    steps = random_steps(*SPACES["box"])
    moved = policy.sequence(steps._replace(observation=steps.observation + 1))
    assert (moved.parameters != policy.sequence(steps).parameters).all()


def test_stacked_policies_equal_each_alone():
    spaces = SPACES["box"]
    apart = [memoryless(*spaces, seed) for seed in (1, 2)]
    steps = random_steps(*spaces)
    stacked = StackedPolicy(apart)
    doubled = type(steps)(*(torch.cat([field, field], 1) for field in steps))
    whole = stacked.sequence(doubled)
    state = stacked.initial_state(2 * ROWS)
    output, _ = stacked(at(doubled, 0), state)
    for index, policy in enumerate(apart):
        rows = slice(index * ROWS, (index + 1) * ROWS)
        torch.testing.assert_close(whole.parameters[:, rows], policy.sequence(steps).parameters)
        torch.testing.assert_close(output.parameters[rows], policy.sequence(steps).parameters[0])
