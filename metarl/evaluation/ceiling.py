"""The best score there is, and scores normalised by it.

0 = random agent, 1 = the optimum for `total` where it can be computed, the upper bound for every other score.
"""

from typing import NamedTuple

import numpy as np

from metarl.envs.budget import Episodes
from metarl.evaluation.protocol import Evaluation
from metarl.evaluation.statistics import Estimate, checked, t_interval
from metarl.tasks.contract import TaskDistribution

__all__ = ["Ceiling", "Normalised", "ceiling_of", "normalised_score"]


class Ceiling(NamedTuple):
    """What no agent's expected score exceeds."""

    value: float
    kind: str  # "optimum" or "upper bound"
    per_task: np.ndarray | None  # [num_tasks] where it is a mean over the tasks played, so that its noise is shared with the scores


class Normalised(NamedTuple):
    """A normalised score with its interval, and what 1 stands for."""

    estimate: Estimate
    reference: str


def ceiling_of(evaluation: Evaluation, distribution: TaskDistribution, score: str = "total") -> Ceiling | None:
    """The ceiling of `score` for what `evaluation` played; None where the distribution knows none.

    The optimum where it can be computed and `score` is `total`; else the smaller of the known-task bound, averaged over these very
    tasks, and the family's relaxation (both bound the optimum from above).

    Raises:
        ValueError: the distribution doesn't give the tasks that were played, or an unknown score.
    """
    if score not in ("total", "after_k", "budget_mean", "success"):
        raise ValueError(f"There is no score {score!r}; choose total, after_k, budget_mean or success.")
    if (evaluation.distribution, evaluation.config) != (distribution.id, distribution.config()):
        raise ValueError(
            f"These scores are of {evaluation.distribution} with {evaluation.config}, not of {distribution!r}; pass what was played."
        )
    if score == "success":
        return Ceiling(1.0, "upper bound", None)
    budget = evaluation.budget
    if score == "total" and not isinstance(budget, Episodes):
        return None  # how many episodes fit in the steps is the agent's doing
    episodes = budget.total if score == "total" and isinstance(budget, Episodes) else 1
    if score == "total" and (optimum := distribution.optimum(episodes)) is not None:
        return Ceiling(float(optimum), "optimum", None)
    tasks = distribution.sample(evaluation.num_tasks, evaluation.split, evaluation.seed)
    if tasks.fingerprint != evaluation.fingerprint:
        raise ValueError(
            f"These scores are of tasks {evaluation.fingerprint}, but {distribution!r} now draws {tasks.fingerprint}; evaluate again."
        )
    bound = distribution.upper_bound(tasks, episodes)
    relaxation = distribution.relaxation(episodes) if score == "total" else None
    if bound is None:
        return None if relaxation is None else Ceiling(float(relaxation), "upper bound", None)
    per_task = bound.cpu().numpy().astype(np.float64)
    if relaxation is not None and relaxation < per_task.mean():
        return Ceiling(float(relaxation), "upper bound", None)
    return Ceiling(float(per_task.mean()), "upper bound", per_task)


def normalised_score(scores: np.ndarray, random: np.ndarray, ceiling: Ceiling, level: float = 0.95) -> Normalised:
    """(mean - random) / (ceiling - random), with the delta method's interval.

    Args:
        scores: of the agent [n], or the mean over seeds of each task's scores.
        random: of the random agent on the same tasks [n].
        ceiling: from `ceiling_of`, for the same score.

    Raises:
        ValueError: other tasks on one side, or a random agent as good as the ceiling.
    """
    x, r = checked(scores), checked(random)
    if len(x) != len(r):
        raise ValueError(f"Scores and the random agent's must be of the same tasks, not {len(x)} and {len(r)}.")
    span = ceiling.value - r.mean()
    if span <= 0:
        raise ValueError(
            f"The random agent scores {r.mean():.4g}, no less than the {ceiling.kind} {ceiling.value:.4g}: nothing to normalise by."
        )
    value = float((x.mean() - r.mean()) / span)
    linear = x / span + (value - 1) * r / span  # each task's influence on the ratio
    if ceiling.per_task is not None:
        linear = linear - value * ceiling.per_task / span
    error = float(linear.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else np.inf
    return Normalised(t_interval(value, error, len(x) - 1, len(x), level), ceiling.kind)
