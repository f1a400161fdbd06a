"""metarl's own side of `visual_maze_throughput.py`: VisualMaze with random actions, on one thread.

Subjects: `step` (the distribution's step alone: every row goes on in its maze whatever happens) and
    `environment` (MetaEpisodeEnv: episodes
end and start again, and mazes are exchanged after two). For each line on standard input, a number
of seconds, it plays that long and prints a line of JSON.
"""

import metarl

metarl.tune_process()  # before torch is imported

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import metarl  # before torch: it sets how long PyTorch's threads spin  # isort: skip
import torch

from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv

DRAWN = 256  # actions are drawn beforehand and used in turn


def stepper(subject: str, rows: int, seed: int) -> Callable[[int], Any]:
    """Return a function that takes step t in all rows."""
    distribution = make("VisualMaze-v0")
    rng = torch_generator(seed)
    actions = torch.randint(3, (DRAWN, rows), generator=torch_generator(seed, "actions"))
    if subject == "environment":
        env = MetaEpisodeEnv(distribution, Episodes(2), rows, rng)
        env.reset(fresh_tasks(distribution, "train", rows, seed))
        return lambda t: env.step(actions[t % DRAWN])
    tasks = distribution.sample(rows, "train", seed)
    state, _ = distribution.reset(tasks, rng)

    def step(t: int) -> Any:
        nonlocal state
        transition = distribution.step(tasks, state, actions[t % DRAWN], rng)
        state = transition.state
        return transition.observation

    return step


def main() -> None:
    """Play when told to."""
    seed = int(sys.argv[1])
    subject = sys.argv[2]
    rows = int(sys.argv[3])
    torch.set_num_threads(1)
    step = stepper(subject, rows, seed)
    t = 0
    for line in sys.stdin:
        first = t
        used = time.process_time()
        start = time.perf_counter()
        while time.perf_counter() - start < float(line):
            step(t)
            t += 1
        timed = {
            "steps": (t - first) * rows,
            "seconds": time.perf_counter() - start,
            "processor": time.process_time() - used,
        }
        print(json.dumps({**timed, "version": f"metarl {metarl.__version__}"}), flush=True)


if __name__ == "__main__":
    main()
