"""The trainings in randomised physics: a policy with memory, one without, and one that is told the physics too, for as many steps."""

from dataclasses import dataclass, field, replace
from typing import Any

from metarl.experiments.run_config import RunConfig
from metarl.learners.ppo import PPOConfig
from metarl.learners.rl2 import RL2Config
from metarl.networks.policy import NetworkConfig

__all__ = ["FAMILIES", "POLICIES", "Family", "physics_run"]

POLICIES = {  # how tables name them
    "recurrent": "RL², with memory",
    "memoryless": "without memory",
    "told": "with memory, told the physics",
}


@dataclass(frozen=True)
class Family:
    """One family of physics.

    Attributes:
        id: the distribution.
        config: of the policies with memory; the other differs in the network only.
        arguments: of the distribution.
    """

    id: str
    config: RL2Config
    arguments: dict[str, Any] = field(default_factory=dict)


PPO = PPOConfig(discount=0.99, gae_lambda=0.95, lr=3e-3)
FAMILIES: dict[str, Family] = {
    "cart-pole": Family("CartPole-v0", RL2Config(episodes=2, num_envs=256, iterations=60, ppo=PPO)),
    "half-cheetah": Family(
        "HalfCheetahPhysics-v0",
        RL2Config(episodes=2, num_envs=128, iterations=100, ppo=replace(PPO, lr=1e-3, entropy=0.0, minibatches=8)),
    ),
    "pendulum": Family("Pendulum-v0", RL2Config(episodes=2, num_envs=256, iterations=120, ppo=PPO)),
}


def physics_run(family: str, policy: str, seed: int = 0, device: str = "cpu") -> RunConfig:
    """One run: as many steps and updates for every policy.

    Raises:
        ValueError: an unknown family or policy.
    """
    if family not in FAMILIES or policy not in POLICIES:
        raise ValueError(f"Choose a family of {', '.join(FAMILIES)} and a policy of {', '.join(POLICIES)}, not {family!r} and {policy!r}.")
    chosen = FAMILIES[family]
    forgetful = NetworkConfig("none", chosen.config.network.units)
    config = replace(chosen.config, network=forgetful) if policy == "memoryless" else chosen.config
    return RunConfig("rl2", config, chosen.id + ("/revealed" if policy == "told" else ""), chosen.arguments, seed, device)
