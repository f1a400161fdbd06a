"""What happens inside an inner loop: the losses of one supervised task, step by step, on the examples it learns from and on those asked."""

from typing import NamedTuple

import numpy as np
import torch

from metarl.core.seeding import torch_generator
from metarl.core.supervised import SupervisedDistribution
from metarl.learners.initialisation.adapter import Adapter

__all__ = ["InnerLosses", "inner_losses"]


class InnerLosses(NamedTuple):
    """The mean losses of one task after 0, 1, 2, ... inner steps."""

    support: np.ndarray  # [steps + 1] on the examples that the steps go down on
    query: np.ndarray  # [steps + 1] on those that are asked


@torch.no_grad()
def inner_losses(adapter: Adapter, distribution: SupervisedDistribution, task: int, seed: int, steps: int = 32) -> InnerLosses:
    """Adapt to the test task number `task` of those that `seed` names, and take both losses before the first step and after each.

    Examples are those of `metarl.analysis.sine_fits.fit_wave` for the same task and seed.
    """
    tasks = distribution.sample(task + 1, "test", seed)[task].to("cpu", torch.float32)
    support = distribution.support(tasks, torch_generator(seed, "support"))
    query = distribution.query(tasks, torch_generator(seed, "query"))
    state, losses = adapter.begin(support, steps, torch_generator(seed, "adapter")), np.zeros((2, steps + 1))
    for step in range(steps + 1):
        state = adapter.step(state) if step else state
        for row, examples in zip(losses, (support, query), strict=True):
            row[step] = float(distribution.loss(adapter.predict(state, examples.inputs), examples.targets).double().mean())
    return InnerLosses(*losses)
