"""RL² learns.

To remember on bandits, to read what it is shown, with every core, kind of action, and a user's own
policy.
"""

import gymnasium as gym
import numpy as np
import pytest

import metarl
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.learners.memory.rl2 import RL2, RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.networks.policies.policy import NetworkConfig
from tests.learners.made_tasks import Matching, Ragged
from tests.learners.running_sums import running_sums
from tests.learners.small_rl2 import every_core

# Mean of Thompson sampling on ten pulls of five arms (Duan et al. 2016, table 1); the optimum is
# 6.66, random play 5
THOMPSON = 5.7


def scores(
    distribution,
    episodes,
    iterations,
    seed=0,
    core="gru",
    num_envs=256,
    lr=1e-2,
    make_policy=None,
    **ppo,
):
    """Mean scores of a trained learner's seeds on 2,000 test tasks."""
    network = NetworkConfig(core=core, hidden_size=16, layers=1)
    config = RL2Config(episodes, num_envs, iterations, network=network, ppo=PPOConfig(lr=lr, **ppo))
    learner = RL2(config, distribution, seed, make_policy=make_policy)
    while not learner.finished:
        learner.update()
    budget = Episodes(episodes)
    agents = [learner.agent(budget, seed_index) for seed_index in range(learner.num_seeds)]
    return [
        float(evaluate(agent, distribution, "test", 2000, 0, budget).scores().mean())
        for agent in agents
    ]


def test_it_explores_and_exploits_five_arms_better_than_thompson_sampling():
    (score,) = scores(metarl.make("BernoulliBandit-v0", arms=5), 10, 40)
    assert THOMPSON + 0.2 < score < 6.66 + 0.2  # four standard errors of 2,000 tasks


@pytest.mark.parametrize("core", ["lstm", "attention", "per_pair_memory"])
def test_other_cores_remember_too(core):
    (score,) = scores(metarl.make("BernoulliBandit-v0", arms=2), 10, 30, core=core)
    assert score > 5.6  # of two arms, 5 without memory; the optimum is 6.02


def test_a_memory_for_each_pair_explores_unknown_mdps():
    mdp = metarl.make("RandomMDP-v0", states=3, actions=3, horizon=5)
    (score,) = scores(mdp, 8, 30, core="per_pair_memory", discount=0.998, gae_lambda=0.95)
    # Posterior sampling; random play gets 39.8, posterior-mean greedy planning 59.3
    assert score > 54.9


def test_a_memory_for_each_place_finds_its_way():
    maze = metarl.make("GridMaze-v0", size=3, horizon=20)
    (score,) = scores(maze, 2, 50, core="spatial_memory", num_envs=64, lr=1e-2, gae_lambda=0.95)
    # Random play gets -0.3, a systematic explorer 1.65, one who knows the maze 1.75
    assert score > 1.3


def test_seeds_learn_side_by_side():
    both = scores(metarl.make("BernoulliBandit-v0", arms=2), 10, 30, seed=(0, 1))
    assert min(both) > 5.6


@every_core
@pytest.mark.parametrize("terminates", [False, True], ids=["truncated", "terminated"])
def test_the_identity_task_is_solved(core, terminates):
    identity = metarl.make("Identity-v0", numbers=3, horizon=4, terminates=terminates)
    (score,) = scores(identity, 2, 25, core=core, num_envs=64)
    assert score > 0.9 * identity.optimum(2)


def test_episodes_of_unequal_lengths_do_not_confuse_it():
    distribution = Ragged()
    budget = Episodes(3)
    (score,) = scores(distribution, 3, 20, num_envs=64)

    class Pays:
        """Takes the action that pays."""

        def initial_state(self, batch_size):
            return ()

        def act(self, step, state, rng):
            return step.prev_action * 0 + 1, state

    best = evaluate(Pays(), distribution, "test", 2000, 0, budget).scores().mean()
    assert score > 0.95 * best


ACTIONS = {
    "multi-discrete": gym.spaces.MultiDiscrete([3, 2]),
    "multi-binary": gym.spaces.MultiBinary((2, 2)),
    "box": gym.spaces.Box(np.float32([0, -1]), np.float32([4, 1])),
    "scalar box": gym.spaces.Box(-1, 1, ()),
}


@pytest.mark.parametrize("kind", ACTIONS)
def test_every_kind_of_action_learns_to_match_a_target(kind):
    (score,) = scores(Matching(ACTIONS[kind]), 1, 30, num_envs=128, lr=2e-2)
    # Random play: 1.25 multi-discrete, 1.5 multi-binary; staying in a box's middle: 2
    assert score > 0.95 * 3


@pytest.mark.parametrize("seed", [0, (0, 1)], ids=["alone", "together"])
def test_a_users_own_policy_learns(seed):
    assert (
        min(
            scores(
                metarl.make("BernoulliBandit-v0", arms=2), 10, 20, seed, make_policy=running_sums
            )
        )
        > 5.4
    )
