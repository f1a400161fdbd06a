"""An opponent for `throughput.py`.

Sb3-contrib's RecurrentPPO on Bernoulli bandits. Needs `sb3-contrib`; prints one JSON line.
"""

import argparse
import json
import time
from typing import Any

import gymnasium as gym
import numpy as np
import sb3_contrib
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.vec_env import DummyVecEnv


class PullingEnv(gym.Env):
    """A bandit whose episode is a whole meta-episode.

    Shows the last arm, the last reward and a flag.
    """

    def __init__(self, arms: int, pulls: int):
        self.arms = arms
        self.pulls = pulls
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (arms + 2,), np.float32)
        self.action_space = gym.spaces.Discrete(arms)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.means = self.np_random.random(self.arms)
        self.made = 0
        return np.zeros(self.arms + 2, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward = float(self.np_random.random() < self.means[action])
        self.made += 1
        shown = np.zeros(self.arms + 2, np.float32)
        shown[action] = 1.0
        shown[-2] = reward
        shown[-1] = 1.0
        return shown, reward, self.made >= self.pulls, False, {}


def rate(num_envs: int, hidden_size: int, arms: int, pulls: int) -> tuple[int, float]:
    """(steps, seconds) of two iterations after one to warm up."""
    length = 4 * pulls
    envs = DummyVecEnv([lambda: PullingEnv(arms, pulls)] * num_envs)
    network = {
        "lstm_hidden_size": hidden_size,
        "n_lstm_layers": 1,
        "net_arch": [],
        "enable_critic_lstm": False,
        "shared_lstm": True,
    }
    batch = num_envs * length // 4
    model = RecurrentPPO(
        "MlpLstmPolicy",
        envs,
        n_steps=length,
        batch_size=batch,
        n_epochs=4,
        gamma=0.99,
        gae_lambda=0.9,
        policy_kwargs=network,
        device="cpu",
    )
    model.learn(num_envs * length)
    start = time.perf_counter()
    model.learn(2 * num_envs * length)
    return 2 * num_envs * length, time.perf_counter() - start


def main() -> None:
    """Time it at `--tasks` parallel environments."""
    parser = argparse.ArgumentParser()
    for name, default in (("hidden_size", 64), ("tasks", 256), ("arms", 5), ("pulls", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    steps, seconds = rate(chosen.tasks, chosen.hidden_size, chosen.arms, chosen.pulls)
    print(
        json.dumps(
            {
                "steps": steps,
                "seconds": seconds,
                "version": f"sb3-contrib {sb3_contrib.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
