"""An environment that hangs or fails where its task says, in a module without PyTorch so that
worker processes start fast.
"""

import time

import gymnasium as gym
import numpy as np


class Hanging(gym.Env):
    """The task names where it sleeps or raises, and for how many seconds it sleeps before it
    raises.
    """

    observation_space = action_space = gym.spaces.Discrete(2)
    render_mode = "rgb_array"

    def __init__(self, task):
        self.task = task
        self.at("making")

    def reset(self, *, seed=None, options=None):
        self.at("reset")
        return 0, {}

    def step(self, action):
        self.at("step")
        return 0, 0.0, False, False, {}

    def render(self):
        self.at("render")
        return np.zeros((2, 2, 3), np.uint8)

    def close(self):
        self.at("close")

    def at(self, place):
        if self.task == f"hangs in {place}":
            time.sleep(600)
        elif self.task[0] == place:
            time.sleep(self.task[1])
            raise RuntimeError("a fault of the environment")
