"""A policy's perceptron.

One task's answers are the module's, gradients are autograd's, all actions about equally likely at
first.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.networks.actions import action_distribution
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import PerceptronConfig
from metarl.networks.policies.perceptron_policy import PolicyPerceptron

SPACES = {
    "box": gym.spaces.Box(-2, 2, (3,), np.float32),
    "discrete": gym.spaces.Discrete(4),
    "several": gym.spaces.MultiDiscrete([2, 3]),
}


def made(space, activation="tanh"):
    return PolicyPerceptron(
        5, space, PerceptronConfig((8, 6), activation), torch_generator(0), log_std=-0.5
    )


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_each_tasks_answers_are_the_modules(space):
    network = made(space)
    inputs = torch.randn(2, 7, 5, generator=torch_generator(1))
    per_task = PerTask(network)
    weights = [torch.stack([weight, 2 * weight]) for weight in per_task.weights()]
    found = per_task(weights, inputs)
    assert torch.allclose(found[0], network(inputs[0]), atol=1e-6)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    assert torch.allclose(found[1], network(inputs[1]), atol=1e-5)
    assert found.shape[-1] == action_distribution(space).num_parameters


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_gradients_are_autograds(space, activation):
    network = made(space, activation)
    inputs = torch.randn(3, 9, 5, generator=torch_generator(1))
    weights = [
        torch.randn(3, *weight.shape, generator=torch_generator(2)).requires_grad_()
        for weight in network.parameters()
    ]
    outputs = network.stacked(weights, inputs)
    by_outputs = torch.randn(outputs.shape, generator=torch_generator(3))
    wanted = torch.autograd.grad((outputs * by_outputs).sum(), weights)
    found = network.stacked_gradients(
        [weight.detach() for weight in weights], inputs, lambda _: by_outputs
    )
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_actions_start_about_equally_likely_and_boxes_with_the_deviation_asked_for():
    inputs = torch.randn(50, 5, generator=torch_generator(1))
    assert made(SPACES["discrete"])(inputs).softmax(-1).sub(0.25).abs().max() < 0.02
    mean, log_std = made(SPACES["box"])(inputs).chunk(2, -1)
    assert mean.abs().max() < 0.05
    assert (log_std == -0.5).all()
