"""Optimistic posterior sampling."""

import pytest
import torch

from metarl.agents.tabular.opsrl import OPSRL
from metarl.agents.tabular.psrl import PSRL
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.agents.tabular_scores import agrees, mean_total
from tests.agents.tabular_steps import invented


def test_one_sample_is_posterior_sampling():
    distribution = RandomMDP(4, 3, 4)
    steps = invented(4, 3, 30, 6, 0)
    agents = PSRL(distribution, Episodes(10, 0)), OPSRL(distribution, Episodes(10, 0), samples=1)
    states = [agent.initial_state(6) for agent in agents]
    streams = [torch_generator(0, "agent") for _ in agents]
    for step in steps:
        actions = []
        for i, agent in enumerate(agents):
            action, states[i] = agent.act(step, states[i], streams[i])
            actions.append(action)
        assert torch.equal(*actions)


def test_more_samples_promise_more():
    """One state, one step, nothing seen.

    The best of m normal means has the expected maximum of m normal variates.
    """
    history = OPSRL(RandomMDP(1, 2, 1), Episodes(1, 0)).initial_state(20_000).history
    for samples, expected in ((1, 0.0), (2, 0.5642), (5, 1.1630), (10, 1.5388)):
        values = OPSRL(RandomMDP(1, 2, 1), Episodes(1, 0), samples).plan(
            history, torch_generator(0)
        )
        assert values.mean().item() == pytest.approx(1 + expected, abs=0.03)


@pytest.mark.parametrize("samples", [0, -2, 1.5])
def test_a_number_of_samples_that_is_none_gets_a_sentence(samples):
    with pytest.raises(ValueError, match="samples must be a whole number of at least 1"):
        OPSRL(RandomMDP(), Episodes(2), samples)


@pytest.mark.parametrize(
    ("episodes", "tasks", "figure", "error"), [(10, 600, 144.1, 0.9), (25, 200, 425.2, 2.0)]
)
def test_the_published_one_believes_in_rewards_around_0(episodes, tasks, figure, error):
    """Duan et al. 2016, table 2."""
    assert agrees(
        mean_total(OPSRL, episodes, tasks, samples=20, reward_prior_mean=0.0), figure, error
    )
