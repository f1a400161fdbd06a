"""First-order MAML: its expected update on quadratic tasks, and its two tails."""

import pytest
import torch

from metarl.learners.initialisation.fomaml import FOMAML, FOMAMLConfig, fomaml_gradient
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.learners.initialisation.test_reptile import Backward
from tests.learners.quadratics import Quadratics, slope


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_expected_update(steps):
    """AvgGrad - K a AvgGradInner (Nichol et al.

    2018, section 5.1, where k = K + 1), by differences in a.
    """
    tasks = Quadratics(steps + 1)

    def at(a):
        return fomaml_gradient(
            tasks.problem, tasks.initial, tasks.batches[:-1], tasks.batches[-1], Backward(a)
        ).gradients[0]

    torch.testing.assert_close(at(0.0), tasks.gradient)
    torch.testing.assert_close(slope(at), -steps * tasks.inner, rtol=1e-6, atol=1e-6)


def test_a_shared_tail_is_the_supports_and_a_tail_the_querys():
    distribution = SineRegression(points=20)
    tasks = distribution.sample(3, "train", 0).to("cpu", torch.float32)
    support, query = (
        distribution.support(tasks, torch.Generator().manual_seed(i)) for i in range(2)
    )
    other = query._replace(targets=query.targets + 1)
    for tail, matters in (("query", True), ("shared", False)):
        one, two = (
            FOMAML(FOMAMLConfig(tasks=3, batch=5, inner_steps=3, tail=tail), distribution, 0)
            .meta_gradient(support, q)
            .gradients
            for q in (query, other)
        )
        assert any(not torch.equal(a, b) for a, b in zip(one, two, strict=True)) == matters


def test_a_shared_tail_is_a_minibatch_that_no_inner_step_saw():
    """Four minibatches of five are all of twenty examples.

    Whatever the last one is, it is not among the first three.
    """
    distribution = SineRegression(points=20)
    learner = FOMAML(FOMAMLConfig(tasks=3, batch=5, inner_steps=3, tail="shared"), distribution, 0)
    tasks = distribution.sample(3, "train", 0).to("cpu", torch.float32)
    seen = []
    loss = learner.problem.loss

    def watched(outputs, targets):
        seen.append(targets[0, :, 0].tolist())
        return loss(outputs, targets)

    learner.problem = learner.problem._replace(loss=watched, loss_and_grad=None)
    support = distribution.support(tasks, torch.Generator().manual_seed(0))
    learner.meta_gradient(support, support)
    assert [len(batch) for batch in seen] == [5] * 4
    assert sorted(value for batch in seen for value in batch) == sorted(
        support.targets[0, :, 0].tolist()
    )


def test_an_unknown_tail_gets_a_sentence():
    with pytest.raises(ValueError, match="tail must be 'query' or 'shared', not 'none'"):
        FOMAMLConfig(tail="none")


def test_a_shared_tail_needs_examples_that_the_inner_steps_leave():
    learner = FOMAML(FOMAMLConfig(tasks=3, batch=10, tail="shared"), SineRegression(), 0)
    with pytest.raises(
        ValueError,
        match=(
            "a task's support has 10 examples and batch is 10: .* Give a smaller batch, or take"
            " tail='query'"
        ),
    ):
        learner.update()
