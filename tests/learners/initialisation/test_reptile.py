"""Reptile: its expected update on quadratic tasks, and what it is with one inner step."""

import pytest
import torch

from metarl.learners.initialisation.inner_loop import task_gradients
from metarl.learners.initialisation.reptile import Reptile, ReptileConfig, reptile_gradient
from metarl.learners.optimizers import SGD
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.learners.quadratics import Quadratics, slope


class Backward(SGD):
    """Gradient descent whose step may be negative, for differences."""

    def __post_init__(self) -> None:
        pass


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_expected_update(k):
    """k AvgGrad - k (k - 1) / 2 a AvgGradInner (Nichol et al.

    2018, section 5.1), by differences in a.
    """
    tasks = Quadratics(k) if k > 1 else Quadratics(2)

    def per_size(a):
        return (
            reptile_gradient(
                tasks.problem, tasks.initial, tasks.batches[:k], Backward(a)
            ).gradients[0]
            / a
        )

    small = 1e-4
    middle = (per_size(small) + per_size(-small)) / 2
    torch.testing.assert_close(middle, k * tasks.gradient, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        slope(per_size), -k * (k - 1) / 2 * tasks.inner, rtol=1e-6, atol=1e-6
    )


def test_one_inner_step_is_joint_training():
    learner = Reptile(
        ReptileConfig(iterations=5, tasks=4, inner_steps=1, batch=None, anneal=False),
        SineRegression(),
        0,
    )
    tasks = learner.distribution.sample(4, "train", 0).to("cpu", torch.float32)
    support = learner.distribution.support(tasks, torch.Generator().manual_seed(0))
    found = learner.meta_gradient(support, support)
    shared = [weight.expand(4, *weight.shape) for weight in learner.initial]
    for move, gradient in zip(
        found.gradients, task_gradients(learner.problem, shared, support).gradients, strict=True
    ):
        torch.testing.assert_close(move, 0.02 * gradient.mean(0))


def test_batched_is_the_mean_of_serial():
    """One batched step from the same weights is the mean of what the serial version would do task
    by task.
    """
    learner = Reptile(ReptileConfig(tasks=3, batch=None), SineRegression(), 0)
    tasks = learner.distribution.sample(3, "train", 0).to("cpu", torch.float32)
    support = learner.distribution.support(tasks, torch.Generator().manual_seed(0))
    together = learner.meta_gradient(support, support).gradients
    alone = [
        learner.meta_gradient(
            *(type(support)(*(part[i : i + 1] for part in support)),) * 2
        ).gradients
        for i in range(3)
    ]
    for i, whole in enumerate(together):
        torch.testing.assert_close(
            whole, torch.stack([each[i] for each in alone]).mean(0), rtol=1e-4, atol=1e-6
        )


def test_the_serial_version_moves_a_shrinking_part_of_the_way():
    """With one task, phi goes epsilon of the way to phi_task.

    Epsilon shrinks linearly over the iterations.
    """
    learner = Reptile(
        ReptileConfig(iterations=4, tasks=1, outer=SGD(0.1)), SineRegression(points=50), 0
    )
    for i in range(4):
        before = learner.initial
        given = []
        gradient = learner.meta_gradient
        learner.meta_gradient = lambda support, query, given=given, gradient=gradient: (
            given.append(gradient(support, query)) or given[0]
        )
        learner.update()
        del learner.meta_gradient
        for start, move, end in zip(before, given[0].gradients, learner.initial, strict=True):
            torch.testing.assert_close(end, start + 0.1 * (1 - i / 4) * ((start - move) - start))
    assert learner.finished
