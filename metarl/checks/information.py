"""Check that observations don't give away what is to be found out.

The first of an episode, and all where a family says so.
"""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import torch
from scipy.stats import chi2, rankdata

from metarl.checks.nested import floats
from metarl.checks.playing import actions_for, has_tensor_steps
from metarl.checks.require import require
from metarl.core.budget import Steps
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv

__all__ = [
    "INFORMATION_CHECKS",
    "check_first_observation_hides_the_task",
    "check_hidden_fields_stay_hidden",
    "dependence",
]

Make = Callable[[], TaskDistribution]
TASKS = 32
STARTS = 32
STEPS = 40
# adapted environments may be slow simulators
ADAPTED_TASKS = 8
ADAPTED_STARTS = 8
MOST_FEATURES = 2048


def check_first_observation_hides_the_task(make_distribution: Make) -> None:
    """First observations of one task are spread like those of any other, unless the family declares
    `reveals`.

    Each of some tasks is started many times; a Kruskal-Wallis test for each entry of the
    observation, and for its distance from the median, asks whether tasks differ (one in a million,
    corrected for the number of entries).
    """
    distribution = make_distribution()
    if distribution.reveals:
        return
    num_tasks, starts = (
        (TASKS, STARTS) if has_tensor_steps(distribution) else (ADAPTED_TASKS, ADAPTED_STARTS)
    )
    tasks = distribution.sample(num_tasks, "train", 0)
    actions = actions_for(distribution, starts - 1, num_tasks, 0)
    # Every step starts the row's task anew
    env = MetaEpisodeEnv(distribution, Steps(1), num_tasks, torch_generator(0, "checks", "noise"))
    try:
        observations = [env.reset(lambda rows, counts: tasks[rows]).observation]
        observations += [env.step(action)[0].observation for action in actions]
    finally:
        env.close()
    observation = floats(
        torch.stack(observations, 1).flatten(0, 1)
    ).numpy()  # [tasks * starts, features]
    probability, entry = dependence(observation, num_tasks)
    require(
        probability > 1e-6,
        f"{distribution.id}: an episode's first observation tells which task it is (entry {entry},"
        f" p = {probability:.1g}).",
        "Leave the task's parameters out of the observation; if it is meant to show them, say"
        " reveals=True to GymnasiumDistribution, or reveals = True in your class.",
    )


def check_hidden_fields_stay_hidden(make_distribution: Make) -> None:
    """Of fields that a family declares in `hides`, no observation tells.

    Those of another task change nothing but rewards and ends.
    """
    distribution = make_distribution()
    if not distribution.hides or not has_tensor_steps(distribution):
        return
    tasks = distribution.sample(TASKS, "train", 0)
    known = {field.name for field in fields(tasks)}
    unknown = [name for name in distribution.hides if name not in known]
    require(
        not unknown,
        f"{distribution.id}: hides names {unknown}.",
        f"Name fields of its tasks, which are {', '.join(sorted(known))}.",
    )
    others = replace(
        tasks, **{name: getattr(tasks, name).roll(1, 0) for name in distribution.hides}
    )
    actions = actions_for(distribution, min(STEPS, distribution.horizon), TASKS, 0)
    rngs = [torch_generator(0, "checks", "noise") for _ in range(2)]
    (state, one), (other_state, other) = (
        distribution.reset(each, rng) for each, rng in zip((tasks, others), rngs, strict=True)
    )
    playing = torch.ones(TASKS, dtype=torch.bool)
    for t, action in enumerate([None, *actions]):
        if action is not None:
            first = distribution.step(tasks, state, action, rngs[0])
            second = distribution.step(others, other_state, action, rngs[1])
            playing = playing & ~(first.terminated | second.terminated)
            state = first.state
            one = first.observation
            other_state = second.state
            other = second.observation
        same = (one == other).reshape(TASKS, -1).all(1) | ~playing
        require(
            bool(same.all()),
            f"{distribution.id}: with another task's {', '.join(distribution.hides)}, the"
            f" observation after {t} steps is another one.",
            "Leave it out of the observation, or out of `hides`.",
        )


INFORMATION_CHECKS = (check_first_observation_hides_the_task, check_hidden_fields_stay_hidden)


def dependence(values: np.ndarray, groups: int) -> tuple[float, int]:
    """Return whether groups of rows differ, by Kruskal and Wallis 1952, for each column and its
    distance from the median.

    Args:
        values: [groups * size, columns], one group after another.
        groups: how many groups of equal size.

    Returns:
        (smallest p-value, corrected for the number of tests; its column).
    """
    columns = (
        np.unique(
            np.linspace(0, values.shape[1] - 1, min(values.shape[1], MOST_FEATURES)).astype(int)
        )
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
    return float(min(1.0, chi2.sf(statistic[best], groups - 1) * tests.shape[1])), int(
        columns[best % len(columns)]
    )
