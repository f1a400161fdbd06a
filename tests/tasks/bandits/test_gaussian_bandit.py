"""Gaussian bandits against their moments."""

import pytest
import torch

from metarl.core.capabilities import optimum_of
from metarl.core.seeding import torch_generator
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit, GaussianBanditTasks


def test_means_follow_the_prior():
    means = GaussianBandit(3, prior_mean=2.0, prior_std=0.5).sample(50_000, "train", 0).means
    assert means.mean(0) == pytest.approx([2.0] * 3, abs=0.01)
    assert means.std(0) == pytest.approx([0.5] * 3, abs=0.008)


def test_rewards_are_normal_around_the_arms_mean():
    bandit = GaussianBandit(2, noise=0.3)
    tasks = GaussianBanditTasks(torch.tensor([[1.0, -2.0]], dtype=torch.float64).expand(40_000, 2))
    rng = torch_generator(0)
    state, _ = bandit.reset(tasks, rng)
    for arm, mean in enumerate([1.0, -2.0]):
        transition = bandit.step(tasks, state, torch.full((40_000,), arm), rng)
        assert float(transition.reward.mean()) == pytest.approx(mean, abs=0.007)
        assert float(transition.reward.std()) == pytest.approx(0.3, abs=0.005)
        assert transition.terminated.all()


def test_without_noise_the_reward_is_the_mean():
    bandit = GaussianBandit(2, noise=0.0)
    tasks = bandit.sample(5, "test", 0)
    rng = torch_generator(0)
    state, _ = bandit.reset(tasks, rng)
    assert torch.equal(
        bandit.step(tasks, state, torch.ones(5, dtype=torch.int64), rng).reward, tasks.means[:, 1]
    )


def test_upper_bound_is_the_best_arm_every_time():
    tasks = GaussianBanditTasks(torch.tensor([[1.0, 3.0], [-1.0, -2.0]]))
    assert GaussianBandit(2).upper_bound(tasks, 4).tolist() == [12.0, -4.0]
    assert optimum_of(GaussianBandit(2), 4) is None


def test_config_builds_it_again():
    arguments = {"arms": 3, "prior_mean": 1.0, "prior_std": 2.0, "noise": 0.5}
    assert GaussianBandit(**arguments).config() == arguments


@pytest.mark.parametrize("arguments", [{"arms": 0}, {"prior_std": -1.0}, {"noise": -0.1}])
def test_bad_settings_are_refused(arguments):
    with pytest.raises(ValueError, match=r"at least one arm|can't be negative"):
        GaussianBandit(**arguments)


@pytest.mark.parametrize("name", ["prior_mean", "prior_std", "noise"])
def test_settings_that_are_not_numbers_are_refused(name):
    with pytest.raises(ValueError, match="finite"):
        GaussianBandit(3, **{name: float("nan")})
