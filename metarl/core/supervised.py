"""What a supervised task distribution is: tasks with examples to learn from and examples to be
scored on, many tasks at once.

Where a `TaskDistribution` has episodes, this has `support` and `query`; both kinds draw frozen
`Tasks` by split and seed. It is scored by `metarl.evaluation.supervised.evaluate_supervised`, as
the loss after each inner step, and the accuracy where answers are right or wrong.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.task_distribution import Tasks

__all__ = ["Examples", "MarksAnswers", "SupervisedDistribution", "correct_of"]


class Examples(NamedTuple):
    """m labelled examples of each of n tasks."""

    inputs: Tensor  # [n, m, *input]
    targets: Any  # [n, m, *target], or a named tuple of such tensors


@runtime_checkable
class MarksAnswers(Protocol):
    """A family whose answers are right or wrong, rather than near or far: it has an accuracy."""

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor | None:
        """Return whether each example's answer is right [..., m] bool, for predictions [..., m,
        outputs] and targets [..., m, *target]; None where these settings don't tell.
        """
        ...


def correct_of(distribution: object, outputs: Tensor, targets: Tensor) -> Tensor | None:
    """Return which answers are right [..., m] bool; None where they aren't right or wrong."""
    return (
        distribution.correct(outputs, targets) if isinstance(distribution, MarksAnswers) else None
    )


class SupervisedDistribution(ABC):
    """A distribution over supervised tasks of one family. Pure: two instances made alike behave
    alike, and none keeps state.

    Attributes:
        id: its id in the registry, such as "SineRegression-v0".
        input_shape: of one example.
        outputs: numbers that a network predicts for one example.
        finite: the family has few tasks by nature, so train and test may overlap; scores say so.
        splits: the splits it can sample.
    """

    id: str
    input_shape: tuple[int, ...]
    outputs: int
    finite: bool = False
    splits: tuple[str, ...] = ("train", "test")

    @abstractmethod
    def sample(self, n: int, split: str, seed: int) -> Tasks:
        """Draw n tasks of a split on the CPU in float64: same arguments, same tasks."""

    def task_keys(self, tasks: Any) -> np.ndarray:
        """Return a key [n] for each of `tasks`.

        Those with equal keys are the same task, and scores count them once.
        """
        keys: np.ndarray = tasks.keys()
        return keys

    @abstractmethod
    def support(self, tasks: Any, rng: Generator) -> Examples:
        """Return the examples that a learner may adapt to, equally many a task.

        On the tasks' device and in their floating type.
        """

    @abstractmethod
    def query(self, tasks: Any, rng: Generator) -> Examples:
        """Return the examples that show how well it adapted."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss [..., m] of each example, for predictions [..., m, outputs] and targets
        [..., m, *target].
        """

    def loss_and_grad(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses [..., m] and their derivatives by the outputs [..., m, outputs].

        Families override autograd where they know better.
        """
        with torch.enable_grad():
            leaf = outputs.detach().requires_grad_()
            losses = self.loss(leaf, targets)
            (grad,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach(), grad

    def config(self) -> dict[str, Any]:
        """Return the keyword arguments that `metarl.make(id, ...)` needs to build this distribution
        again (JSON values).
        """
        return {}

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value!r}" for name, value in self.config().items())
        return f"metarl.make({self.id!r}{arguments})"
