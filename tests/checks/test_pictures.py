"""The check of pictures passes on sound families, with or without any, and catches what breaks the
contract.
"""

import pytest
import torch

from metarl.checks.parametrize import distribution_checks
from metarl.checks.pictures import check_pictures
from metarl.core.errors import PlugInError
from metarl.tasks.mazes.grid_maze import GridMaze
from tests.checks.families import Walk
from tests.evaluation.watched_agents import DrawnCounting


class Floating(DrawnCounting):
    def render(self, tasks, state):
        return super().render(tasks, state).float()


class OnlyOne(DrawnCounting):
    def render(self, tasks, state):
        return super().render(tasks, state)[:1]


class InFour(DrawnCounting):
    def render(self, tasks, state):
        return super().render(tasks, state)[..., [0, 1, 2, 2]]


class ByTheBatch(DrawnCounting):
    def render(self, tasks, state):
        return super().render(tasks, state) + len(tasks)


class GreyPath(DrawnCounting):
    def render_path(self, tasks, states, moment):
        return torch.zeros(5, 5, dtype=torch.uint8)


@pytest.mark.parametrize("family", [Walk, DrawnCounting, lambda: GridMaze(3)])
def test_sound_families_pass(family):
    check_pictures(family)


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        (Floating, "Give torch.uint8 of shape"),
        (OnlyOne, r"Give torch.uint8 of shape \[3, height, width, 3\]"),
        (InFour, r"shape \(3, 8, 6, 4\)"),
        (ByTheBatch, "task 0 looks different when it is drawn alone"),
        (GreyPath, r"render_path gave torch.uint8 of shape \(5, 5\)"),
    ],
)
def test_faults_are_named(family, sentence):
    with pytest.raises(PlugInError, match=sentence):
        check_pictures(family)


def test_it_is_among_the_checks_of_tensor_families():
    assert check_pictures in distribution_checks(Walk())
