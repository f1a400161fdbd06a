"""Meta-SGD: MAML that also learns each parameter's own step size (Li et al. 2017, arXiv
1707.09835).

    phi_{j+1} = phi_j - a * g_j(phi_j)    with a vector a of the weights' shape, trained together
    with phi by the loss after the steps

Going back through the steps as in MAML, v_j = v_{j+1} - H_j (a * v_{j+1}), and each step adds -g_j
* v_{j+1} to the gradient by a.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from metarl.core.arguments import check_fields
from metarl.core.supervised import Examples
from metarl.learners.initialisation.adapter import Stepper
from metarl.learners.initialisation.inner_loop import (
    MetaGradient,
    Problem,
    broadcast,
    minibatches,
    task_gradients,
)
from metarl.learners.initialisation.maml import hessian_products
from metarl.learners.initialisation.supervised_initialisation import (
    InitialisationLearner,
    check_settings,
)
from metarl.learners.optimizers import SGD, Adam, State
from metarl.learners.settings import check_step_sizes
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.perceptron import PerceptronConfig

__all__ = ["MetaSGD", "MetaSGDConfig", "Rates", "meta_sgd_gradient"]


@dataclass(frozen=True)
class MetaSGDConfig:
    """Settings of Meta-SGD.

    Attributes:
        iterations: outer steps.
        tasks: tasks in an outer step, computed side by side.
        inner_steps: K, steps on each task; 1 in the paper.
        inner_lr: every step size as it begins.
        batch: examples in an inner step; None for the whole support.
        outer: the optimiser of the outer steps.
        anneal: shrink the outer step linearly to nothing.
        network: the shape of the network, of vectors or of images.
    """

    iterations: int = 3000
    tasks: int = 25
    inner_steps: int = 1
    inner_lr: float = 0.02
    batch: int | None = None
    outer: SGD | Adam = field(default_factory=lambda: Adam(1e-3))
    anneal: bool = True
    network: PerceptronConfig | ImageNetworkConfig = field(default_factory=PerceptronConfig)

    def __post_init__(self) -> None:
        check_fields(self)
        check_settings(self.iterations, self.tasks, self.inner_steps, self.batch)
        check_step_sizes(inner_lr=self.inner_lr)


@dataclass(frozen=True)
class Rates:
    """Gradient descent with a step size for each parameter's every entry.

    Attributes:
        rates: one tensor [...] a parameter.
    """

    rates: list[Tensor]

    def start(self, weights: Sequence[Tensor]) -> State:
        """Nothing is remembered."""
        return {}

    def step(
        self, weights: list[Tensor], gradients: Sequence[Tensor], state: State
    ) -> tuple[list[Tensor], State]:
        """Weights [n, ...] after one step."""
        return (
            list(torch._foreach_sub(weights, torch._foreach_mul(list(gradients), self.rates))),
            state,
        )


def meta_sgd_gradient(
    problem: Problem,
    initial: Sequence[Tensor],
    rates: list[Tensor],
    batches: Sequence[Examples],
    query: Examples,
) -> MetaGradient:
    """Return the mean over tasks of the gradients, by phi and then by a, of the query's loss after
    the inner loop.

    Args:
        initial: phi, one tensor a parameter. rates: a, likewise.
        batches: the examples of each inner step. query: those of the loss after them.
    """
    weights = broadcast(initial, len(query.inputs))
    path = []
    for batch in batches:
        step = task_gradients(problem, weights, batch, create_graph=True)
        weights, _ = Rates(rates).step(
            [w.detach() for w in step.weights], [g.detach() for g in step.gradients], {}
        )
        path.append(step)
    last = task_gradients(problem, weights, query)
    back = last.gradients
    by_rates = [torch.zeros_like(rate) for rate in rates]
    for step in reversed(path):
        for total, gradient, vector in zip(by_rates, step.gradients, back, strict=True):
            total -= (gradient.detach() * vector).mean(0)
        back = list(
            torch._foreach_sub(back, hessian_products(step, torch._foreach_mul(back, rates)))
        )
    losses = torch.stack([*(step.loss for step in path), last.loss])
    return MetaGradient([*(gradient.mean(0) for gradient in back), *by_rates], losses, back)


class MetaSGD(InitialisationLearner):
    """Trains an initialisation and step sizes by the loss after a few steps, differentiated through
    them.
    """

    Config = MetaSGDConfig
    label = "Meta-SGD"  # as tables print it

    def start(self) -> dict[str, Tensor]:
        """Weights, then step sizes."""
        weights = super().start()
        return weights | {
            f"{name} rate": torch.full_like(weight, self.config.inner_lr)
            for name, weight in weights.items()
        }

    @property
    def rates(self) -> list[Tensor]:
        """The step sizes trained so far, one tensor a parameter."""
        return self.trained[len(self.problem.network.names) :]

    def meta_gradient(self, support: Examples, query: Examples) -> MetaGradient:
        """Inner steps on the support, the loss after them on the query."""
        batches = minibatches(support, self.config.batch, self.config.inner_steps, self.rng)
        return meta_sgd_gradient(self.problem, self.initial, self.rates, batches, query)

    def inner_optimizer(self) -> Stepper:
        """Steps of the sizes learned so far."""
        return Rates([rate.clone() for rate in self.rates])
