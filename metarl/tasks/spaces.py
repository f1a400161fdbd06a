"""Which Gymnasium spaces tensors can hold, and in which types."""

from typing import Any

import gymnasium as gym
import torch

__all__ = ["action_dtype", "check_space", "observation_dtype", "spaces_of"]

KINDS = (gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary, gym.spaces.Box)


def check_space(id: str, name: str, space: Any) -> None:
    """Raise ValueError, with what to do, unless tensors can hold values of `space`, the `name` of distribution `id`."""
    if not isinstance(space, KINDS):
        raise ValueError(f"{id}: {name} {space} isn't supported; flatten it to Discrete, MultiDiscrete, MultiBinary or Box.")


def spaces_of(distribution: Any) -> tuple[gym.Space, gym.Space]:
    """(observation space, action space) of a task distribution.

    Raises:
        ValueError: a kind of space that tensors can't hold.
    """
    for name in ("observation_space", "action_space"):
        check_space(distribution.id, name, getattr(distribution, name))
    return distribution.observation_space, distribution.action_space


def action_dtype(space: gym.Space) -> torch.dtype:
    """The tensor type of a batch of actions of `space`: int64 for discrete kinds, float32 for boxes."""
    return torch.float32 if isinstance(space, gym.spaces.Box) else torch.int64


def observation_dtype(space: gym.Space) -> torch.dtype:
    """The tensor type of a batch of observations of `space`: int64, uint8 for images, or float32."""
    if isinstance(space, gym.spaces.Box):
        return torch.uint8 if space.dtype == "uint8" else torch.float32
    return torch.int64
