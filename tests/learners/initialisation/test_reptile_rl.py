"""Reptile for policies: where inner updates end, and steps that the divergence alone limits."""

import pytest
import torch

from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.reptile_rl import ReptileRL, ReptileRLConfig
from metarl.learners.policy_gradient.trust_region import TRPO
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.point_navigation import PointNavigation
from tests.learners.initialisation.test_maml_rl import FAMILIES, made


@pytest.mark.parametrize("family", FAMILIES)
def test_the_meta_gradient_leads_to_where_inner_updates_end(family):
    learner, support, query = made(family, ReptileRL)
    found = learner.meta_gradient(learner.problem, learner.initial, support, query)
    ends = learner.adapted(learner.initial, support)
    for gradient, start, end in zip(found.gradients, learner.initial, ends, strict=True):
        assert torch.allclose(gradient, start - end.mean(0))


def test_trpos_bound_holds_after_every_step():
    config = ReptileRLConfig(
        tasks=6,
        adaptation=Adaptation(episodes=6),
        outer=TRPO(max_kl=0.01),
        network=PerceptronConfig((16,)),
        inner_steps=2,
    )
    learner = ReptileRL(config, PointNavigation(horizon=10))
    for _ in range(6):
        metrics = learner.update()
        assert 0 < metrics["kl"] <= 0.01


def test_bad_settings_get_a_sentence():
    with pytest.raises(ValueError, match="inner_steps must be at least 1"):
        ReptileRLConfig(inner_steps=0)
