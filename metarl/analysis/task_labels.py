"""What tells a task apart, in a few short lines for the margin of a sheet."""

from dataclasses import fields

import torch

from metarl.core.capabilities import NamesTasks
from metarl.core.task_distribution import TaskDistribution, Tasks

__all__ = ["MOST_LINES", "task_label"]

MOST_LINES = 8
MOST_LETTERS = 20
MINUS = "\N{MINUS SIGN}"


def task_label(distribution: TaskDistribution, task: Tasks) -> list[str]:
    """At most `MOST_LINES` lines, a parameter each, such as "force −1.8"; none where a task is more
    than a picture's margin holds.

    Of adapted environments, the entry of the list of tasks. Of more parameters than fit, those
    furthest from 1, the usual ratio.

    Args:
        distribution: what it is a task of. task: a batch of one.
    """
    if isinstance(distribution, NamesTasks):
        text = str(distribution.values(task)[0])
        return [text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"]
    values = {
        each.name: getattr(task, each.name)[0].to(torch.float64).flatten() for each in fields(task)
    }
    if any(len(value) > 2 for value in values.values()):  # a maze, which the picture shows
        return []
    furthest = sorted(
        values,
        key=lambda name: (
            -float((values[name].abs().clamp_min(1e-9).log().abs() + (values[name] < 0)).max())
        ),
    )
    kept = set(furthest[:MOST_LINES])
    return [
        f"{name.replace('_', ' ')} {', '.join(map(_number, value.tolist()))}"
        for name, value in values.items()
        if name in kept
    ]


def _number(value: float) -> str:
    return f"{value:.2g}".replace("-", MINUS)
