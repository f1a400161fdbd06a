"""metarl's own side of `emulator_throughput.py`, started as a user would start it.

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
    """Play training tasks in `--processes` rows, a worker each, for `--seconds`, under actions
    drawn beforehand; counts frames.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", default="Airstriker-v0")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    distribution = make(chosen.id)
    rows = chosen.processes
    distribution.workers = rows
    env = MetaEpisodeEnv(distribution, Episodes(2), rows, torch_generator(0))
    env.reset(fresh_tasks(distribution, "train", rows, 0))
    actions = actions_for(distribution, 200, rows, 1)
    for action in actions[:10]:
        env.step(action)
    steps = 0
    start = time.perf_counter()
    while time.perf_counter() - start < chosen.seconds:
        env.step(actions[steps % len(actions)])
        steps += 1
    took = time.perf_counter() - start
    env.close()
    print(
        json.dumps(
            {"steps": 4 * steps * rows, "seconds": took, "version": f"metarl {metarl.__version__}"}
        )
    )


if __name__ == "__main__":
    main()
