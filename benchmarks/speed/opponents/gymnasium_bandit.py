"""An opponent for `throughput.py`.

Gymnasium's SyncVectorEnv over a one-pull bandit, random arms; prints one JSON line.
"""

import argparse
import json
import time
from typing import Any

import gymnasium as gym
import numpy as np


class Bandit(gym.Env):
    """Bernoulli arms; every step ends the episode."""

    observation_space = gym.spaces.Discrete(1)

    def __init__(self, arms: int):
        self.action_space = gym.spaces.Discrete(arms)
        self.means = np.random.default_rng(0).random(arms)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 0, float(self.np_random.random() < self.means[action]), True, False, {}


def main() -> None:
    """Step `--tasks` environments for `--seconds`; arms are drawn beforehand."""
    parser = argparse.ArgumentParser()
    for name, default in (("tasks", 256), ("arms", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    same_step = gym.vector.AutoresetMode.SAME_STEP
    envs = gym.vector.SyncVectorEnv(
        [lambda: Bandit(chosen.arms)] * chosen.tasks, autoreset_mode=same_step
    )
    envs.reset(seed=0)
    actions = np.random.default_rng(1).integers(chosen.arms, size=chosen.tasks)
    steps = 0
    start = time.perf_counter()
    while time.perf_counter() - start < chosen.seconds:
        envs.step(actions)
        steps += chosen.tasks
    print(
        json.dumps(
            {
                "steps": steps,
                "seconds": time.perf_counter() - start,
                "version": f"gymnasium {gym.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
