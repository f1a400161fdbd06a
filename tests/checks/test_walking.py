"""The check of `odometry` passes on mazes and families that don't walk, and catches wrong
reckoning.
"""

import pytest
import torch

from metarl.checks.walking import check_odometry
from metarl.core.errors import PlugInError
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.visual_maze import VisualMaze
from tests.checks.families import Walk


class ThroughWalls(GridMaze):
    """Forgets that walls stop the agent."""

    @property
    def odometry(self):
        right = super().odometry
        return lambda pose, observation, action: right(pose, torch.zeros_like(observation), action)


class Stays(GridMaze):
    @property
    def odometry(self):
        return lambda pose, observation, action: pose


class Leaps(GridMaze):
    @property
    def odometry(self):
        return lambda pose, observation, action: pose + 1


class Wanders(GridMaze):
    """Never comes back, so nothing seems wrong but how far it goes."""

    @property
    def odometry(self):
        return lambda pose, observation, action: pose + torch.tensor([1, 0, 0])


class OneTooMany(GridMaze):
    @property
    def odometry(self):
        return lambda pose, observation, action: pose[:, :2]


class Turns(VisualMaze):
    headings = 1


@pytest.mark.parametrize(
    "sound",
    [
        Walk,
        GridMaze,
        lambda: GridMaze(4, window=2, loops=0.5),
        VisualMaze,
        lambda: VisualMaze(turns=12),
    ],
)
def test_right_ones_pass(sound):
    check_odometry(sound)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (ThroughWalls, "looks different|a step leads from"),
        (Stays, "again after .* steps, and looks different"),
        (Leaps, "a step leads from"),
        (Wanders, "a step leads from|looks different"),
        (OneTooMany, "odometry gave torch.int64 of shape"),
        (Turns, "headings lie below"),
    ],
)
def test_wrong_ones_are_caught(wrong, words):
    with pytest.raises(PlugInError, match=words):
        check_odometry(wrong)
