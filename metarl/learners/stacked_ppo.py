"""Proximal policy optimisation (Schulman et al. 2017) of n policies side by side, each with weights, samples and an Adam of its own.

Advantages come from `metarl.learners.policy_episodes`: a baseline fitted to each task's episodes in closed form stands for a critic, so
that a policy that begins anew in each task needs none to begin anew with it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.learners.inner_loop import Problem, task_gradients
from metarl.learners.policy_episodes import Judged, surrogate
from metarl.learners.settings import check_counts
from metarl.networks.actions import ActionDistribution
from metarl.networks.per_task import PerTask
from metarl.tasks.supervised import Examples

__all__ = ["Stack", "StackedPPO", "improved"]

BETAS, EPSILON = (0.9, 0.999), 1e-5  # of Adam


@dataclass(frozen=True)
class StackedPPO:
    """Settings of an update.

    Attributes:
        lr: Adam's step size.
        epochs: passes over the samples.
        minibatches: parts a pass is cut into.
        clip: of the probability ratio.
        entropy: weight of the entropy bonus.
        discount, gae_lambda: of the generalised advantages.
    """

    lr: float = 0.01
    epochs: int = 10
    minibatches: int = 3
    clip: float = 0.2
    entropy: float = 0.0
    discount: float = 0.99
    gae_lambda: float = 0.98

    def __post_init__(self) -> None:
        check_counts(epochs=self.epochs, minibatches=self.minibatches)
        if not (math.isfinite(self.lr) and self.lr > 0 and self.clip > 0 and 0 <= self.entropy < math.inf):
            raise ValueError("lr and clip must be positive, and entropy can't be negative; lr and entropy are finite.")
        if not (0 <= self.discount <= 1 and 0 <= self.gae_lambda <= 1):
            raise ValueError(f"discount and gae_lambda must lie in [0, 1], not {self.discount} and {self.gae_lambda}.")


class Stack(NamedTuple):
    """n policies and their optimisers."""

    weights: list[Tensor]  # [n, ...] each
    first: list[Tensor]  # [n, ...] each: Adam's running mean of gradients
    second: list[Tensor]  # [n, ...] each: ... and of their squares
    taken: Tensor  # [n] int64: steps that Adam has taken

    @staticmethod
    def of(weights: Sequence[Tensor]) -> "Stack":
        """Policies that haven't been trained."""
        count = torch.zeros(len(weights[0]), dtype=torch.int64, device=weights[0].device)
        first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
        return Stack([weight.clone() for weight in weights], first, second, count)

    def where(self, mask: Tensor, initial: Sequence[Tensor]) -> "Stack":
        """Policies begun anew from the weights `initial` [...] where `mask` [n] is true."""
        wide = [mask.view(-1, *(1,) * (weight.dim() - 1)) for weight in self.weights]
        weights = [torch.where(w, fresh, own) for w, fresh, own in zip(wide, initial, self.weights, strict=True)]
        first, second = ([torch.where(w, 0, own) for w, own in zip(wide, part, strict=True)] for part in (self.first, self.second))
        return Stack(weights, first, second, torch.where(mask, 0, self.taken))

    def state_dict(self) -> dict[str, Any]:
        """Everything, as tensors."""
        return {**{name: named(getattr(self, name)) for name in ("weights", "first", "second")}, "taken": self.taken}

    @staticmethod
    def from_state(state: dict[str, Any], device: torch.device) -> "Stack":
        """What `state_dict` gave."""
        weights, first, second = ([state[name][key].to(device) for key in sorted(state[name])] for name in ("weights", "first", "second"))
        return Stack(weights, first, second, state["taken"].to(device))

    def of_rows(self, rows: Tensor) -> "Stack":
        """Some of them, as a copy."""
        weights, first, second = ([tensor[rows] for tensor in part] for part in self[:3])
        return Stack(weights, first, second, self.taken[rows])

    def put(self, rows: Tensor, others: "Stack") -> None:
        """Write `others` in the place of some."""
        for wholes, parts in zip(self[:3], others[:3], strict=True):
            for whole, part in zip(wholes, parts, strict=True):
                whole[rows] = part
        self.taken[rows] = others.taken


def named(tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """Each tensor by its place, as a name that sorts."""
    return {f"{i:03d}": tensor for i, tensor in enumerate(tensors)}


@torch.no_grad()
def improved(
    network: PerTask,
    actions: ActionDistribution,
    stack: Stack,
    examples: Examples,
    settings: StackedPPO,
    rng: Generator,
    share: Tensor | None = None,
) -> Stack:
    """Policies after several passes over their samples.

    Args:
        network: all policies' shape. actions: what they draw. stack: the policies.
        examples: what `judge` gives: inputs [n, m, F] and targets `Judged` [n, m, ...]; entries of weight and gain 0 don't count.
        settings: of the update.
        rng: draws how samples are cut into minibatches, the same way for all n.
        share: [n] factors of the steps, 1 if left out.
    """
    clipped: Judged = examples.targets._replace(clip=settings.clip)
    paid = surrogate(actions)

    def loss(parameters: Tensor, judged: Judged) -> Tensor:
        each = paid(parameters, judged)
        return each - settings.entropy * judged.weight * actions.entropy(parameters) if settings.entropy else each

    problem, samples = Problem(network, loss), examples.inputs.shape[1]
    for _ in range(settings.epochs):
        order = torch.randperm(samples, generator=rng, device=rng.device).to(examples.inputs.device)
        for index in order.tensor_split(settings.minibatches):
            action, log_prob, gain, weight = (field[:, index] for field in clipped[:4])
            part = Judged(action, log_prob, gain, weight, clipped.clip)
            found = task_gradients(problem, stack.weights, Examples(examples.inputs[:, index], part))
            stack = moved(stack, found.gradients, settings.lr, share)
    return stack


def moved(stack: Stack, gradients: list[Tensor], lr: float, share: Tensor | None = None) -> Stack:
    """One step of Adam (Kingma and Ba 2015) of each of n policies, which may have taken different numbers of steps before."""
    count = stack.taken + 1
    corrections = [1 - beta ** count.to(torch.float64) for beta in BETAS]
    rate = (lr / corrections[0] * (1.0 if share is None else share)).to(gradients[0].dtype)  # [n]
    scale = corrections[1].sqrt().to(gradients[0].dtype)
    first = list(torch._foreach_lerp(stack.first, gradients, 1 - BETAS[0]))
    second = list(torch._foreach_addcmul(torch._foreach_mul(stack.second, BETAS[1]), gradients, gradients, 1 - BETAS[1]))
    roots, weights = torch._foreach_sqrt(second), []
    for weight, mean, root in zip(stack.weights, first, roots, strict=True):
        wide = (-1, *(1,) * (weight.dim() - 1))
        weights.append(weight - rate.view(wide) * mean / (root / scale.view(wide) + EPSILON))
    return Stack(weights, first, second, count)
