"""The best score there is, and scores normalised by it.

0 = random agent, 1 = the optimum for `total` where it can be computed, the upper bound for every
other score.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from metarl.core.budget import Episodes
from metarl.core.capabilities import (
    every_task,
    optimum_of,
    relaxation_of,
    task_count_of,
    upper_bound_of,
)
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.scores import task_codes
from metarl.evaluation.statistics import (
    Estimate,
    checked,
    mean,
    over_both,
    standard_error,
    t_interval,
)

__all__ = [
    "Ceiling",
    "Normalised",
    "TasksPlayed",
    "ceiling_of",
    "normalised_score",
    "nothing_to_normalise",
]


class Ceiling(NamedTuple):
    """What no agent's expected score exceeds."""

    value: float
    kind: str  # "optimum" or "upper bound"
    # [num_tasks] where it is a mean over the tasks played, so that its noise is shared with the
    # scores
    per_task: np.ndarray | None


class Normalised(NamedTuple):
    """A normalised score with its interval, and what 1 stands for."""

    estimate: Estimate
    reference: str


class TasksPlayed(Protocol):
    """What was played, of an evaluation that was just made or of a stored one."""

    @property
    def distribution(self) -> str: ...
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def split(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def budget(self) -> Any: ...
    @property
    def num_tasks(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...


def ceiling_of(
    evaluation: TasksPlayed, distribution: TaskDistribution, score: str = "total"
) -> Ceiling | None:
    """Return the ceiling of `score` for what `evaluation` played; None where the distribution knows
    none.

    The optimum where it can be computed and `score` is `total`; else the smaller of the known-task
    bound, averaged over these very tasks, and the family's relaxation (both bound the optimum from
    above).

    Raises:
        ValueError: the distribution doesn't give the tasks that were played, or an unknown score.
    """
    if score not in ("total", "after_k", "budget_mean", "success"):
        raise ValueError(
            f"There is no score {score!r}; choose total, after_k, budget_mean or success."
        )
    if (evaluation.distribution, evaluation.config) != (distribution.id, distribution.config()):
        raise ValueError(
            f"These scores are of {evaluation.distribution} with {evaluation.config}, not of"
            f" {distribution!r}; pass what was played."
        )
    if score == "success":
        return Ceiling(1.0, "upper bound", None)
    budget = evaluation.budget
    if score == "total" and not isinstance(budget, Episodes):
        return None  # how many episodes fit in the steps is the agent's doing
    episodes = budget.total if score == "total" and isinstance(budget, Episodes) else 1
    if score == "total" and (optimum := optimum_of(distribution, episodes)) is not None:
        return Ceiling(float(optimum), "optimum", None)
    tasks = distribution.sample(evaluation.num_tasks, evaluation.split, evaluation.seed)
    if (
        tasks.fingerprint != evaluation.fingerprint
        and task_count_of(distribution, evaluation.split) == evaluation.num_tasks
    ):
        tasks = every_task(distribution, evaluation.split, evaluation.seed)
    if tasks.fingerprint != evaluation.fingerprint:
        raise ValueError(
            f"These scores are of tasks {evaluation.fingerprint}, but {distribution!r} now draws"
            f" {tasks.fingerprint}; evaluate again."
        )
    bound = upper_bound_of(distribution, tasks, episodes)
    relaxation = relaxation_of(distribution, episodes) if score == "total" else None
    if bound is None:
        return None if relaxation is None else Ceiling(float(relaxation), "upper bound", None)
    per_task = bound.cpu().numpy().astype(np.float64)
    if relaxation is not None and relaxation < per_task.mean():
        return Ceiling(float(relaxation), "upper bound", None)
    return Ceiling(float(per_task.mean()), "upper bound", per_task)


def normalised_score(
    scores: np.ndarray,
    random: np.ndarray,
    ceiling: Ceiling,
    level: float = 0.95,
    *,
    tasks: ArrayLike | None = None,
) -> Normalised:
    """(mean - random) / (ceiling - random), with the delta method's interval.

    Args:
        scores: of the agent [n], or of a learner's seeds [seeds, n]: then the interval covers both,
            as `mean_over_seeds`'s.
        random: of the random agent on the same tasks [n].
        ceiling: from `ceiling_of`, for the same score.
        tasks: labels [n] of repeated tasks, where the scores don't know them.

    Raises:
        ValueError: other tasks on one side, or a random agent that can't be told from the ceiling:
            a share of nothing is noise.
    """
    seeds = np.atleast_2d(np.asarray(scores, np.float64))
    x, r = checked(scores if np.ndim(scores) < 2 else seeds.mean(0)), checked(random)
    if len(x) != len(r):
        raise ValueError(
            f"Scores and the random agent's must be of the same tasks, not {len(x)} and {len(r)}."
        )
    codes = task_codes(len(x), [scores, random], tasks)
    if reason := nothing_to_normalise(random, ceiling, level, tasks=codes):
        raise ValueError(reason)
    span = ceiling.value - r.mean()
    value = float((x.mean() - r.mean()) / span)
    linear = x / span + (value - 1) * r / span  # each task's influence on the ratio
    if ceiling.per_task is not None:
        linear = linear - value * ceiling.per_task / span
    n = len(x) if codes is None else int(codes.max()) + 1
    by_task = standard_error(linear, codes)
    if len(seeds) == 1:
        return Normalised(t_interval(value, by_task, n - 1, n, level), ceiling.kind)
    by_seed = standard_error(seeds.mean(1) / span)
    return Normalised(over_both(value, by_seed, len(seeds), by_task, n, level), ceiling.kind)


def nothing_to_normalise(
    random: np.ndarray, ceiling: Ceiling, level: float = 0.95, *, tasks: ArrayLike | None = None
) -> str | None:
    """Say why scores can't be normalised; None where they can.

    Args:
        random: the random agent's scores [n]. ceiling: of the same score, from `ceiling_of`.
    """
    r = checked(random)
    codes = task_codes(len(r), [random], tasks)
    missing = mean(
        r - ceiling.value if ceiling.per_task is None else r - ceiling.per_task, level, tasks=codes
    )
    if missing.known and missing.high < 0:
        return None
    if missing.n == 1 and missing.value < 0:
        return (
            "nothing is normalised: one task doesn't tell how far random play is from the "
            + ceiling.kind
        )
    return (
        f"nothing is normalised: random play scores {r.mean():.4g}, which can't be told from the"
        f" {ceiling.kind} {ceiling.value:.4g}; play more tasks, or a family that leaves something"
        " to learn"
    )
