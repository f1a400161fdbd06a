"""An environment that notes what is done to it, and a source that gives rows the tasks one wants."""

import gymnasium as gym
import torch


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def play(env, steps: int) -> None:
    for _ in range(steps):
        env.step(torch.ones(env.num_envs, dtype=torch.int64))


class Spy(gym.Env):
    """Notes what is done to it; ends every episode after `task` steps."""

    observation_space = gym.spaces.Discrete(9)
    action_space = gym.spaces.Discrete(2)
    log: list[tuple] = []  # noqa: RUF012

    def __init__(self, task):
        self.task = task
        self.log.append(("make", task))

    def reset(self, *, seed=None, options=None):
        self.log.append(("reset", self.task, seed))
        self.t = 0
        return 0, {}

    def step(self, action):
        self.t += 1
        return self.t, 1.0, self.t == self.task, False, {}

    def close(self):
        self.log.append(("close", self.task))


def in_order(distribution, rows):
    """Return a source in which row i's j-th task is the train list's entry rows[i][j]."""

    def source(asking, counts):
        tasks = distribution.sample(1, "train", 0)[[0] * len(asking)]
        return type(tasks)(
            tasks.split,
            torch.tensor(
                [rows[i][j] for i, j in zip(asking.tolist(), counts.tolist(), strict=True)]
            ),
        )

    return source
