"""The policy that a NetworkConfig describes."""

from typing import Any

from torch import Generator

from metarl.core.capabilities import HasSize, odometry_of
from metarl.core.task_distribution import TaskDistribution
from metarl.networks.policies.per_pair_memory import PerPairMemoryPolicy
from metarl.networks.policies.policy import NetworkConfig, Policy
from metarl.networks.policies.spatial_memory import SpatialMemoryPolicy

__all__ = ["build_policy"]


def build_policy(
    distribution: TaskDistribution, config: NetworkConfig, max_steps: int, rng: Generator
) -> Any:
    """Return a new policy.

    Args:
        distribution: what it plays.
        config: its shape.
        max_steps: most steps in a meta-episode.
        rng: draws the initial weights.

    Raises:
        ValueError: spaces that the policy can't read or act in.
    """
    observation_space = distribution.observation_space
    action_space = distribution.action_space
    if config.core == "per_pair_memory":
        return PerPairMemoryPolicy(
            observation_space, action_space, config.hidden_size, max_steps, rng
        )
    if config.core == "spatial_memory":
        return SpatialMemoryPolicy(
            observation_space,
            action_space,
            odometry_of(distribution),
            distribution.headings,
            config,
            rng,
            distribution.size if isinstance(distribution, HasSize) else 0,
        )
    return Policy(observation_space, action_space, config, max_steps, rng)
