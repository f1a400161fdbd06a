"""Trust region policy optimisation (Schulman et al.

2015, arXiv 1502.05477): a natural-gradient step, as long as the divergence allows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from metarl.core.arguments import check_fields

__all__ = ["TRPO", "TrustRegionStep", "conjugate_gradient", "trust_region_step"]

Product = Callable[[list[Tensor]], list[Tensor]]


@dataclass(frozen=True)
class TRPO:
    """Settings of the step.

    Attributes:
        max_kl: the most that the mean divergence of new policies from old ones may be, in nats.
        cg_iterations: of the conjugate gradient.
        damping: added to the Fisher matrix's diagonal.
        backtracks: lengths that are tried.
        shrink: each length as a share of the one before.
    """

    max_kl: float = 0.01
    cg_iterations: int = 10
    damping: float = 1e-3
    backtracks: int = 15
    shrink: float = 0.7

    def __post_init__(self) -> None:
        check_fields(self)
        if self.max_kl <= 0 or self.damping < 0:
            raise ValueError(
                f"max_kl must be positive and damping at least 0, not {self.max_kl} and"
                f" {self.damping}."
            )
        if self.cg_iterations < 1 or self.backtracks < 1 or not 0 < self.shrink < 1:
            raise ValueError(
                "cg_iterations and backtracks must be at least 1, and shrink between 0 and 1."
            )


class TrustRegionStep(NamedTuple):
    """What a step led to."""

    weights: list[Tensor]
    kl: float  # measured, of the new weights; 0 where no step was taken
    share: float  # of the longest step allowed; 0 where no length was good enough


def conjugate_gradient(
    product: Product, vector: Sequence[Tensor], iterations: int, tolerance: float = 1e-10
) -> list[Tensor]:
    """x with product(x) = vector, nearly, for a symmetric positive definite matrix of which only
    products are known.
    """
    x = [torch.zeros_like(part) for part in vector]
    residual = list(vector)
    direction = list(vector)
    squares = dot(residual, residual)
    for _ in range(iterations):
        if float(squares) <= tolerance:
            break
        image = product(direction)
        length = squares / dot(direction, image)
        x = moved(x, direction, length)
        residual = moved(residual, image, -length)
        squares, before = dot(residual, residual), squares
        direction = moved(residual, direction, squares / before)
    return x


def trust_region_step(
    weights: list[Tensor],
    gradient: Sequence[Tensor],
    fisher_product: Product,
    measure: Callable[[list[Tensor]], tuple[float, float]],
    config: TRPO,
    loss: float | None,
) -> TrustRegionStep:
    """Go down `gradient`, as measured by the Fisher matrix, until the divergence reaches `max_kl`;
    less far if the real one is too great.

    Args:
        weights: where to start. gradient: of the loss.
        fisher_product: the Fisher matrix times a vector.
        measure: the loss and the mean divergence (from the policies at `weights`) of other weights.
        config: settings.
        loss: at `weights`; a length is good only if the loss gets less. None where the gradient
            isn't a loss's.
    """

    def damped(vector: list[Tensor]) -> list[Tensor]:
        return list(torch._foreach_add(fisher_product(vector), vector, alpha=config.damping))

    direction = conjugate_gradient(damped, gradient, config.cg_iterations)
    curvature = dot(direction, damped(direction))
    if not bool(torch.isfinite(curvature)) or float(curvature) <= 0:
        return TrustRegionStep(weights, 0.0, 0.0)
    longest = (2 * config.max_kl / curvature).sqrt()
    share = 1.0
    for _ in range(config.backtracks):
        tried = moved(weights, direction, -share * longest)
        new_loss, kl = measure(tried)
        if kl <= config.max_kl and (loss is None or new_loss < loss):
            return TrustRegionStep(tried, kl, share)
        share *= config.shrink
    return TrustRegionStep(weights, 0.0, 0.0)


def dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    """Return the inner product of two vectors in parts."""
    return torch.stack([(a * b).sum() for a, b in zip(left, right, strict=True)]).sum()


def moved(start: Sequence[Tensor], direction: Sequence[Tensor], length: Tensor) -> list[Tensor]:
    """start + length x direction."""
    return [a + length * b for a, b in zip(start, direction, strict=True)]
