"""The inner loop of initialisation-based learners, for all tasks at once: losses, gradients,
minibatches, steps.

Weights are lists of tensors [n, ...], one entry a parameter, task i's weights in row i. A sum of
losses over tasks has every task's own gradient in its row, since no task's loss depends on
another's weights: one backward pass serves them all.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.core.supervised import Examples
from metarl.learners.optimizers import Optimizer
from metarl.networks.per_task import PerTask

__all__ = [
    "Adapted",
    "Gradients",
    "MetaGradient",
    "Problem",
    "adapt",
    "broadcast",
    "check_converges",
    "check_meta_gradient",
    "minibatches",
    "task_gradients",
    "task_losses",
    "totals",
]


class Problem(NamedTuple):
    """What inner loops descend on."""

    network: PerTask
    loss: Callable[[Tensor, Any], Tensor]  # outputs and targets [n, m, ...] give [n, m]
    # Also its derivative by the outputs, without a graph
    loss_and_grad: Callable[[Tensor, Any], tuple[Tensor, Tensor]] | None = None


class Gradients(NamedTuple):
    """Losses of n tasks and their gradients."""

    loss: Tensor  # [n], without a graph
    gradients: list[Tensor]  # [n, ...] each
    # [n, ...] each: what they were taken at, with the graph that leads from them to the gradients,
    # if wanted
    weights: list[Tensor]


class Adapted(NamedTuple):
    """What an inner loop leads to."""

    weights: list[Tensor]  # [n, ...] each
    losses: Tensor  # [steps, n]: of each step's examples, before it


class MetaGradient(NamedTuple):
    """Against what an outer step moves."""

    gradients: list[Tensor]  # one entry for everything that is trained, the mean over tasks
    losses: Tensor  # [gradients taken of each task, n]
    each: list[Tensor] | None = None  # [n, ...] each task's own part, where that is known


def broadcast(weights: Sequence[Tensor], n: int) -> list[Tensor]:
    """Return the same weights for each of n tasks, as views."""
    return [weight.expand(n, *weight.shape) for weight in weights]


def task_losses(problem: Problem, weights: Sequence[Tensor], examples: Examples) -> Tensor:
    """Return the mean loss [n] of each task's examples."""
    return problem.loss(problem.network(weights, examples.inputs), examples.targets).mean(-1)


def task_gradients(
    problem: Problem, weights: Sequence[Tensor], examples: Examples, create_graph: bool = False
) -> Gradients:
    """Return each task's loss and its gradient by that task's weights; with `create_graph`,
    gradients can be differentiated again.

    The gradient by weights that the loss doesn't depend on is zero.
    """
    if problem.network.gradients is not None and not create_graph:
        return _direct_gradients(problem, list(weights), examples)
    leaves = [weight.detach().requires_grad_() for weight in weights]
    losses = task_losses(problem, leaves, examples)
    gradients = torch.autograd.grad(
        losses.sum(), leaves, create_graph=create_graph, materialize_grads=True
    )
    return Gradients(losses.detach(), list(gradients), leaves)


def _direct_gradients(problem: Problem, weights: list[Tensor], examples: Examples) -> Gradients:
    """Return the same by the network's own method.

    Only the loss goes through autograd, unless its derivative is given.
    """
    losses = torch.empty(0)

    def pull(outputs: Tensor) -> Tensor:
        nonlocal losses
        if problem.loss_and_grad is not None:
            each, grad = problem.loss_and_grad(outputs, examples.targets)
            losses = each.mean(-1)
            return grad / each.shape[-1]
        with torch.enable_grad():
            leaf = outputs.detach().requires_grad_()
            losses = problem.loss(leaf, examples.targets).mean(-1)
            return torch.autograd.grad(losses.sum(), leaf)[0]

    gradients = problem.network.gradients(weights, examples.inputs, pull)
    return Gradients(losses.detach(), gradients, weights)


def adapt(
    problem: Problem, initial: Sequence[Tensor], batches: Sequence[Examples], optimizer: Optimizer
) -> Adapted:
    """Return one step of `optimizer` on each of `batches`, from weights [...] that all tasks share.

    No graph is kept.
    """
    weights = broadcast(initial, len(batches[0].inputs))
    losses = []
    state = optimizer.start(weights)
    for batch in batches:
        step = task_gradients(problem, weights, batch)
        weights, state = optimizer.step(weights, step.gradients, state)
        losses.append(step.loss)
    return Adapted(weights, torch.stack(losses))


def minibatches(examples: Examples, size: int | None, count: int, rng: Generator) -> list[Examples]:
    """`count` minibatches of `size` examples of each task.

    A task's examples are dealt out in an order drawn anew whenever all have been; None, or more
    than there are, gives all every time.
    """
    inputs, targets = examples
    n, available = inputs.shape[:2]
    if size is None or size >= available:
        return [examples] * count
    passes = -(-count * size // available)
    order = (
        torch.rand(n, passes, available, generator=rng, device=rng.device)
        .argsort(2)
        .flatten(1)[:, : count * size]
        .to(inputs.device)
    )
    rows = torch.arange(n, device=inputs.device)[:, None]
    return [
        Examples(*pair)
        for pair in zip(
            inputs[rows, order].split(size, 1), targets[rows, order].split(size, 1), strict=True
        )
    ]


def totals(tensors: Sequence[Tensor]) -> Tensor:
    """Return the sum [n] of all entries of each task's tensors [n, ...].

    Finite where they are, as far as that goes.
    """
    return torch.stack([tensor.flatten(1).sum(1) for tensor in tensors]).sum(0)


def check_converges(losses: Tensor, where: str) -> None:
    """Raise ValueError unless all `losses` [steps, n] of an inner loop are finite.

    The first bad one is named by task and step.
    """
    bad = ~torch.isfinite(losses)
    if bool(bad.any()):
        step, task = (int(i) for i in torch.nonzero(bad)[0])
        value = float(losses[step, task])
        raise ValueError(
            f"The inner loop diverged {where}: after {step} steps in task {task} the loss is"
            f" {value}. Use a smaller inner lr."
        )


def check_meta_gradient(found: MetaGradient, where: str) -> None:
    """Raise ValueError unless everything in it is finite; what isn't is named by task and step."""
    check_converges(found.losses, where)
    if all(bool(torch.isfinite(gradient).all()) for gradient in found.gradients):
        return
    bad = (
        []
        if found.each is None
        else [int(i) for i in torch.nonzero(~torch.isfinite(totals(found.each)))]
    )
    named = (
        f"after {len(found.losses) - 1} steps in task {bad[0]} the gradient"
        if bad
        else "the meta-gradient"
    )
    raise ValueError(
        f"The inner loop diverged {where}: {named} isn't finite. Use a smaller inner lr."
    )
