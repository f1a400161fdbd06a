"""Bernoulli bandits against closed forms."""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit, BernoulliBanditTasks


def test_success_probabilities_are_uniform():
    means = BernoulliBandit(4).sample(50_000, "train", 0).means
    assert means.dtype == torch.float64
    assert means.shape == (50_000, 4)
    assert means.mean(0) == pytest.approx([0.5] * 4, abs=0.006)  # more than four standard errors
    assert means.var(0) == pytest.approx([1 / 12] * 4, abs=0.002)
    assert abs(torch.corrcoef(means.T) - torch.eye(4)).max() < 0.02


def test_tasks_stay_the_same_from_version_to_version():
    assert BernoulliBandit(3).sample(4, "test", 0).fingerprint == "737ec027a73f3d1b"


def test_an_arm_pays_as_often_as_its_probability_says():
    bandit = BernoulliBandit(3)
    tasks = BernoulliBanditTasks(torch.tensor([[0.0, 1.0, 0.3]]).expand(30_000, 3))
    rng = torch_generator(0)
    state, observation = bandit.reset(tasks, rng)
    assert not observation.any()
    for arm, expected in enumerate([0.0, 1.0, 0.3]):
        transition = bandit.step(tasks, state, torch.full((30_000,), arm), rng)
        assert set(transition.reward.unique().tolist()) <= {0.0, 1.0}
        assert float(transition.reward.mean()) == pytest.approx(expected, abs=0.012)
        assert transition.terminated.all()
        assert not transition.success.any()


@pytest.mark.parametrize(
    ("arms", "pulls", "optimum"),
    [
        (1, 10, 5.0),
        (4, 1, 0.5),
        (2, 2, 13 / 12),
        (2, 10, 6.0217857143),
        (5, 10, 6.6599878748),
        (10, 10, 6.7139511914),
        (50, 10, 6.7139511914),
    ],
)
def test_optimum_is_the_known_one(arms, pulls, optimum):
    assert BernoulliBandit(arms).optimum(pulls) == pytest.approx(optimum, abs=1e-9)


def test_optimum_is_none_where_there_are_too_many_states():
    assert BernoulliBandit(50).optimum(500) is None


def test_upper_bound_is_the_best_arm_every_time():
    tasks = BernoulliBanditTasks(torch.tensor([[0.2, 0.9], [0.4, 0.1]]))
    assert BernoulliBandit(2).upper_bound(tasks, 10).tolist() == pytest.approx([9.0, 4.0])


@pytest.mark.parametrize(
    ("pulls", "arms", "relaxation"), [(100, 5, 84.87), (100, 50, 86.85), (500, 10, 462.22)]
)
def test_relaxation_is_the_known_one(pulls, arms, relaxation):
    assert BernoulliBandit(arms).relaxation(pulls) == pytest.approx(relaxation, abs=0.006)


@pytest.mark.parametrize("arms", [0, -1])
def test_a_bandit_without_arms_is_refused(arms):
    with pytest.raises(ValueError, match=f"at least one arm, not {arms}"):
        BernoulliBandit(arms)
