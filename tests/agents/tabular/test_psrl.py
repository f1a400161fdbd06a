"""Posterior sampling."""

import pytest
import torch

from metarl.agents.tabular.psrl import PSRL
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.agents.tabular_scores import agrees, mean_total
from tests.agents.tabular_steps import told


def test_the_first_plan_is_drawn_from_the_prior_and_a_new_one_each_episode():
    agent = PSRL(RandomMDP(3, 2, 4), Episodes(3, 0))
    steps = told(0, [(0, 1.0, 1, None), (0, 1.0, 1, "truncated")])
    batch = [type(step)(*(part.expand(4000, *part.shape[1:]) for part in step)) for step in steps]
    state = agent.initial_state(4000)
    rng = torch_generator(0)
    plans = []
    for step in batch:
        _, state = agent.act(step, state, rng)
        plans.append(state.plan)
    # Both actions are alike a priori
    assert plans[0].float().mean().item() == pytest.approx(0.5, abs=5 * 0.5 / 4000**0.5)
    assert torch.equal(plans[0], plans[1])
    assert (plans[1] != plans[2]).float().mean().item() > 0.2


def test_it_chooses_an_action_as_often_as_it_is_best():
    """One state, one step.

    Action 0 paid 2 thrice, so its mean is N(7/4, 1/4) and the other's N(1, 1).
    """
    agent = PSRL(RandomMDP(1, 2, 1), Episodes(9, 0))
    steps = told(0, [(0, 2.0, 0, "truncated")] * 3)
    state = agent.initial_state(20_000)
    rng = torch_generator(0)
    for step in steps:
        action, state = agent.act(
            type(step)(*(part.expand(20_000, *part.shape[1:]) for part in step)), state, rng
        )
    better = torch.distributions.Normal(0, 1).cdf(torch.tensor(0.75 / 1.25**0.5)).item()
    assert (action == 0).float().mean().item() == pytest.approx(better, abs=5 * 0.5 / 20_000**0.5)


@pytest.mark.parametrize(("episodes", "figure", "error"), [(10, 131.9, 1.5), (25, 404.6, 3.5)])
def test_it_scores_as_known(episodes, figure, error):
    assert agrees(mean_total(PSRL, episodes, 800), figure, error)


@pytest.mark.parametrize(
    ("episodes", "figure", "error"), [(10, 138.1, 0.9), (25, 408.8, 2.0), (50, 904.4, 4.0)]
)
def test_the_published_one_believes_in_rewards_around_0(episodes, figure, error):
    """Duan et al. 2016, table 2."""
    assert agrees(mean_total(PSRL, episodes, 1000, reward_prior_mean=0.0), figure, error)
