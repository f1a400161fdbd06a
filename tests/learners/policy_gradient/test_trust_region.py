"""TRPO's step against closed forms.

Linear systems, quadratic losses, divergences that are exactly quadratic.
"""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.learners.policy_gradient.trust_region import (
    TRPO,
    conjugate_gradient,
    dot,
    trust_region_step,
)

RNG = torch_generator(0)
ROOT = torch.randn(6, 6, dtype=torch.float64, generator=RNG)
FISHER = ROOT @ ROOT.T + torch.eye(6, dtype=torch.float64)
GRADIENT = torch.randn(6, dtype=torch.float64, generator=RNG)
SHAPES = ((2, 2), (2,))


def parts(vector):
    return [part.view(shape) for part, shape in zip(vector.split([4, 2]), SHAPES, strict=True)]


def whole(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def product(tensors):
    return parts(FISHER @ whole(tensors))


def divergence(tensors):
    away = whole(tensors)
    return float(0.5 * away @ FISHER @ away)


def test_conjugate_gradient_solves():
    found = conjugate_gradient(product, parts(GRADIENT), 6)
    assert torch.allclose(whole(found), torch.linalg.solve(FISHER, GRADIENT), atol=1e-8)
    assert float(dot(found, parts(GRADIENT))) == pytest.approx(float(whole(found) @ GRADIENT))


def test_where_the_divergence_is_quadratic_the_step_is_the_natural_gradients_and_reaches_the_bound():
    start = parts(torch.zeros(6, dtype=torch.float64))
    config = TRPO(max_kl=0.02, damping=0.0)

    def measure(tensors):
        return float(whole(tensors) @ GRADIENT), divergence(tensors) * (1 - 1e-9)

    step = trust_region_step(start, parts(GRADIENT), product, measure, config, 0.0)
    natural = torch.linalg.solve(FISHER, GRADIENT)
    assert torch.allclose(
        whole(step.weights), -natural * (2 * 0.02 / (GRADIENT @ natural)).sqrt(), atol=1e-6
    )
    assert step.share == 1
    assert step.kl == pytest.approx(0.02, rel=1e-6)


def test_a_step_that_diverges_further_than_thought_is_shortened():
    start = parts(torch.zeros(6, dtype=torch.float64))
    config = TRPO(max_kl=0.02, damping=0.0, shrink=0.5)
    step = trust_region_step(
        start,
        parts(GRADIENT),
        product,
        lambda t: (float(whole(t) @ GRADIENT), 3 * divergence(t)),
        config,
        0.0,
    )
    assert step.share == 0.5
    assert 0 < step.kl <= 0.02


def test_no_step_is_taken_where_none_makes_the_loss_less():
    start = parts(torch.ones(6, dtype=torch.float64))
    config = TRPO()
    step = trust_region_step(start, parts(GRADIENT), product, lambda _: (1.0, 0.0), config, 1.0)
    assert (step.share, step.kl) == (0, 0)
    assert torch.equal(whole(step.weights), whole(start))
    assert (
        trust_region_step(start, parts(GRADIENT), product, lambda _: (1.0, 0.0), config, None).share
        == 1
    )


def test_no_gradient_no_step():
    start = parts(torch.ones(6, dtype=torch.float64))
    step = trust_region_step(
        start,
        parts(torch.zeros(6, dtype=torch.float64)),
        product,
        lambda _: (0.0, 0.0),
        TRPO(),
        None,
    )
    assert torch.equal(whole(step.weights), whole(start))


@pytest.mark.parametrize(
    "settings", [{"max_kl": 0}, {"damping": -1}, {"cg_iterations": 0}, {"shrink": 1}]
)
def test_bad_settings_get_a_sentence(settings):
    with pytest.raises(ValueError, match="must"):
        TRPO(**settings)
