"""What changes from episode to episode of a meta-episode.

Lengths and successes, and whether a second try is shorter than the first.
"""

from typing import NamedTuple

import numpy as np

from metarl.core.budget import Episodes
from metarl.evaluation.protocol import Evaluation
from metarl.evaluation.scores import Scores, scores_of
from metarl.evaluation.statistics import Estimate, share

__all__ = ["Shortened", "episode_lengths", "episode_successes", "shortened"]


class Shortened(NamedTuple):
    """Shares of tasks whose second episode was shorter than the first."""

    of_all: Estimate
    # Of tasks whose first episode wasn't the shortest possible; None where all were
    of_improvable: Estimate | None


def episode_lengths(evaluation: Evaluation) -> Scores:
    """Steps [num_tasks, episodes] of every episode."""
    return _matrix(evaluation, evaluation.length)


def episode_successes(evaluation: Evaluation) -> Scores:
    """Return whether each episode [num_tasks, episodes] was a success."""
    return _matrix(evaluation, evaluation.success)


def shortened(lengths: np.ndarray, shortest: np.ndarray) -> Shortened:
    """Return whether second episodes are shorter than first ones.

    A first episode that is as short as can be leaves nothing to improve; such tasks count among
    all, but not among the improvable.

    Args:
        lengths: [num_tasks, at least 2 episodes]. shortest: [num_tasks], fewest steps with the task
            known.
    """
    shorter = lengths[:, 1] < lengths[:, 0]
    improvable = lengths[:, 0] > shortest
    return Shortened(share(shorter), share(shorter[improvable]) if improvable.any() else None)


def _matrix(evaluation: Evaluation, values: np.ndarray) -> Scores:
    if not isinstance(evaluation.budget, Episodes):
        raise ValueError(
            "Only an Episodes budget gives every task equally many episodes; use rows()."
        )
    return scores_of(
        values.reshape(evaluation.num_tasks, evaluation.budget.total), evaluation.task_keys
    )
