"""The linear probe.

It finds what is there, not what isn't, and reads the states that the policy had when it acted.
"""

import numpy as np
import pytest
import torch

from benchmarks.randomised_physics.probe import (
    hidden_states,
    parameters_of,
    played_steps,
    probe,
    signs_apart,
)
from metarl.agents.registry import make_agent
from metarl.core.budget import Episodes
from metarl.learners.memory.rl2 import RL2, RL2Config
from metarl.networks.policies.policy import NetworkConfig
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.control.cart_pole import CartPole


def test_it_reads_what_lies_in_a_straight_line_and_nothing_else():
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((4000, 8))
    targets = {
        "linear": hidden @ np.arange(8) + 3,
        "noisy": hidden[:, 0] + rng.standard_normal(4000),
        "other": rng.standard_normal(4000),
    }
    scores = probe(hidden, targets)
    assert scores["linear"] > 0.999
    assert scores["noisy"] == pytest.approx(0.5, abs=0.05)
    assert abs(scores["other"]) < 0.02


def test_units_that_never_change_do_no_harm():
    hidden = np.concatenate(
        [np.ones((100, 2)), np.random.default_rng(0).standard_normal((100, 1))], 1
    )
    assert probe(hidden, {"last": hidden[:, 2]})["last"] > 0.99


def test_too_few_tasks_get_a_sentence():
    with pytest.raises(ValueError, match="too few"):
        probe(np.zeros((3, 2)), {"x": np.arange(3.0)})


def test_parameters_that_differ_between_tasks():
    bandits = parameters_of(BernoulliBandit(3).sample(10, "test", 0))
    assert len(bandits) == 3
    assert all(values.shape == (10,) for values in bandits.values())
    assert "friction" not in parameters_of(
        CartPole(low=0.5, high=2.0, friction=0.0).sample(10, "test", 0)
    )


def test_directions_and_strengths_are_told_apart():
    forces = {"force": np.array([-2.0, 1.0, 3.0]), "length": np.array([1.0, 2.0, 3.0])}
    apart = signs_apart(forces)
    assert {name: values.tolist() for name, values in apart.items()} == {
        "force, direction": [-1, 1, 1],
        "force, strength": [2, 1, 3],
        "length": [1, 2, 3],
    }


def test_the_direction_alone_explains_most_of_a_signed_force_and_none_of_its_strength():
    force = CartPole().sample(20_000, "test", 0).force.numpy()
    scores = probe(np.sign(force)[:, None], {"force": force, **signs_apart({"force": force})})
    assert scores["force"] == pytest.approx(0.73, abs=0.02)
    assert scores["force, direction"] > 0.99
    assert abs(scores["force, strength"]) < 0.01


def test_a_row_plays_until_its_meta_episode_ends():
    distribution = CartPole(horizon=40)
    budget = Episodes(2, 0)
    agent = make_agent("random", distribution, budget)
    tasks = distribution.sample(50, "test", 0)
    _, playing = played_steps(agent, distribution, tasks, budget, 0)
    assert playing[0].all()
    lengths = playing.sum(0)
    assert 2 < lengths.min() < lengths.max() <= 80, "poles fall sooner or later"
    assert (playing == (torch.arange(80)[:, None] < lengths)).all(), "nothing goes on after its end"


def test_what_does_not_differ_between_the_scored_tasks_has_no_score():
    assert np.isnan(
        probe(np.random.default_rng(0).standard_normal((40, 2)), {"same": np.ones(40)})["same"]
    )


@pytest.mark.parametrize("core", ["gru", "lstm"])
def test_states_are_those_of_acting(core):
    distribution = BernoulliBandit(3)
    budget = Episodes(6, 0)
    agent = RL2(
        RL2Config(episodes=6, num_envs=4, iterations=1, network=NetworkConfig(core, hidden_size=8)),
        distribution,
        0,
    ).agent(budget)
    tasks = distribution.sample(20, "test", 0).to("cpu", torch.float32)
    steps, playing = played_steps(agent, distribution, tasks, budget, 0)
    assert len(steps) == 6
    assert playing.all()
    assert playing.shape == (6, 20)
    found = hidden_states(agent.policy, steps, (0, 3))
    assert sorted(found) == [0, 3]
    state = agent.initial_state(20)
    for t in range(4):
        _, state = agent.policy(steps[t], state)
    whole = state.core if isinstance(state.core, torch.Tensor) else torch.cat(list(state.core), -1)
    torch.testing.assert_close(found[3], whole.detach())


def test_a_memory_of_rewards_tells_which_arm_pays():
    """A hidden state that is the rewards themselves reads the arm's probability as well as the mean
    of the pulls does.
    """
    rng = np.random.default_rng(1)
    chance = rng.random(4000)
    rewards = (rng.random((4000, 50)) < chance[:, None]).astype(float)
    assert probe(rewards, {"chance": chance})["chance"] > 0.9
