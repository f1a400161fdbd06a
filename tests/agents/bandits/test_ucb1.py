"""UCB1."""

import math

import pytest

from metarl.agents.bandits.greedy import BanditGreedy
from metarl.agents.bandits.ucb1 import UCB1
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from tests.agents.bandit_steps import answer, exact_total

BUDGET = Episodes(10, 0)


@pytest.mark.parametrize(("c", "arm"), [(0.6, 0), (0.7, 1)])
def test_the_bound_by_hand(c, arm):
    """After a win on arm 0.

    2/3 + c sqrt(2 ln 7 / 3) against 1/2 + c sqrt(2 ln 7 / 2): equal at c = 0.651.
    """
    total = 2 * 3 + 1
    equal = (2 / 3 - 1 / 2) / (
        math.sqrt(2 * math.log(total) / 2) - math.sqrt(2 * math.log(total) / 3)
    )
    assert equal == pytest.approx(0.651, abs=1e-3)
    assert answer(UCB1(BernoulliBandit(3), BUDGET, c=c), [([0], [1])]).tolist() == [arm]


def test_gaussian_arms_have_a_width_in_units_of_noise():
    """Arm 0 pulled once: mean 0.5, width sqrt(2 ln 3 / 2); arm 1: mean 0, width sqrt(2 ln 3)."""
    equal = 0.5 / (math.sqrt(2 * math.log(3)) * (1 - math.sqrt(0.5)))
    for scale in (1.0, 10.0):
        bandit = GaussianBandit(2, 0.0, scale, scale)
        for c, arm in ((equal - 0.01, 0), (equal + 0.01, 1)):
            assert answer(UCB1(bandit, BUDGET, c=c), [([0], [scale])]).tolist() == [arm]


def test_without_a_bound_it_is_greedy():
    bandit = BernoulliBandit(5)
    assert exact_total(UCB1(bandit, BUDGET, c=0.0), 5, 10) == pytest.approx(
        exact_total(BanditGreedy(bandit, BUDGET), 5, 10)
    )


def test_with_a_wide_bound_it_tries_all_arms():
    budget = Episodes(50, 0)
    bandit = BernoulliBandit(5)
    actions = evaluate(
        UCB1(bandit, budget, c=100.0), bandit, "test", 50, 0, budget, record_actions=True
    ).actions
    assert all((actions == arm).sum(1).tolist() == [10] * 50 for arm in range(5))


def test_its_exact_score_is_close_below_the_optimum():
    bandit = BernoulliBandit(5)
    score = exact_total(UCB1(bandit, BUDGET, c=0.1), 5, 10)
    assert 6.65 < score < bandit.optimum(10)


@pytest.mark.parametrize("random_ties", [False, True])
def test_the_published_score_at_100_pulls(random_ties):
    """Duan et al. 2016 have 78.0 with standard error 0.5."""
    budget = Episodes(100, 0)
    bandit = BernoulliBandit(5)
    scores = evaluate(
        UCB1(bandit, budget, c=0.2, random_ties=random_ties), bandit, "test", 4000, 0, budget
    ).scores()
    assert abs(scores.mean() - 78.2) < 1.0


@pytest.mark.parametrize("c", [-0.1, float("nan"), float("inf")])
def test_bad_widths_are_refused(c):
    with pytest.raises(ValueError, match="width of a confidence bound"):
        UCB1(BernoulliBandit(2), BUDGET, c=c)
