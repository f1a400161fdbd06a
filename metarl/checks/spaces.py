"""Random actions of a space, and whether a batch of values lies in one."""

import math

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.spaces import action_dtype

__all__ = ["outside", "random_actions"]

UNBOUNDED = 1e30  # some environments write the largest float for "unbounded"


def random_actions(space: gym.Space, n: int, rng: Generator) -> Tensor:
    """n actions [n, *act], uniform; normal in directions that a box leaves open."""
    shape = (n, *(space.shape or ()))
    if isinstance(space, gym.spaces.Box):
        low = torch.from_numpy(space.low.astype(np.float64))
        high = torch.from_numpy(space.high.astype(np.float64))
        bounded = (low > -UNBOUNDED) & (high < UNBOUNDED)
        uniform = torch.rand(shape, generator=rng, dtype=torch.float64)
        normal = torch.randn(shape, generator=rng, dtype=torch.float64).clamp(low, high)
        return torch.where(
            bounded, low + uniform * torch.where(bounded, high - low, 1.0), normal
        ).to(action_dtype(space))
    uniform = torch.rand(shape, generator=rng, dtype=torch.float64)
    first, counts = _range(space)
    return (first + (uniform * counts).to(torch.int64).minimum(counts - 1)).to(action_dtype(space))


def outside(space: gym.Space, values: Tensor) -> str | None:
    """Why `values` [n, *shape] aren't n values of `space`, in words; None if they are."""
    if tuple(values.shape[1:]) != tuple(space.shape or ()):
        return f"each has shape {tuple(values.shape[1:])} instead of {tuple(space.shape or ())}"
    if isinstance(space, gym.spaces.Box):
        wanted = (
            "uint8"
            if space.dtype == np.uint8
            else "floating"
            if np.issubdtype(space.dtype, np.floating)
            else "any"
        )
        if (wanted == "uint8" and values.dtype != torch.uint8) or (
            wanted == "floating" and not values.is_floating_point()
        ):
            return f"they are {values.dtype} instead of {wanted}"
        exact = values.to(torch.float64)
        if not bool(torch.isfinite(exact).all()):
            return "some are not finite (NaN or infinite)"
        low = torch.from_numpy(space.low.astype(np.float64))
        high = torch.from_numpy(space.high.astype(np.float64))
        # Rounding in float32
        slack = 1e-4 * (1 + torch.where(torch.isfinite(high - low), high - low, 0.0))
        if bool(((exact < low - slack) | (exact > high + slack)).any()):
            return (
                f"they reach from {float(exact.min()):.6g} to {float(exact.max()):.6g}, beyond"
                " the box"
            )
        return None
    if values.dtype != torch.int64:
        return f"they are {values.dtype} instead of torch.int64"
    first, counts = _range(space)
    if bool(((values < first) | (values >= first + counts)).any()):
        return f"they reach from {int(values.min())} to {int(values.max())}"
    return None


def _range(space: gym.Space) -> tuple[Tensor, Tensor]:
    """First value and number of values of each part of a discrete kind of space."""
    if isinstance(space, gym.spaces.Discrete):
        return torch.tensor(int(space.start)), torch.tensor(int(space.n))
    if isinstance(space, gym.spaces.MultiDiscrete):
        return torch.from_numpy(space.start.astype(np.int64)), torch.from_numpy(
            space.nvec.astype(np.int64)
        )
    shape = tuple(space.shape or ())
    return torch.zeros(shape, dtype=torch.int64), (
        torch.full(shape, 2) if math.prod(shape) else torch.zeros(shape, dtype=torch.int64)
    )
