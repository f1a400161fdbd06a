"""Proximal policy optimisation (Schulman et al. 2017) of n policies side by side, each with
weights, samples and an Adam of its own.

Advantages come from `metarl.learners.policy_gradient.advantages`: a baseline fitted to each task's
episodes in closed form stands for a critic, so that a policy that begins anew in each task needs
none to begin anew with it.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from metarl.core.arguments import check_fields
from metarl.core.supervised import Examples
from metarl.learners.data_parallel import all_gather, size_of
from metarl.learners.initialisation.inner_loop import Problem, task_gradients
from metarl.learners.optimizers import Adam, State, moved_to
from metarl.learners.policy_gradient.advantages import PolicyGradientBatch
from metarl.learners.policy_gradient.ppo import surrogate, surrogate_and_grad
from metarl.learners.settings import check_counts, check_step_sizes
from metarl.networks.actions import ActionDistribution
from metarl.networks.kernels.matmul_precision import fast_matmul
from metarl.networks.per_task import PerTask

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["Stack", "StackedPPO", "all_gather_stack", "improved"]

ADAM = Adam(epsilon=1e-5)
MANY = 32  # policies whose products are worth preparing for a faster library
# The sizes of shortened minibatches are multiples of it, since libraries prepare products anew for
# every size
BLOCK = 32


@dataclass(frozen=True)
class StackedPPO:
    """Settings of an update.

    Attributes:
        lr: Adam's step size.
        epochs: passes over the samples.
        minibatches: parts a pass is cut into.
        clip: of the probability ratio.
        entropy_coef: weight of the entropy bonus.
        discount, gae_lambda: of the generalised advantages.
    """

    lr: float = 0.01
    epochs: int = 10
    minibatches: int = 3
    clip: float = 0.2
    entropy_coef: float = 0.0
    discount: float = 0.99
    gae_lambda: float = 0.98

    def __post_init__(self) -> None:
        check_fields(self, may_be_infinite=("clip",))
        check_counts(epochs=self.epochs, minibatches=self.minibatches)
        check_step_sizes(lr=self.lr)
        if not (self.clip > 0 and 0 <= self.entropy_coef < math.inf):
            raise ValueError("clip must be positive, and entropy_coef finite and not negative.")
        if not (0 <= self.discount <= 1 and 0 <= self.gae_lambda <= 1):
            raise ValueError(
                f"discount and gae_lambda must lie in [0, 1], not {self.discount} and"
                f" {self.gae_lambda}."
            )


class Stack(NamedTuple):
    """n policies and their optimisers."""

    weights: list[Tensor]  # [n, ...] each
    adam: State  # of n that count their steps apart

    @staticmethod
    def of(weights: Sequence[Tensor]) -> "Stack":
        """Policies that haven't been trained."""
        own = [weight.clone() for weight in weights]
        return Stack(own, ADAM.start(own, apart=True))

    @property
    def taken(self) -> Tensor:
        """Steps [n] that each has taken."""
        count: Tensor = self.adam["count"]
        return count

    def where(self, mask: Tensor, initial: Sequence[Tensor]) -> "Stack":
        """Policies begun anew from the weights `initial` [...] where `mask` [n] is true."""
        rows = torch.nonzero(mask).flatten()
        every = self.of_rows(torch.ones_like(mask))
        every.put(rows, Stack.of([weight.expand(len(rows), *weight.shape) for weight in initial]))
        return every

    def of_rows(self, rows: Tensor) -> "Stack":
        """Return those at `rows`, numbers or a mask, as a copy."""
        weights, adam = tree_map(lambda part: part[rows], (self.weights, self.adam))
        return Stack(weights, adam)

    def put(self, rows: Tensor, others: "Stack") -> None:
        """Write `others` in the place of some."""
        for whole, part in zip(tree_leaves(tuple(self)), tree_leaves(tuple(others)), strict=True):
            whole[rows] = part

    def state_dict(self) -> State:
        """Everything."""
        return {"weights": self.weights, "adam": self.adam}

    @staticmethod
    def from_state(state: State, device: torch.device) -> "Stack":
        """Return what `state_dict` gave."""
        return Stack(
            [weight.to(device) for weight in state["weights"]], moved_to(device, state["adam"])
        )


