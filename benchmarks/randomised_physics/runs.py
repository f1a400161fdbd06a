"""The trainings in randomised physics: a policy with memory, one without, and one that is told the
physics too.

All three play as many meta-episodes and are updated as often, but for cart-pole with reversals,
where the policy without memory has shorter episodes: it plays more of them, to train on no fewer
environment steps than the others.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.config import RunConfig

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
        config: of the policies with memory; the other differs in the network.
        arguments: of the distribution.
        memoryless_iterations: of the policy without memory; as many as the others' if left out.
    """

    id: str
    config: RL2Config
    arguments: dict[str, Any] = field(default_factory=dict)
    memoryless_iterations: int | None = None


PPO = PPOConfig(discount=0.99, gae_lambda=0.95, lr=3e-3)
CART_POLE = RL2Config(episodes=2, num_envs=256, iterations=60, ppo=PPO)
PENDULUM = replace(CART_POLE, iterations=120)
# masses, lengths, gravity, friction and strength alone differ from task to task
ONE_WAY = {"reversals": False}
FAMILIES: dict[str, Family] = {
    "cart-pole": Family("CartPole-v0", CART_POLE, memoryless_iterations=110),
    "cart-pole-one-way": Family("CartPole-v0", CART_POLE, ONE_WAY),
    "pendulum": Family("Pendulum-v0", PENDULUM),
    "pendulum-one-way": Family("Pendulum-v0", PENDULUM, ONE_WAY),
    "half-cheetah": Family(
        "HalfCheetahPhysics-v0",
        RL2Config(
            episodes=2,
            num_envs=128,
            iterations=100,
            ppo=replace(PPO, lr=1e-3, entropy_coef=0.0, minibatches=8),
        ),
    ),
}


def physics_run(family: str, policy: str, seed: int = 0, device: str = "cpu") -> RunConfig:
    """Return one run.

    Raises:
        ValueError: an unknown family or policy.
    """
    if family not in FAMILIES or policy not in POLICIES:
        raise ValueError(
            f"Choose a family of {', '.join(FAMILIES)} and a policy of {', '.join(POLICIES)}, not"
            f" {family!r} and {policy!r}."
        )
    chosen = FAMILIES[family]
    config = chosen.config
    if policy == "memoryless":
        iterations = chosen.memoryless_iterations or config.iterations
        config = replace(
            config, network=NetworkConfig("none", config.network.hidden_size), iterations=iterations
        )
    return RunConfig(
        "rl2",
        config,
        chosen.id + ("/revealed" if policy == "told" else ""),
        chosen.arguments,
        seed,
        device,
    )
