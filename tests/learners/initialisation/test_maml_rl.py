"""MAML for policies.

Derivatives through the inner updates against finite differences, and TRPO's bound, measured.
"""

import math
from dataclasses import replace

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.core.supervised import Examples
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.inner_loop import adapt, broadcast, task_gradients
from metarl.learners.initialisation.maml_rl import MAMLRL
from metarl.learners.initialisation.policy_initialisation import ClippedPPO
from metarl.learners.optimizers import SGD
from metarl.learners.policy_gradient.advantages import PolicyGradientBatch, estimate_advantages
from metarl.learners.policy_gradient.trust_region import TRPO
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.point_navigation import PointNavigation
from metarl.tasks.mdps.random_mdp import RandomMDP

TASKS = 3
STEPS = 2
LR = 0.3
FAMILIES = {
    "box": PointNavigation(horizon=8),
    "discrete": RandomMDP(states=3, actions=2, horizon=6),
}


def doubled(examples):
    return Examples(
        examples.inputs.double(),
        PolicyGradientBatch(
            *(p.double() if p.is_floating_point() else p for p in examples.targets[:-1])
        ),
    )


def made(family, learner=MAMLRL):
    """Return a learner in float64, with the steps that two inner updates learned from, and those
    after them.
    """
    adaptation = Adaptation(episodes=4, inner_lr=LR, gae_lambda=0.9)
    settings = {} if learner.__name__ == "JointRL" else {"inner_steps": STEPS}
    learner = learner(
        learner.Config(
            tasks=TASKS, adaptation=adaptation, network=PerceptronConfig((6,)), **settings
        ),
        FAMILIES[family],
        seed=1,
    )
    tasks = learner.distribution.sample(TASKS, "train", 0)
    weights = broadcast(learner.initial, TASKS)
    batches = []
    for _ in range(STEPS + 1):
        batches.append(estimate_advantages(learner.play(tasks, weights)[0], 0.99, 0.9))
        weights = SGD(LR).step(
            weights, task_gradients(learner.problem, weights, batches[-1]).gradients, {}
        )[0]
    learner.network.network.double()
    learner.initial = [weight.double() for weight in learner.initial]
    *support, query = map(doubled, batches)
    return learner, support, query


def directional(function, initial, direction, size=1e-5):
    """Return the derivative of `function`, a list of tensors or a number, along `direction`."""
    values = [
        function([w + sign * size * d for w, d in zip(initial, direction, strict=True)])
        for sign in (1, -1)
    ]
    if isinstance(values[0], list):
        return [(a - b) / (2 * size) for a, b in zip(*values, strict=True)]
    return (values[0] - values[1]) / (2 * size)


def drawn(initial):
    rng = torch_generator(5)
    return [torch.randn(weight.shape, generator=rng, dtype=torch.float64) for weight in initial]


@pytest.mark.parametrize("clip", [math.inf, 0.2])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_meta_gradient_is_that_of_the_loss_after_adaptation(family, clip):
    learner, support, query = made(family)
    problem = learner.problem
    query = Examples(query.inputs, query.targets._replace(clip=clip))

    def loss(initial):
        weights = adapt(problem, initial, support, SGD(LR)).weights
        return float(task_gradients(problem, weights, query).loss.mean())

    direction = drawn(learner.initial)
    found = learner.meta_gradient(problem, learner.initial, support, query)
    along = sum(float((g * d).sum()) for g, d in zip(found.gradients, direction, strict=True))
    assert along == pytest.approx(directional(loss, learner.initial, direction), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fisher_product_is_a_finite_difference_of_the_divergences_gradient(family):
    learner, support, query = made(family)
    with torch.no_grad():
        old = learner.network(learner.adapted(learner.initial, support), query.inputs)

    def slope(initial):
        """Return the gradient of the mean divergence after adaptation, by backpropagation through
        every inner step.
        """
        leaves = [weight.clone().requires_grad_() for weight in initial]
        weights = [leaf.expand(TASKS, *leaf.shape) for leaf in leaves]
        for batch in support:
            losses = learner.problem.loss(
                learner.network(weights, batch.inputs), batch.targets
            ).mean(-1)
            gradients = torch.autograd.grad(losses.sum(), weights, create_graph=True)
            weights = [
                weight - LR * gradient for weight, gradient in zip(weights, gradients, strict=True)
            ]
        kl = (
            query.targets.weight * learner.actions.kl(old, learner.network(weights, query.inputs))
        ).mean()
        return list(torch.autograd.grad(kl, leaves))

    direction = drawn(learner.initial)
    wanted = directional(slope, learner.initial, direction)
    for one, other in zip(learner.fisher_product(support, query)(direction), wanted, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-7)


def test_the_measured_divergence_stays_within_the_bound_and_the_returns_grow():
    adaptation = Adaptation(episodes=10, inner_lr=0.2, gae_lambda=1.0)
    config = MAMLRL.Config(
        tasks=10, adaptation=adaptation, outer=TRPO(max_kl=0.02), network=PerceptronConfig((32,))
    )
    learner = MAMLRL(config, PointNavigation(horizon=20))
    history = []
    for _ in range(25):
        history.append(learner.update())
        assert history[-1]["kl"] <= 0.02
    assert sum(metrics["share"] > 0 for metrics in history) >= 20
    early, late = (
        sum(metrics["return"] for metrics in part) / 5 for part in (history[:5], history[-5:])
    )
    assert late > early + 1
    before = sum(metrics["return_before"] for metrics in history[-5:]) / 5
    assert late > before + 1  # it is adaptation that does it


def test_ppo_as_outer_step_learns_too():
    adaptation = Adaptation(episodes=10, inner_lr=0.2, gae_lambda=1.0)
    config = MAMLRL.Config(
        tasks=10, adaptation=adaptation, outer=ClippedPPO(), network=PerceptronConfig((32,))
    )
    config = replace(config, outer=replace(config.outer, adam=replace(config.outer.adam, lr=5e-3)))
    learner = MAMLRL(config, PointNavigation(horizon=20))
    history = [learner.update() for _ in range(25)]
    late = sum(metrics["return"] for metrics in history[-5:]) / 5
    assert late > sum(metrics["return"] for metrics in history[:5]) / 5 + 0.7
    assert late > sum(metrics["return_before"] for metrics in history[-5:]) / 5 + 0.7


@pytest.mark.parametrize("settings", [{"inner_steps": 0}, {"tasks": 0}, {"iterations": 0}])
def test_bad_settings_get_a_sentence(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))} must be at least 1"):
        MAMLRL.Config(**settings)
