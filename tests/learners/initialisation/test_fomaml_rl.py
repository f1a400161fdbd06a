"""First-order MAML for policies: the gradient after adaptation, and its Fisher matrix."""

import pytest
import torch

from metarl.learners.initialisation.fomaml_rl import FOMAMLRL
from metarl.learners.initialisation.inner_loop import task_gradients
from tests.learners.initialisation.test_maml_rl import FAMILIES, directional, drawn, made


@pytest.mark.parametrize("family", FAMILIES)
def test_the_meta_gradient_is_the_mean_one_of_adapted_policies(family):
    learner, support, query = made(family, FOMAMLRL)
    found = learner.meta_gradient(learner.problem, learner.initial, support, query)
    wanted = task_gradients(learner.problem, learner.adapted(learner.initial, support), query)
    for one, other in zip(found.gradients, wanted.gradients, strict=True):
        assert torch.allclose(one, other.mean(0))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fisher_product_is_that_of_adapted_policies(family):
    learner, support, query = made(family, FOMAMLRL)
    adapted = learner.adapted(learner.initial, support)
    with torch.no_grad():
        old = learner.network(adapted, query.inputs)

    def slope(weights):
        """Return the gradient of the mean divergence, all tasks' weights moved alike."""
        leaves = [weight.clone().requires_grad_() for weight in weights]
        kl = (
            (query.targets.weight * learner.actions.kl(old, learner.network(leaves, query.inputs)))
            .mean(1)
            .sum()
        )
        return [gradient.mean(0) for gradient in torch.autograd.grad(kl, leaves)]

    direction = drawn(learner.initial)
    wanted = directional(slope, adapted, direction)
    for one, other in zip(learner.fisher_product(support, query)(direction), wanted, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-7)


def test_bad_settings_get_a_sentence():
    with pytest.raises(ValueError, match="inner_steps must be at least 1"):
        FOMAMLRL.Config(inner_steps=0)
