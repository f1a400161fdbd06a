"""Thompson sampling, plain and optimistic."""

import numpy as np
import pytest
import torch

from metarl.agents.bandits.posterior import ArmCounts
from metarl.agents.bandits.thompson import OptimisticThompson, Thompson
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from tests.agents.bandit_steps import answer

TEN = Episodes(10, 0)


def score(agent, bandit, budget, tasks=20_000):
    """(mean, its standard error)."""
    scores = evaluate(agent, bandit, "test", tasks, 7, budget).scores()
    return scores.mean(), scores.std() / tasks**0.5


def test_it_pulls_an_arm_as_often_as_it_is_the_best_one():
    """After a win on one of two arms: P(Beta(2, 1) > U) = 2/3."""
    share = (
        (answer(Thompson(BernoulliBandit(2), TEN), [([1] * 20_000, [1] * 20_000)]) == 1)
        .double()
        .mean()
    )
    assert abs(share - 2 / 3) < 4 * (2 / 9 / 20_000) ** 0.5


def test_gaussian_arms_too():
    """After a reward of 2 with unit prior and noise.

    P(N(1, 1/2) > N(0, 1)) = Φ(1 / sqrt(1.5)) = 0.7929.
    """
    share = (
        (answer(Thompson(GaussianBandit(2), TEN), [([1] * 20_000, [2.0] * 20_000)]) == 1)
        .double()
        .mean()
    )
    assert abs(share - 0.7929) < 4 * (0.7929 * 0.2071 / 20_000) ** 0.5


def test_its_score_agrees_with_a_plain_simulation():
    """5.8355 ± 0.0045 at n=10, k=5, by NumPy's Beta draws on 200,000 tasks."""
    bandit = BernoulliBandit(5)
    mean, error = score(Thompson(bandit, TEN), bandit, TEN)
    assert abs(mean - 5.8355) < 4 * np.hypot(error, 0.0045)


def test_the_published_score_at_100_pulls():
    """Duan et al. 2016 have 74.7 with standard error 0.5; a plain simulation gives 74.96 ± 0.11."""
    budget = Episodes(100, 0)
    bandit = BernoulliBandit(5)
    mean, error = score(Thompson(bandit, budget), bandit, budget, 4096)
    assert abs(mean - 74.96) < 4 * np.hypot(error, 0.11)


def test_one_draw_is_plain_sampling():
    bandit = BernoulliBandit(5)
    pair = [
        evaluate(agent, bandit, "test", 300, 0, TEN, record_actions=True).actions
        for agent in (Thompson(bandit, TEN), OptimisticThompson(bandit, TEN, draws=1))
    ]
    assert (pair[0] == pair[1]).all()


def test_more_draws_come_nearer_to_the_densest_means():
    counts = ArmCounts(
        torch.tensor([[6.0, 3.0]]).expand(4000, 2), torch.tensor([[5.0, 1.0]]).expand(4000, 2)
    )
    distances = []
    for draws in (1, 10, 100):
        means = OptimisticThompson(BernoulliBandit(2), TEN, draws=draws).imagine(
            counts, torch_generator(0)
        )
        distances.append(float((means - torch.tensor([5 / 6, 1 / 3])).square().sum(1).mean()))
    assert distances[0] > 2 * distances[1] > 4 * distances[2]


def test_clipped_means_are_never_below_the_posterior_mean():
    agent = OptimisticThompson(BernoulliBandit(2), TEN, draws=1, clipped=True)
    counts = ArmCounts(
        torch.tensor([[6.0, 3.0]]).expand(4000, 2), torch.tensor([[5.0, 1.0]]).expand(4000, 2)
    )
    means = agent.imagine(counts, torch_generator(0))
    mean = torch.tensor([6 / 8, 2 / 5])
    assert (means >= mean).all()
    assert 0.3 < float((means == mean).double().mean()) < 0.7


@pytest.mark.parametrize(("arms", "published"), [(5, 6.5), (10, 6.2), (50, 5.5)])
def test_the_published_optimistic_scores_at_10_pulls(arms, published):
    """The published figures have a standard error of 0.07."""
    bandit = BernoulliBandit(arms)
    mean, _ = score(OptimisticThompson(bandit, TEN, draws=30), bandit, TEN, 2000)
    assert abs(mean - published) < 0.2


def test_bad_numbers_of_draws_are_refused():
    for draws in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"whole number of at least 1, not {draws}"):
            OptimisticThompson(BernoulliBandit(2), TEN, draws=draws)
