"""Trains a run in child processes that are killed with SIGKILL, again and again, until one comes to
the end.

Run as `python -m tests.runs.killed_run FOLDER KILLS SEED`: FOLDER/whole is trained undisturbed,
FOLDER/cut with kills, half of them at random moments, half just before or after a file is synced or
renamed. Children are forked from a process that has imported everything, so that a try costs
milliseconds. Prints one line a child: what ended it, and the iteration of its checkpoint.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch._dynamo  # noqa: F401 (optimisers import it on first use, which would cost every child seconds)

from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.checkpoint import load_state
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolder
from metarl.runs.training import train

CONFIG = RL2Config(
    episodes=3,
    num_envs=32,
    iterations=30,
    network=NetworkConfig(hidden_size=8),
    ppo=PPOConfig(epochs=1, minibatches=2),
)
RUN = RunConfig("rl2", CONFIG, arguments={"arms": 3}, seed=5)


def die_at(name: str, call: int, after: bool) -> None:
    """Kill this process at the `call`-th call of os.`name`."""
    own = getattr(os, name)
    count = [0]

    def counted(*arguments):
        count[0] += 1
        if after:
            own(*arguments)
        if count[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        if not after:
            own(*arguments)

    setattr(os, name, counted)


def attempt(folder: Path, chance: random.Random, kill: str | None) -> int:
    """Train in a child, killed at a random moment, at a write, or not at all.

    Gives its exit status.
    """
    point = (chance.choice(["fsync", "replace"]), chance.randrange(1, 16), chance.random() < 0.5)
    child = os.fork()
    if child == 0:
        if kill == "at a write":
            die_at(*point)
        train(RUN, folder, checkpoint_seconds=0.0, show=False)
        os._exit(0)
    if kill == "at random":
        time.sleep(chance.uniform(0.01, 0.15))
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    folder = Path(sys.argv[1])
    kills = int(sys.argv[2])
    chance = random.Random(int(sys.argv[3]))
    assert attempt(folder / "whole", chance, None) == 0
    for kill in [*(("at random", "at a write")[i % 2] for i in range(kills)), None]:
        status = attempt(folder / "cut", chance, kill)
        checkpoint = RunFolder(folder / "cut").checkpoint
        print(
            status, load_state(checkpoint)[0]["iteration"] if checkpoint.exists() else 0, flush=True
        )


if __name__ == "__main__":
    main()
