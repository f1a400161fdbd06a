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
    """Return the mean of the middle half of `scores` [n], with the interval of Tukey and McLaughlin
    1963 for trimmed means.

    The quarter at each end may cut a score in two: it then counts with the share that is left.
    """
    x = checked(scores)
    codes = task_codes(len(x), [scores], tasks)
    order = np.argsort(x, kind="stable")
    x = x[order]
    codes = None if codes is None else codes[order]
    n = len(x)
    cut = len(x) / 4
    weights = np.clip(
        np.minimum(np.arange(1, n + 1), n - cut) - np.maximum(np.arange(n), cut), 0, 1
    )
    value = float(weights @ x / weights.sum())
    # winsorised: the quarters' scores moved to the quartiles
    kept = np.clip(x, x[int(cut)], x[n - 1 - int(cut)])
    distinct = _distinct(x, codes)
    return t_interval(
        value,
        standard_error(kept, codes) / 0.5,
        distinct - 2 * (distinct // 4) - 1,
        distinct,
        level,
    )


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
    rows = [checked(row) for row in _rows_of(scores)]
    codes = task_codes(len(rows[0]), _rows_of(scores), tasks)
    if len(rows) == 1:
        return mean(rows[0], level, tasks=codes)
    x = np.stack(rows)
    n = _distinct(x[0], codes)
    if n == 1:
        return t_interval(float(x.mean()), np.inf, 0, 1, level)
    return over_both(
        float(x.mean()),
        standard_error(x.mean(1)),
        len(x),
        standard_error(x.mean(0), codes),
        n,
        level,
    )


def over_both(
    value: float, by_seed: float, seeds: int, by_task: float, tasks: int, level: float
) -> Estimate:
    """`value` with the t interval of two independent errors, over so many seeds and over so many
    distinct tasks.
    """
    total = by_seed**2 + by_task**2
    degrees = (
        total**2 / (by_seed**4 / (seeds - 1) + by_task**4 / (tasks - 1))
        if total
        else float(tasks - 1)
    )
    return t_interval(value, float(np.sqrt(total)), degrees, tasks, level)


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
    """Return the mean of x - y over the same tasks [n], its t interval, and the one-sided p-value
    of "x scores more than y".

    Raises:
        ValueError: as many scores aren't there on both sides, or they say that they are of other
            tasks, and no `tasks` overrule them.
    """
    a, b = checked(x), checked(y)
    if len(a) != len(b):
        raise ValueError(
            f"A paired difference needs the same tasks on both sides, not {len(a)} and {len(b)}"
            " scores."
        )
    if tasks is None:
        _check_same_tasks(x, y)
    codes = task_codes(len(a), [x, y], tasks)
    difference = mean(a - b, level, tasks=codes)
    return Comparison(
        difference, _p_greater(difference.value, standard_error(a - b, codes), difference.n - 1)
    )


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
    """
    a, b = checked(train), checked(test)
    codes = task_codes(len(a), [train], train_tasks), task_codes(len(b), [test], test_tasks)
    n, m = _distinct(a, codes[0]), _distinct(b, codes[1])
    first = standard_error(a, codes[0]) ** 2
    second = standard_error(b, codes[1]) ** 2
    error = float(np.sqrt(first + second))
    value = float(a.mean() - b.mean())
    if min(n, m) < 2:
        degrees = 0.0
    elif error == 0:
        degrees = float(n + m - 2)
    else:
        degrees = float((first + second) ** 2 / (first**2 / (n - 1) + second**2 / (m - 1)))
    return Comparison(
        t_interval(value, error, degrees, min(n, m), level), _p_greater(value, error, degrees)
    )


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
        x, y: scores [n] and [m].
        paired: compare task by task (n = m); otherwise every score of x with every score of y (Mann
            and Whitney 1947), the variance from each score's placement among the others (DeLong et
            al. 1988).
        tasks, other_tasks: labels [n] of x's, and, where they aren't paired, [m] of y's.
    """
    a, b = checked(x), checked(y)
    if paired:
        if len(a) != len(b):
            raise ValueError(
                f"Paired scores must be of the same tasks, not {len(a)} and {len(b)} scores; pass"
                " paired=False for different tasks."
            )
        wins = (np.sign(a - b) + 1) / 2
        codes = task_codes(len(a), [x, y], tasks)
        value = float(wins.mean())
        variance = standard_error(wins, codes) ** 2
        n = _distinct(a, codes)
    else:
        over = _placements(a, b)
        under = 1 - _placements(b, a)
        codes = task_codes(len(a), [x], tasks)
        others = task_codes(len(b), [y], other_tasks)
        value = float(over.mean())
        variance = standard_error(over, codes) ** 2 + standard_error(under, others) ** 2
        n = min(_distinct(a, codes), _distinct(b, others))
    return _wilson(value, variance, n, level)


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


def _rows_of(scores: ArrayLike) -> list[Any]:
    """Return the rows of [seeds, tasks], which know their tasks where the matrix, or each of a list
    of rows, does.
    """
    rows: Any = scores if isinstance(scores, np.ndarray) else list(scores)  # type: ignore[arg-type]
    if np.ndim(rows[0]) == 0:
        rows = [scores]
    return [rows[i] for i in range(len(rows))]


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
