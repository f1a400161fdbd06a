"""A sound Gymnasium environment and broken ones.

A module without PyTorch, so that worker processes start fast.
"""

import os

import gymnasium as gym
import numpy as np


class Line(gym.Env):
    """Walk on a line with slips towards a hidden goal.

    Arriving terminates, the environment itself truncates after 9 steps.
    """

    def __init__(self, goal):
        self.goal = goal
        self.observation_space = gym.spaces.Box(-100.0, 100.0, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(3)

    def look(self):
        return np.array([self.position], np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position = self.np_random.normal()
        self.clock = 0
        return self.look(), {}

    def step(self, action):
        self.clock += 1
        self.position += action - 1 + 0.3 * self.np_random.normal()
        arrived = abs(self.position - self.goal) < 0.5
        return (
            self.look(),
            10.0 if arrived else -0.1,
            bool(arrived),
            self.clock >= 9,
            {"success": arrived},
        )


class Unseeded(Line):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=None)


class DrawsFromNumPy(Line):
    def step(self, action):
        self.position += np.random.normal()  # noqa: NPY002
        return super().step(action)


class Remembers(Line):
    """Hidden state: starts where the last episode ended."""

    position = 0.0

    def reset(self, *, seed=None, options=None):
        last = self.position
        super().reset(seed=seed)
        self.position = last
        return self.look(), {}


class DependsOnTheProcess(Line):
    def step(self, action):
        self.position += os.getpid() % 1009 / 1009
        return super().step(action)


class ShowsTheGoal(Line):
    def look(self):
        return np.array([self.position + 5 * self.goal], np.float32)
