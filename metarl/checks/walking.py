"""Check that a family which says how moves lead an agent about (`odometry`) is right."""

from collections.abc import Callable

import torch
from torch import Tensor

from metarl.checks.playing import actions_for, has_tensor_steps
from metarl.checks.require import require
from metarl.core.capabilities import HasSize, odometry_of
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution, where_rows

__all__ = ["WALKING_CHECKS", "check_odometry"]

TASKS = 16
STEPS = 200


def check_odometry(make_distribution: Callable[[], TaskDistribution]) -> None:
    """Poses are of the form that `odometry` promises, and whoever comes back to a pose sees what
    was seen there before.
    """
    distribution = make_distribution()
    odometry = odometry_of(distribution)
    if odometry is None or not has_tensor_steps(distribution):
        return
    tasks = distribution.sample(TASKS, "train", 0)
    rng = torch_generator(0, "checks", "noise")
    state, observation = distribution.reset(tasks, rng)
    start = (state, observation)
    origin = torch.zeros(TASKS, 3, dtype=torch.int64)
    pose = origin
    seen = [dict[tuple[int, ...], Tensor]() for _ in range(TASKS)]
    size = distribution.size if isinstance(distribution, HasSize) else None
    for t, action in enumerate(actions_for(distribution, STEPS, TASKS, 0)):
        for row, known in enumerate(seen):
            before = known.setdefault(tuple(pose[row].tolist()), observation[row])
            require(
                torch.equal(before, observation[row]),
                f"{distribution.id}: by odometry, task {row} is at {tuple(pose[row].tolist())}"
                f" again after {t} steps, and looks different.",
                "Correct odometry, or return None where what is seen doesn't depend on task and"
                " pose alone.",
            )
        last = pose
        pose = odometry(pose, observation, action)
        good = pose.shape == origin.shape and pose.dtype == torch.int64
        require(
            good,
            f"{distribution.id}: odometry gave {pose.dtype} of shape {tuple(pose.shape)}.",
            f"Give int64 of shape {tuple(origin.shape)}.",
        )
        far = (pose - last)[:, :2].abs().sum(1).max() > 1 or (
            size is not None and pose[:, :2].abs().max() >= size
        )
        turned = pose[:, 2].min() < 0 or pose[:, 2].max() >= distribution.headings
        require(
            not (far or turned),
            f"{distribution.id}: by odometry, a step leads from {last.tolist()} to"
            f" {pose.tolist()}.",
            "A step leads at most one place on, and nowhere `size` or more places away; headings"
            " lie below `headings`.",
        )
        transition = distribution.step(tasks, state, action, rng)
        ended = transition.terminated | ((t + 1) % distribution.horizon == 0)
        state, observation, pose = begun(
            ended, start, transition.state, transition.observation, pose
        )


def begun(
    ended: Tensor, start: tuple[object, Tensor], state: object, observation: Tensor, pose: Tensor
) -> tuple[object, Tensor, Tensor]:
    """State, observation and pose with the rows that `ended` [n] back at the start."""
    return (
        where_rows(ended, start[0], state),
        where_rows(ended, start[1], observation),
        where_rows(ended, torch.zeros_like(pose), pose),
    )


WALKING_CHECKS = (check_odometry,)
