"""Optimisers as functions of weights, gradients and a state: for inner loops, where every task has
a state of its own, and for outer ones.

Each entry of weights and gradients may carry any leading dimensions; nothing is changed in place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from metarl.core.arguments import check_fields
from metarl.learners.settings import MOST, check_step_sizes

__all__ = ["SGD", "Adam", "Optimizer", "State", "moved_to"]

State = dict[str, Any]  # tensors and JSON values


@dataclass(frozen=True)
class SGD:
    """Gradient descent, with heavy-ball momentum if wanted (Polyak 1964).

    Attributes:
        lr: step size.
        momentum: share of the last step that is repeated, from 0 up to 1.
    """

    lr: float = 0.01
    momentum: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_step_sizes(lr=self.lr)
        _check_share("momentum", self.momentum)

    def start(self, weights: Sequence[Tensor]) -> State:
        """Return the state before the first step."""
        return (
            {"velocity": [torch.zeros_like(weight) for weight in weights]} if self.momentum else {}
        )

    def step(
        self, weights: list[Tensor], gradients: Sequence[Tensor], state: State, scale: float = 1.0
    ) -> tuple[list[Tensor], State]:
        """New weights, and the state after; the step size is `scale` times lr."""
        moves = list(gradients)
        if self.momentum:
            moves = list(torch._foreach_add(moves, state["velocity"], alpha=self.momentum))
            state = {"velocity": moves}
        return list(torch._foreach_add(weights, moves, alpha=-self.lr * scale)), state


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015); Nichol et al. 2018 take beta1 = 0 in inner loops.

    Attributes:
        lr: step size.
        beta1, beta2: how much of the running moments each step keeps.
        epsilon: added to the root of the second moment.
    """

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_fields(self)
        _check_share("beta1", self.beta1)
        _check_share("beta2", self.beta2)
        # The first step is longer by 1 / (1 - beta1).
        check_step_sizes(lr=self.lr, most=MOST * (1 - self.beta1))
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be positive, not {self.epsilon}.")

    def start(self, weights: Sequence[Tensor], apart: bool = False) -> State:
        """Return the state before the first step.

        `apart` counts the steps of each entry [n] of weights [n, ...] on its own.
        """
        count = (
            torch.zeros(len(weights[0]), dtype=torch.int64, device=weights[0].device)
            if apart
            else 0
        )
        return {
            "first": [torch.zeros_like(weight) for weight in weights],
            "second": [torch.zeros_like(w) for w in weights],
            "count": count,
        }

    def step(
        self,
        weights: list[Tensor],
        gradients: Sequence[Tensor],
        state: State,
        scale: float | Tensor = 1.0,
    ) -> tuple[list[Tensor], State]:
        """New weights, and the state after.

        The step size is `scale` times lr, or of entries that count apart, `scale` [n] times lr.
        """
        gradients = list(gradients)
        count = state["count"] + 1
        first = torch._foreach_lerp(state["first"], gradients, 1 - self.beta1)
        second = torch._foreach_mul(state["second"], self.beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - self.beta2)
        after = {"first": list(first), "second": list(second), "count": count}
        if isinstance(count, Tensor):
            times = count.to(torch.float64)  # [n]
            # Both corrections as factors of the step, so that few passes go over whole tensors
            grown = (1 - self.beta2**times).sqrt()
            length = -self.lr * scale * grown / (1 - self.beta1**times)
            epsilon = self.epsilon * grown
            root = torch._foreach_sqrt(second)
            torch._foreach_add_(root, [along(epsilon, part) for part in root])
            moves = torch._foreach_div(first, root)
            return [
                weight.addcmul(along(length, weight), move)
                for weight, move in zip(weights, moves, strict=True)
            ], after
        root = torch._foreach_sqrt(torch._foreach_div(second, 1 - self.beta2**count))
        torch._foreach_add_(root, self.epsilon)
        return (
            list(
                torch._foreach_addcdiv(
                    weights, first, root, -self.lr * scale / (1 - self.beta1**count)
                )
            ),
            after,
        )


def along(numbers: Tensor, tensor: Tensor) -> Tensor:
    """`numbers` [n] as factors of `tensor` [n, ...], of its type."""
    return numbers.to(tensor.dtype).view(-1, *(1,) * (tensor.dim() - 1))


Optimizer = SGD | Adam


def moved_to(device: torch.device, state: State) -> State:
    """Return a state with its tensors on `device`."""
    return {
        name: (
            [tensor.to(device) for tensor in part]
            if isinstance(part, list)
            else part.to(device)
            if isinstance(part, Tensor)
            else part
        )
        for name, part in state.items()
    }


def _check_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must lie in [0, 1), not {value}.")
