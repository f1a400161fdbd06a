"""What scores need to know of a family.

Checks of it, and that `success` is scored only where it means something.
"""

import numpy as np
import pytest
import torch

import metarl
from metarl.agents.registry import make_agent
from metarl.checks.sampling import check_attributes
from metarl.checks.scoring import (
    SCORING_CHECKS,
    check_same_tasks_are_known,
    check_success_is_as_declared,
)
from metarl.core.errors import PlugInError
from metarl.core.registry import make
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.evaluation.protocol import evaluate
from metarl.runs.store import write_evaluation
from tests.checks.families import Walk, WalkTasks
from tests.checks.line import Line


class SaysNone(Walk):
    has_success = False  # but a step near the goal is one


class SaysSometimes(Walk):
    has_success = "sometimes"


class ByPlace(Walk):
    def task_keys(self, tasks):
        return np.arange(len(tasks))


class OneListed(Walk):
    def task_count(self, split):
        return 1

    def every_task(self, split, seed):
        return WalkTasks(torch.zeros(1, 2, dtype=torch.float64))


class OneTooFew(OneListed):
    def task_count(self, split):
        return 2


@pytest.mark.parametrize("check", SCORING_CHECKS)
def test_a_sound_family_passes(check):
    check(Walk)


@pytest.mark.parametrize(
    ("check", "family", "sentence"),
    [
        (check_success_is_as_declared, SaysNone, "but a step was a success"),
        (check_attributes, SaysSometimes, "has_success is 'sometimes'"),
        (check_same_tasks_are_known, ByPlace, "depend on where a task stands"),
        (check_same_tasks_are_known, OneListed, "that every_task doesn't have"),
        (check_same_tasks_are_known, OneTooFew, "gave 1 of 2 tasks"),
    ],
)
def test_what_breaks_the_contract_is_caught(check, family, sentence):
    with pytest.raises(PlugInError, match=sentence):
        check(family)


class Silent(Line):
    def step(self, action):
        return *super().step(action)[:4], {}


class AtTheEnd(Line):
    def step(self, action):
        parts = super().step(action)[:4]
        return *parts, {"is_success": False} if parts[2] or parts[3] else {}


def played(family, episodes=2):
    budget = metarl.Episodes(episodes)
    return evaluate(make_agent("random", family, budget), family, "test", 8, 0, budget)


def adapted(env):
    return GymnasiumDistribution("Line-v0", env, {"train": [3.0], "test": [50.0, 60.0]}, horizon=9)


@pytest.mark.parametrize(
    "family",
    [make("BernoulliBandit-v0"), make("CartPole-v0"), adapted(Silent)],
    ids=["bandit", "cart-pole", "silent"],
)
def test_without_a_notion_of_success_there_is_no_such_score(family, tmp_path):
    evaluation = played(family)
    with pytest.raises(ValueError, match="has no notion of success"):
        evaluation.scores("success")
    assert "success" not in evaluation.summary().index
    assert "success" not in write_evaluation(tmp_path, "played", evaluation).read_text()


@pytest.mark.parametrize(
    "family",
    [
        make("GridNavi-v0", horizon=1),
        make("GridMaze-v0", horizon=1),
        adapted(Line),
        adapted(AtTheEnd),
    ],
    ids=["grid", "maze", "all", "end"],
)
def test_where_nobody_succeeds_the_score_is_zero(family):
    evaluation = played(family)
    assert evaluation.scores("success").tolist() == [0.0] * 8
    assert evaluation.summary().loc["success", "mean"] == 0


def test_a_family_that_says_nothing_has_the_score_where_a_step_succeeded():
    assert played(Walk()).scores("success").max() > 0
