"""Greedy agents for MDPs."""

import pytest
import torch

from metarl.agents.tabular.greedy import MDPEpsilonGreedy, MDPGreedy
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.agents.tabular_scores import agrees, mean_total
from tests.agents.tabular_steps import invented, told


def test_without_data_every_action_ties_and_the_first_is_taken():
    agent = MDPGreedy(RandomMDP(3, 4, 5), Episodes(2, 0))
    action, state = agent.act(told(0, [])[0], agent.initial_state(1), torch_generator(0))
    assert action.tolist() == [0]
    assert not state.plan.any()


def test_it_returns_to_what_paid():
    """Two states.

    Action 1 in state 1 paid 9; action 1 in state 0 led there. The next episode goes for it at once.
    """
    distribution = RandomMDP(2, 2, 2)
    steps = told(0, [(1, 0.0, 1, None), (1, 9.0, 1, "truncated")] * 3)
    for estimate in ("posterior", "mode", "maximum-likelihood"):
        agent = MDPGreedy(distribution, Episodes(10, 0), estimate)
        state = agent.initial_state(1)
        rng = torch_generator(0)
        for step in steps:
            _, state = agent.act(step, state, rng)
        assert state.plan[0].tolist() == [[1, 1], [0, 1]], estimate


def test_action_values_after_one_step_have_their_closed_form():
    """One pull of action 0 in state 0 paid 3 and led to state 1.

    Posterior mean 2, next state 1 with probability 2/3.
    """
    agent = MDPGreedy(RandomMDP(2, 2, 2), Episodes(2, 0))
    state = agent.initial_state(1)
    rng = torch_generator(0)
    for step in told(0, [(0, 3.0, 1, "terminated")]):
        _, state = agent.act(step, state, rng)
    values = agent.plan(state.history, rng)[0]  # [H, S, A]
    assert values[1].tolist() == [[2, 1], [1, 1]]
    wanted = [[2 + 2 / 3 * 1 + 1 / 3 * 2, 1 + 1.5], [1 + 1.5, 1 + 1.5]]
    assert torch.allclose(values[0], torch.tensor(wanted))


def test_epsilon_0_is_greedy_and_epsilon_1_is_random():
    distribution = RandomMDP(4, 3, 4)
    steps = invented(4, 3, 40, 200, 0)
    actions = {}
    for name, agent in {
        "greedy": MDPGreedy(distribution, Episodes(20, 0)),
        "0": MDPEpsilonGreedy(distribution, Episodes(20, 0), 0.0),
        "0.3": MDPEpsilonGreedy(distribution, Episodes(20, 0), 0.3),
        "1": MDPEpsilonGreedy(distribution, Episodes(20, 0), 1.0),
    }.items():
        state = agent.initial_state(200)
        rng = torch_generator(0, "agent")
        chosen = []
        for step in steps:
            action, state = agent.act(step, state, rng)
            chosen.append(action)
        actions[name] = torch.stack(chosen)
    assert torch.equal(actions["0"], actions["greedy"])
    assert (actions["0.3"] != actions["greedy"]).float().mean().item() == pytest.approx(
        0.3 * 2 / 3, abs=0.03
    )
    shares = torch.bincount(actions["1"].flatten(), minlength=3) / actions["1"].numel()
    assert (shares - 1 / 3).abs().max().item() < 5 * 0.5 / 8000**0.5


@pytest.mark.parametrize("epsilon", [-0.1, 1.5, float("nan")])
def test_an_epsilon_that_is_no_probability_gets_a_sentence(epsilon):
    with pytest.raises(ValueError, match="epsilon is a probability"):
        MDPEpsilonGreedy(RandomMDP(), Episodes(2), epsilon)


@pytest.mark.parametrize(("episodes", "figure", "error"), [(10, 149.3, 1.5), (25, 426.7, 3.5)])
def test_posterior_mean_greedy_scores_as_known(episodes, figure, error):
    assert agrees(mean_total(MDPGreedy, episodes, 800), figure, error)


@pytest.mark.parametrize(("episodes", "figure", "error"), [(10, 134.8, 0.9), (25, 368.8, 2.0)])
def test_the_published_greedy_believes_in_rewards_around_0(episodes, figure, error):
    """Duan et al. 2016, table 2."""
    wrong_prior = {"estimate": "mode", "reward_prior_mean": 0.0, "ties": "random"}
    assert agrees(mean_total(MDPGreedy, episodes, 1500, **wrong_prior), figure, error)
    assert not agrees(mean_total(MDPGreedy, episodes, 1500), figure, error)
