"""Bayesian exploration bonus."""

import pytest
import torch

from metarl.agents.tabular.beb import BEB
from metarl.agents.tabular.greedy import MDPGreedy
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.agents.tabular.test_history import after
from tests.agents.tabular_scores import agrees, mean_total
from tests.agents.tabular_steps import invented, told


def test_the_bonus_has_its_closed_form():
    """One state, one step: action 0 was tried twice and paid 2 each time, action 1 never."""
    history = after(told(0, [(0, 2.0, 0, "truncated")] * 2), 1, 2)
    values = BEB(RandomMDP(1, 2, 1), Episodes(3, 0), beta=3.0).plan(history, torch_generator(0))
    assert torch.allclose(values.flatten(), torch.tensor([5 / 3 + 3 / 3, 1 + 3]))
    values = BEB(RandomMDP(1, 2, 1), Episodes(3, 0), beta=3.0, prior_visits=4.0).plan(
        history, torch_generator(0)
    )
    assert torch.allclose(values.flatten(), torch.tensor([5 / 3 + 3 / 7, 1 + 3 / 5]))


def test_no_bonus_is_greedy():
    distribution = RandomMDP(4, 3, 5)
    history = after(invented(4, 3, 40, 6, 0), 4, 3)
    plans = [
        agent.plan(history, torch_generator(0))
        for agent in (BEB(distribution, Episodes(9), 0.0), MDPGreedy(distribution, Episodes(9)))
    ]
    assert torch.equal(*plans)


def test_a_bonus_is_worth_as_much_as_a_higher_prior_mean():
    """With equal spread of prior and noise, beta / (1 + n) shifts the posterior mean as a prior
    mean higher by beta does.
    """
    history = after(invented(4, 3, 40, 6, 0), 4, 3)
    bonus = BEB(RandomMDP(4, 3, 5), Episodes(9), 2.0, reward_prior_mean=0.0).plan(
        history, torch_generator(0)
    )
    shifted = MDPGreedy(RandomMDP(4, 3, 5), Episodes(9), reward_prior_mean=2.0).plan(
        history, torch_generator(0)
    )
    assert torch.allclose(bonus, shifted, atol=1e-5)


@pytest.mark.parametrize(
    "parameters", [{"beta": -1.0}, {"beta": float("nan")}, {"prior_visits": -0.5}]
)
def test_a_negative_bonus_gets_a_sentence(parameters):
    with pytest.raises(ValueError, match="can't be negative"):
        BEB(RandomMDP(), Episodes(2), **parameters)


@pytest.mark.parametrize(("episodes", "figure", "error"), [(10, 146.6, 1.5), (25, 442.5, 3.5)])
def test_it_scores_as_known(episodes, figure, error):
    assert agrees(mean_total(BEB, episodes, 800, beta=1.0), figure, error)


@pytest.mark.parametrize(("episodes", "figure", "error"), [(10, 150.2, 0.9), (25, 427.8, 2.0)])
def test_the_published_one_believes_in_rewards_around_0_and_counts_the_prior(
    episodes, figure, error
):
    """Duan et al. 2016, table 2."""
    parameters = {"beta": 30.0, "prior_visits": 10.0, "reward_prior_mean": 0.0, "ties": "random"}
    assert agrees(mean_total(BEB, episodes, 1000, **parameters), figure, error)
