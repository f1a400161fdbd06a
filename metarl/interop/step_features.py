"""A Step as one flat vector, as RL² reads it (Duan et al.

2016, section 2.2), for agents that know nothing of meta-episodes.
"""

import math
from typing import Any

import gymnasium as gym
import numpy as np
from torch import Tensor

__all__ = ["StepFeatures"]


class StepFeatures:
    """[observation, previous action, previous reward, episode start], float32.

    Discrete kinds are one-hot (multi-binary ones stay bits), boxes are flattened as they are. At a
    meta-episode's start the previous action and reward are all zeros.

    Attributes:
        space: Box [F] of the vectors.
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space):
        self.observation_space = observation_space
        self.action_space = action_space
        low, high = _limits(observation_space)
        action_low, action_high = _limits(action_space)
        self.space = gym.spaces.Box(
            np.concatenate([low, np.minimum(action_low, 0), [-np.inf, 0]]).astype(np.float32),
            np.concatenate([high, np.maximum(action_high, 0), [np.inf, 1]]).astype(np.float32),
            dtype=np.float32,
        )

    def __call__(
        self,
        observation: Tensor,
        prev_action: Tensor,
        prev_reward: Tensor,
        episode_start: Tensor,
        meta_episode_start: Tensor,
    ) -> np.ndarray:
        """Vectors [B, F] of a batch, in memory of their own."""
        begins = meta_episode_start.numpy()
        taken = prev_action.numpy()
        if begins.any() and isinstance(
            self.action_space, gym.spaces.Discrete | gym.spaces.MultiDiscrete
        ):
            taken = taken.copy()
            taken[begins] = self.action_space.start  # any that there is: it is blotted out below
        action = _flat(self.action_space, taken)
        action[begins] = 0
        parts = [
            _flat(self.observation_space, observation.numpy()),
            action,
            prev_reward.numpy()[:, None],
            episode_start.numpy()[:, None],
        ]
        return np.concatenate(parts, axis=1, dtype=np.float32)


def _sizes(space: gym.Space) -> np.ndarray | None:
    """Return how many values each entry of a discrete kind has.

    None for spaces that are taken as numbers.
    """
    if isinstance(space, gym.spaces.Discrete):
        return np.array([space.n])
    return (
        space.nvec.ravel().astype(np.int64) if isinstance(space, gym.spaces.MultiDiscrete) else None
    )


def _limits(space: gym.Space) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest features of values of `space`, [features] each."""
    if isinstance(space, gym.spaces.Box):
        with np.errstate(over="ignore"):  # to float32, a bound beyond its numbers is none
            return space.low.ravel().astype(np.float32), space.high.ravel().astype(np.float32)
    sizes = _sizes(space)
    count = math.prod(space.shape or ()) if sizes is None else int(sizes.sum())
    return np.zeros(count, np.float32), np.ones(count, np.float32)


def _flat(space: Any, values: np.ndarray) -> np.ndarray:
    """Features [B, features] of values [B, *shape]."""
    sizes = _sizes(space)
    rows = len(values)
    if sizes is None:
        return values.reshape(rows, -1).astype(np.float32)
    columns = (values - space.start).reshape(rows, -1) + np.concatenate(
        [[0], np.cumsum(sizes)[:-1]]
    )
    features = np.zeros((rows, int(sizes.sum())), np.float32)
    features[np.arange(rows)[:, None], columns] = 1
    return features
