"""What a user calls: one function for all checks of a kind, or a decorator for pytest."""

import pytest

from metarl.checks import (
    check_agent,
    check_distribution,
    check_learner,
    check_supervised_distribution,
    parametrize_agent_checks,
    parametrize_distribution_checks,
    parametrize_learner_checks,
)
from metarl.envs.budget import Episodes
from metarl.tasks.bernoulli_bandit import BernoulliBandit
from metarl.tasks.contract import PlugInError
from metarl.tasks.sine_regression import SineRegression
from tests.checks.families import Counter, Walk
from tests.checks.tiny_learner import TinyLearner


class TrainTasksInTest(Walk):
    def sample(self, n, split, seed):
        return super().sample(n, "train", seed) if split == "test" else super().sample(n, split, seed)


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
    with pytest.raises(PlugInError, match=r"has examples rather than episodes; check it with metarl.checks.check_supervised_distribution"):
        check_distribution(SineRegression)