def all_gather_stack(group: "ProcessGroup | None", own: Stack) -> Stack:
    """Return the policies of all ranks.

    Rank r has every policy from the r-th on, in steps of the number of ranks.
    """
    size = size_of(group)
    if size == 1:
        return own
    leaves, spec = tree_flatten(tuple(own))
    joined = all_gather(group, leaves)
    order = torch.cat([torch.arange(len(joined[0]))[rank::size] for rank in range(size)]).argsort()
    return Stack(*tree_unflatten([leaf[order] for leaf in joined], spec))


@torch.no_grad()
def improved(
    network: PerTask,
    actions: ActionDistribution,
    stack: Stack,
    examples: Examples,
    settings: StackedPPO,
    rng: Generator,
    scale: Tensor | None = None,
) -> Stack:
    """Policies after several passes over their samples.

    Args:
        network: all policies' shape. actions: what they draw. stack: the policies.
        examples: what `estimate_advantages` gives: inputs [n, m, F] and targets
            `PolicyGradientBatch` [n, m, ...]; entries of weight and advantage 0 don't count.
        settings: of the update.
        rng: draws how samples are cut into minibatches, the same way for all n.
        scale: [n] factors of the steps, 1 if left out.
    """
    clipped: PolicyGradientBatch = examples.targets._replace(clip=settings.clip)
    paid = surrogate(actions)
    paid_and_grad = surrogate_and_grad(actions)

    def loss(parameters: Tensor, batch: PolicyGradientBatch) -> Tensor:
        each = paid(parameters, batch)
        return (
            each - settings.entropy_coef * batch.weight * actions.entropy(parameters)
            if settings.entropy_coef
            else each
        )

    def loss_and_grad(parameters: Tensor, batch: PolicyGradientBatch) -> tuple[Tensor, Tensor]:
        each, grad = paid_and_grad(parameters, batch)
        if not settings.entropy_coef:
            return each, grad
        bonus = settings.entropy_coef * batch.weight
        entropy, entropy_grad = actions.entropy_and_grad(parameters)
        return each - bonus * entropy, grad - bonus[..., None] * entropy_grad

    problem = Problem(network, loss, loss_and_grad)
    samples = examples.inputs.shape[1]
    adam = replace(ADAM, lr=settings.lr)
    with fast_matmul() if len(stack.taken) >= MANY else nullcontext():
        for _ in range(settings.epochs):
            order = torch.randperm(samples, generator=rng, device=rng.device).to(
                examples.inputs.device
            )
            if len(stack.taken) == 0:
                # other ranks have policies, and draw the same order
                continue
            for part in minibatches(examples.inputs, clipped, order, settings.minibatches):
                found = task_gradients(problem, stack.weights, part)
                stack = Stack(
                    *adam.step(
                        stack.weights, found.gradients, stack.adam, 1.0 if scale is None else scale
                    )
                )
    return stack


def minibatches(
    inputs: Tensor, batch: PolicyGradientBatch, order: Tensor, parts: int
) -> Iterator[Examples]:
    """A pass over samples, inputs [n, m, F] and `batch` [n, m, ...], taken in `order` [m] and cut
    into `parts`.

    Samples that don't count are left out, as far as all n policies have some: what is left is
    scaled so that its mean is the whole part's.
    """
    cuts = order.tensor_split(parts)
    places = pad_sequence(list(cuts), batch_first=True)  # [parts, s]
    length = torch.tensor([len(cut) for cut in cuts], device=order.device)[:, None]
    there = torch.arange(places.shape[1], device=order.device) < length  # [parts, s]
    counts = (batch.weight[:, places] != 0).transpose(0, 1) & there[:, None]  # [parts, n, s]
    blocks = max(1, -(-int(counts.sum(2).max()) // BLOCK))
    size = min(blocks * BLOCK, places.shape[1])
    # Those that count, in their order
    first = counts.to(torch.uint8).argsort(dim=2, descending=True, stable=True)[:, :, :size]
    sample = places[:, None].expand_as(counts).gather(2, first)  # [parts, n, size]
    factor = counts.gather(2, first) * (size / length[:, None].clamp_min(1))
    n, samples = batch.weight.shape
    flat = (sample + samples * torch.arange(n, device=order.device)[:, None]).flatten()
    fields = (
        field.flatten(0, 1).index_select(0, flat).unflatten(0, sample.shape)
        for field in (inputs, *batch[:4])
    )
    for part, action, log_prob, advantage, weight, scale in zip(*fields, factor, strict=True):
        yield Examples(
            part,
            PolicyGradientBatch(action, log_prob, advantage * scale, weight * scale, batch.clip),
        )
