"""The Gymnasium environment of the Marks family, in a module without PyTorch so that worker
processes start fast.
"""

import gymnasium as gym
import numpy as np

HORIZON = 4
# (steps to termination, mark)
TASKS = [(1, 10.0), (2, 20.0), (3, 30.0), (4, 40.0), (5, 50.0), (9, 60.0)]
SPACE = gym.spaces.Box(-1000, 1000, (2,), np.float32)


class MarksEnv(gym.Env):
    """Step t of an episode shows [mark, t] and pays mark + t + action / 10.

    It terminates at the task's length, or truncates at `limit`.
    """

    observation_space = SPACE
    action_space = gym.spaces.Discrete(3)
    calls: list[tuple[str, float]] = []  # noqa: RUF012 - tests read what all environments did

    def __init__(self, task, limit=None):
        self.length, self.mark = task
        self.limit = limit
        self.ended = True

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        self.ended = False
        self.calls.append(("reset", self.mark))
        return np.array([self.mark, 0], np.float32), {}

    def step(self, action):
        assert not self.ended, "stepped past an episode's end"
        self.t += 1
        self.calls.append(("step", self.mark))
        terminated = self.t >= self.length
        truncated = self.t == self.limit
        self.ended = terminated or truncated
        return (
            np.array([self.mark, self.t], np.float32),
            self.mark + self.t + action / 10,
            terminated,
            truncated,
            {"success": terminated},
        )
