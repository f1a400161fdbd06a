"""The smallest settings with which each registered learner makes an update in a fraction of a
second, and environments of any spaces.
"""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.learners.hierarchy.mlsh import MLSHConfig
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.policy_gradient.online_ppo import PPOConfig
from metarl.learners.registry import LEARNERS, SUPERVISED_LEARNERS, learner_class
from metarl.learners.transfer.joint_ppo import JointPPOConfig
from metarl.learners.transfer.joint_rainbow import JointRainbowConfig
from metarl.learners.transfer.rainbow import RainbowConfig
from metarl.learners.transfer.replay import ReplayConfig
from metarl.networks.perceptron import PerceptronConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.networks.rainbow_network import RainbowNetworkConfig

__all__ = ["EPISODE_LEARNERS", "EXAMPLE_LEARNERS", "shown", "tiny_config", "with_rate"]

EPISODE_LEARNERS = sorted(LEARNERS)
EXAMPLE_LEARNERS = sorted(SUPERVISED_LEARNERS)
PPO = PPOConfig(minibatches=1, epochs=2)
RAINBOW = RainbowConfig(
    start=4,
    batch=4,
    network=RainbowNetworkConfig(layers=(8,), hidden=8),
    replay=ReplayConfig(capacity=64),
)
SMALL: dict[str, Any] = {
    "rl2": RL2Config(
        episodes=1, num_envs=2, iterations=4, network=NetworkConfig(hidden_size=8), ppo=PPO
    ),
    "joint-ppo": JointPPOConfig(
        num_envs=2, steps=4, iterations=4, ppo=PPO, fine_tuning_steps=4, fine_tuning=PPO
    ),
    "joint-rainbow": JointRainbowConfig(
        num_envs=2, steps=6, iterations=4, rainbow=RAINBOW, fine_tuning=RAINBOW
    ),
    "mlsh": MLSHConfig(
        iterations=4,
        tasks=2,
        option_length=1,
        warmup_updates=1,
        joint=1,
        steps=4,
        network=PerceptronConfig(hidden=(8,)),
    ),
}


def tiny_config(learner: str) -> Any:
    """Return the settings of a registered learner.

    The networks of learners that aren't named above are small by their field.
    """
    if learner in SMALL:
        return SMALL[learner]
    Config = learner_class(learner).Config
    network = PerceptronConfig(hidden=(8,))
    if learner in SUPERVISED_LEARNERS:
        return Config(iterations=4, tasks=2, network=network)
    return Config(iterations=4, tasks=2, adaptation=Adaptation(episodes=2), network=network)


def with_rate(learner: str, rate: float) -> Any:
    """Return the same, with every step size of training at `rate`."""
    config = tiny_config(learner)
    if learner == "rl2":
        return replace(config, ppo=replace(PPO, lr=rate, lr_end=rate))
    if learner == "joint-ppo":
        return replace(config, ppo=replace(PPO, lr=rate, lr_end=rate))
    if learner == "joint-rainbow":
        spoiling = replace(RAINBOW, lr=rate)
        return replace(config, rainbow=spoiling, fine_tuning=spoiling)
    if learner == "mlsh":
        return replace(
            config,
            master=replace(config.master, lr=rate),
            sub_policy=replace(config.sub_policy, lr=rate),
        )
    if learner in SUPERVISED_LEARNERS:
        return replace(config, outer=replace(config.outer, lr=rate))
    return replace(config, adaptation=replace(config.adaptation, inner_lr=rate))


class Shown(gym.Env):
    """Shows draws from its observation space for `length` steps.

    Pays 1 a step for actions whose first number is above 0.
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, length: int):
        self.observation_space = observation_space
        self.action_space = action_space
        self.length = length

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        self.played = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.played += 1
        reward = float(np.ravel(action)[0] > 0)
        return self.observation_space.sample(), reward, self.played >= self.length, False, {}


def shown(
    observation_space: gym.Space, action_space: gym.Space | None = None, length: int = 2
) -> GymnasiumDistribution:
    """Return a distribution of two such tasks, one to train on and one to test on."""
    actions = gym.spaces.Discrete(2) if action_space is None else action_space
    return GymnasiumDistribution(
        "Shown-v0",
        lambda task: Shown(observation_space, actions, length),
        {"train": [0], "test": [1]},
        horizon=length,
    )
