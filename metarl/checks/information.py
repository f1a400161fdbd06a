"""Check that an episode's first observation doesn't give the task away."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import chi2, rankdata

from metarl.checks.nested import floats
from metarl.checks.playing import actions_for, has_tensor_steps
from metarl.checks.require import require
from metarl.envs.budget import Steps
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.contract import TaskDistribution
from metarl.tasks.seeding import torch_generator

__all__ = ["INFORMATION_CHECKS", "check_first_observation_hides_the_task", "dependence"]

Make = Callable[[], TaskDistribution]
TASKS, STARTS = 32, 32
ADAPTED_TASKS, ADAPTED_STARTS = 8, 8  # adapted environments may be slow simulators
MOST_FEATURES = 2048


def check_first_observation_hides_the_task(make_distribution: Make) -> None:
    """First observations of one task are spread like those of any other, unless the family declares `reveals`.

    Each of some tasks is started many times; a Kruskal-Wallis test for each entry of the observation, and for its distance
    from the median, asks whether tasks differ (one in a million, corrected for the number of entries).
    """
    distribution = make_distribution()
    if distribution.reveals:
        return
    num_tasks, starts = (TASKS, STARTS) if has_tensor_steps(distribution) else (ADAPTED_TASKS, ADAPTED_STARTS)
    tasks, actions = distribution.sample(num_tasks, "train", 0), actions_for(distribution, starts - 1, num_tasks, 0)
    env = MetaEpisodeEnv(distribution, Steps(1), num_tasks, torch_generator(0, "checks", "noise"))  # every step starts the row's task anew
    try:
        observations = [env.reset(lambda rows, counts: tasks[rows]).observation]
        observations += [env.step(action)[0].observation for action in actions]
    finally:
        env.close()
    observation = floats(torch.stack(observations, 1).flatten(0, 1)).numpy()  # [tasks * starts, features]
    probability, entry = dependence(observation, num_tasks)
    require(
        probability > 1e-6,
        f"{distribution.id}: an episode's first observation tells which task it is (entry {entry}, p = {probability:.1g}).",
        "Leave the task's parameters out of the observation; if it is meant to show them, declare reveals = True.",
    )


INFORMATION_CHECKS = (check_first_observation_hides_the_task,)


def dependence(values: np.ndarray, groups: int) -> tuple[float, int]:
    """Whether groups of rows differ, by Kruskal and Wallis 1952, for each column and its distance from the median.

    Args:
        values: [groups * size, columns], one group after another.
        groups: how many groups of equal size.

    Returns:
        (smallest p-value, corrected for the number of tests; its column).
    """
    columns = (
        np.unique(np.linspace(0, values.shape[1] - 1, min(values.shape[1], MOST_FEATURES)).astype(int))
        if values.shape[1]
        else np.zeros(0, int)
    )
    columns = columns[np.ptp(values[:, columns], axis=0) > 0] if len(columns) else columns
    if len(columns) == 0:
        return 1.0, -1
    kept = values[:, columns]
    tests = np.concatenate([kept, np.abs(kept - np.median(kept, axis=0))], 1)
    ranks = rankdata(tests, axis=0)
    n = len(ranks)
    centred = ranks - (n + 1) / 2
    means = centred.reshape(groups, n // groups, -1).mean(1)  # [groups, tests]
    total = np.square(centred).sum(0)
    between = (n // groups) * np.square(means).sum(0)
    statistic = np.where(total > 0, (n - 1) * between / np.where(total > 0, total, 1), 0.0)
    best = int(statistic.argmax())
    return float(min(1.0, chi2.sf(statistic[best], groups - 1) * tests.shape[1])), int(columns[best % len(columns)])
