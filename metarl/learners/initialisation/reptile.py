"""Reptile: move the initialisation towards the weights that each task's inner loop ends at (Nichol
et al. 2018, arXiv 1803.02999).

    phi <- phi + epsilon * mean over tasks of (phi_task - phi)

where phi_task is reached by k steps of any optimiser on the task. With one task an outer step this
is the paper's serial version (algorithm 1), with several its batched one (algorithm 2). With k = 1
it is joint training on all tasks' mean loss.

In expectation over minibatches, k steps of gradient descent of size a move phi by -a times k
AvgGrad - k (k - 1) / 2 a AvgGradInner, up to higher powers of a (section 5.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from metarl.core.arguments import check_fields
from metarl.core.supervised import Examples
from metarl.learners.initialisation.adapter import Stepper
from metarl.learners.initialisation.inner_loop import MetaGradient, Problem, adapt, minibatches
from metarl.learners.initialisation.supervised_initialisation import (
    InitialisationLearner,
    check_settings,
)
from metarl.learners.optimizers import SGD, Adam
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.perceptron import PerceptronConfig

__all__ = ["Reptile", "ReptileConfig", "reptile_gradient"]


@dataclass(frozen=True)
class ReptileConfig:
    """Settings of Reptile; the defaults are the paper's for sine regression, with several tasks an
    outer step.

    Attributes:
        iterations: outer steps.
        tasks: tasks in an outer step, computed side by side; 1 is the serial version.
        inner_steps: k, steps on each task; 1 is joint training.
        batch: examples in an inner step; None for the whole support.
        inner: the optimiser of the inner steps, anew for each task.
        outer: the optimiser of the outer steps; gradient descent with lr = epsilon in the paper.
        anneal: shrink the outer step linearly to nothing.
        network: the shape of the network, of vectors or of images.
    """

    iterations: int = 3000
    tasks: int = 10
    inner_steps: int = 5
    batch: int | None = 10
    inner: SGD | Adam = field(default_factory=lambda: SGD(0.02))
    outer: SGD | Adam = field(default_factory=lambda: SGD(1.0))
    anneal: bool = True
    network: PerceptronConfig | ImageNetworkConfig = field(default_factory=PerceptronConfig)

    def __post_init__(self) -> None:
        check_fields(self)
        check_settings(self.iterations, self.tasks, self.inner_steps, self.batch)


def reptile_gradient(
    problem: Problem, initial: Sequence[Tensor], batches: Sequence[Examples], inner: SGD | Adam
) -> MetaGradient:
    """phi minus the mean over tasks of phi_task.

    Args:
        initial: phi, one tensor a parameter.
        batches: the examples of each inner step.
    """
    adapted = adapt(problem, initial, batches, inner)
    moves = [start - end.mean(0) for start, end in zip(initial, adapted.weights, strict=True)]
    return MetaGradient(moves, adapted.losses, adapted.weights)


class Reptile(InitialisationLearner):
    """Trains an initialisation by following inner loops to where they end."""

    Config = ReptileConfig
    label = "Reptile"  # as tables print it

    def meta_gradient(self, support: Examples, query: Examples) -> MetaGradient:
        """From the support alone: Reptile needs no query."""
        batches = minibatches(support, self.config.batch, self.config.inner_steps, self.rng)
        return reptile_gradient(self.problem, self.initial, batches, self.config.inner)

    def inner_optimizer(self) -> Stepper:
        """Return the optimiser of training."""
        inner: Stepper = self.config.inner
        return inner
