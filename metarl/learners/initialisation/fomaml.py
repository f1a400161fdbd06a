"""First-order MAML: the gradient where each task's inner loop ends, taken as if at its start (Finn
et al. 2017, section 5.2).

    phi <- phi - outer step * mean over tasks of the gradient of L_task at phi_task

The examples of that last gradient, the tail, are either the query, which the inner loop hasn't
seen, or one more minibatch of the support (Nichol et al. 2018, section 6.3; there a shared tail
does worse). After K inner steps of size a, its expectation over minibatches is AvgGrad - K a
AvgGradInner, up to higher powers of a (section 5.1, which counts the tail's gradient too: k = K +
1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from metarl.core.arguments import check_fields
from metarl.core.supervised import Examples
from metarl.learners.initialisation.adapter import Stepper
from metarl.learners.initialisation.inner_loop import (
    MetaGradient,
    Problem,
    adapt,
    minibatches,
    task_gradients,
)
from metarl.learners.initialisation.supervised_initialisation import (
    InitialisationLearner,
    check_settings,
)
from metarl.learners.optimizers import SGD, Adam
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.perceptron import PerceptronConfig

__all__ = ["FOMAML", "FOMAMLConfig", "fomaml_gradient"]


@dataclass(frozen=True)
class FOMAMLConfig:
    """Settings of first-order MAML.

    Attributes:
        iterations: outer steps.
        tasks: tasks in an outer step, computed side by side.
        inner_steps: K, steps on each task.
        batch: examples in an inner step; None for the whole support.
        tail: take the last gradient on the query, or on a further minibatch of the support.
        inner: the optimiser of the inner steps, anew for each task.
        outer: the optimiser of the outer steps.
        anneal: shrink the outer step linearly to nothing.
        network: the shape of the network, of vectors or of images.
    """

    iterations: int = 3000
    tasks: int = 25
    inner_steps: int = 5
    batch: int | None = None
    tail: Literal["query", "shared"] = "query"
    inner: SGD | Adam = field(default_factory=lambda: SGD(0.02))
    outer: SGD | Adam = field(default_factory=lambda: Adam(1e-3))
    anneal: bool = True
    network: PerceptronConfig | ImageNetworkConfig = field(default_factory=PerceptronConfig)

    def __post_init__(self) -> None:
        check_fields(self)
        check_settings(self.iterations, self.tasks, self.inner_steps, self.batch)
        if self.tail not in ("query", "shared"):
            raise ValueError(f"tail must be 'query' or 'shared', not {self.tail!r}.")
        if self.tail == "shared" and self.batch is None:
            raise ValueError(
                "tail='shared' takes a further minibatch of the support, but with batch=None every"
                " inner step takes the whole support: give batch, fewer examples than a task's"
                " support has, or take tail='query'."
            )


def fomaml_gradient(
    problem: Problem,
    initial: Sequence[Tensor],
    batches: Sequence[Examples],
    tail: Examples,
    inner: SGD | Adam,
) -> MetaGradient:
    """Return the mean over tasks of the gradient of the tail's loss at phi_task.

    Args:
        initial: phi, one tensor a parameter.
        batches: the examples of each inner step. tail: those of the last gradient.
    """
    adapted = adapt(problem, initial, batches, inner)
    last = task_gradients(problem, adapted.weights, tail)
    losses = torch.cat([adapted.losses, last.loss[None]])
    return MetaGradient([gradient.mean(0) for gradient in last.gradients], losses, last.gradients)


class FOMAML(InitialisationLearner):
    """Trains an initialisation by the gradients at which inner loops end."""

    Config = FOMAMLConfig
    label = "FOMAML"  # as tables print it

    def meta_gradient(self, support: Examples, query: Examples) -> MetaGradient:
        """Inner steps on the support, the last gradient on the tail."""
        config = self.config
        shared = self.config.tail == "shared"
        available = support.inputs.shape[1]
        if shared and config.batch >= available:
            raise ValueError(
                "tail='shared' takes a further minibatch of the support, but a task's support has"
                f" {available} examples and batch is {config.batch}: every inner step takes them"
                " all. Give a smaller batch, or take tail='query'."
            )
        batches = minibatches(support, config.batch, config.inner_steps + shared, self.rng)
        tail = batches.pop() if shared else query
        return fomaml_gradient(self.problem, self.initial, batches, tail, config.inner)

    def inner_optimizer(self) -> Stepper:
        """Return the optimiser of training."""
        inner: Stepper = self.config.inner
        return inner
