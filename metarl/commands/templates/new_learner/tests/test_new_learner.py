"""The learner keeps every contract, and learns to learn on bandits."""

import metarl
import pytest
from metarl.checks import parametrize_learner_checks
from metarl.tasks.mdps.identity import Identity

from new_learner import NewLearner, NewLearnerConfig


def small_learner(distribution, seed):
    """Return a learner that trains within seconds."""
    return NewLearner(NewLearnerConfig(episodes=2, num_envs=64), distribution, seed)


@parametrize_learner_checks(
    {"new-learner": (small_learner, Identity(numbers=3, horizon=4), metarl.Episodes(2))}
)
def test_it_is_a_sound_learner(check):
    """Each check of `metarl.checks` is a test of its own."""
    check()


def test_it_is_known_by_its_name():
    """The entry point in pyproject.toml leads to the class."""
    learner = metarl.make_learner("new-learner", "BernoulliBandit-v0")
    assert isinstance(learner, NewLearner)


def test_its_agent_adapts_to_bandits_it_has_never_seen():
    """Later pulls pay more than first ones, which can't know anything."""
    bandit = metarl.make("BernoulliBandit-v0", arms=2)
    learner = NewLearner(NewLearnerConfig(num_envs=128, iterations=100), bandit, seed=0)
    while not learner.finished:
        learner.update()
    budget = metarl.Episodes(10)
    result = metarl.evaluate(learner.agent(budget), bandit, "test", 2_000, 1, budget)
    by_pull = result.rows().groupby("episode")["return"].mean()  # of ten pulls
    assert by_pull[0] == pytest.approx(0.5, abs=0.05)
    assert by_pull[5:].mean() > 0.58


@pytest.mark.parametrize(
    ("setting", "sentence"), [({"lr": 0.0}, "lr must be positive"), ({"episodes": 0}, "episodes")]
)
def test_bad_settings_get_a_sentence(setting, sentence):
    """Before anything expensive begins."""
    with pytest.raises(ValueError, match=sentence):
        NewLearnerConfig(**setting)
