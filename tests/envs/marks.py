"""One small family, for tensors.

Every reward and observation says by its value which step it belongs to. `AdaptedMarks` is its twin.
"""

from dataclasses import dataclass
from functools import partial

import gymnasium as gym
import torch
from torch import Tensor

from metarl.core.task_distribution import TaskDistribution, Tasks, Transition
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from tests.envs.marks_env import HORIZON, SPACE, TASKS, MarksEnv

__all__ = ["HORIZON", "TASKS", "AdaptedMarks", "Marks", "MarksEnv", "source_of"]


@dataclass(frozen=True, eq=False)
class MarksTasks(Tasks):
    index: Tensor  # [n] int64 into TASKS


class Marks(TaskDistribution):
    """Step t of an episode shows [mark, t] and pays mark + t + action / 10.

    It terminates at the task's length.
    """

    id = "Marks-v0"
    finite = True
    horizon = HORIZON
    observation_space = SPACE
    action_space = gym.spaces.Discrete(3)

    def sample(self, n, split, seed):
        return MarksTasks(torch.arange(seed, seed + n) % len(TASKS))

    def reset(self, tasks, rng):
        clock = torch.zeros(len(tasks))
        return clock, torch.stack([self.marks(tasks), clock], 1)

    def step(self, tasks, state, action, rng):
        clock = state + 1
        lengths = torch.tensor([length for length, _ in TASKS])[tasks.index]
        if bool((state >= torch.minimum(lengths, torch.tensor(HORIZON))).any()):
            raise AssertionError("stepped past an episode's end")
        ended = clock >= lengths
        marks = self.marks(tasks)
        return Transition(
            clock, torch.stack([marks, clock], 1), marks + clock + action / 10, ended, ended
        )

    def marks(self, tasks):
        return torch.tensor([mark for _, mark in TASKS])[tasks.index]


class AdaptedMarks(GymnasiumDistribution):
    """The Gymnasium kind, with the tensor kind's order of tasks."""

    def __init__(self, workers=0, limit=None):
        splits = {"train": TASKS, "test": TASKS}
        super().__init__(
            "Marks-v0",
            partial(MarksEnv, limit=limit),
            splits,
            HORIZON,
            workers=workers,
            finite=True,
        )

    def sample(self, n, split, seed):
        tasks = super().sample(n, split, seed)
        return type(tasks)(tasks.split, torch.arange(seed, seed + n) % len(TASKS))


def source_of(distribution, rows):
    """Return a source in which row i's j-th task is rows[i][j], by its place in TASKS."""

    def source(asking, counts):
        chosen = [rows[i][j] for i, j in zip(asking.tolist(), counts.tolist(), strict=True)]
        return distribution.sample(len(TASKS), "train", 0)[chosen]

    return source
