"""metarl's own side of `visual_maze_throughput.py`: VisualMaze with random actions; prints one JSON line.

As many processes as cores, one thread each, start together. Subjects: `step` (the distribution's step alone; every row goes on in its
maze whatever happens) and `environment` (MetaEpisodeEnv: episodes end, start again, and mazes are exchanged after two).
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

import metarl  # before torch: it sets how long PyTorch's threads spin  # isort: skip
import torch

from metarl.envs.budget import Episodes
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.contract import fresh_tasks
from metarl.tasks.registry import make
from metarl.tasks.seeding import torch_generator

DRAWN = 256  # actions are drawn beforehand and used in turn


def work(subject: str, rows: int, seed: int) -> Callable[[int], Any]:
    """A function that takes step t in all rows."""
    distribution, rng = make("VisualMaze-v0"), torch_generator(seed)
    actions = torch.randint(3, (DRAWN, rows), generator=torch_generator(seed, "actions"))
    if subject == "environment":
        env = MetaEpisodeEnv(distribution, Episodes(2, after=0), rows, rng)
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


def play(subject: str, rows: int, seconds: float, seed: int, barrier: Barrier, rates: Any) -> None:
    """Step `rows` mazes for `seconds` on one thread."""
    torch.set_num_threads(1)
    step, t = work(subject, rows, seed), 0
    for t in range(300):  # past the first ends of episodes
        step(t)
    barrier.wait()
    first, start = t, time.perf_counter()
    while time.perf_counter() - start < seconds:
        t += 1
        step(t)
    rates.put(((t - first) * rows, time.perf_counter() - start))


def main() -> None:
    """Step `--rows` mazes in each of `--processes` for `--seconds`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--subject", choices=("step", "environment"), default="step")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    barrier, rates = context.Barrier(chosen.processes), context.Queue()
    sizes = chosen.subject, chosen.rows, chosen.seconds
    players = [context.Process(target=play, args=(*sizes, seed, barrier, rates)) for seed in range(chosen.processes)]
    for player in players:
        player.start()
    played = [rates.get(timeout=chosen.seconds + 120) for _ in players]
    for player in players:
        player.join()
    rate = sum(frames / seconds for frames, seconds in played)
    print(json.dumps({"steps": rate * chosen.seconds, "seconds": chosen.seconds, "version": f"metarl {metarl.__version__}"}))


if __name__ == "__main__":
    main()
