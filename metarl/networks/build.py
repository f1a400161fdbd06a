"""The policy that a NetworkConfig describes."""

from typing import Any

import gymnasium as gym
from torch import Generator

from metarl.networks.arms import ArmsPolicy
from metarl.networks.policy import NetworkConfig, Policy

__all__ = ["build_policy"]


def build_policy(observation_space: gym.Space, action_space: gym.Space, config: NetworkConfig, max_steps: int, rng: Generator) -> Any:
    """A new policy.

    Args:
        observation_space, action_space: of one task.
        config: its shape.
        max_steps: most steps in a meta-episode.
        rng: draws the initial weights.

    Raises:
        ValueError: spaces that the policy can't read or act in.
    """
    if config.core == "arms":
        return ArmsPolicy(observation_space, action_space, config.units, max_steps, rng)
    return Policy(observation_space, action_space, config, max_steps, rng)
