"""RL² small enough for tests: settings, updates, rollouts."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.task_distribution import fresh_tasks
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.policy_gradient.trajectory import collect
from metarl.networks.policies.policy import CORES, NetworkConfig
from tests.learners.made_tasks import Matching

__all__ = ["alone_and_together", "box_tasks", "every_core", "play", "same", "small", "updates"]

SEEDS = [0, (0, 1, 2)]
every_core = pytest.mark.parametrize("core", CORES)
alone_and_together = pytest.mark.parametrize("seed", SEEDS, ids=["alone", "together"])


def small(core="gru", episodes=3, num_envs=8, iterations=20, **settings):
    settings = {
        "ppo": PPOConfig(epochs=2, minibatches=2, lr=1e-2),
        "network": NetworkConfig(core=core, hidden_size=8, heads=2),
        **settings,
    }
    return RL2Config(episodes, num_envs, iterations, **settings)


def box_tasks():
    return Matching(gym.spaces.Box(np.float32([0, -1]), np.float32([4, 1])))


def play(learner, first=50):
    """Return a rollout of the learner's policy as it is now."""
    source = fresh_tasks(learner.distribution, "train", learner.env.num_envs, 0, first=first)
    return collect(
        learner.env, learner.policy, learner.actions, source, torch.Generator().manual_seed(1)
    )


def updates(learner, count):
    return [learner.update() for _ in range(count)]


def same(first, second):
    """Return whether nested dicts and lists of tensors and numbers are equal bit for bit."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            same(first[name], second[name]) for name in first
        )
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    return torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second
