"""Indices drawn in proportion to numbers that keep changing.

Schaul et al. 2016 (arXiv 1511.05952), appendix B.2.1, keep such numbers in a binary tree of sums.
Here the tree has two levels of about sqrt(N) each: in vectorised code a few wide levels take less
time than many narrow ones, and sums never drift, since they are added anew.
"""

import math

import numpy as np
import torch
from torch import Generator

__all__ = ["Priorities"]


class Priorities:
    """N numbers of at least 0, all 0 at first.

    Args:
        size: N.

    Attributes:
        positive: how many numbers are above 0.
    """

    def __init__(self, size: int):
        self.size = size
        self.positive = 0
        self._width = math.isqrt(size - 1) + 1
        self._blocks = np.zeros((-(-size // self._width), self._width))
        self._numbers = self._blocks.reshape(-1)  # the same memory
        self._sums = np.zeros(len(self._blocks))

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The numbers at `index` [n]."""
        return self._numbers[index]

    def set(self, index: np.ndarray, value: np.ndarray | float) -> None:
        """Put `value` at `index` [n]; where an index comes more than once, the last counts."""
        touched = np.unique(index)
        self.positive -= int((self._numbers[touched] > 0).sum())
        self._numbers[index] = value
        self.positive += int((self._numbers[touched] > 0).sum())
        blocks = np.unique(touched // self._width)
        self._sums[blocks] = self._blocks[blocks].sum(1)

    @property
    def total(self) -> float:
        """The sum of all numbers."""
        return float(self._sums.cumsum()[-1])

    def draw(self, n: int, rng: Generator) -> np.ndarray:
        """n indices, one from each of n equal shares of the total (stratified, as in the paper).

        Args:
            n: how many. rng: on the CPU.

        Raises:
            ValueError: all numbers are 0.
        """
        if self.positive == 0:
            raise ValueError("There is nothing to draw: all priorities are 0.")
        ends = self._sums.cumsum()
        marks = (np.arange(n) + torch.rand(n, generator=rng, dtype=torch.float64).numpy()) * (
            ends[-1] / n
        )
        marks = np.minimum(marks, np.nextafter(ends[-1], 0))
        # The first that ends beyond the mark, so its sum is above 0
        block = ends.searchsorted(marks, side="right")
        within = self._blocks[block].cumsum(1)
        # Sums round in their own ways
        left = np.minimum(marks - (ends[block] - self._sums[block]), np.nextafter(within[:, -1], 0))
        return block * self._width + (within <= left[:, None]).sum(1)

    def numbers(self) -> np.ndarray:
        """Return a copy of all numbers [N]."""
        return self._numbers[: self.size].copy()
