"""Bootstrap intervals for statistics that have no simple formula, over tasks, and over runs within
strata.

A resample is a count of how often each score was drawn, never a copy of the scores: bandit totals
have a few distinct values, so even 200,000 tasks resample in a moment. A task that was played more
than once is redrawn with all its scores. A statistic is therefore a function of (sorted values [m],
counts [resamples, m]) -> [resamples].
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from metarl.evaluation.scores import task_codes
from metarl.evaluation.statistics import Estimate, checked

__all__ = [
    "Statistic",
    "bootstrap",
    "interquartile_mean_of_counts",
    "mean_of_counts",
    "stratified_bootstrap",
]

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]

CELLS = 4_000_000  # counts held at a time


def mean_of_counts(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean [resamples] of `values` [m] that occur `counts` [resamples, m] times."""
    return counts @ values / counts.sum(1)


def interquartile_mean_of_counts(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean [resamples] of the middle half.

    A value on the edge counts with the share inside.
    """
    upto = counts.cumsum(1)
    total = upto[:, -1:]
    inside = np.clip(
        np.minimum(upto, 0.75 * total) - np.maximum(upto - counts, 0.25 * total), 0, None
    )
    return inside @ values / inside.sum(1)


def bootstrap(
    scores: ArrayLike,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    tasks: ArrayLike | None = None,
) -> Estimate:
    """`statistic` of `scores` [n] with a percentile interval: tasks are redrawn with replacement
    (Efron 1979).

    Args:
        tasks: labels [n] of repeated tasks, where the scores don't know them.
    """
    x = checked(scores)
    codes = task_codes(len(x), [scores], tasks)
    values, inverse, present = np.unique(x, return_inverse=True, return_counts=True)
    distinct = len(x) if codes is None else int(codes.max()) + 1
    if distinct == 1:
        return Estimate(float(statistic(values, present[None])[0]), -np.inf, np.inf, 1, level)
    shape = distinct, len(values)
    # How often each task got each
    held = (
        None
        if codes is None
        else sparse.csr_array((np.ones(len(x)), (codes, inverse)), shape=shape)
    )

    def draws(size: int) -> np.ndarray:
        if held is not None:
            redrawn = rng.multinomial(distinct, np.full(distinct, 1 / distinct), size)
            return np.asarray(redrawn @ held)
        if len(values) < len(x) / 8:
            return rng.multinomial(len(x), present / len(x), size)
        return _tally(inverse[rng.integers(len(x), size=(size, len(x)))], len(values))

    chunks = (draws(size) for size in _sizes(resamples, len(x)))
    return _percentile(values, present[None], chunks, statistic, distinct, level)


def stratified_bootstrap(
    scores: ArrayLike,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """`statistic` of all scores, redrawing runs within each stratum and keeping the strata (Agarwal
    et al. 2021).

    For a fixed set of benchmark tasks, each with trainings of its own: every cell is an independent
    run.

    Args:
        scores: [runs, strata].
    """
    x = _matrix(scores)
    runs, strata = x.shape
    order = np.argsort(x, axis=None, kind="stable")

    def draws(size: int) -> np.ndarray:
        picked = rng.integers(runs, size=(size, runs, strata)) * strata + np.arange(strata)
        return _tally(picked.reshape(size, -1), runs * strata)[:, order]

    chunks = (draws(size) for size in _sizes(resamples, x.size))
    return _percentile(x.ravel()[order], np.ones((1, x.size)), chunks, statistic, x.size, level)


def _percentile(
    values: np.ndarray,
    present: np.ndarray,
    chunks: Iterator[np.ndarray],
    statistic: Statistic,
    n: int,
    level: float,
) -> Estimate:
    if not 0 < level < 1:
        raise ValueError(f"An interval's level lies between 0 and 1, such as 0.95, not {level}.")
    replicates = np.concatenate([statistic(values, counts) for counts in chunks])
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(statistic(values, present)[0]), float(low), float(high), n, level)


def _tally(picked: np.ndarray, size: int) -> np.ndarray:
    """Return how often each of 0 ..

    Size - 1 occurs in each row of `picked` [rows, draws]: [rows, size].
    """
    rows = len(picked)
    return np.bincount(
        (picked + np.arange(rows)[:, None] * size).ravel(), minlength=rows * size
    ).reshape(rows, size)


def _sizes(resamples: int, width: int) -> Iterator[int]:
    """Resamples cut into chunks of bounded memory."""
    if resamples < 1:
        raise ValueError(
            f"A bootstrap needs at least one resample, not {resamples}; 1,000 or more give a steady"
            " interval."
        )
    chunk = max(1, CELLS // width)
    for first in range(0, resamples, chunk):
        yield min(chunk, resamples - first)


def _matrix(scores: ArrayLike) -> np.ndarray:
    x = np.asarray(scores, np.float64)
    if x.ndim != 2 or x.size == 0 or not np.isfinite(x).all():
        blemish = " with NaN" if x.ndim == 2 and x.size else ""
        raise ValueError(
            "Scores must be a matrix of finite numbers, [runs, tasks], not an array of shape"
            f" {x.shape}{blemish}."
        )
    return x
