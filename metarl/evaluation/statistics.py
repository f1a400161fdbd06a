"""Estimates with intervals, and comparisons, of scores that `Evaluation.scores` gives: one number a
task.

Means have closed-form intervals (Student's t), which hold for any number of tasks and cost nothing
at 200,000. Statistics without one go through `metarl.evaluation.bootstrap`. All agents play the
same tasks with the same noise, so compare them by `paired_difference`.

Playing one task many times tells little of others. So where tasks repeat, a task's scores are one
cluster: estimates are of all scores, but errors are cluster-robust (Liang and Zeger 1986), `n` is
how many distinct tasks there are, and degrees of freedom follow it. The scores that
`Evaluation.scores` gives know their tasks. For plain arrays, whose entries otherwise count as so
many tasks, `tasks` names each entry's [n], by labels of any kind; stored evaluations have them in
the column `same_task`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from metarl.core.lookup import shown
from metarl.evaluation.scores import task_codes

__all__ = [
    "Comparison",
    "Estimate",
    "beats",
    "checked",
    "generalisation_gap",
    "interquartile_mean",
    "mean",
    "mean_over_seeds",
    "median_seed",
    "median_over_seeds",
    "over_both",
    "paired_difference",
    "performance_profile",
    "probability_of_improvement",
    "ratio_of_means",
    "share",
    "standard_error",
    "t_interval",
]


class Estimate(NamedTuple):
    """A number and the interval that holds the true one with probability `level`."""

    value: float
    low: float
    high: float
    n: int  # how many distinct tasks it rests on
    level: float = 0.95

    @property
    def known(self) -> bool:
        """Whether there is an interval: one task says nothing of how others would do."""
        return bool(np.isfinite(self.high - self.low))

    def __str__(self) -> str:
        return (
            f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"
            if self.known
            else f"{self.value:.4g} (no interval: n = {self.n})"
        )

    def __repr__(self) -> str:
        return (
            f"Estimate({self}, n={self.n}, level={self.level:g})"
            if self.known
            else f"Estimate({self})"
        )


class Comparison(NamedTuple):
    """A difference with its interval, and how likely at most so large a one would be if there were
    none.
    """

    difference: Estimate
    p_value: float  # one-sided: against "x is not better than y"


def mean(scores: ArrayLike, level: float = 0.95, *, tasks: ArrayLike | None = None) -> Estimate:
    """Return the mean of `scores` [n] with Student's t interval.

    A single task has an infinite one.
    """
    x = checked(scores)
    codes = task_codes(len(x), [scores], tasks)
    n = _distinct(x, codes)
    return t_interval(float(x.mean()), standard_error(x, codes), n - 1, n, level)


def interquartile_mean(
    scores: ArrayLike, level: float = 0.95, *, tasks: ArrayLike | None = None
) -> Estimate:
    """Return the mean of the middle half of `scores`, with the interval of Tukey and McLaughlin
    1963 for trimmed means.

    The quarter at each end may cut a score in two: it then counts with the share that is left.

    Args:
        scores: [n], or of a learner's seeds [seeds, n]: then the interval covers both, as
            `mean_over_seeds`'s.
        tasks: labels [n] of repeated tasks.
    """
    rows = _rows_of(scores)
    x = np.stack([checked(row) for row in rows])
    codes = task_codes(x.shape[1], rows, tasks)
    ordered = np.sort(x, axis=None)
    size = x.size
    cut = size / 4
    weights = np.clip(
        np.minimum(np.arange(1, size + 1), size - cut) - np.maximum(np.arange(size), cut), 0, 1
    )
    value = float(weights @ ordered / weights.sum())
    # winsorised: the quarters' scores moved to the quartiles
    kept = np.clip(x, ordered[int(cut)], ordered[size - 1 - int(cut)])
    distinct = _distinct(x[0], codes)
    errors = [
        (standard_error(kept.mean(0), codes) / 0.5, distinct - 2 * (distinct // 4) - 1),
        *_over_seeds(kept / 0.5),
    ]
    return _combined(value, errors, distinct, level)


def share(scores: ArrayLike, level: float = 0.95, *, tasks: ArrayLike | None = None) -> Estimate:
    """Return the mean of `scores` [n] between 0 and 1, with an interval that stays there (Wilson
    1927).

    Scores of 0 and 1 are tosses of a coin. Where a task's score is itself a share, of its episodes
    say, the interval is that of as many tosses as have the variance of the mean; where all scores
    are alike, of n.

    Raises:
        ValueError: a score that isn't between 0 and 1.
    """
    x = checked(scores)
    codes = task_codes(len(x), [scores], tasks)
    if x.min() < 0 or x.max() > 1:
        raise ValueError(
            f"A share is the mean of scores between 0 and 1, not between {x.min():g} and"
            f" {x.max():g}; use mean."
        )
    n = _distinct(x, codes)
    variance = (
        float(x.var()) / len(x)
        if codes is None
        else standard_error(x, codes) ** 2 * (n - 1) / n
        if n > 1
        else np.inf
    )
    return _wilson(float(x.mean()), variance, n, level)


def mean_over_seeds(
    scores: ArrayLike, level: float = 0.95, *, tasks: ArrayLike | None = None
) -> Estimate:
    """Return the mean over seeds and tasks, with an interval for new trainings scored on new tasks.

    The squared error is the sum of two: that of the seeds' means, as if tasks were fixed, and that
    of the tasks' means, as if seeds were (Owen 2007: each holds what the two have in common, so
    that the sum errs on the careful side). Degrees of freedom are Satterthwaite's (1946): few where
    the seeds differ much, so that three seeds have a wide interval. One seed tells nothing of
    others: then the interval is `mean`'s, over tasks only.

    Args:
        scores: [seeds, tasks], every seed on the same tasks. tasks: labels [tasks] of repeated
            ones.
    """
    rows = _rows_of(scores)
    x = np.stack([checked(row) for row in rows])
    codes = task_codes(x.shape[1], rows, tasks)
    n = _distinct(x[0], codes)
    errors = [(standard_error(x.mean(0), codes), n - 1), *_over_seeds(x)]
    return _combined(float(x.mean()), errors, n, level)


def over_both(
    value: float, by_seed: float, seeds: int, by_task: float, tasks: int, level: float
) -> Estimate:
    """`value` with the t interval of two independent errors, over so many seeds and over so many
    distinct tasks.
    """
    return _combined(value, [(by_seed, seeds - 1), (by_task, tasks - 1)], tasks, level)


def median_over_seeds(
    scores: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
    relative_to: ArrayLike | None = None,
    *,
    tasks: ArrayLike | None = None,
) -> Estimate:
    """Return the median over seeds of the mean over tasks: a learner's figure from several
    trainings.

    The interval covers the draw of the tasks, for these trained agents; it says nothing of further
    seeds. Tasks are shared by the seeds, so all seeds' means are resampled together, from their
    joint normal distribution (they are means of many tasks: sufficient statistics).

    Args:
        scores: [seeds, tasks], every seed on the same tasks.
        rng: draws the resamples.
        relative_to: scores [tasks] of another agent on the same tasks; each seed's mean is divided
            by theirs, and as hard tasks are hard for both, their mean is drawn together with the
            seeds'.
        tasks: labels [tasks] of repeated ones.

    Raises:
        ValueError: `relative_to` of other tasks, or with a mean that can't be told from 0.
    """
    x = np.stack([checked(row) for row in _rows_of(scores)])
    seeds, plays = x.shape
    codes = task_codes(plays, _rows_of(scores), tasks)
    if relative_to is not None:
        other = checked(relative_to)
        if len(other) != plays:
            raise ValueError(
                f"A ratio needs the same tasks above and below, not {plays} and {len(other)}"
                " scores."
            )
        if abs(other.mean()) <= 3 * np.nan_to_num(standard_error(other, codes), posinf=0.0):
            raise ValueError(
                "A ratio needs a mean to divide by that differs clearly from 0, not"
                f" {mean(other, tasks=codes)}."
            )
        x = np.concatenate([x, other[None]])

    def figure(means: np.ndarray) -> np.ndarray:  # [..., seeds] and, last, what they are divided by
        return np.median(
            means if relative_to is None else means[..., :seeds] / means[..., seeds:], -1
        )

    value = float(figure(x.mean(1)))
    n = _distinct(x[0], codes)
    if n == 1:
        return Estimate(value, -np.inf, np.inf, 1, level)
    covariance = (
        np.atleast_2d(np.cov(x)) / plays if codes is None else _clustered_covariance(x, codes)
    )
    draws = figure(rng.multivariate_normal(x.mean(1), covariance, resamples, method="eigh"))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), n, level)


def median_seed(scores: ArrayLike) -> int:
    """Return which row of [seeds, tasks] has the median mean (the lower of two).

    The seed that stands for all where one must be shown.
    """
    means = np.asarray(scores).mean(1, dtype=np.float64)
    return int(np.argsort(means, kind="stable")[(len(means) - 1) // 2])


def paired_difference(
    x: ArrayLike, y: ArrayLike, level: float = 0.95, *, tasks: ArrayLike | None = None
) -> Comparison:
    """Return the mean of x - y over the same tasks, its t interval, and the one-sided p-value of "x
    scores more than y".

    Args:
        x, y: scores [n] of the same tasks, or of a learner's seeds [seeds, n]: then the interval
            covers the seeds of each side, which are independent, and the tasks, which are shared.
        tasks: labels [n] of repeated tasks.

    Raises:
        ValueError: as many scores aren't there on both sides, or they say that they are of other
            tasks, and no `tasks` overrule them.
    """
    rows, others = _rows_of(x), _rows_of(y)
    a = np.stack([checked(row) for row in rows])
    b = np.stack([checked(row) for row in others])
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"A paired difference needs the same tasks on both sides, not {a.shape[1]} and"
            f" {b.shape[1]} scores."
        )
    if tasks is None:
        _check_same_tasks(rows[0], others[0])
    codes = task_codes(a.shape[1], [*rows, *others], tasks)
    each = a.mean(0) - b.mean(0)
    n = _distinct(each, codes)
    errors = [(standard_error(each, codes), n - 1), *_over_seeds(a), *_over_seeds(b)]
    return _compared(float(each.mean()), errors, n, level)


def _check_same_tasks(x: ArrayLike, y: ArrayLike) -> None:
    """Raise ValueError where two vectors of scores both know their tasks, and some of these differ."""
    own, other = (getattr(scores, "task_keys", None) for scores in (x, y))
    if own is None or other is None or np.array_equal(own, other):
        return
    raise ValueError(
        f"Scores can't be paired: {int((own != other).sum())} of {len(own)} are of other tasks on"
        " the other side. Evaluate both with the same seed, split and num_tasks."
    )


def ratio_of_means(
    x: ArrayLike, y: ArrayLike, level: float = 0.95, *, tasks: ArrayLike | None = None
) -> Estimate:
    """Return the mean of x over the mean of y, of the same tasks [n], with the delta method's
    interval for paired scores.
    """
    a, b = checked(x), checked(y)
    if len(a) != len(b):
        raise ValueError(
            f"A ratio of paired scores needs the same tasks on both sides, not {len(a)} and"
            f" {len(b)} scores."
        )
    if tasks is None:
        _check_same_tasks(x, y)
    if b.mean() == 0:
        raise ValueError("There is no ratio to scores whose mean is 0.")
    value = float(a.mean() / b.mean())
    codes = task_codes(len(a), [x, y], tasks)
    n = _distinct(a, codes)
    return t_interval(value, standard_error((a - value * b) / b.mean(), codes), n - 1, n, level)


def generalisation_gap(
    train: ArrayLike,
    test: ArrayLike,
    level: float = 0.95,
    *,
    train_tasks: ArrayLike | None = None,
    test_tasks: ArrayLike | None = None,
) -> Comparison:
    """Mean score on training tasks minus mean score on test tasks, with Welch's interval (the tasks
    differ, so nothing is paired).

    The p-value is one-sided, of "training tasks score more".

    Args:
        train, test: scores [n] and [m], or of the same seeds of a learner [seeds, n] and [seeds,
            m]: then the interval covers the seeds too, each of which has a gap of its own.
        train_tasks, test_tasks: labels [n] and [m] of repeated tasks.

    Raises:
        ValueError: other numbers of seeds on both sides.
    """
    rows, others = _rows_of(train), _rows_of(test)
    a = np.stack([checked(row) for row in rows])
    b = np.stack([checked(row) for row in others])
    if len(a) != len(b):
        raise ValueError(
            "A generalisation gap needs the same seeds on both splits, not"
            f" {len(a)} and {len(b)} of them."
        )
    codes = task_codes(a.shape[1], rows, train_tasks), task_codes(b.shape[1], others, test_tasks)
    n, m = _distinct(a[0], codes[0]), _distinct(b[0], codes[1])
    errors = [
        (standard_error(a.mean(0), codes[0]), n - 1),
        (standard_error(b.mean(0), codes[1]), m - 1),
    ]
    if len(a) > 1:
        errors.append((standard_error(a.mean(1) - b.mean(1)), len(a) - 1))
    return _compared(float(a.mean() - b.mean()), errors, min(n, m), level)


def probability_of_improvement(
    x: ArrayLike,
    y: ArrayLike,
    *,
    paired: bool = True,
    level: float = 0.95,
    tasks: ArrayLike | None = None,
    other_tasks: ArrayLike | None = None,
) -> Estimate:
    """Return how often x scores more than y, ties counted half, with a Wilson interval.

    Args:
        x, y: scores [n] and [m]; paired, also of learners' seeds [seeds, n]: every seed of one side
            against every seed of the other, with an interval that covers the seeds of each side
            and the tasks.
        paired: compare task by task (n = m); otherwise every score of x with every score of y (Mann
            and Whitney 1947), the variance from each score's placement among the others (DeLong et
            al. 1988).
        tasks, other_tasks: labels [n] of x's, and, where they aren't paired, [m] of y's.
    """
    if paired:
        return _share_of_wins(x, y, level, tasks)
    a, b = checked(x), checked(y)
    over = _placements(a, b)
    under = 1 - _placements(b, a)
    codes = task_codes(len(a), [x], tasks)
    others = task_codes(len(b), [y], other_tasks)
    variance = standard_error(over, codes) ** 2 + standard_error(under, others) ** 2
    n = min(_distinct(a, codes), _distinct(b, others))
    return _wilson(float(over.mean()), variance, n, level)


def _share_of_wins(x: ArrayLike, y: ArrayLike, level: float, tasks: ArrayLike | None) -> Estimate:
    """Return how often x scores more than y on the same task."""
    rows, others = _rows_of(x), _rows_of(y)
    a = np.stack([checked(row) for row in rows])
    b = np.stack([checked(row) for row in others])
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"Paired scores must be of the same tasks, not {a.shape[1]} and {b.shape[1]} scores;"
            " pass paired=False for different tasks."
        )
    wins = (np.sign(a[:, None] - b[None]) + 1) / 2  # [seeds, other seeds, tasks]
    codes = task_codes(a.shape[1], [*rows, *others], tasks)
    by_task = wins.mean((0, 1))
    sides = [*_over_seeds(wins.mean(1)), *_over_seeds(wins.mean(0))]
    variance = standard_error(by_task, codes) ** 2 + sum(error**2 for error, _ in sides)
    return _wilson(float(wins.mean()), variance, _distinct(by_task, codes), level)


def performance_profile(
    scores: ArrayLike,
    thresholds: ArrayLike,
    level: float = 0.95,
    *,
    tasks: ArrayLike | None = None,
) -> list[Estimate]:
    """Return, for each threshold, which share of scores lies above it (Agarwal et al. 2021, section
    4.3), with an interval that stays between 0 and 1 (Wilson 1927).

    Args:
        scores: [n], or of a learner's seeds [seeds, n]: then intervals cover both.
        thresholds: [m], in the scores' unit.
        tasks: labels [n] of repeated tasks.
    """
    rows = _rows_of(scores)
    x = np.stack([checked(row) for row in rows])
    codes = task_codes(x.shape[1], rows, tasks)
    n = _distinct(x[0], codes)
    profile = []
    for threshold in np.asarray(thresholds, np.float64):
        above = (x > threshold).astype(np.float64)
        errors = [standard_error(above.mean(0), codes), *(error for error, _ in _over_seeds(above))]
        variance = float(np.square(errors).sum())
        profile.append(_wilson(float(above.mean()), variance, n, level))
    return profile


def beats(
    scores: ArrayLike, ceiling: ArrayLike, level: float = 0.999, *, tasks: ArrayLike | None = None
) -> bool:
    """Return whether the mean of `scores` [n] lies above `ceiling` by a one-sided t test at
    `level`.

    Nothing may beat the optimum: where this is true of an optimum or an upper bound, the simulator,
    the score or the bound is wrong.

    Args:
        ceiling: one number, such as an exact optimum, or [n] numbers for the same tasks, such as
            the simulated optimum's scores.
    """
    x = checked(scores)
    codes = task_codes(len(x), [scores, ceiling], tasks)
    return (
        paired_difference(
            x, np.broadcast_to(np.asarray(ceiling, float), x.shape), tasks=codes
        ).p_value
        < 1 - level
    )


def checked(scores: ArrayLike) -> np.ndarray:
    """Return the scores as a float64 vector [n].

    Raises:
        ValueError: not one-dimensional, none, or not finite.
    """
    try:
        x = np.asarray(scores, np.float64)
    except (TypeError, ValueError):
        near = " Take its scores()." if hasattr(scores, "scores") else ""
        raise ValueError(
            f"Scores must be a vector of numbers, one a task, not {shown(scores)}.{near}"
        ) from None
    if x.ndim != 1 or len(x) == 0:
        raise ValueError(
            "Scores must be a vector of at least one number, one a task, not an array of shape"
            f" {x.shape}."
        )
    if not np.isfinite(x).all():
        raise ValueError(
            f"Score {int(np.flatnonzero(~np.isfinite(x))[0])} is not finite; find out which task"
            " gave it before averaging."
        )
    return x


def standard_error(x: np.ndarray, codes: np.ndarray | None = None) -> float:
    """Return the standard error of the mean of `x` [n]; cluster-robust where `codes` [n] say which
    entries are of one task.

    Infinite where there is one task only.
    """
    if codes is None:
        return float(x.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else np.inf
    return (
        float(np.sqrt(_clustered_covariance(x[None], codes)[0, 0])) if codes.max() > 0 else np.inf
    )


def _clustered_covariance(x: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the covariance [m, m] of the means of `x` [m, n].

    Entries of one task are summed, and only these sums are independent.
    """
    clusters = int(codes.max()) + 1
    residuals = x - x.mean(1, keepdims=True)
    sums = np.stack([np.bincount(codes, row, clusters) for row in residuals])
    covariance: np.ndarray = sums @ sums.T * (clusters / (clusters - 1)) / x.shape[1] ** 2
    return covariance


