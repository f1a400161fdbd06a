"""How the classic-control families draw a task's physics.

What is inside the range, and what lies outside of it.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from metarl.core.task_distribution import SPLITS

__all__ = ["PhysicsDraw", "PhysicsRange", "check_horizon", "check_reach"]

MOST_RATIO = 100.0


class PhysicsDraw(NamedTuple):
    """The physics of n tasks, in float64."""

    scales: tuple[Tensor, ...]  # [n] each: a parameter's ratio to its usual value
    direction: Tensor  # [n] 1, or -1 where the actuator works backwards
    friction: Tensor  # [n] in units of the family's own coefficient


@dataclass(frozen=True)
class PhysicsRange:
    """Which physics tasks have: ratios to the usual values, friction, and the actuator's direction,
    all independent.

    Splits `train` and `test` draw ratios log-uniformly from [low, high] and friction uniformly from
    [0, friction]. Split `extrapolate` draws every ratio outside: below low or above high with equal
    chances, log-uniformly, as far as a quarter of the range's width (on the log scale) reaches on
    either side; and friction uniformly from above `friction` to twice that. So all parameters are
    extreme at once, as in the extreme setting of Packer et al. 2018 (arXiv 1810.12282). Directions
    are drawn alike in all splits.

    Attributes:
        low, high: smallest and largest ratio of a parameter to its usual value.
        friction: most friction, in units of the family's own coefficient; 0 is none.
        reversals: whether every other task's actuator works backwards.
    """

    low: float
    high: float
    friction: float
    reversals: bool

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.low, self.high, self.friction)):
            raise ValueError(
                f"low, high and friction must be finite numbers, not {self.low}, {self.high} and"
                f" {self.friction}."
            )
        if self.low <= 0 or self.high <= 0:
            raise ValueError(
                f"low and high are ratios to the usual physics and must be positive, not {self.low}"
                f" and {self.high}."
            )
        if self.low > self.high:
            raise ValueError(
                f"The range from low={self.low} to high={self.high} is upside down; give the"
                " smaller ratio as low."
            )
        if self.friction < 0:
            raise ValueError(f"friction can't be negative, not {self.friction}; 0 is none.")

    @property
    def varies(self) -> bool:
        """Whether tasks are unlimited in number.

        Otherwise there are one or two, and nothing lies outside.
        """
        return self.low < self.high or self.friction > 0

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that can be drawn."""
        return SPLITS if self.varies else SPLITS[:2]

    def config(self) -> dict[str, Any]:
        """Return the fields, as a family's arguments."""
        return asdict(self)

    def draw(self, n: int, parameters: int, split: str, rng: np.random.Generator) -> PhysicsDraw:
        """Draw the physics of n tasks with that many scaled parameters, by a generator that belongs
        to the split.
        """
        # In (0, 1], so that the bounds themselves are inside only
        share = 1 - rng.random((parameters, n))
        if split == "extrapolate":
            above = rng.random((parameters, n)) < 0.5
            margin = (self.high / self.low) ** (share / 4)
            scales = np.where(above, self.high * margin, self.low / margin)
            friction = self.friction * (2 - rng.random(n))
        else:
            scales = np.clip(self.low * (self.high / self.low) ** share, self.low, self.high)
            friction = self.friction * rng.random(n)
        backwards = (rng.random(n) < 0.5) & self.reversals
        return PhysicsDraw(
            tuple(torch.from_numpy(row) for row in scales),
            torch.from_numpy(np.where(backwards, -1.0, 1.0)),
            torch.from_numpy(friction),
        )


def check_reach(id: str, physics: PhysicsRange, most: float = MOST_RATIO) -> None:
    """Raise ValueError where tasks, those outside the range included, would be too far from the
    usual physics to be simulated.

    Args:
        id: of the family. physics: its range.
        most: largest ratio to the usual physics, either way, at which the family's steps stay
            finite; twice that, of friction.
    """
    margin = (
        (physics.high / physics.low) ** 0.25
        if physics.low < physics.high and physics.high / physics.low < math.inf
        else 1.0
    )
    least = physics.low / margin
    greatest = physics.high * margin
    if least < 1 / most or greatest > most:
        raise ValueError(
            f"{id}: from low={physics.low:g} to high={physics.high:g}, ratios reach {least:.3g} to"
            f" {greatest:.3g} (extrapolate included), where steps of this length can't be simulated"
            f" any more; keep them between {1 / most:.3g} and {most:g}."
        )
    if physics.friction > most:
        raise ValueError(
            f"{id}: friction={physics.friction:g} can't be simulated; give at most {most:g} times"
            " the usual one."
        )


def check_horizon(horizon: int) -> None:
    """Raise ValueError unless an episode of that many steps can be played."""
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 step, not {horizon}.")
