"""Agents by their ids."""

import inspect
import re

import pytest

import metarl
from metarl.agents.random import RandomAgent
from metarl.agents.registry import AGENTS, agent_class, agent_names, make_agent
from metarl.core import lookup as entries
from metarl.core.agent import Agent, agent_repr
from metarl.core.budget import Episodes
from metarl.core.reveal import reveal
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.games.coin_run import CoinRun
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.grid_navi import GridNavi
from metarl.tasks.mdps.random_mdp import RandomMDP
from metarl.tasks.metaworld.meta_world import MetaWorldML1
from tests.core.test_lookup import Point

BUDGET = Episodes(4, 0)
PLAYED = [BernoulliBandit(3), GaussianBandit(3), RandomMDP(), GridMaze(3), MovingBandits()]
PLAYED += [reveal(each) for each in (BernoulliBandit(3), RandomMDP(), GridMaze(3), GridNavi(3))]
ARM = MetaWorldML1(horizon=2, goal_visible=True)
LEVELS = CoinRun(levels=1, test_levels=1)


@pytest.mark.parametrize("id", AGENTS)
def test_every_id_makes_an_agent_of_that_id_with_any_parameters_of_its_grid(id):
    kind = agent_class(id)
    assert kind.id == id
    assert kind.label
    playable = [
        distribution for distribution in [*PLAYED, ARM, LEVELS] if kind.supports(distribution)
    ]
    assert playable
    for name, values in kind.grid.items():
        assert len(set(values)) == len(values) > 1
        for value in values:
            assert isinstance(make_agent(id, playable[0], BUDGET, **{name: value}), Agent)
    assert type(make_agent(id, playable[0], BUDGET)) is kind


def test_names_of_the_agents_that_can_play():
    bandit = {
        "random",
        "bandit-greedy",
        "bandit-epsilon-greedy",
        "ucb1",
        "thompson",
        "optimistic-thompson",
        "gittins",
    }
    assert set(agent_names(GaussianBandit(3))) == bandit
    assert set(agent_names(BernoulliBandit(3))) == bandit | {"bayes-optimal"}
    assert set(agent_names(reveal(BernoulliBandit(3)))) == {"random", "known-arm"}
    mdp = {"random", "mdp-greedy", "mdp-epsilon-greedy", "psrl", "opsrl", "ucrl2", "beb"}
    assert set(agent_names(RandomMDP())) == mdp
    assert set(agent_names(MovingBandits())) == {"random", "shared-goal", "random-master"}
    assert set(agent_names(reveal(MovingBandits()))) == {"random", "known-goal"}
    assert set(agent_names(ARM)) == {"random", "do-nothing", "scripted-expert"}
    assert set(agent_names()) >= set(AGENTS)


def test_parameters_reach_the_agent():
    assert metarl.make_agent("ucb1", BernoulliBandit(2), BUDGET, c=0.7).c == 0.7


@pytest.mark.parametrize(
    ("id", "arguments", "words"),
    [
        ("ubc1", {}, "no agent 'ubc1'. Did you mean 'ucb1'?"),
        (
            "psrl",
            {},
            (
                "'psrl' can't play metarl.make('BernoulliBandit-v0', arms=3); agents that can:"
                " bandit-epsilon-greedy, "
            ),
        ),
        ("ucb1", {"width": 1}, "'ucb1' has no parameter 'width'; it has c, random_ties."),
        ("thompson", {"c": 1}, "'thompson' has no parameter 'c'; it has none."),
        ("ucb1", {"c": "wide"}, "'ucb1' can't be made with {'c': 'wide'}"),
        ("ucb1", {"c": -1}, "can't be -1"),
    ],
)
def test_bad_requests_get_a_sentence(id, arguments, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        make_agent(id, BernoulliBandit(3), BUDGET, **arguments)


def test_other_packages_register_theirs_by_entry_point(monkeypatch):
    monkeypatch.setattr(
        entries,
        "entry_points",
        lambda group: [Point("dice", RandomAgent)] if group == "metarl.agents" else [],
    )
    assert "dice" in agent_names()
    assert isinstance(make_agent("dice", BernoulliBandit(3), BUDGET), RandomAgent)


def test_agents_that_must_be_told_the_task_say_so():
    with pytest.raises(
        ValueError, match="must be told the task: it plays MovingBandits-v0/revealed"
    ):
        make_agent("known-goal", MovingBandits(), BUDGET)
    with pytest.raises(ValueError, match=r"random-master\.?$|shared-goal\.?$|random\.?$"):
        make_agent("gittins", MovingBandits(), BUDGET)


def numbered_parameters():
    """Every agent's parameters that are numbers or truth values."""
    for id in AGENTS:
        for name, parameter in list(
            inspect.signature(agent_class(id), eval_str=True).parameters.items()
        )[2:]:
            if parameter.annotation in (int, float, bool, float | None):
                yield id, name


@pytest.mark.parametrize(("id", "name"), [*numbered_parameters()])
@pytest.mark.parametrize("value", ["x", [1]])
def test_a_parameter_of_another_type_is_named(id, name, value):
    played = next(each for each in [*PLAYED, LEVELS] if agent_class(id).supports(each))
    with pytest.raises(
        ValueError,
        match=f"{name} must be (a whole number|a number|a number or None|true or false), not",
    ):
        make_agent(id, played, BUDGET, **{name: value})


@pytest.mark.parametrize("id", AGENTS)
def test_an_agent_says_what_it_is_in_a_line(id):
    played = next((each for each in PLAYED if agent_class(id).supports(each)), None)
    if played is None:
        assert agent_class(id).__repr__ is agent_repr
        return
    agent = make_agent(id, played, BUDGET)
    assert repr(agent) == f"<{agent_class(id).__name__} made for {BUDGET} of {played!r}>"