def _distinct(x: np.ndarray, codes: np.ndarray | None) -> int:
    """Return how many distinct tasks the scores `x` [n] are of."""
    return len(x) if codes is None else int(codes.max()) + 1


def _over_seeds(x: np.ndarray) -> list[tuple[float, int]]:
    """Return the error of the mean of `x` [seeds, tasks] over seeds, with its degrees of freedom.

    None of one seed, which tells nothing of others.
    """
    return [(standard_error(x.mean(1)), len(x) - 1)] if len(x) > 1 else []


def _total_error(errors: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Return the sum of independent errors, and its degrees of freedom by Satterthwaite 1946."""
    if min(degrees for _, degrees in errors) < 1:
        return np.inf, 0.0
    if len(errors) == 1:
        return errors[0]
    total = sum(error**2 for error, _ in errors)
    if total == 0:
        return 0.0, float(sum(degrees for _, degrees in errors))
    spread = sum(error**4 / degrees for error, degrees in errors)
    return float(np.sqrt(total)), float(total**2 / spread)


def _combined(value: float, errors: Sequence[tuple[float, int]], n: int, level: float) -> Estimate:
    """Return `value` with the t interval of independent errors, each with its degrees of freedom."""
    return t_interval(value, *_total_error(errors), n, level)


def _compared(
    value: float, errors: Sequence[tuple[float, int]], n: int, level: float
) -> Comparison:
    """Return the difference `value` with its interval and p-value."""
    error, degrees = _total_error(errors)
    return Comparison(
        t_interval(value, error, degrees, n, level), _p_greater(value, error, degrees)
    )


def _rows_of(scores: ArrayLike) -> list[Any]:
    """Return the rows of [seeds, tasks], which know their tasks where the matrix, or each of a list
    of rows, does.
    """
    rows: Any = scores
    if not isinstance(rows, list | tuple):
        return list(rows) if np.ndim(rows) > 1 and len(rows) else [rows]
    if not rows or np.ndim(rows[0]) == 0:
        return [rows]
    lengths = {np.shape(row)[0] for row in rows if np.ndim(row)}
    if len(lengths) > 1:
        raise ValueError(
            f"Every seed's scores must be of the same tasks, not {min(lengths)} and"
            f" {max(lengths)} scores."
        )
    return list(rows)


def t_interval(value: float, error: float, degrees: float, n: int, level: float) -> Estimate:
    """`value` with Student's t interval for a standard `error` of so many `degrees` of freedom.

    Infinite where there are none.
    """
    if not 0 < level < 1:
        raise ValueError(f"An interval's level lies between 0 and 1, such as 0.95, not {level}.")
    if degrees <= 0:
        return Estimate(value, -np.inf, np.inf, n, level)
    half = float(stats.t.ppf((1 + level) / 2, degrees)) * error
    return Estimate(value, value - half, value + half, n, level)


def _wilson(value: float, variance: float, n: int, level: float) -> Estimate:
    """Return the share `value` of n scores, whose mean has that variance, with the interval of
    Wilson 1927.
    """
    if n == 1:
        return Estimate(value, 0.0, 1.0, n, level)
    # Coin tosses of the same variance
    effective = value * (1 - value) / variance if variance > 0 and 0 < value < 1 else n
    z = float(stats.norm.ppf((1 + level) / 2))
    centre = (value + z * z / (2 * effective)) / (1 + z * z / effective)
    half = (
        z
        / (1 + z * z / effective)
        * np.sqrt(value * (1 - value) / effective + (z / (2 * effective)) ** 2)
    )
    return Estimate(value, float(max(0.0, centre - half)), float(min(1.0, centre + half)), n, level)


def _p_greater(value: float, error: float, degrees: float) -> float:
    """P(a difference this large or larger | none); an exact tie is no evidence either way."""
    if degrees <= 0:
        return 1.0
    if error == 0:
        return 0.0 if value > 0 else 0.5 if value == 0 else 1.0
    return float(stats.t.sf(value / error, degrees))


def _placements(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each of x [n]: the share of y [m] below it, ties counted half."""
    ordered = np.sort(y)
    return (np.searchsorted(ordered, x, "left") + np.searchsorted(ordered, x, "right")) / (
        2 * len(y)
    )
