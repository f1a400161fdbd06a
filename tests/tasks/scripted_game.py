"""A game that shows, pays and ends as a script says, and notes what it was told.

Without PyTorch, so that workers start fast.
"""

import gymnasium as gym
import numpy as np


class ScriptedGame(gym.Env):
    """Frame t shows `pictures[t]` (the last one again after the end of the list), pays
    `rewards[t]`, and ends where `end` says.

    Attributes:
        actions: given since the last reset.
    """

    action_space = gym.spaces.Discrete(10)

    def __init__(self, pictures, rewards=(), end=None, truncates=False):
        self.pictures = [np.asarray(picture, np.uint8) for picture in pictures]
        self.rewards = list(rewards)
        self.end = end
        self.truncates = truncates
        self.observation_space = gym.spaces.Box(0, 255, self.pictures[0].shape, np.uint8)
        self.actions: list = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.actions = []
        return self.pictures[0], {"seed": seed}

    def step(self, action):
        self.actions.append(action)
        t = len(self.actions)
        reward = self.rewards[t - 1] if t <= len(self.rewards) else 0.0
        over = t == self.end
        return (
            self.pictures[min(t, len(self.pictures) - 1)],
            reward,
            over and not self.truncates,
            over and self.truncates,
            {"frame": t},
        )
