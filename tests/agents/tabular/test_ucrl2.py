"""UCRL2 for finite horizons."""

import itertools
import math

import pytest
import torch

from metarl.agents.tabular.greedy import MDPGreedy
from metarl.agents.tabular.ucrl2 import UCRL2, confidence_radii
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.agents.tabular.test_history import after
from tests.agents.tabular_scores import agrees, mean_total
from tests.agents.tabular_steps import invented, told


def test_the_radii_are_those_of_the_paper():
    visits = torch.tensor([[0.0, 1, 8, 3, 0, 0]])
    rewards, transitions = confidence_radii(
        visits, torch.tensor([12]), states=3, actions=2, delta=0.1
    )
    for i, n in enumerate([1, 1, 8, 3, 1, 1]):
        assert rewards[0, i].item() == pytest.approx(
            math.sqrt(7 * math.log(2 * 3 * 2 * 12 / 0.1) / (2 * n)), rel=1e-5
        )
        assert transitions[0, i].item() == pytest.approx(
            math.sqrt(14 * 3 * math.log(2 * 2 * 12 / 0.1) / n), rel=1e-5
        )
    # Nothing seen yet
    assert torch.isfinite(confidence_radii(visits, torch.tensor([0]), 3, 2, 0.1)[0]).all()


@pytest.mark.parametrize("estimate", ["posterior", "mode", "maximum-likelihood"])
def test_no_confidence_radius_is_greedy(estimate):
    distribution = RandomMDP(4, 3, 5)
    history = after(invented(4, 3, 40, 6, 0), 4, 3)
    agents = (
        UCRL2(distribution, Episodes(9), 0.0, estimate=estimate),
        MDPGreedy(distribution, Episodes(9), estimate),
    )
    assert torch.allclose(*(agent.plan(history, torch_generator(0)) for agent in agents), atol=1e-5)


def test_optimism_has_its_closed_form():
    """Two states, two steps, one action.

    With balls that allow everything, the best next state is certain.
    """
    history = after(told(0, [(0, 3.0, 1, None), (0, 5.0, 0, None)]), 2, 1)
    agent = UCRL2(RandomMDP(2, 1, 2), Episodes(9), 1.0)
    optimistic = torch.tensor([2.0, 3.0]) + math.sqrt(3.5 * math.log(2 * 2 * 2 / 0.05))
    assert torch.allclose(agent.plan(history, torch_generator(0))[0, 1, :, 0], optimistic)
    assert torch.allclose(
        agent.plan(history, torch_generator(0))[0, 0, :, 0], optimistic + optimistic.max()
    )


def test_more_scale_promises_more():
    history = after(invented(4, 3, 40, 6, 0), 4, 3)
    values = [
        UCRL2(RandomMDP(4, 3, 5), Episodes(9), scale).plan(history, torch_generator(0))
        for scale in (0.0, 0.02, 0.1, 1.0)
    ]
    for less, more in itertools.pairwise(values):
        assert (more > less).all()


@pytest.mark.parametrize(
    "parameters", [{"scale": -1.0}, {"scale": float("nan")}, {"delta": 0.0}, {"delta": 1.0}]
)
def test_bad_parameters_get_a_sentence(parameters):
    with pytest.raises(ValueError, match="delta lies between 0 and 1"):
        UCRL2(RandomMDP(), Episodes(2), **parameters)


@pytest.mark.parametrize(("episodes", "figure", "error"), [(10, 146.6, 0.9), (25, 424.1, 2.0)])
def test_the_published_one_believes_in_rewards_around_0(episodes, figure, error):
    """Duan et al. 2016, table 2."""
    assert agrees(
        mean_total(UCRL2, episodes, 1000, scale=0.2, reward_prior_mean=0.0, ties="random"),
        figure,
        error,
    )
