"""The Bayes-optimal agent attains the exact optimum."""

import numpy as np
import pytest
import torch

from metarl.agents.bandits.bayes_optimal import BayesOptimal
from metarl.agents.bandits.posterior import ArmCounts
from metarl.core.budget import Episodes, Steps
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from tests.agents.bandit_steps import answer, exact_total


@pytest.mark.parametrize(
    ("arms", "pulls"), [(1, 3), (2, 2), (3, 6), (2, 10), (5, 10), (10, 10), (50, 10), (4, 3)]
)
def test_its_expected_total_is_the_optimum(arms, pulls):
    bandit = BernoulliBandit(arms)
    assert exact_total(BayesOptimal(bandit, Episodes(pulls, 0)), arms, pulls) == pytest.approx(
        bandit.optimum(pulls), abs=1e-9
    )


def test_its_simulated_total_agrees_with_the_optimum():
    bandit = BernoulliBandit(5)
    budget = Episodes(10, 0)
    scores = evaluate(BayesOptimal(bandit, budget), bandit, "test", 40_000, 3, budget).scores()
    assert abs(scores.mean() - bandit.optimum(10)) < 4 * scores.std() / 40_000**0.5


def test_action_values_by_hand():
    """Two pulls left of two fresh arms: 1/2 (1 + 2/3) + 1/2 · 1/2 = 13/12 for both."""
    agent = BayesOptimal(BernoulliBandit(2), Episodes(2, 0))
    values = agent.action_values(ArmCounts(torch.zeros(1, 2), torch.zeros(1, 2)))
    assert values[0].tolist() == pytest.approx([13 / 12, 13 / 12])
    values = agent.action_values(ArmCounts(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 1.0]])))
    assert values[0].tolist() == pytest.approx([1 / 2, 2 / 3])


def test_ties_go_to_the_first_arm_and_the_order_of_arms_changes_nothing():
    agent = BayesOptimal(BernoulliBandit(3), Episodes(6, 0))
    assert answer(agent, []).tolist() == [0]
    assert answer(agent, [([1], [0])]).tolist() == [0]
    assert answer(agent, [([0, 1, 2], [1, 1, 1])]).tolist() == [0, 1, 2]


def test_rows_may_be_at_different_pulls():
    agent = BayesOptimal(BernoulliBandit(3), Episodes(6, 0))
    counts = ArmCounts(
        torch.tensor([[0.0, 0, 0], [3, 1, 1], [1, 0, 0]]),
        torch.tensor([[0.0, 0, 0], [1, 1, 0], [1, 0, 0]]),
    )
    together = agent.action_values(counts)
    alone = torch.cat(
        [
            agent.action_values(ArmCounts(counts.pulls[i : i + 1], counts.sums[i : i + 1]))
            for i in range(3)
        ]
    )
    assert torch.equal(together, alone)
    assert together[0, 0] == pytest.approx(BernoulliBandit(3).optimum(6))


def test_a_budget_of_steps_is_a_budget_of_pulls():
    bandit = BernoulliBandit(3)
    pair = [
        evaluate(
            BayesOptimal(bandit, budget), bandit, "test", 200, 0, budget, record_actions=True
        ).actions
        for budget in (Episodes(6, 0), Episodes(3, 3), Steps(6))
    ]
    assert np.array_equal(pair[0], pair[1])
    assert np.array_equal(pair[0], pair[2])


def test_what_is_too_large_or_unknown_is_refused_with_advice():
    with pytest.raises(ValueError, match=r"5 arms and 100 pulls .* use gittins"):
        BayesOptimal(BernoulliBandit(5), Episodes(100, 0))
    with pytest.raises(ValueError, match=r"not for GaussianBandit-v0; use gittins"):
        BayesOptimal(GaussianBandit(3), Episodes(3, 0))
