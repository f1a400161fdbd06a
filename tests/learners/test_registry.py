"""Learners by name, those of other packages included."""

from typing import NamedTuple

import pytest

import metarl
from metarl.core import lookup as entries
from metarl.core.learner import PolicyLearner, SupervisedLearner
from metarl.learners.memory.rl2 import RL2, RL2Config
from metarl.learners.registry import (
    GROUP,
    LEARNERS,
    SUPERVISED_LEARNERS,
    learner_class,
    learner_names,
    learns_from_examples,
    make_learner,
)
from tests.learners.made_tasks import Ragged
from tests.learners.small_rl2 import small


class Point(NamedTuple):
    """What matters of an entry point."""

    name: str
    loaded: type

    def load(self):
        return self.loaded


class Theirs:
    """Another package's learner."""

    Config = dict

    def __init__(self, config, distribution, seed, device):
        self.given = config, distribution, seed, device


@pytest.mark.parametrize("name", [*LEARNERS, *SUPERVISED_LEARNERS])
def test_every_learner_has_a_config_with_default_settings(name):
    assert name in learner_names()
    assert learner_class(name).Config() is not None


def test_rl2_by_name():
    assert learner_class("rl2") is RL2
    learner = make_learner("rl2", Ragged(), small(), seed=(1, 2))
    assert isinstance(learner, RL2)
    assert learner.config == small()
    assert learner.seeds == (1, 2)
    assert metarl.make_learner is make_learner


def test_default_settings_if_none_are_given():
    assert make_learner("rl2", Ragged()).config == RL2Config()


def test_an_unknown_name_gets_a_sentence():
    with pytest.raises(ValueError, match=r"There is no learner 'rl3'. Did you mean 'rl2'\?"):
        make_learner("rl3", Ragged())


def test_learners_of_other_packages(monkeypatch):
    monkeypatch.setattr(
        entries, "entry_points", lambda group: [Point("theirs", Theirs)] if group == GROUP else []
    )
    assert learner_names() == sorted([*LEARNERS, *SUPERVISED_LEARNERS, "theirs"])
    distribution = Ragged()
    assert make_learner("theirs", distribution, seed=3, device="cpu").given == (
        {},
        distribution,
        3,
        "cpu",
    )


def test_a_learner_yields_agents_or_adapters_as_its_kind_says():
    for name in [*LEARNERS, *SUPERVISED_LEARNERS]:
        kind = learner_class(name)
        examples = name in SUPERVISED_LEARNERS
        assert learns_from_examples(name) is examples
        assert callable(getattr(kind, "agent", None)) is not examples
    learner = make_learner("reptile", "SineRegression-v0")
    assert isinstance(learner, SupervisedLearner)
    assert not isinstance(learner, PolicyLearner)
    with pytest.raises(
        ValueError,
        match=r"learned from examples: score its adapter\(\) with metarl.evaluate_supervised",
    ):
        metarl.evaluate(learner, "BernoulliBandit-v0", "test", num_tasks=2, seed=0, budget=10)
    learner = make_learner("rl2", "BernoulliBandit-v0")
    assert isinstance(learner, PolicyLearner)
    assert not isinstance(learner, SupervisedLearner)
    with pytest.raises(ValueError, match="agents are scored by metarl.evaluate"):
        metarl.evaluate_supervised(
            learner, "SineRegression-v0", "test", num_tasks=2, seed=0, steps=1
        )
