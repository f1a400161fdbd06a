"""The decorators give one pytest id for each check and each thing."""

import importlib
import sys

import pytest

import metarl.checks.parametrize
from metarl.checks.adapted import ADAPTED_CHECKS
from metarl.checks.boundary import check_no_reward_is_lost
from metarl.checks.parametrize import (
    agent_checks,
    distribution_checks,
    learner_checks,
    parametrize_agent_checks,
    parametrize_distribution_checks,
    parametrize_learner_checks,
    parametrize_supervised_checks,
    supervised_checks,
)
from metarl.core.budget import Episodes
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.checks.families import Counter, Walk
from tests.checks.line import Line
from tests.checks.tiny_learner import TinyLearner


def ids(mark):
    return [parameter.id for parameter in mark.mark.args[1]]


def test_tensor_families_and_adapted_ones_have_their_own_checks():
    tensor = list(distribution_checks(Walk()))
    adapted = list(
        distribution_checks(GymnasiumDistribution("Line-v0", Line, {"train": [0.0], "test": [1.0]}))
    )
    assert check_no_reward_is_lost in tensor
    assert check_no_reward_is_lost not in adapted
    assert set(adapted) >= set(ADAPTED_CHECKS)
    assert not set(tensor) & set(ADAPTED_CHECKS)
    assert set(distribution_checks()) == set(tensor) | set(adapted)


@pytest.mark.parametrize(
    "checks", [distribution_checks, agent_checks, learner_checks, supervised_checks]
)
def test_every_check_has_a_name_and_a_sentence(checks):
    listed = list(checks())
    assert len({check.__name__ for check in listed}) == len(listed) > 8
    for check in listed:
        assert check.__name__.startswith("check_")
        assert check.__doc__


def test_one_id_for_each_check_and_each_thing():
    two = ids(parametrize_distribution_checks({"walk": Walk, "bandit": BernoulliBandit}))
    assert len(two) == 2 * len(list(distribution_checks(Walk())))
    assert "walk-check_rows_are_independent" in two
    assert "bandit-check_splits_are_disjoint" in two
    agents = ids(
        parametrize_agent_checks({"counter": (Counter, BernoulliBandit(2), Episodes(2, 0))})
    )
    assert agents == [f"counter-{check.__name__}" for check in agent_checks()]
    learners = ids(
        parametrize_learner_checks({"tiny": (TinyLearner, BernoulliBandit(2), Episodes(2, 0))})
    )
    assert learners == [f"tiny-{check.__name__}" for check in learner_checks()]
    supervised = ids(parametrize_supervised_checks({"sines": SineRegression}))
    assert supervised == [f"sines-{check.__name__}" for check in supervised_checks()]


def test_a_parametrised_check_runs_without_arguments():
    first = parametrize_distribution_checks({"walk": Walk}).mark.args[1][0]
    first.values[0]()


def test_pytest_is_needed_only_by_the_decorators(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)  # importing it fails from here on
    importlib.reload(metarl.checks.parametrize)
    assert list(metarl.checks.parametrize.agent_checks())
    with pytest.raises(ImportError):
        metarl.checks.parametrize.parametrize_distribution_checks({"walk": Walk})
