"""Greedy and ε-greedy bandit agents."""

import pytest
import torch

from metarl.agents.bandits.greedy import BanditEpsilonGreedy, BanditGreedy
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.agents.bandit_steps import answer, exact_total

BUDGET = Episodes(10, 0)


def test_it_pulls_the_first_arm_of_the_highest_posterior_mean():
    agent = BanditGreedy(BernoulliBandit(3), BUDGET)
    assert answer(agent, []).tolist() == [0]
    # A win keeps it there, a loss sends it to the next arm
    assert answer(agent, [([0, 0], [1, 0])]).tolist() == [0, 1]
    # 1/2 beats 1/3
    assert answer(agent, [([0], [0]), ([1], [0]), ([2], [1]), ([2], [0])]).tolist() == [2]
    assert answer(agent, [([1], [1]), ([1], [1]), ([2], [1])]).tolist() == [1]  # 3/4 beats 2/3


def test_gaussian_arms_are_judged_by_their_posterior_mean():
    agent = BanditGreedy(GaussianBandit(3, prior_mean=1.0, prior_std=1.0, noise=2.0), BUDGET)
    assert answer(agent, [([0, 0], [0.5, 1.5])]).tolist() == [1, 0]
    assert answer(agent, [([0, 0], [2.0, 2.0]), ([2, 2], [2.4, 1.9])]).tolist() == [2, 0]


def test_its_exact_score_on_two_arms():
    """Two pulls.

    Win and repeat (2/3), or lose and try the other (1/2): 1/2 + 1/2 · 2/3 + 1/2 · 1/2 = 13/12, the
    optimum.
    """
    assert exact_total(BanditGreedy(BernoulliBandit(2), Episodes(2, 0)), 2, 2) == pytest.approx(
        13 / 12
    )


@pytest.mark.parametrize(("arms", "score"), [(5, 6.568649), (10, 6.612992)])
def test_its_exact_score_lies_where_duan_et_al_found_it(arms, score):
    exact = exact_total(BanditGreedy(BernoulliBandit(arms), BUDGET), arms, 10)
    assert exact == pytest.approx(score, abs=1e-6)
    assert abs(exact - 6.6) < 0.07  # the published figure: 1,000 tasks, standard error 0.07


def test_random_ties_reach_every_arm():
    agent = BanditGreedy(BernoulliBandit(4), BUDGET, random_ties=True)
    action = answer(agent, [([0] * 4000, [0] * 4000)])
    counts = action.bincount(minlength=4)
    assert counts[0] == 0
    assert (counts[1:] - 4000 / 3).abs().max() < 5 * (4000 / 3) ** 0.5


def test_epsilon_is_the_share_of_random_pulls():
    agent = BanditEpsilonGreedy(BernoulliBandit(4), BUDGET, epsilon=0.4)
    counts = answer(agent, [([2] * 10_000, [1] * 10_000)]).bincount(minlength=4)
    assert abs(int(counts[2]) - 7000) < 5 * 46
    assert (counts[[0, 1, 3]] - 1000).abs().max() < 5 * 30


def test_without_epsilon_it_is_greedy_and_with_epsilon_1_random():
    bandit = BernoulliBandit(4)
    actions = [
        evaluate(agent, bandit, "test", 500, 0, BUDGET, record_actions=True).actions
        for agent in (
            BanditGreedy(bandit, BUDGET),
            BanditEpsilonGreedy(bandit, BUDGET, epsilon=0.0),
        )
    ]
    assert (actions[0] == actions[1]).all()
    pulls = evaluate(
        BanditEpsilonGreedy(bandit, BUDGET, epsilon=1.0),
        bandit,
        "test",
        2000,
        0,
        BUDGET,
        record_actions=True,
    ).actions
    assert torch.from_numpy(pulls).flatten().bincount().sub(5000).abs().max() < 5 * 62


def test_bad_requests_get_a_sentence():
    with pytest.raises(ValueError, match=r"epsilon is a probability, not 1\.5"):
        BanditEpsilonGreedy(BernoulliBandit(2), BUDGET, epsilon=1.5)
    with pytest.raises(ValueError, match="epsilon is a probability, not nan"):
        BanditEpsilonGreedy(BernoulliBandit(2), BUDGET, epsilon=float("nan"))
    with pytest.raises(ValueError, match="not RandomMDP-v0"):
        BanditGreedy(RandomMDP(), BUDGET)
