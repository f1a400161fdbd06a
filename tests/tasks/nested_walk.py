"""A small Gymnasium environment with nested observations, in a module without PyTorch."""

import gymnasium as gym
import numpy as np

from tests.tasks.noisy_walk import NoisyWalk


class NestedWalk(NoisyWalk):
    """A noisy walk whose observations are a dictionary with a tuple in it."""

    observation_space = gym.spaces.Dict(
        {
            "drift": gym.spaces.Box(-9, 9, (1, 2), np.float64),
            "more": gym.spaces.Tuple(
                (
                    gym.spaces.Discrete(3, start=1),
                    gym.spaces.MultiBinary(2),
                    gym.spaces.Box(-99, 99),
                )
            ),
        }
    )

    def observation(self):
        return {
            "drift": np.full((1, 2), self.drift),
            "more": (1 + self.t % 3, np.array([1, 0], np.int8), np.float32([self.position])),
        }
