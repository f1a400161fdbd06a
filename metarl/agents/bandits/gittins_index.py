"""Gittins indices by calibration: the price a pull at which an arm is just worth pulling at all.

An arm's owner may stop paying at any time. With V(x) = max(0, mean(x) - price + discount * E V(x'))
the value of an arm in state x at some price, its index is the price at which the second term is 0
(Gittins 1979; Whittle 1980). All states and a grid of prices are solved at once, layer by layer
from the most pulls back, and the index is interpolated between two prices.

Without a discount, an arm with r pulls left has a finite-horizon index, where V is 0 after r pulls.
Arms that meet the end at the same number m + r of pulls, m of them made, share one dynamic program,
which costs (m + r)²/2 states. All ends up to n would cost n³/6, so beyond `DENSE_ENDS` they are
spaced by `END_RATIO` and indices are interpolated in between.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

__all__ = [
    "DENSE_ENDS",
    "END_RATIO",
    "IndexTable",
    "bernoulli_index_table",
    "bernoulli_indices",
    "finite_bernoulli_indices",
    "gaussian_index_table",
]

DENSE_ENDS = 64  # up to here every end has a dynamic program of its own
END_RATIO = 1.04
MAX_DEPTH = 3000  # layers of a discounted program beyond the states that are asked for


class IndexTable(NamedTuple):
    """Finite-horizon indices of arms with up to n pulls: those of an arm whose pulls end at
    ends[e], in state `code`, stand at values[offsets[e] + code].
    """

    ends: np.ndarray  # [E] int64, increasing: m + r, pulls made and pulls left
    offsets: np.ndarray  # [E] int64
    values: np.ndarray  # [sum over ends of their states] float32


def bernoulli_indices(pulls: int, discount: float, prices: int = 1024) -> list[np.ndarray]:
    """Discounted Gittins indices of Beta(1 + s, 1 + f) arms, to about six digits up to discount
    0.99.

    Args:
        pulls: states with s + f < pulls.
        discount: in (0, 1).
        prices: points of the price grid.

    Returns:
        A list; entry m holds the indices [m + 1] by the number of failures f of states with m
        pulls.
    """
    if not 0 < discount < 1:
        raise ValueError(
            f"A discount lies between 0 and 1, both excluded, not {discount}; leave it out for the"
            " finite-horizon index."
        )
    depth = pulls + min(MAX_DEPTH, int(np.ceil(np.log(1e-3) / np.log(discount))))
    return _bernoulli_program(depth, pulls, discount, _price_grid(prices), np.float64)


def finite_bernoulli_indices(end: int, prices: int = 512) -> list[np.ndarray]:
    """Finite-horizon indices of Beta(1 + s, 1 + f) arms that may be pulled until s + f = end, to
    about three digits.

    Returns:
        A list; entry m holds the indices [m + 1] by f of states with m pulls made and end - m left.
    """
    return _bernoulli_program(end, end, 1.0, _price_grid(prices), np.float32)


def _bernoulli_program(
    depth: int, keep: int, discount: float, prices: np.ndarray, dtype: type
) -> list[np.ndarray]:
    """Back up values from `depth` pulls to none; indices of the layers below `keep`."""
    grid: np.ndarray = prices.astype(dtype)  # [G]
    failures = np.arange(depth + 1)
    if discount < 1:  # far enough to stop learning: pull for ever, or never
        far: np.ndarray = ((depth - failures + 1) / (depth + 2)).astype(dtype)
        value = np.maximum(0, far[:, None] - grid) / dtype(
            1 - discount
        )  # [depth + 1, G], by failures
    else:
        value = np.zeros((depth + 1, len(grid)), dtype)
    indices = []
    for made in reversed(range(depth)):
        mean: np.ndarray = ((made + 1 - failures[: made + 1]) / (made + 2)).astype(dtype)[
            :, None
        ]  # [m + 1, 1]
        win = value[: made + 1]
        lose = value[1 : made + 2]
        worth = win - lose
        worth *= mean
        worth += lose
        if discount < 1:
            worth *= dtype(discount)
        worth += mean
        worth -= grid
        if made < keep:
            indices.append(_roots(worth, grid))
        value = np.maximum(worth, 0, out=worth)
    return indices[::-1]


def _price_grid(prices: int) -> np.ndarray:
    """Prices in [0, 1], denser towards the ends, where posteriors are narrower."""
    return np.sin(np.linspace(0, np.pi / 2, prices)) ** 2


def _roots(worth: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return where each decreasing row of `worth` [n, G] crosses 0 over `grid` [G], by linear
    interpolation.
    """
    # the last positive one
    last = np.clip((worth > 0).sum(1) - 1, 0, len(grid) - 2)
    rows = np.arange(len(worth))
    above = worth[rows, last]
    below = worth[rows, last + 1]
    return grid[last] + (grid[last + 1] - grid[last]) * above / (above - below)


