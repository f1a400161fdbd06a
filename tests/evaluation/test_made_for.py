"""An agent is scored on what it was made for alone.

Elsewhere a sentence, or the very scores of an agent made for that.
"""

from dataclasses import replace

import numpy as np
import pytest

import metarl
from metarl.agents.registry import AGENTS, agent_class, make_agent
from metarl.core.budget import Episodes, Steps
from metarl.core.reveal import reveal
from metarl.evaluation.memory import ForgetfulAgent
from metarl.evaluation.protocol import evaluate
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.registry import LEARNERS, SUPERVISED_LEARNERS, make_learner
from metarl.networks.policies.policy import NetworkConfig
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.mazes.four_rooms import FourRooms
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.grid_navi import GridNavi
from metarl.tasks.mdps.identity import Identity
from metarl.tasks.mdps.random_mdp import RandomMDP

FAMILIES = {
    "bernoulli": BernoulliBandit(3),
    "more arms": BernoulliBandit(5),
    "gaussian": GaussianBandit(3),
    "wider gaussian": GaussianBandit(3, prior_std=3.0),
    "mdp": RandomMDP(states=3, actions=2, horizon=3),
    "larger mdp": RandomMDP(states=4, actions=2, horizon=3),
    "longer mdp": RandomMDP(states=3, actions=2, horizon=5),
    "maze": GridMaze(3, horizon=12),
    "larger maze": GridMaze(4, horizon=12),
    "told bandit": reveal(BernoulliBandit(3)),
    "told bandit, more arms": reveal(BernoulliBandit(5)),
    "told mdp": reveal(RandomMDP(states=3, actions=2, horizon=3)),
    "told grid": reveal(GridNavi(3, horizon=6)),
    "told larger grid": reveal(GridNavi(4, horizon=6)),
    "told rooms": reveal(FourRooms(horizon=6)),
    "told longer rooms": reveal(FourRooms(horizon=9)),
    "told maze": reveal(GridMaze(3, horizon=12)),
    "told larger maze": reveal(GridMaze(4, horizon=12)),
    "goals": MovingBandits(horizon=6),
    "identity": Identity(3, 4),
}
BUDGET = Episodes(4)
TASKS = 30
BUDGETS = {"as long": BUDGET, "longer": Episodes(8), "shorter": Episodes(2), "steps": Steps(5)}
CASES = [
    (agent, name)
    for agent in AGENTS
    for name, family in FAMILIES.items()
    if agent_class(agent).supports(family)
]


def asked_of(agent, family, budget):
    """Return the returns that it gets, or the sentence."""
    try:
        return evaluate(agent, family, "test", TASKS, 0, budget).returns
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(("id", "name"), CASES, ids=[f"{agent}-{name}" for agent, name in CASES])
def test_what_an_agent_was_not_made_for_it_plays_as_one_that_was_or_not_at_all(id, name):
    agent = make_agent(id, FAMILIES[name], BUDGET)
    assert isinstance(asked_of(agent, FAMILIES[name], BUDGET), np.ndarray)
    others = [(name, budget) for budget in BUDGETS.values()] + [
        (other, BUDGET) for other in FAMILIES if other != name
    ]
    for other, budget in others:
        found = asked_of(agent, FAMILIES[other], budget)
        if isinstance(found, str):
            assert "was made for" in found, (other, budget, found)
            assert found.endswith("Build one for what it is to play: make_agent, or learner.agent.")
        else:
            assert agent_class(id).supports(FAMILIES[other]), (other, "should be refused")
            wanted = asked_of(make_agent(id, FAMILIES[other], budget), FAMILIES[other], budget)
            # How many numbers they draw depends on the room they have
            drawn_anew = id in ("psrl", "opsrl") and budget != BUDGET
            assert drawn_anew or np.array_equal(found, wanted), (other, budget)


