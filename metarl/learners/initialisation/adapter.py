"""What a learner of supervised tasks yields, in place of an agent.

It adapts to many tasks' examples, one inner step at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor
from torch.autograd.graph import saved_tensors_hooks

from metarl.core.supervised import Examples
from metarl.learners.initialisation.inner_loop import (
    Problem,
    broadcast,
    minibatches,
    task_gradients,
)
from metarl.learners.optimizers import State

__all__ = ["Adapter", "GradientAdapter", "Stepper", "TellsMemory"]

COPIES = 6  # of the weights, in a step of Adam's: old and new, gradients, two moments and a root


class Adapter(Protocol):
    """Adaptation is a state transition, as for agents; the caller never reuses a state that it
    passed to `step`.

    One that `TellsMemory` adapts to as many tasks side by side as memory holds.
    """

    def begin(self, support: Examples, steps: int, rng: Generator) -> Any:
        """Return the state before the first of at most `steps` inner steps on the n tasks of
        `support`.
        """
        ...

    def step(self, state: Any) -> Any:
        """Return the state after one inner step."""
        ...

    def predict(self, state: Any, inputs: Tensor, transductive: bool = True) -> Tensor:
        """Outputs [n, m, outputs] for inputs [n, m, *input].

        Transductive: a task's inputs are computed as one batch, so that they may have a say in each
            other's outputs, as where batch
        normalisation takes a batch's own moments. Otherwise each of them is computed beside the
        support alone (Nichol et al. 2018, section 6.1).
        """
        ...


@runtime_checkable
class TellsMemory(Protocol):
    """An adapter that knows what it takes."""

    def task_bytes(self, support: Examples, query: Examples) -> int:
        """Return the bytes of memory that one of the tasks takes to adapt to."""
        ...


class Stepper(Protocol):
    """What moves weights along gradients: see `metarl.learners.optimizers`."""

    def start(self, weights: Sequence[Tensor]) -> State:
        """Return the state before the first step."""
        ...

    def step(
        self, weights: list[Tensor], gradients: Sequence[Tensor], state: State
    ) -> tuple[list[Tensor], State]:
        """New weights, and the state after."""
        ...


class AdapterState(NamedTuple):
    """Where the inner loops of n tasks stand."""

    weights: list[Tensor]  # [n, ...] each
    optimizer: State
    waiting: list[Examples]  # minibatches of the steps to come
    support: Examples  # [n, s, ...]


@dataclass(frozen=True)
class GradientAdapter:
    """Gradient steps from weights that all tasks share.

    Attributes:
        problem: the network and the loss.
        initial: the weights, one tensor a parameter.
        optimizer: takes the steps.
        batch: examples of each task in a step; None for all.
    """

    problem: Problem
    initial: list[Tensor]
    optimizer: Stepper
    batch: int | None = None

    def task_bytes(self, support: Examples, query: Examples) -> int:
        """About how much memory adaptation to one task takes, in bytes, for examples like these:
        weights, and what a gradient remembers.

        What is remembered of the outputs is counted for the first task; as much again is allowed
        for on the way.
        """
        weights = [weight.detach()[None].requires_grad_() for weight in self.initial]
        remembered = []
        for inputs in (support.inputs[:1, : self.batch], query.inputs[:1]):
            sizes: list[int] = []
            with (
                torch.enable_grad(),
                saved_tensors_hooks(partial(_noted, sizes), lambda saved: saved),
            ):
                self.problem.network(weights, inputs)
            remembered.append(sum(sizes))
        return COPIES * sum(weight.nbytes for weight in weights) + 2 * max(remembered)

    def begin(self, support: Examples, steps: int, rng: Generator) -> AdapterState:
        """Return every task at the shared weights."""
        weights = broadcast(self.initial, len(support.inputs))
        return AdapterState(
            weights,
            self.optimizer.start(weights),
            minibatches(support, self.batch, steps, rng),
            support,
        )

    def step(self, state: AdapterState) -> AdapterState:
        """Return one step of the optimiser on the next minibatch."""
        found = task_gradients(self.problem, state.weights, state.waiting[0])
        weights, optimizer = self.optimizer.step(state.weights, found.gradients, state.optimizer)
        return AdapterState(weights, optimizer, state.waiting[1:], state.support)

    @torch.no_grad()
    def predict(self, state: AdapterState, inputs: Tensor, transductive: bool = True) -> Tensor:
        """Return what the networks say as they stand."""
        network = self.problem.network
        beside = state.support.inputs
        if transductive:
            return network(state.weights, inputs)
        alone = [
            network(state.weights, torch.cat([beside, inputs[:, i : i + 1]], 1))[:, -1:]
            for i in range(inputs.shape[1])
        ]
        return torch.cat(alone, 1)


def _noted(sizes: list[int], saved: Tensor) -> Tensor:
    sizes.append(saved.nbytes)
    return saved
