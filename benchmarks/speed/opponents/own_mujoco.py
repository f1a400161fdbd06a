"""metarl's own side of `mujoco_throughput.py`, started as a user would start it.

Prints one JSON line.
"""

import metarl

metarl.tune_process()  # before torch is imported

import argparse
import json
import time

import metarl  # before torch: it sets how long PyTorch's threads spin  # isort: skip

from metarl.checks.playing import actions_for
from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv


def main() -> None:
    """Play meta-episodes of two episodes in `--envs` rows for `--seconds`, with fresh tasks after
    each, under actions drawn beforehand.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", default="HalfCheetahPhysics-v0")
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    distribution = make(chosen.id)
    env = MetaEpisodeEnv(distribution, Episodes(2), chosen.envs, torch_generator(0))
    env.reset(fresh_tasks(distribution, "train", chosen.envs, 0))
    actions = actions_for(distribution, 50, chosen.envs, 1)
    for action in actions[:10]:
        env.step(action)
    steps = 0
    start = time.perf_counter()
    while time.perf_counter() - start < chosen.seconds:
        env.step(actions[(steps // chosen.envs) % len(actions)])
        steps += chosen.envs
    print(
        json.dumps(
            {
                "steps": steps,
                "seconds": time.perf_counter() - start,
                "version": f"metarl {metarl.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