def test_a_table_for_ten_pulls_plays_ten_pulls():
    bandit = BernoulliBandit(3)
    for id in ("bayes-optimal", "gittins"):
        for pulls in (5, 20):
            with pytest.raises(ValueError, match=rf"made for exactly 10 steps .* not for {pulls}"):
                evaluate(
                    make_agent(id, bandit, Episodes(10)), bandit, "test", 5, 0, Episodes(pulls)
                )
    with pytest.raises(
        ValueError, match=r"action_space Discrete\(5\); BernoulliBandit-v0 has Discrete\(8\)"
    ):
        evaluate(
            make_agent("thompson", BernoulliBandit(5), Episodes(10)),
            BernoulliBandit(8),
            "test",
            5,
            0,
            Episodes(10),
        )
    with pytest.raises(ValueError, match="at most 10 steps"):
        evaluate(make_agent("thompson", bandit, Episodes(10)), bandit, "test", 5, 0, Episodes(11))
    assert (
        evaluate(
            make_agent("ucb1", bandit, Episodes(10)), bandit, "test", 5, 0, Episodes(20)
        ).num_tasks
        == 5
    )


def test_an_agent_whose_memory_is_disturbed_is_made_for_the_same():
    bandit = BernoulliBandit(3)
    agent = ForgetfulAgent(make_agent("bayes-optimal", bandit, Episodes(10)))
    with pytest.raises(ValueError, match="exactly 10 steps"):
        evaluate(agent, bandit, "test", 5, 0, Episodes(20))


@pytest.mark.parametrize("name", [name for name in LEARNERS if name not in SUPERVISED_LEARNERS])
def test_a_trained_agent_says_for_what_it_was_made(name):
    agent = make_learner(name, Identity(3, 10), None).agent(Episodes(2))
    assert agent.made_for.distribution.id == "Identity-v0"
    with pytest.raises(ValueError, match="was made for the"):
        evaluate(agent, BernoulliBandit(3), "test", 3, 0, Episodes(2))


@pytest.mark.parametrize(
    ("core", "refused"),
    [
        ("attention", "at most 4 steps"),
        ("per_pair_memory", "exactly 4 steps"),
        ("gru", None),
        ("none", None),
    ],
)
def test_how_long_a_policy_can_play_is_its_cores_affair(core, refused):
    bandit = BernoulliBandit(3)
    config = RL2Config(
        episodes=4, num_envs=8, iterations=1, network=NetworkConfig(core=core, hidden_size=16)
    )
    learner = make_learner("rl2", bandit, config)
    agent = learner.agent(Episodes(4))
    if refused is None:
        assert evaluate(agent, bandit, "test", 3, 0, Episodes(8)).num_tasks == 3
        return
    with pytest.raises(ValueError, match=refused):
        evaluate(agent, bandit, "test", 3, 0, Episodes(8))
    if core == "per_pair_memory":  # told how many steps are left, it plays any number
        assert (
            evaluate(learner.agent(Episodes(8)), bandit, "test", 3, 0, Episodes(8)).num_tasks == 3
        )


def test_an_agent_that_learns_on_is_not_asked_for_episodes():
    tasks = Identity(3, 4)
    learner = make_learner("joint-ppo", tasks, None)
    with pytest.raises(ValueError, match="acts otherwise within"):
        evaluate(learner.agent(Steps(8)), tasks, "test", 2, 0, Episodes(2))


def test_agents_of_users_need_not_say_it():
    class Zeros:
        def initial_state(self, batch_size):
            return ()

        def act(self, step, state, rng):
            return step.prev_action * 0, ()

    assert evaluate(Zeros(), BernoulliBandit(3), "test", 3, 0, Episodes(2)).num_tasks == 3
    stranger = Zeros()
    stranger.action_space = BernoulliBandit(4).action_space
    with pytest.raises(ValueError, match="was made for the action_space"):
        evaluate(stranger, BernoulliBandit(3), "test", 3, 0, Episodes(2))


def test_an_equal_distribution_made_anew_is_the_same():
    agent = metarl.make_agent("psrl", metarl.make("RandomMDP-v0"), Episodes(2))
    assert replace(agent.made_for).objection(metarl.make("RandomMDP-v0"), Episodes(2)) is None
