"""What every agent for tabular MDPs must hold to beside the contract of agents.

Plans that last an episode, the known model as ceiling.
"""

import numpy as np
import pytest
import torch

from metarl.agents.registry import agent_class, agent_names, make_agent
from metarl.agents.tabular.beb import BEB
from metarl.agents.tabular.greedy import MDPEpsilonGreedy, MDPGreedy
from metarl.agents.tabular.known_model import KnownModel
from metarl.agents.tabular.opsrl import OPSRL
from metarl.agents.tabular.planning_agent import TabularAgent
from metarl.agents.tabular.psrl import PSRL
from metarl.agents.tabular.ucrl2 import UCRL2
from metarl.checks.acting import ACTING_CHECKS
from metarl.core.budget import Episodes, Steps
from metarl.core.reveal import reveal
from metarl.core.seeding import torch_generator
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.agents.tabular.test_history import after
from tests.agents.tabular_steps import invented

AGENTS = [MDPGreedy, MDPEpsilonGreedy, PSRL, OPSRL, UCRL2, BEB]
SMALL = RandomMDP(4, 3, 4)


@pytest.mark.parametrize("check", ACTING_CHECKS, ids=lambda check: check.__name__)
def test_the_contract_of_agents_holds_with_random_ties_too(check):
    check(
        lambda distribution, budget: BEB(distribution, budget, ties="random", prior_visits=4.0),
        SMALL,
        Steps(10),
    )


@pytest.mark.parametrize("kind", AGENTS, ids=lambda kind: kind.id)
def test_invented_meta_episodes_with_unequal_episodes_are_played(kind):
    agent = kind(SMALL, Episodes(20, 0))
    state = agent.initial_state(5)
    rng = torch_generator(0, "agent")
    starts = 0
    steps = invented(4, 3, 60, 5, 1)
    for step in steps:
        plan_before = state.plan.clone()
        clock_before = state.clock.clone()
        action, state = agent.act(step, state, rng)
        assert torch.equal(
            state.clock, torch.where(step.episode_start, 0, clock_before + 1).clamp_max(3)
        )
        goes_on = ~step.episode_start
        # A plan lasts for its episode
        assert torch.equal(state.plan[goes_on], plan_before[goes_on])
        if kind is not MDPEpsilonGreedy:
            assert torch.equal(action, state.plan[torch.arange(5), state.clock, step.observation])
        starts += int(step.episode_start.sum())
    assert starts > 30
    for found, wanted in zip(state.history, after(steps, 4, 3, capacity=80), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("kind", AGENTS, ids=lambda kind: kind.id)
def test_nothing_beats_the_known_model(kind):
    distribution = RandomMDP(5, 3, 5)
    budget = Episodes(15, 0)
    scores = evaluate(kind(distribution, budget), distribution, "test", 400, 3, budget).scores()
    told = reveal(distribution)
    known = evaluate(KnownModel(told, budget), told, "test", 400, 3, budget).scores()
    difference = known - scores
    assert difference.mean() > 3.1 * difference.std() / 400**0.5
    bound = distribution.upper_bound(distribution.sample(400, "test", 3), 15).numpy()
    above = scores - bound
    assert above.mean() < 3.1 * above.std() / 400**0.5
    assert scores.mean() > 15 * 5 + 10  # a random agent's mean, and then some


@pytest.mark.parametrize("kind", AGENTS, ids=lambda kind: kind.id)
def test_the_registry_knows_it(kind):
    assert agent_class(kind.id) is kind
    assert kind.id in agent_names(RandomMDP())
    assert kind.id not in agent_names(BernoulliBandit(3))
    assert kind.id not in agent_names(reveal(RandomMDP()))
    for name, values in kind.grid.items():
        for value in values:
            assert (
                getattr(make_agent(kind.id, SMALL, Episodes(2, 0), **{name: value}), name) == value
            )
    with pytest.raises(ValueError, match="plays random MDPs"):
        kind(BernoulliBandit(3), Episodes(2))


def test_another_prior_mean_is_believed_without_touching_the_distribution():
    agent = MDPGreedy(SMALL, Episodes(2, 0), reward_prior_mean=-3.0)
    assert agent.prior.reward_prior_mean == -3.0
    assert agent.distribution.reward_prior_mean == 1.0
    history = agent.initial_state(1).history
    assert torch.allclose(
        agent.plan(history, torch_generator(0))[0, :, 0, 0], torch.tensor([-12.0, -9.0, -6.0, -3.0])
    )


def test_random_ties_are_fair_and_spare_the_others():
    class Tied(TabularAgent):
        id = "tied"
        label = "Tied"

        def plan(self, history, rng):
            return torch.tensor([1.0, 3.0, 3.0]).expand(len(history.length), 4, 4, 3)

    state = Tied(SMALL, Episodes(1, 0)).initial_state(1000)
    step = invented(4, 3, 1, 1000, 0)[0]
    _, first = Tied(SMALL, Episodes(1, 0)).act(step, state, torch_generator(0, "a"))
    assert first.plan.unique().tolist() == [1]
    _, mixed = Tied(SMALL, Episodes(1, 0), ties="random").act(
        step, Tied(SMALL, Episodes(1, 0)).initial_state(1000), torch_generator(0, "a")
    )
    share = np.bincount(mixed.plan.flatten().numpy(), minlength=3) / mixed.plan.numel()
    assert share[0] == 0
    assert share[1] == pytest.approx(0.5, abs=5 * 0.5 / 16_000**0.5)


def test_an_unknown_rule_for_ties_gets_a_sentence():
    with pytest.raises(ValueError, match="no rule 'last' for ties; choose first or random"):
        MDPGreedy(SMALL, Episodes(2), ties="last")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", AGENTS, ids=lambda kind: kind.id)
def test_it_plays_on_a_gpu(kind):
    distribution = RandomMDP()
    budget = Episodes(10, 0)
    there = evaluate(
        kind(distribution, budget), distribution, "test", 4000, 0, budget, device="cuda"
    ).scores()
    here = evaluate(kind(distribution, budget), distribution, "test", 4000, 0, budget).scores()
    spread = (here.std() ** 2 / 4000 + there.std() ** 2 / 4000) ** 0.5
    assert abs(here.mean() - there.mean()) < 4 * spread
