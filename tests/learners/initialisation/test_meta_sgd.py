"""Meta-SGD.

Both its gradients against differences of the loss itself, and MAML as its special case.
"""

import torch

from metarl.core.seeding import torch_generator
from metarl.learners.initialisation.inner_loop import (
    Problem,
    broadcast,
    task_gradients,
    task_losses,
)
from metarl.learners.initialisation.maml import maml_gradient
from metarl.learners.initialisation.meta_sgd import MetaSGD, MetaSGDConfig, Rates, meta_sgd_gradient
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.learners.quadratics import slope


def sines():
    family = SineRegression()
    rng = torch_generator(0)
    problem = Problem(PerTask(Perceptron(1, 1, PerceptronConfig((6,)), rng).double()), family.loss)
    tasks = family.sample(3, "train", 0)
    return problem, problem.network.weights(), family.support(tasks, rng), family.query(tasks, rng)


def test_both_gradients_are_those_of_the_loss_after_adaptation():
    problem, initial, support, query = sines()
    rates = [
        0.02 + 0.05 * torch.rand(w.shape, generator=torch_generator(1), dtype=w.dtype)
        for w in initial
    ]
    both = initial + rates

    def after(everything):
        weights = broadcast(everything[: len(initial)], 3)
        sizes = everything[len(initial) :]
        for _ in range(3):
            weights, _ = Rates(sizes).step(
                weights, task_gradients(problem, weights, support).gradients, {}
            )
        return task_losses(problem, weights, query).mean()

    found = meta_sgd_gradient(problem, initial, rates, [support] * 3, query).gradients
    assert len(found) == len(both)
    for i, tensor in enumerate(both):
        direction = torch.randn(
            tensor.shape, generator=torch_generator(i, "direction"), dtype=tensor.dtype
        )
        wanted = slope(
            lambda h, i=i, d=direction: after(
                [t + h * d if j == i else t for j, t in enumerate(both)]
            ),
            1e-5,
        )
        torch.testing.assert_close((found[i] * direction).sum(), wanted, rtol=1e-6, atol=1e-8)


def test_equal_rates_give_mamls_gradient():
    problem, initial, support, query = sines()
    rates = [torch.full_like(w, 0.03) for w in initial]
    ours = meta_sgd_gradient(problem, initial, rates, [support] * 2, query).gradients
    for a, b in zip(
        ours, maml_gradient(problem, initial, [support] * 2, query, 0.03).gradients, strict=False
    ):
        torch.testing.assert_close(a, b)


def test_step_sizes_are_trained_saved_and_used():
    learner, other = (
        MetaSGD(MetaSGDConfig(iterations=5, tasks=4), SineRegression(), seed) for seed in (0, 1)
    )
    before = [rate.clone() for rate in learner.rates]
    learner.update()
    assert all(not torch.equal(a, b) for a, b in zip(before, learner.rates, strict=True))
    other.load_weights(learner.weights())
    assert all(
        torch.equal(a, b)
        for a, b in zip(learner.rates, other.adapter().optimizer.rates, strict=True)
    )
