"""Checks of what scores need to know of a family.

Whether it has a notion of success, and which tasks are the same.
"""

from collections.abc import Callable

import numpy as np

from metarl.checks.playing import actions_for
from metarl.checks.require import require
from metarl.core.budget import Steps
from metarl.core.capabilities import every_task, task_count_of
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv

__all__ = ["SCORING_CHECKS", "check_same_tasks_are_known", "check_success_is_as_declared"]

Make = Callable[[], TaskDistribution]
ROWS = 4
STEPS = 40  # most steps of one play
DRAWN = 64  # tasks that are compared


def check_success_is_as_declared(make_distribution: Make) -> None:
    """A family without a notion of success (`has_success = False`) reports none."""
    distribution = make_distribution()
    if distribution.has_success is not False:
        return
    env = MetaEpisodeEnv(
        distribution, Steps(STEPS), ROWS, torch_generator(0, "checks", "environment")
    )
    try:
        env.reset(fresh_tasks(distribution, "train", ROWS, 0))
        for action in actions_for(distribution, STEPS, ROWS, 0):
            success = env.step(action)[1].success
            require(
                not bool(success.any()),
                f"{distribution.id} says has_success = False, but a step was a success.",
                "Say has_success = True, or report none.",
            )
    finally:
        env.close()


def check_same_tasks_are_known(make_distribution: Make) -> None:
    """`task_keys` tells tasks apart by content alone.

    A split with a list (`task_count`) draws from `every_task`, and from nothing else.
    """
    distribution = make_distribution()
    for split in distribution.splits:
        drawn = distribution.sample(DRAWN, split, 0)
        keys = distribution.task_keys(drawn)
        turned = distribution.task_keys(drawn[list(range(DRAWN))[::-1]])
        what = f"{distribution.id}: task_keys of {DRAWN} tasks of {split!r}"
        require(keys.shape == (DRAWN,), f"{what} has shape {keys.shape}.", "Give one key a task.")
        require(
            np.array_equal(keys, turned[::-1]),
            f"{what} depend on where a task stands.",
            "Make them of a task's content alone.",
        )
        count = task_count_of(distribution, split)
        if count is None or count > 10_000:
            continue
        listed = every_task(distribution, split, 0)
        require(
            len(listed) == count,
            f"{distribution.id}: every_task({split!r}) gave {len(listed)} of {count} tasks.",
            "Give each once.",
        )
        strangers = ~np.isin(keys, distribution.task_keys(listed))
        require(
            not strangers.any(),
            f"{distribution.id}: sample drew a task of {split!r} that every_task doesn't have.",
            "List every task that the split has, or leave task_count out.",
        )


SCORING_CHECKS = (check_success_is_as_declared, check_same_tasks_are_known)
