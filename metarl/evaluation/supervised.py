"""The one loop that scores adapters on supervised tasks: the loss on the query after each inner step, for the same tasks and examples."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch

from metarl.evaluation.statistics import Estimate, mean
from metarl.learners.adapter import Adapter
from metarl.tasks.contract import PlugInError, check_split
from metarl.tasks.devices import check_device
from metarl.tasks.seeding import torch_generator
from metarl.tasks.supervised import SupervisedDistribution

__all__ = ["CHUNK", "SupervisedEvaluation", "evaluate_supervised"]

CHUNK = 1024  # tasks adapted to side by side; part of the protocol, since examples are drawn for a whole chunk


@dataclass(frozen=True, eq=False)
class SupervisedEvaluation:
    """Every loss that an adapter was scored by.

    Attributes:
        distribution: id of the task distribution, with its arguments in `config`.
        config, split, seed, num_tasks: what was learned.
        fingerprint: of the tasks.
        finite: train and test may overlap, because the family has few tasks by nature.
        losses: [num_tasks, steps + 1] float64, mean loss of the query before the first inner step and after each.
    """

    distribution: str
    config: dict[str, Any]
    split: str
    seed: int
    num_tasks: int
    fingerprint: str
    finite: bool
    losses: np.ndarray

    @property
    def steps(self) -> int:
        """Inner steps taken in each task."""
        return self.losses.shape[1] - 1

    def rows(self) -> pd.DataFrame:
        """One row an inner step of a task, 0 being before the first: task, inner_step, loss."""
        task, step = np.indices(self.losses.shape)
        return pd.DataFrame({"task": task.ravel(), "inner_step": step.ravel(), "loss": self.losses.ravel()})

    def scores(self, step: int | None = None) -> np.ndarray:
        """The loss of each task [num_tasks] after `step` inner steps, the last one if left out; lower is better.

        Raises:
            ValueError: so many steps weren't taken.
        """
        if step is not None and not 0 <= step <= self.steps:
            raise ValueError(f"{self.steps} inner steps were taken, so step lies between 0 and {self.steps}; it can't be {step}.")
        return self.losses[:, self.steps if step is None else step].copy()

    def curve(self, level: float = 0.95) -> list[Estimate]:
        """The mean loss before the first inner step and after each, with intervals over tasks."""
        return [mean(self.scores(step), level) for step in range(self.steps + 1)]


def evaluate_supervised(
    adapter: Adapter,
    distribution: SupervisedDistribution,
    split: str,
    num_tasks: int,
    seed: int,
    steps: int = 32,
    *,
    device: str | torch.device = "cpu",
) -> SupervisedEvaluation:
    """Adapt to each of `num_tasks` tasks of `split` by `steps` inner steps on its support, and score its query after each of them.

    Tasks and examples depend on (split, num_tasks, seed) alone, so that differences between adapters are paired; the adapter draws from a
    stream of its own.

    Raises:
        ValueError: unknown split or device, no tasks or steps, a family that isn't supervised, or an inner loop that diverges, named by
            task and step. PlugInError: predictions of a shape that the loss can't read.
    """
    if not isinstance(distribution, SupervisedDistribution):
        raise ValueError(f"{distribution!r} has episodes rather than examples; score agents on it with metarl.evaluate.")
    check_split(distribution, split)
    check_device(device)
    for name, value, least in (("num_tasks", num_tasks, 1), ("steps", steps, 1), ("seed", seed, None)):
        if not isinstance(value, Integral):
            raise ValueError(f"{name} must be a whole number, not {value!r}.")
        if least is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, not {value}.")
    tasks = distribution.sample(num_tasks, split, seed)
    losses = np.empty((num_tasks, steps + 1))
    for first in range(0, num_tasks, CHUNK):
        chunk = tasks[first : first + CHUNK].to(device, torch.float32)
        noise = torch_generator(seed, "examples", split, first, device=device)
        support, query = distribution.support(chunk, noise), distribution.query(chunk, noise)
        state = adapter.begin(support, steps, torch_generator(seed, "adapter", split, first, device=device))
        for step in range(steps + 1):
            state = adapter.step(state) if step else state
            each = distribution.loss(adapter.predict(state, query.inputs), query.targets)
            if each.shape != query.inputs.shape[:2]:
                raise PlugInError(
                    f"{distribution.id} has a loss of shape {tuple(each.shape)} for the predictions of {type(adapter).__name__}; "
                    f"it takes one loss an example, {tuple(query.inputs.shape[:2])}."
                )
            losses[first : first + len(chunk), step] = each.double().mean(1).cpu().numpy()
    bad = np.argwhere(~np.isfinite(losses))
    if len(bad):
        task, step = bad[bad[:, 1].argmin()]
        raise ValueError(
            f"The inner loop diverged: after {step} steps in task {task} the loss is {losses[task, step]}. Use a smaller inner lr."
        )
    return SupervisedEvaluation(
        distribution.id, distribution.config(), split, seed, num_tasks, tasks.fingerprint, distribution.finite, losses
    )
