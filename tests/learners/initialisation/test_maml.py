"""MAML.

Its expected update on quadratic tasks, and its gradient against differences of the loss itself.
"""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.learners.initialisation.inner_loop import Problem, adapt, task_losses
from metarl.learners.initialisation.maml import MAMLConfig, maml_gradient
from metarl.learners.optimizers import SGD
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.learners.quadratics import Quadratics, slope


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_expected_update(steps):
    """AvgGrad - 2 K a AvgGradInner (Nichol et al.

    2018, section 5.1, where k = K + 1), by differences in a.
    """
    tasks = Quadratics(steps + 1)

    def at(a):
        return maml_gradient(
            tasks.problem, tasks.initial, tasks.batches[:-1], tasks.batches[-1], a
        ).gradients[0]

    torch.testing.assert_close(at(0.0), tasks.gradient)
    torch.testing.assert_close(slope(at), -2 * steps * tasks.inner, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 5])
def test_the_gradient_is_that_of_the_loss_after_adaptation(steps):
    sines = SineRegression()
    rng = torch_generator(0)
    problem = Problem(PerTask(Perceptron(1, 1, PerceptronConfig((8, 8)), rng).double()), sines.loss)
    tasks = sines.sample(3, "train", 0)
    support = sines.support(tasks, rng)
    query = sines.query(tasks, rng)
    initial = problem.network.weights()

    def after(weights):
        return task_losses(
            problem, adapt(problem, weights, [support] * steps, SGD(0.05)).weights, query
        ).mean()

    found = maml_gradient(problem, initial, [support] * steps, query, 0.05).gradients
    for direction_seed in range(3):
        directions = [
            torch.randn(
                w.shape, generator=torch_generator(direction_seed, "direction"), dtype=w.dtype
            )
            for w in initial
        ]
        wanted = slope(
            lambda h, d=directions: after(
                [w + h * each for w, each in zip(initial, d, strict=True)]
            ),
            1e-5,
        )
        along = sum((g * d).sum() for g, d in zip(found, directions, strict=True))
        torch.testing.assert_close(along, wanted, rtol=1e-6, atol=1e-8)


def test_losses_are_those_before_each_step_and_after_the_last():
    tasks = Quadratics(3)
    losses = maml_gradient(
        tasks.problem, tasks.initial, tasks.batches[:-1], tasks.batches[-1], 0.01
    ).losses
    assert losses.shape == (3, 3 * 6)
    shared = [w.expand(18, *w.shape) for w in tasks.initial]
    torch.testing.assert_close(
        losses[0], task_losses(tasks.problem, shared, tasks.batches[0]).detach()
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"inner_steps": 0}, "inner_steps must be at least 1, not 0"),
        ({"tasks": 0}, "tasks must be at least 1, not 0"),
        ({"iterations": 0}, "iterations must be at least 1, not 0"),
        ({"batch": 0}, "batch must be at least 1 example"),
        ({"inner_lr": 0.0}, "inner_lr must be positive, not 0.0"),
    ],
)
def test_bad_settings_get_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        MAMLConfig(**settings)
