"""What a user calls: one function for all checks of a kind, or a decorator for pytest."""

import re

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.checks import (
    check_agent,
    check_distribution,
    check_learner,
    check_supervised_distribution,
    parametrize_agent_checks,
    parametrize_distribution_checks,
    parametrize_learner_checks,
)
from metarl.checks.every_split import check_every_split
from metarl.core.budget import Episodes
from metarl.core.errors import PlugInError
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.checks.families import Counter, Walk
from tests.checks.tiny_learner import TinyLearner


class TrainTasksInTest(Walk):
    def sample(self, n, split, seed):
        return (
            super().sample(n, "train", seed) if split == "test" else super().sample(n, split, seed)
        )


class NeverForgets(Counter):
    def forget(self, step, state):
        return state


class TrainsOnTest(TinyLearner):
    split = "test"


def test_sound_ones_pass():
    check_distribution(Walk)
    check_agent(Counter, BernoulliBandit(3), Episodes(5, 0))
    check_learner(TinyLearner)
    check_supervised_distribution(SineRegression)


def test_broken_ones_fail_with_a_sentence():
    with pytest.raises(PlugInError, match="a task of split 'test' is one of 'train' too"):
        check_distribution(TrainTasksInTest)
    with pytest.raises(PlugInError, match="doesn't forget the last task"):
        check_agent(NeverForgets, BernoulliBandit(3), Episodes(5, 0))
    with pytest.raises(PlugInError, match="The learner drew tasks of split 'test'"):
        check_learner(TrainsOnTest)


class Buttons(gym.Env):
    """One of five buttons pays, or the task is the name of a fault."""

    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(5)

    def __init__(self, task):
        self.task = task

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        paid = action == self.task
        observation = (
            np.zeros(3) if self.task == "shape" else 2 if self.task == "range" else int(paid)
        )
        reward = float("nan") if self.task == "nan" else float(paid)
        return observation, reward, bool(paid), False, {"success": bool(paid)}


def buttons(test):
    return metarl.GymnasiumDistribution(
        "Buttons-v0", Buttons, {"train": [0, 1, 2], "test": test}, horizon=4
    )


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ([3, "nan"], "split 'test': .*test task 1 .*not finite"),
        (["shape", 3], "split 'test': .*test task 0 .*shape"),
        (["range", 3], "split 'test': .*test task 0"),
        ([3, 4, 7], "in 1 of 3 tasks of its split 'test' no step of random play brings any reward"),
        ([7, 8], "in its split 'test' no step of random play in 2 tasks brings any reward"),
    ],
)
def test_what_breaks_in_tests_only_is_found(test, sentence):
    with pytest.raises(PlugInError, match=sentence):
        check_every_split(lambda: buttons(test))


class NotANumberInTest(Walk):
    def step(self, tasks, state, action, rng):
        transition = super().step(tasks, state, action, rng)
        bad = tasks.goal[:, 0].to(torch.float32) == self.sample(32, "test", 0).goal[-1, 0].to(
            torch.float32
        )
        return transition._replace(reward=torch.where(bad, torch.nan, transition.reward))


def test_a_tensor_family_that_breaks_in_tests_only_is_found():
    with pytest.raises(PlugInError, match=r"split 'test': .*finite"):
        check_every_split(NotANumberInTest)


def test_reports_say_what_was_done_and_instances_will_do():
    report = check_distribution(buttons([3, 4]))
    assert [(play.split, play.tasks) for play in report.plays] == [("train", 3), ("test", 2)]
    assert all(play.episodes > 10 and play.steps == 120 * play.tasks for play in report.plays)
    assert re.search(
        r"(?s)checks passed\..*played test: 2 tasks, 240 steps, \d+ episodes ended, rewards from 0"
        r" to 1.*- Tasks of every",
        str(report),
    )
    assert "10 checks passed" in str(check_supervised_distribution(SineRegression()))
    bandit = BernoulliBandit(3)
    assert "Thompson" in str(
        check_agent(metarl.make_agent("thompson", bandit, Episodes(4)), bandit, Episodes(4))
    )


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (
            lambda: check_distribution(3),
            "Give a TaskDistribution, or a class or function that makes one, not 3",
        ),
        (lambda: check_distribution(dict), "makes a dict, which isn't a TaskDistribution"),
        (
            lambda: check_distribution(SineRegression()),
            "check it with metarl.checks.check_supervised_distribution",
        ),
        (
            lambda: check_supervised_distribution(Walk()),
            "check it with metarl.checks.check_distribution",
        ),
        (lambda: check_learner("rl2"), "Give what makes the learner"),
        (
            lambda: check_agent("random", BernoulliBandit(3), Episodes(4)),
            "Give an agent, or what makes one",
        ),
    ],
)
def test_what_is_none_of_these_gets_a_sentence(check, sentence):
    with pytest.raises(PlugInError, match=sentence):
        check()


@parametrize_distribution_checks({"walk": Walk})
def test_my_tasks(check):
    check()


@parametrize_agent_checks({"counter": (Counter, BernoulliBandit(3), Episodes(4, 0))})
def test_my_agent(check):
    check()


@parametrize_learner_checks({"tiny": (TinyLearner, BernoulliBandit(3), Episodes(2, 0))})
def test_my_learner(check):
    check()


def test_a_family_of_examples_is_pointed_to_its_own_checks():
    with pytest.raises(
        PlugInError,
        match=(
            r"has examples rather than episodes; check it with"
            r" metarl.checks.check_supervised_distribution"
        ),
    ):
        check_distribution(SineRegression)


def test_a_distribution_is_checked_by_its_id():
    assert "checks passed" in str(check_distribution("BernoulliBandit-v0"))


@pytest.mark.parametrize("factory", [lambda task: None, lambda: 1 / 0])
def test_what_fails_to_make_a_distribution_is_told(factory):
    with pytest.raises(PlugInError, match="called without arguments, raised"):
        check_distribution(factory)
