"""An environment that draws itself; without PyTorch, so that workers start fast."""

import gymnasium as gym
import numpy as np


class Painted(gym.Env):
    """Draws its task and the number of its steps."""

    observation_space = gym.spaces.Discrete(1)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, task):
        self.task = task
        self.render_mode = None if task < 0 else "rgb_array"

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return 0, {}

    def step(self, action):
        self.steps += 1
        return 0, 0.0, False, False, {}

    def render(self):
        if self.task == 9:
            raise RuntimeError("no paint left")
        return np.full((2 + self.task, 3, 3), [self.task, self.steps, 7], np.uint8)