@lru_cache(maxsize=8)
def bernoulli_index_table(pulls: int) -> IndexTable:
    """Finite-horizon indices for a budget of `pulls` pulls.

    `code` is `metarl.tasks.bandits.bounds.pair_code`.
    """
    ends = _spaced_ends(pulls)
    parts = [np.concatenate(finite_bernoulli_indices(int(end))) for end in ends]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])[:-1]]).astype(np.int64)
    return IndexTable(ends, offsets, np.concatenate(parts).astype(np.float32))


@lru_cache(maxsize=8)
def gaussian_index_table(pulls: int, noise_ratio: float) -> IndexTable:
    """Finite-horizon indices of normal arms, as their excess over the posterior mean in prior
    standard deviations.

    Only the distance between mean and price matters, so a state is the number of pulls made, which
    is its `code` too. Values are taken as piecewise linear in that distance, and their expectations
    over the next posterior mean are exact for such functions. Indices are right to about 1e-3 prior
    standard deviations.

    Args:
        pulls: of the budget. noise_ratio: standard deviation of a reward over that of the prior; at
            least 0.
    """
    # Without noise, one pull tells all; the posterior must still have a width to scale by
    ratio = max(noise_ratio, 1e-3)
    scaled = np.linspace(-5, 5, 193)  # distances in posterior standard deviations
    made = np.arange(pulls + 1)
    variance = ratio**2 / (ratio**2 + made)  # of the mean, after each number of pulls
    values = np.zeros(
        (len(scaled), pulls + 1)
    )  # [X, end]; column e is the program that ends after e pulls
    excess = np.zeros((pulls + 1, pulls + 1))  # [end, pulls made]
    for m in reversed(range(pulls)):
        distance = scaled * np.sqrt(variance[m])
        following = scaled * np.sqrt(variance[m + 1])
        ends = np.arange(m + 1, pulls + 1)
        slope = np.maximum(ends - m - 1, 0)  # far above the price nobody ever stops
        expected = _expectation(
            distance, following, np.sqrt(variance[m] - variance[m + 1]), values[:, m + 1 :], slope
        )
        worth = distance[:, None] + expected
        first = np.clip((worth <= 0).sum(0), 1, len(scaled) - 1)  # the first positive one
        columns = np.arange(len(ends))
        below = worth[first - 1, columns]
        above = worth[first, columns]
        root = distance[first - 1] - (distance[first] - distance[first - 1]) * below / (
            above - below
        )
        excess[ends, m] = -root
        values[:, m + 1 :] = np.maximum(worth, 0)
    ends = np.arange(1, pulls + 1)
    offsets = ends * (ends - 1) // 2
    return IndexTable(
        ends, offsets, np.concatenate([excess[end, :end] for end in ends]).astype(np.float32)
    )


def _expectation(
    start: np.ndarray, knots: np.ndarray, std: float, values: np.ndarray, slope: np.ndarray
) -> np.ndarray:
    """E v(x + std z) at x = start [X], v piecewise linear with `values` [K, E] at `knots` [K]: 0
    below them, `slope` [E] above.

    v is a sum of hinges, and E max(0, x + std z - knot) has a closed form.
    """
    slopes = np.diff(values, axis=0) / np.diff(knots)[:, None]
    bends = np.diff(
        np.concatenate([np.zeros_like(slope[None]), slopes, slope[None]]), axis=0
    )  # [K, E]
    distance = (start[:, None] - knots) / std  # [X, K]
    hinges = std * (distance * ndtr(distance) + np.exp(-0.5 * distance**2) / np.sqrt(2 * np.pi))
    return hinges @ bends


def _spaced_ends(pulls: int) -> np.ndarray:
    ends = list(range(1, min(pulls, DENSE_ENDS) + 1))
    while ends[-1] < pulls:
        ends.append(min(pulls, int(np.ceil(ends[-1] * END_RATIO))))
    return np.array(ends, dtype=np.int64)
