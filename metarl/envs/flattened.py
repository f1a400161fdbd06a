"""Environments whose observations are dictionaries or tuples of numbers, as one vector of them.

Imports no PyTorch, so that workers start fast.
"""

from collections.abc import Iterator

import gymnasium as gym
import numpy as np

__all__ = ["MOST_NUMBERS", "NESTED", "flattened", "problem_of_flattening"]

NESTED = (gym.spaces.Dict, gym.spaces.Tuple)
NUMBERS = (
    gym.spaces.Box,
    gym.spaces.Discrete,
    gym.spaces.MultiDiscrete,
    gym.spaces.MultiBinary,
)
MOST_NUMBERS = 1_000_000  # in a vector; Discrete values take one for each that there could be


def flattened(env: gym.Env) -> gym.Env:
    """Return `env` with observations that are one vector, where they are a Dict or a Tuple; else
    `env` itself.

    Parts stand in the order of the space, discrete ones as one-hot vectors
    (`gymnasium.wrappers.FlattenObservation`). A space that `problem_of_flattening` objects to is
    left as it is.
    """
    space = env.observation_space
    if not isinstance(space, NESTED) or problem_of_flattening(space) is not None:
        return env
    return gym.wrappers.FlattenObservation(env)


def problem_of_flattening(space: gym.Space) -> str | None:
    """Return why a Dict or Tuple of observations isn't flattened without being asked, and what to
    do; None where it is.

    Texts, sequences and graphs are no fixed number of numbers, and an image would lose its shape.
    """
    parts = list(_parts(space))
    for name, part in parts:
        if not isinstance(part, NUMBERS):
            return (
                f"has {name}, a {type(part).__name__}, which is no fixed number of numbers: leave"
                " it out by gymnasium.wrappers.FilterObservation, or keep what counts by a wrapper"
                " that the environment brings, such as MiniGrid's ImgObsWrapper"
            )
    for name, part in parts:
        if isinstance(part, gym.spaces.Box) and part.dtype == np.uint8 and len(part.shape) == 3:
            return (
                f"has {name}, an image, which would lose its shape in a vector: keep the image"
                " alone by gymnasium.wrappers.TransformObservation, or flatten it all the same by"
                " gymnasium.wrappers.FlattenObservation"
            )
    if gym.spaces.flatdim(space) > MOST_NUMBERS:
        return (
            f"would be a vector of {gym.spaces.flatdim(space)} numbers, since discrete values take"
            " one for each that there could be: make them numbers by"
            " gymnasium.wrappers.TransformObservation"
        )
    return None


def _parts(space: gym.Space, name: str = "") -> Iterator[tuple[str, gym.Space]]:
    """Yield the parts of a nested space, each with how one gets at it."""
    if isinstance(space, gym.spaces.Dict):
        for key, part in space.spaces.items():
            yield from _parts(part, f"{name}[{key!r}]")
    elif isinstance(space, gym.spaces.Tuple):
        for i, part in enumerate(space.spaces):
            yield from _parts(part, f"{name}[{i}]")
    else:
        yield name, space
