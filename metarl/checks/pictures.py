"""Checks of what a tensor family draws, where it draws anything."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from metarl.checks.playing import actions_for
from metarl.checks.require import require
from metarl.core.capabilities import picture_of_path, pictures_of
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution

__all__ = ["PICTURE_CHECKS", "check_pictures"]


def check_pictures(make_distribution: Callable[[], TaskDistribution]) -> None:
    """`render` and `render_path` give pictures of the right form, and a task's picture is the same
    beside others as alone.
    """
    distribution = make_distribution()
    n = 3
    tasks = distribution.sample(n, "train", 0).to("cpu", torch.float32)
    rng = torch_generator(0, "checks", "noise")
    states = [distribution.reset(tasks, rng)[0]]
    for action in actions_for(distribution, 2, n, 0):
        states.append(distribution.step(tasks, states[-1], action, rng).state)
    pictures = pictures_of(distribution, tasks, states[-1])
    if pictures is not None:
        _check_form(f"{distribution.id}: render of {n} tasks", pictures, n)
        for i in range(n):
            alone = pictures_of(distribution, tasks[i : i + 1], _rows(states[-1], i))
            same = alone is not None and torch.equal(alone[0], pictures[i])
            require(
                same,
                f"{distribution.id}: task {i} looks different when it is drawn alone.",
                "Draw each task by its own state.",
            )
    for i in range(n):
        along = tree_map(
            lambda *moments: torch.cat(moments), *(_rows(state, i) for state in states)
        )
        for moment in range(len(states)):
            path = picture_of_path(distribution, tasks[i : i + 1], along, moment)
            if path is not None:
                _check_form(f"{distribution.id}: render_path", path[None], 1)


PICTURE_CHECKS = (check_pictures,)


def _rows(state: Any, i: int) -> Any:
    return tree_map(lambda tensor: tensor[i : i + 1], state)


def _check_form(what: str, pictures: Tensor, n: int) -> None:
    right = (
        pictures.dtype == torch.uint8
        and pictures.dim() == 4
        and len(pictures) == n
        and pictures.shape[3] == 3
    )
    wanted = f"[{n}, height, width, 3]" if n > 1 else "[height, width, 3]"
    shape = tuple(pictures.shape) if n > 1 else tuple(pictures.shape[1:])
    require(
        right,
        f"{what} gave {pictures.dtype} of shape {shape}.",
        f"Give torch.uint8 of shape {wanted}.",
    )
