"""A small distribution whose observations are images, for tests of encoders."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition

__all__ = ["Bars"]


@dataclass(frozen=True, eq=False)
class BarsTasks(Tasks):
    bars: Tensor  # [n, horizon] which bar is lit
    length: Tensor  # [n] steps of an episode


class Bars(TaskDistribution):
    """Each step lights one of several bars, in any colour, on a black image.

    Reward 1 for naming it. Tasks differ in length.
    """

    id = "Bars"
    horizon = 4

    def __init__(self, bars: int = 3, height: int = 16, width: int = 18):
        self.bars = bars
        self.observation_space = gym.spaces.Box(0, 255, (height, width, 3), np.uint8)
        self.action_space = gym.spaces.Discrete(bars)

    def sample(self, n: int, split: str, seed: int) -> BarsTasks:
        rng = numpy_generator(seed, self.id, split)
        bars = torch.from_numpy(rng.integers(self.bars, size=(n, self.horizon)))
        return BarsTasks(bars, torch.from_numpy(rng.integers(1, self.horizon + 1, size=n)))

    def reset(self, tasks: Any, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        start = torch.zeros(len(tasks), dtype=torch.int64, device=rng.device)
        return start, self._image(tasks, start, rng)

    def step(self, tasks: Any, state: Tensor, action: Tensor, rng: torch.Generator) -> Transition:
        right = action == tasks.bars.gather(1, state[:, None])[:, 0]
        state = state + 1
        ended, state = state >= tasks.length, state.clamp_max(self.horizon - 1)
        return Transition(
            state, self._image(tasks, state, rng), right.to(torch.float32), ended, right
        )

    def _image(self, tasks: Any, state: Tensor, rng: torch.Generator) -> Tensor:
        height, width, _ = self.observation_space.shape
        lit = tasks.bars.gather(1, state[:, None])  # [n, 1]
        place = (
            torch.arange(width, device=rng.device) * self.bars // width
        )  # [width]: the bar that a column belongs to
        colour = torch.randint(100, 256, (len(tasks), 1, 1, 3), generator=rng, device=rng.device)
        return (
            ((place == lit)[:, None, :, None] * colour).expand(-1, height, -1, -1).to(torch.uint8)
        )
