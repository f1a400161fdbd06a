"""Sine regression: learn a sine wave from a few of its points (Finn et al. 2017, section 5.1).

Ranges and places are those of Nichol et al. 2018, section 4.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.supervised import Examples, SupervisedDistribution
from metarl.core.task_distribution import STREAMS, Tasks, check_draw

__all__ = ["GRID", "SineRegression", "SineRegressionTasks"]

GRID = 50  # places at which a wave is known
EDGE = 5.0
AMPLITUDES = (0.1, 5.0)


@dataclass(frozen=True, eq=False)
class SineRegressionTasks(Tasks):
    """n sine waves."""

    amplitude: Tensor  # [n] float64
    phase: Tensor  # [n] float64, radians


class SineRegression(SupervisedDistribution):
    """f(x) = a sin(x + b), known at 50 places; a task shows some of them and asks for all.

    | part | value |
    |---|---|
    | amplitude a | uniform in [0.1, 5] |
    | phase b | uniform in [0, 2 pi], radians |
    | input | x, one of 50 places spread evenly over [-5, 5] |
    | target | f(x), without noise |
    | support | `points` of the 50 places, drawn without repetition; the same place may come in another order each time |
    | query | all 50 places, so that their mean loss stands for the integral over [-5, 5] |
    | loss | squared error |
    | splits | train, test, validation: independent streams of waves |
    | bound | 0, since nothing is noisy; predicting 0 everywhere costs 4.25 on average |
    | versions | v0 |

    The same arguments of `sample` give the same waves whatever `points` is, so that a learner may
    train on 50 points and be scored on 10.

    Args:
        points: how many the support shows, from 1 to 50; 10 is what the paper scores.
    """

    id = "SineRegression-v0"
    splits = STREAMS
    input_shape = (1,)
    outputs = 1

    def __init__(self, points: int = 10):
        if not 1 <= points <= GRID:
            raise ValueError(
                f"points must lie between 1 and {GRID}, the places at which a wave is known, not"
                f" {points}."
            )
        self.points = points

    def config(self) -> dict[str, Any]:
        return {"points": self.points}

    def sample(self, n: int, split: str, seed: int) -> SineRegressionTasks:
        check_draw(self, n, split, seed)
        uniform = numpy_generator(seed, self.id, split).random((n, 2))
        low, high = AMPLITUDES
        return SineRegressionTasks(
            torch.from_numpy(low + (high - low) * uniform[:, 0]),
            torch.from_numpy(2 * math.pi * uniform[:, 1]),
        )

    def support(self, tasks: SineRegressionTasks, rng: Generator) -> Examples:
        # [n, points]
        chosen = torch.rand(len(tasks), GRID, generator=rng, device=rng.device).argsort(1)[
            :, : self.points
        ]
        return self._waves(tasks, self.places(tasks.amplitude)[chosen.to(tasks.amplitude.device)])

    def query(self, tasks: SineRegressionTasks, rng: Generator) -> Examples:
        return self._waves(tasks, self.places(tasks.amplitude).expand(len(tasks), GRID))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).square().squeeze(-1)

    def loss_and_grad(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        away = outputs - targets
        return away.square().squeeze(-1), 2 * away

    def places(self, like: Tensor) -> Tensor:
        """Return the 50 inputs, on the device and in the floating type of `like`."""
        return torch.linspace(-EDGE, EDGE, GRID, dtype=like.dtype, device=like.device)

    def _waves(self, tasks: SineRegressionTasks, x: Tensor) -> Examples:
        """Examples at x [n, m]."""
        return Examples(
            x[..., None],
            (tasks.amplitude[:, None] * torch.sin(x + tasks.phase[:, None]))[..., None],
        )
