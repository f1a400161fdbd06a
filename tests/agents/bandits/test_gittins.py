"""The Gittins agent is near-optimal, and never above the optimum."""

import numpy as np
import pytest
import torch

from metarl.agents.bandits import gittins_index as gittins
from metarl.agents.bandits.bayes_optimal import BayesOptimal
from metarl.agents.bandits.gittins import Gittins
from metarl.agents.bandits.greedy import BanditGreedy
from metarl.agents.bandits.posterior import ArmCounts
from metarl.agents.bandits.thompson import Thompson
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from tests.agents.bandit_steps import answer, exact_total

TEN = Episodes(10, 0)


@pytest.mark.parametrize("arms", [2, 5, 10])
def test_its_expected_total_is_just_below_the_optimum(arms):
    optimum = BernoulliBandit(arms).optimum(10)
    assert (
        optimum - 2e-3
        < exact_total(Gittins(BernoulliBandit(arms), TEN), arms, 10)
        <= optimum + 1e-9
    )


def test_a_discounted_index_is_a_little_worse_on_a_budget():
    bandit = BernoulliBandit(5)
    discounted = [
        exact_total(Gittins(bandit, TEN, discount=discount), 5, 10) for discount in (0.5, 0.8, 0.9)
    ]
    finite = exact_total(Gittins(bandit, TEN), 5, 10)
    greedy = exact_total(BanditGreedy(bandit, TEN), 5, 10)
    assert all(value < finite for value in discounted)
    assert greedy < discounted[1]


def counts_of(pulls, successes):
    return ArmCounts(
        torch.tensor([pulls], dtype=torch.float32), torch.tensor([successes], dtype=torch.float32)
    )


def test_indices_are_those_of_each_arms_own_end():
    agent = Gittins(BernoulliBandit(3), Episodes(20, 0))
    found = agent.indices(counts_of([0, 3, 4], [0, 2, 1]))  # 13 pulls left
    wanted = [
        gittins.finite_bernoulli_indices(made + 13)[made][failures]
        for made, failures in ((0, 0), (3, 1), (4, 3))
    ]
    assert found[0].tolist() == pytest.approx(wanted, abs=1e-5)


def test_interpolated_ends_are_close_to_programs_of_their_own():
    agent = Gittins(BernoulliBandit(2), Episodes(120, 0))
    ends = set(gittins.bernoulli_index_table(120).ends.tolist())
    errors = []
    for made, successes, other in ((2, 1, 7), (10, 6, 9), (40, 25, 10), (60, 30, 30), (5, 5, 25)):
        left = 120 - made - other
        assert made + left not in ends
        found = float(agent.indices(counts_of([made, other], [successes, 0]))[0, 0])
        errors.append(
            abs(found - gittins.finite_bernoulli_indices(made + left)[made][made - successes])
        )
    assert max(errors) < 5e-4


def test_with_one_pull_left_it_is_greedy():
    agent = Gittins(BernoulliBandit(3), Episodes(4, 0))
    found = agent.indices(counts_of([1, 2, 0], [0, 2, 0]))
    assert found[0].tolist() == pytest.approx([1 / 3, 3 / 4, 1 / 2], abs=1e-6)


def test_uncertain_arms_are_tried_first_while_pulls_are_left():
    """An arm of 1 win in 2 pulls against a fresh one of the same mean."""
    agent = Gittins(BernoulliBandit(2), TEN)
    assert answer(agent, [([0], [1]), ([0], [0])]).tolist() == [1]


def test_a_hundred_pulls_beat_thompson_and_stay_below_the_bound():
    bandit = BernoulliBandit(5)
    budget = Episodes(100, 0)
    index, thompson = (
        evaluate(agent, bandit, "test", 4096, 0, budget).scores()
        for agent in (Gittins(bandit, budget), Thompson(bandit, budget))
    )
    assert (index - thompson).mean() > 2.5
    bound = bandit.upper_bound(bandit.sample(4096, "test", 0), 100).numpy()
    assert (index - bound).mean() < 0


def test_paired_with_the_bayes_optimal_agent_it_wins_nothing():
    bandit = BernoulliBandit(3)
    budget = Episodes(15, 0)
    difference = np.subtract(
        *(
            evaluate(agent, bandit, "test", 20_000, 0, budget).scores()
            for agent in (Gittins(bandit, budget), BayesOptimal(bandit, budget))
        )
    )
    assert difference.mean() < 4 * difference.std() / 20_000**0.5 + 1e-12
    assert difference.mean() > -0.02


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_gaussian_arms(scale):
    """Scaling prior and noise scales scores, and the index earns more than Greedy and Thompson do."""
    bandit = GaussianBandit(5, 0.0, scale, scale)
    budget = Episodes(30, 0)
    index, greedy, thompson = (
        evaluate(kind(bandit, budget), bandit, "test", 4096, 0, budget).scores().mean() / scale
        for kind in (Gittins, BanditGreedy, Thompson)
    )
    assert index > greedy + 1
    assert index > thompson + 1
    assert index < 30 * 1.163  # the expected best of five standard normal means


def test_gaussian_indices_are_means_at_the_last_pull():
    bandit = GaussianBandit(2, 1.0, 2.0, 1.0)
    found = Gittins(bandit, Episodes(3, 0)).indices(counts_of([2, 0], [6.0, 0.0]))
    assert found[0].tolist() == pytest.approx([1 + (6 - 2) * 4 / 9, 1.0], abs=1e-5)


@pytest.mark.parametrize(("prior_std", "noise"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_arms_without_spread_or_noise_are_no_trouble(prior_std, noise):
    bandit = GaussianBandit(3, 0.0, prior_std, noise)
    scores = evaluate(Gittins(bandit, TEN), bandit, "test", 2000, 0, TEN).scores()
    assert np.isfinite(scores).all()
    if not noise and prior_std:  # tries all three, or stops early at a good one
        assert scores.mean() > 10 * 0.5


def test_bad_discounts_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        Gittins(BernoulliBandit(2), TEN, discount=1.0)
    with pytest.raises(ValueError, match="Gaussian arms have only the finite-horizon index"):
        Gittins(GaussianBandit(2), TEN, discount=0.9)
