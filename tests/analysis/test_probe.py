"""The linear probe: it finds what is there, not what isn't, and reads the states that the policy had when it acted."""

import numpy as np
import pytest
import torch

from metarl.analysis.probe import hidden_states, parameters_of, played_steps, probe
from metarl.envs.budget import Episodes
from metarl.learners.rl2 import RL2, RL2Config
from metarl.networks.policy import NetworkConfig
from metarl.tasks.bernoulli_bandit import BernoulliBandit
from metarl.tasks.cart_pole import CartPole


def test_it_reads_what_lies_in_a_straight_line_and_nothing_else():
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((4000, 8))
    targets = {"linear": hidden @ np.arange(8) + 3, "noisy": hidden[:, 0] + rng.standard_normal(4000), "other": rng.standard_normal(4000)}
    scores = probe(hidden, targets)
    assert scores["linear"] > 0.999
    assert scores["noisy"] == pytest.approx(0.5, abs=0.05)
    assert abs(scores["other"]) < 0.02


def test_units_that_never_change_do_no_harm():
    hidden = np.concatenate([np.ones((100, 2)), np.random.default_rng(0).standard_normal((100, 1))], 1)
    assert probe(hidden, {"last": hidden[:, 2]})["last"] > 0.99


def test_too_few_tasks_get_a_sentence():
    with pytest.raises(ValueError, match="too few"):
        probe(np.zeros((3, 2)), {"x": np.arange(3.0)})


def test_parameters_that_differ_between_tasks():
    bandits = parameters_of(BernoulliBandit(3).sample(10, "test", 0))
    assert len(bandits) == 3
    assert all(values.shape == (10,) for values in bandits.values())
    assert "friction" not in parameters_of(CartPole(low=0.5, high=2.0, friction=0.0).sample(10, "test", 0))


@pytest.mark.parametrize("core", ["gru", "lstm"])
def test_states_are_those_of_acting(core):
    distribution, budget = BernoulliBandit(3), Episodes(6, 0)
    agent = RL2(RL2Config(episodes=6, num_envs=4, iterations=1, network=NetworkConfig(core, units=8)), distribution, 0).agent(budget)
    tasks = distribution.sample(20, "test", 0).to("cpu", torch.float32)
    steps = played_steps(agent, distribution, tasks, budget, 0)
    assert len(steps) == 6
    found = hidden_states(agent.policy, steps, (0, 3))
    assert sorted(found) == [0, 3]
    state = agent.initial_state(20)
    for t in range(4):
        _, state = agent.policy(steps[t], state)
    whole = state.core if isinstance(state.core, torch.Tensor) else torch.cat(list(state.core), -1)
    torch.testing.assert_close(found[3], whole.detach())


def test_a_memory_of_rewards_tells_which_arm_pays():
    """A hidden state that is the rewards themselves reads the arm's probability as well as the mean of the pulls does."""
    rng = np.random.default_rng(1)
    chance = rng.random(4000)
    rewards = (rng.random((4000, 50)) < chance[:, None]).astype(float)
    assert probe(rewards, {"chance": chance})["chance"] > 0.9
