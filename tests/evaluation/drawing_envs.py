"""Gymnasium environments that draw themselves; without PyTorch, so that workers start fast."""

import gymnasium as gym
import numpy as np


class DrawsItself(gym.Env):
    """A Gymnasium environment whose picture's shade is 10 times its clock.

    Ends after `task` steps.
    """

    observation_space = gym.spaces.Discrete(1000)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, task, render_mode="rgb_array"):
        self.task = task
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        self.clock = 0
        return 0, {}

    def step(self, action):
        self.clock += 1
        return self.clock, 1.0, self.clock == self.task, False, {}

    def render(self):
        return np.full((4, 5, 3), 10 * (self.clock % 25), dtype=np.uint8)


class NoDisplay(DrawsItself):
    """Its renderer finds no display."""

    def render(self):
        raise RuntimeError("no display")
