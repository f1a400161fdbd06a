"""One task of a distribution by itself, such as a level that an agent plays for an hour."""

import copy

from metarl.core.task_distribution import check_split
from metarl.envs.gymnasium_adapter import GymnasiumDistribution

__all__ = ["one_task"]


def one_task(distribution: GymnasiumDistribution, split: str, index: int) -> GymnasiumDistribution:
    """Return the same distribution with a single split, which holds the task at `index` of the list
    of `split` and nothing else.

    Raises:
        ValueError: the distribution is of another kind, or has no such split or task.
    """
    if not isinstance(distribution, GymnasiumDistribution):
        raise ValueError(
            f"{distribution.id} draws its tasks from no list; one of them can't be taken out."
        )
    check_split(distribution, split)
    tasks = distribution.task_lists[split]
    if not isinstance(tasks, tuple):
        raise ValueError(
            f"{distribution.id} draws the tasks of {split!r} from no list; one of them can't be"
            " taken out."
        )
    if not 0 <= index < len(tasks):
        raise ValueError(
            f"{distribution.id} has no task {index} in its split {split!r}; it has {len(tasks)},"
            " counted from 0."
        )
    alone = copy.copy(distribution)
    alone.task_lists = {split: (tasks[index],)}
    alone.splits = (split,)
    alone._streams = {}
    alone._groups = {split: distribution.task_groups(split)[index : index + 1]}
    return alone
