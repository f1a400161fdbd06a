"""Counts of pulls, and posteriors against Bayes' rule by numerical integration."""

import numpy as np
import pytest
import torch
from scipy import stats

from metarl.agents.bandits.posterior import (
    ArmCounts,
    best_arm,
    is_bandit,
    no_counts,
    posterior_of,
    take_in,
)
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.agents.bandit_steps import pulled

BUDGET = Episodes(20, 0)


def test_pulls_are_counted_by_row_and_forgotten_at_a_new_task():
    counts = no_counts(3, 2)
    start = torch.tensor([True, True, True])
    counts = take_in(counts, pulled(torch.tensor([1, 1, 1]), torch.tensor([9.0, 9.0, 9.0]), start))
    assert (counts.pulls == 0).all()
    assert (counts.sums == 0).all()
    counts = take_in(
        counts, pulled(torch.tensor([0, 1, 1]), torch.tensor([1.0, 0.5, -2.0]), ~start)
    )
    counts = take_in(
        counts,
        pulled(
            torch.tensor([0, 0, 1]),
            torch.tensor([1.0, 0.25, 1.0]),
            torch.tensor([False, False, True]),
        ),
    )
    assert counts.pulls.tolist() == [[2, 0], [1, 1], [0, 0]]
    assert counts.sums.tolist() == [[2, 0], [0.25, 0.5], [0, 0]]


def counted(pulls, total):
    return ArmCounts(torch.tensor([[float(pulls)]]), torch.tensor([[float(total)]]))


@pytest.mark.parametrize(("successes", "pulls"), [(0, 0), (1, 1), (0, 3), (7, 12)])
def test_bernoulli_posterior(successes, pulls):
    posterior, arms = posterior_of(BernoulliBandit(4), BUDGET)
    assert arms == 4
    counts = counted(pulls, successes)
    p = np.linspace(0, 1, 200_001)
    weight = p**successes * (1 - p) ** (pulls - successes)
    assert float(posterior.mean(counts)) == pytest.approx(np.average(p, weights=weight), abs=1e-5)
    inner = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)[:, None]
    density = posterior.log_density(
        ArmCounts(*(part.double().expand(7, 1) for part in counts)), inner
    )
    exact = stats.beta(1 + successes, 1 + pulls - successes).logpdf(inner[:, 0].numpy())
    assert (density - density[0]).tolist() == pytest.approx((exact - exact[0]).tolist(), abs=1e-9)
    assert float(posterior.width(counts)) == pytest.approx((pulls + 2) ** -0.5)


@pytest.mark.parametrize(("total", "pulls"), [(0.0, 0), (3.0, 1), (-4.0, 3), (15.0, 10)])
@pytest.mark.parametrize(("prior_mean", "prior_std", "noise"), [(0.0, 1.0, 1.0), (2.0, 0.5, 3.0)])
def test_gaussian_posterior(total, pulls, prior_mean, prior_std, noise):
    posterior, _ = posterior_of(GaussianBandit(2, prior_mean, prior_std, noise), BUDGET)
    counts = counted(pulls, total)
    means = np.linspace(-20, 20, 400_001)
    log = (
        -0.5 * ((means - prior_mean) / prior_std) ** 2
        - 0.5 * pulls * (means**2 - 2 * means * total / max(pulls, 1)) / noise**2
    )
    weight = np.exp(log - log.max())
    mean = np.average(means, weights=weight)
    std = np.average((means - mean) ** 2, weights=weight) ** 0.5
    assert float(posterior.mean(counts)) == pytest.approx(mean, abs=1e-4)
    assert float(posterior.width(counts)) == pytest.approx(std, abs=1e-4)
    rows = ArmCounts(*(part.expand(50_000, 1) for part in counts))
    draws = posterior.draw(rows, torch_generator(1))[:, 0].double().numpy()
    assert stats.kstest(draws, stats.norm(mean, std).cdf).pvalue > 1e-4
    inner = torch.tensor([[mean - std], [mean], [mean + 2 * std]], dtype=torch.float64)
    density = posterior.log_density(ArmCounts(*(part.expand(3, 1) for part in counts)), inner)
    assert (density - density[1]).tolist() == pytest.approx([-0.5, 0, -2], abs=1e-3)


def test_log_density_adds_up_over_arms():
    for bandit in (BernoulliBandit(2), GaussianBandit(2)):
        posterior, _ = posterior_of(bandit, BUDGET)
        counts = ArmCounts(torch.tensor([[3.0, 5.0]]), torch.tensor([[1.0, 4.0]]))
        means = torch.tensor([[0.3, 0.6]])
        parts = [
            posterior.log_density(
                ArmCounts(counts.pulls[:, i : i + 1], counts.sums[:, i : i + 1]),
                means[:, i : i + 1],
            )
            for i in (0, 1)
        ]
        assert float(posterior.log_density(counts, means)) == pytest.approx(
            float(sum(parts)), rel=1e-5
        )


@pytest.mark.parametrize(("prior_std", "noise"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_arms_without_spread_or_noise_are_no_trouble(prior_std, noise):
    posterior, _ = posterior_of(GaussianBandit(2, 1.0, prior_std, noise), BUDGET)
    counts = ArmCounts(torch.tensor([[0.0, 2.0]]), torch.tensor([[0.0, 3.0]]))
    mean = posterior.mean(counts)[0]
    width = posterior.width(counts)[0]
    assert mean.tolist() == pytest.approx([1.0, 1.5 if prior_std else 1.0])
    assert width.tolist() == pytest.approx([prior_std, 0.0], abs=1e-6)
    assert torch.isfinite(
        posterior.log_density(counts, posterior.draw(counts, torch_generator(0)))
    ).all()


def test_ties_go_to_the_first_arm_or_to_any():
    scores = torch.tensor([[1.0, 3.0, 3.0, 2.0]]).expand(3000, 4)
    assert (best_arm(scores, False, torch_generator(0)) == 1).all()
    counts = best_arm(scores, True, torch_generator(0)).bincount(minlength=4)
    assert counts[0] == counts[3] == 0
    assert abs(int(counts[1]) - 1500) < 5 * 27


def test_only_bandits_have_these_posteriors():
    assert is_bandit(BernoulliBandit(2))
    assert is_bandit(GaussianBandit(2))
    assert not is_bandit(RandomMDP())
    with pytest.raises(
        ValueError, match=r"play BernoulliBandit-v0 and GaussianBandit-v0, not RandomMDP-v0"
    ):
        posterior_of(RandomMDP(), BUDGET)
