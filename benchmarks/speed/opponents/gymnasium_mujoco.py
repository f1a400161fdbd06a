"""An opponent for `mujoco_throughput.py`.

Gymnasium's vector environments of its own MuJoCo tasks; prints one JSON line.
"""

import argparse
import json
import time
from functools import partial

import gymnasium as gym
import numpy as np


def main() -> None:
    """Step `--envs` environments of `--id` for `--seconds` under one batch of random actions, drawn
    beforehand.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", default="HalfCheetah-v5")
    parser.add_argument("--kind", choices=("sync", "async"), default="sync")
    parser.add_argument("--envs", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    arguments = {"include_cfrc_ext_in_observation": False} if chosen.id.startswith("Ant") else {}
    makes = [partial(gym.make, chosen.id, disable_env_checker=True, **arguments)] * chosen.envs
    mode = gym.vector.AutoresetMode.SAME_STEP
    kind = gym.vector.SyncVectorEnv if chosen.kind == "sync" else gym.vector.AsyncVectorEnv
    envs = kind(makes, autoreset_mode=mode)
    envs.reset(seed=0)
    envs.action_space.seed(1)
    actions = [envs.action_space.sample() for _ in range(50)]
    for action in actions[:10]:
        envs.step(action)
    steps = 0
    start = time.perf_counter()
    while time.perf_counter() - start < chosen.seconds:
        envs.step(actions[(steps // chosen.envs) % len(actions)])
        steps += chosen.envs
    took = time.perf_counter() - start
    envs.close()
    print(
        json.dumps(
            {
                "steps": steps,
                "seconds": took,
                "version": f"gymnasium {gym.__version__}, numpy {np.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
