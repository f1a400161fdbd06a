"""Environments that do exactly as they are told, in a module without PyTorch so that worker
processes start fast.
"""

import gymnasium as gym
import numpy as np

TWO = gym.spaces.Discrete(2)


class Told(gym.Env):
    """Shows `observation` and answers each step by it, `reward`, `terminated`, `truncated` and
    `info`.
    """

    def __init__(
        self,
        task,
        space=TWO,
        observation=0,
        reward=1.0,
        terminated=False,
        truncated=False,
        info=None,
    ):
        self.task = task
        self.observation_space = space
        self.action_space = TWO
        self.observation = observation
        self.answer = (reward, terminated, truncated, {} if info is None else info)

    def reset(self, *, seed=None, options=None):
        return self.observation, {}

    def step(self, action):
        return self.observation, *self.answer


class Strict(gym.Env):
    """Raises an error when it gets an action that isn't one of its space's own values, in its own
    type.
    """

    observation_space = TWO

    def __init__(self, task, space):
        self.task = task
        self.action_space = space

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        if (
            not isinstance(action, np.ndarray | np.generic)
            or action.dtype != self.action_space.dtype
            or action not in self.action_space
        ):
            raise AssertionError(f"{action!r} is not in {self.action_space}")
        return 0, 0.1, False, False, {}


class Counted(gym.Env):
    """Goes on for ever and shows its clock."""

    observation_space = gym.spaces.Box(0, np.inf, (1,))
    action_space = TWO

    def __init__(self, task):
        self.task = task
        self.clock = 0

    def reset(self, *, seed=None, options=None):
        self.clock = 0
        return np.zeros(1), {}

    def step(self, action):
        self.clock += 1
        return np.full(1, self.clock), 1.0, False, False, {}
