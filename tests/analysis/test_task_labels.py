"""The margin of a sheet: which task is shown."""

from dataclasses import make_dataclass

import pytest
import torch

import metarl
from metarl.analysis.task_labels import MOST_LINES, task_label
from metarl.core.task_distribution import Tasks
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.tasks.control.cart_pole import CartPoleTasks
from metarl.tasks.mujoco.goals import DirectionTasks, GoalTasks, VelocityTasks
from tests.checks.line import Line


def numbers(*values):
    return torch.tensor([values], dtype=torch.float64)


def test_physics_are_told_by_name_and_a_reversed_actuator_by_its_sign():
    task = CartPoleTasks(
        *(
            torch.tensor([value], dtype=torch.float64)
            for value in (1.0, 0.456, 2.0, 1.0, -1.84, 0.0)
        )
    )
    wanted = [
        "gravity 1",
        "cart mass 0.46",
        "pole mass 2",
        "length 1",
        "force \N{MINUS SIGN}1.8",
        "friction 0",
    ]
    assert task_label(metarl.make("CartPole-v0"), task) == wanted


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        (GoalTasks(numbers(1.234, -0.5)), ["goal 1.2, \N{MINUS SIGN}0.5"]),
        (VelocityTasks(numbers(2.718)[0]), ["velocity 2.7"]),
        (DirectionTasks(numbers(-1.0)), ["direction \N{MINUS SIGN}1"]),
    ],
)
def test_goals_are_told(task, wanted):
    assert task_label(metarl.make("AntGoal-radius3-h200-v0"), task) == wanted


def test_mazes_are_shown_and_not_told():
    maze = metarl.make("GridMaze-v0", size=2)
    assert task_label(maze, maze.sample(1, "test", 0)) == []


def test_of_an_adapted_environment_the_task_itself_is_told():
    line = GymnasiumDistribution(
        "Line-v0",
        Line,
        {"test": ["left", "a name that is too long for the margin of a sheet"]},
        horizon=8,
    )
    labels = {task_label(line, line.sample(2, "test", 0)[i])[0] for i in range(2)}
    assert labels == {"left", "a name that is too …"}


def test_of_many_parameters_the_most_unusual_are_told():
    kind = make_dataclass(
        "Many", [(f"p{i}", torch.Tensor) for i in range(12)], bases=(Tasks,), frozen=True, eq=False
    )
    task = kind(*(torch.tensor([1.0 + (i == 7) + 4 * (i == 2) - 3 * (i == 11)]) for i in range(12)))
    label = task_label(metarl.make("CartPole-v0"), task)
    assert len(label) == MOST_LINES
    assert {"p2 5", "p7 2", "p11 \N{MINUS SIGN}2"} <= set(label)
