"""metarl's own side of `throughput.py`, started as a user would start it; prints one JSON line.

Subjects: `rl2` (collect and update), `plain` (the same with PyTorch's own GRU), `environment`
    (MetaEpisodeEnv alone), `matmul`
(float32 matrix products), `spin` (a competing process: NumPy on one core until it is killed).
"""

import metarl

metarl.tune_process()  # before torch is imported

import argparse
import json
import time
from collections.abc import Callable

import metarl  # before torch: it sets how long PyTorch's threads spin  # isort: skip
import numpy as np
import torch
from torch import Tensor, nn

from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.memory.rl2 import RL2, RL2Config
from metarl.networks.kernels.matmul_precision import fast_matmul
from metarl.networks.policies.policy import NetworkConfig, Policy


class PlainGRU(nn.Module):
    """`torch.nn.GRU` behind the interface of a core."""

    def __init__(self, inputs: int, hidden_size: int):
        super().__init__()
        self.size = hidden_size
        self.layer = nn.GRU(inputs, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.zeros(batch_size, self.size)

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        output, last = self.layer(features[None], state[None])
        return output[0], last[0]

    def sequence(self, features: Tensor) -> Tensor:
        return self.layer(features)[0]


def plain_policy(hidden_size: int) -> Callable[[TaskDistribution, int], nn.Module]:
    """Our policy with PyTorch's GRU as its core."""

    def build(distribution: TaskDistribution, max_steps: int) -> nn.Module:
        spaces = distribution.observation_space, distribution.action_space
        policy = Policy(
            *spaces, NetworkConfig(hidden_size=hidden_size), max_steps, torch_generator(0)
        )
        policy.core = PlainGRU(policy.inputs.size, hidden_size)
        return policy

    return build


def training(
    tasks: int, arms: int, pulls: int, hidden_size: int, processes: int, plain: bool
) -> Callable[[], int]:
    """Return one iteration of RL²; returns its steps."""
    config = RL2Config(
        episodes=pulls,
        num_envs=tasks,
        iterations=10_000,
        processes=processes,
        network=NetworkConfig(hidden_size=hidden_size),
    )
    learner = RL2(
        config,
        make("BernoulliBandit-v0", arms=arms),
        make_policy=plain_policy(hidden_size) if plain else None,
    )

    def iteration() -> int:
        learner.update()
        return tasks * pulls

    return iteration


def stepping(tasks: int, arms: int, pulls: int) -> Callable[[], int]:
    """Whole meta-episodes of MetaEpisodeEnv with fresh tasks after each.

    Arms are drawn beforehand.
    """
    distribution = make("BernoulliBandit-v0", arms=arms)
    env = MetaEpisodeEnv(distribution, Episodes(pulls), tasks, torch_generator(0), refill=True)
    env.reset(fresh_tasks(distribution, "train", tasks, 0))
    actions = torch.randint(arms, (tasks,), generator=torch_generator(1))

    def meta_episode() -> int:
        for _ in range(pulls):
            env.step(actions)
        return tasks * pulls

    return meta_episode


def product(size: int = 2048) -> Callable[[], int]:
    """Float32 matrix products by the fastest of PyTorch's libraries.

    "steps" are floating-point operations.
    """
    left = torch.rand(size, size)
    right = torch.rand(size, size)

    @fast_matmul()
    def multiply() -> int:
        torch.mm(left, right)
        return 2 * size**3

    return multiply


def spin() -> None:
    """Keep one core busy."""
    values = np.random.default_rng(0).random(10_000)
    while True:
        values = np.sqrt(values + 1.0)


def main() -> None:
    """Time `--subject` for `--seconds` after two rounds to warm up."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--subject", choices=("rl2", "plain", "environment", "matmul", "spin"), default="rl2"
    )
    for name, default in (
        ("hidden_size", 64),
        ("tasks", 4096),
        ("arms", 5),
        ("pulls", 10),
        ("processes", 2),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=6.0)
    chosen = parser.parse_args()
    if chosen.subject == "spin":
        spin()
    sizes = chosen.tasks, chosen.arms, chosen.pulls
    work = {
        "rl2": lambda: training(*sizes, chosen.hidden_size, chosen.processes, plain=False),
        "plain": lambda: training(*sizes, chosen.hidden_size, 1, plain=True),
        "environment": lambda: stepping(*sizes),
        "matmul": product,
    }[chosen.subject]()
    work(), work()
    steps = 0
    start = time.perf_counter()
    while time.perf_counter() - start < chosen.seconds:
        steps += work()
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
