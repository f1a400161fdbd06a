"""Which Gymnasium spaces tensors can hold, and in which types."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch

from metarl.core.new_environment import OLD_GYM, is_of_old_gym
from metarl.core.space_values import whole_range

__all__ = ["action_dtype", "action_tensor", "check_space", "observation_dtype", "spaces_of"]

KINDS = (gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary, gym.spaces.Box)


def check_space(id: str, name: str, space: Any) -> None:
    """Raise ValueError, with what to do, unless tensors can hold values of `space`, the `name` of
    distribution `id`.
    """
    if not isinstance(space, KINDS):
        raise ValueError(f"{id}: {name} {space} {_unsupported(name, space)}.")
    if isinstance(space, gym.spaces.Box):
        problem = _problem_of_box(space)
    else:
        problem = _problem_of_counts(space)
    if problem is None and name == "action_space" and 0 in (space.shape or ()):
        problem = "has no numbers, so there is nothing to choose; give actions at least one"
    if problem is not None:
        raise ValueError(f"{id}: {name} {space} {problem}.")


def _unsupported(name: str, space: Any) -> str:
    if space is None or isinstance(space, type):
        return "isn't a space; set it to one, such as gymnasium.spaces.Discrete(2)"
    if not isinstance(space, gym.Space):
        return (
            f"is {OLD_GYM}"
            if is_of_old_gym(space)
            else "isn't a space of Gymnasium; use one of gymnasium.spaces"
        )
    wrapper = "FlattenObservation" if name == "observation_space" else "TransformAction"
    return (
        "isn't supported; flatten it to Discrete, MultiDiscrete, MultiBinary or Box, such as by"
        f" gymnasium.wrappers.{wrapper} around the environment"
    )


def _problem_of_box(space: gym.spaces.Box) -> str | None:
    if np.isnan(space.low).any() or np.isnan(space.high).any():
        return "has bounds that are NaN; give numbers, or infinities where there is no bound"
    if (space.low > space.high).any():
        return "has lower bounds above its upper ones; exchange them"
    return None


def _problem_of_counts(space: gym.Space) -> str | None:
    """Why the values of a discrete kind don't fit its type or int64."""
    if isinstance(space, gym.spaces.MultiBinary):
        return None
    assert isinstance(space, gym.spaces.Discrete | gym.spaces.MultiDiscrete)
    counts = space.n if isinstance(space, gym.spaces.Discrete) else space.nvec
    firsts = np.ravel(space.start).tolist()
    counts = np.ravel(counts).tolist()
    most = min(int(np.iinfo(space.dtype).max), 2**63 - 1)
    greatest = max(
        (first + count - 1 for first, count in zip(firsts, counts, strict=True)), default=0
    )
    if greatest <= most:
        return None
    return (
        f"reaches {greatest}, beyond {most}, the last number of its type; number its values from a"
        " lower start"
    )


def spaces_of(distribution: Any) -> tuple[gym.Space, gym.Space]:
    """(observation space, action space) of a task distribution.

    Raises:
        ValueError: a kind of space that tensors can't hold.
    """
    for name in ("observation_space", "action_space"):
        check_space(distribution.id, name, getattr(distribution, name))
    return distribution.observation_space, distribution.action_space


def action_dtype(space: gym.Space) -> torch.dtype:
    """Return the tensor type of a batch of actions of `space`.

    Int64 for discrete kinds, float32 for boxes.
    """
    return torch.float32 if isinstance(space, gym.spaces.Box) else torch.int64


def action_tensor(space: gym.Space, actions: np.ndarray) -> torch.Tensor:
    """Actions [B, *act] that somebody chose in `space` as a batch of `action_dtype`; those of boxes
    are rounded to float32.

    Raises:
        ValueError: they aren't numbers; or not values of a discrete kind; or numbers beyond
            float32.
    """
    if actions.dtype.kind not in "biuf":
        raise ValueError(f"Actions of {space} are numbers, not {actions.tolist()}.")
    if not isinstance(space, gym.spaces.Box):
        least, greatest = whole_range(space) or (actions, actions)
        if not ((actions >= least) & (actions <= greatest) & (actions == np.floor(actions))).all():
            raise ValueError(f"There is no such action in {space}: {actions.tolist()}.")
        return torch.from_numpy(actions.astype(np.int64))
    with np.errstate(over="ignore"):
        chosen = actions.astype(np.float32)
    if not (np.isfinite(chosen) == np.isfinite(actions)).all():
        raise ValueError(
            f"Actions of {space} pass through float32, which can't hold {actions.tolist()}."
        )
    return torch.from_numpy(chosen)


def observation_dtype(space: gym.Space) -> torch.dtype:
    """Return the tensor type of a batch of observations of `space`.

    Int64, uint8 for images, or float32.
    """
    if isinstance(space, gym.spaces.Box):
        return torch.uint8 if space.dtype == "uint8" else torch.float32
    return torch.int64
