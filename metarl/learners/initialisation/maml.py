"""MAML: gradient descent on the loss after adaptation, through the inner loop (Finn et al. 2017,
arXiv 1703.03400).

    phi <- phi - outer step * mean over tasks of d L_query(phi_K) / d phi,    phi_{j+1} = phi_j - a
    g_j(phi_j),    phi_0 = phi

The derivative is carried back through the steps, v_j = v_{j+1} - a H_j v_{j+1} from v_K = gradient
of L_query at phi_K, where H_j is the Hessian of step j's loss: a Hessian-vector product a step, and
no matrix. After K steps its expectation over minibatches is AvgGrad - 2 K a AvgGradInner, up to
higher powers of a (Nichol et al. 2018, section 5.1, which counts the query's gradient too: k = K +
1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from metarl.core.arguments import check_fields
from metarl.core.supervised import Examples
from metarl.learners.initialisation.adapter import Stepper
from metarl.learners.initialisation.inner_loop import (
    Gradients,
    MetaGradient,
    Problem,
    broadcast,
    minibatches,
    task_gradients,
)
from metarl.learners.initialisation.supervised_initialisation import (
    InitialisationLearner,
    check_settings,
)
from metarl.learners.optimizers import SGD, Adam
from metarl.learners.settings import check_step_sizes
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.perceptron import PerceptronConfig

__all__ = ["MAML", "MAMLConfig", "hessian_products", "inner_path", "maml_gradient"]


@dataclass(frozen=True)
class MAMLConfig:
    """Settings of MAML.

    Attributes:
        iterations: outer steps.
        tasks: tasks in an outer step, computed side by side.
        inner_steps: K, steps on each task.
        inner_lr: a, size of the inner steps.
        batch: examples in an inner step; None for the whole support.
        outer: the optimiser of the outer steps.
        anneal: shrink the outer step linearly to nothing.
        network: the shape of the network, of vectors or of images.
    """

    iterations: int = 3000
    tasks: int = 25
    inner_steps: int = 5
    inner_lr: float = 0.02
    batch: int | None = None
    outer: SGD | Adam = field(default_factory=lambda: Adam(1e-3))
    anneal: bool = True
    network: PerceptronConfig | ImageNetworkConfig = field(default_factory=PerceptronConfig)

    def __post_init__(self) -> None:
        check_fields(self)
        check_settings(self.iterations, self.tasks, self.inner_steps, self.batch)
        check_step_sizes(inner_lr=self.inner_lr)


def maml_gradient(
    problem: Problem,
    initial: Sequence[Tensor],
    batches: Sequence[Examples],
    query: Examples,
    inner_lr: float,
) -> MetaGradient:
    """Return the mean over tasks of the gradient, by phi, of the query's loss after the inner loop.

    Args:
        initial: phi, one tensor a parameter.
        batches: the examples of each inner step. query: those of the loss after them.
    """
    weights, path = inner_path(problem, broadcast(initial, len(query.inputs)), batches, inner_lr)
    last = task_gradients(problem, weights, query)
    back = last.gradients
    for step in reversed(path):
        back = list(torch._foreach_add(back, hessian_products(step, back), alpha=-inner_lr))
    losses = torch.stack([*(step.loss for step in path), last.loss])
    return MetaGradient([gradient.mean(0) for gradient in back], losses, back)


def inner_path(
    problem: Problem, weights: list[Tensor], batches: Sequence[Examples], inner_lr: float
) -> tuple[list[Tensor], list[Gradients]]:
    """Return the weights [n, ...] after the inner loop, and its steps with the graphs of their
    gradients.
    """
    path = []
    for batch in batches:
        step = task_gradients(problem, weights, batch, create_graph=True)
        weights = list(
            torch._foreach_add(
                [w.detach() for w in step.weights],
                [g.detach() for g in step.gradients],
                alpha=-inner_lr,
            )
        )
        path.append(step)
    return weights, path


def hessian_products(
    step: Gradients, vectors: Sequence[Tensor], keep: bool = False
) -> list[Tensor]:
    """H v of each task for `vectors` [n, ...].

    `step` holds the graph of its gradients, which is used up unless it is to be kept.
    """
    # Others don't depend on any weight
    curved = [i for i, gradient in enumerate(step.gradients) if gradient.requires_grad]
    if not curved:
        return [torch.zeros_like(vector) for vector in vectors]
    gradients = [step.gradients[i] for i in curved]
    along = [vectors[i] for i in curved]
    return list(
        torch.autograd.grad(
            gradients, step.weights, along, retain_graph=keep, materialize_grads=True
        )
    )


class MAML(InitialisationLearner):
    """Trains an initialisation by the loss after a few gradient steps, differentiated through them."""

    Config = MAMLConfig
    label = "MAML"  # as tables print it

    def meta_gradient(self, support: Examples, query: Examples) -> MetaGradient:
        """Inner steps on the support, the loss after them on the query."""
        batches = minibatches(support, self.config.batch, self.config.inner_steps, self.rng)
        return maml_gradient(self.problem, self.initial, batches, query, self.config.inner_lr)

    def inner_optimizer(self) -> Stepper:
        """Gradient descent as in training."""
        return SGD(self.config.inner_lr)
