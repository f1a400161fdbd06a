"""Values of an environment's own spaces: observations on their way to tensors, actions on their way back, and what a step answers.

Nothing is narrowed, wrapped around or cut off in silence: a value arrives as the same number, or there is a sentence about it.
Imports no PyTorch, so that workers start fast.
"""

import reprlib
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

__all__ = ["FLOAT32_MAX", "ActionBounds", "ObservationReader", "as_number", "as_truth", "first_value", "stored_dtype", "whole_range"]

FLOAT32_MAX = float(np.finfo(np.float32).max)
ROUNDING = 1e-6  # of the larger bound: what arithmetic in float32 may be off by


def stored_dtype(space: gym.Space) -> np.dtype:
    """The type in which observations of `space` arrive: uint8 for boxes of bytes, float32 for others, int64 for discrete kinds."""
    if isinstance(space, gym.spaces.Box):
        return np.dtype(np.uint8) if space.dtype == np.uint8 else np.dtype(np.float32)
    return np.dtype(np.int64)


def whole_range(space: gym.Space) -> tuple[np.ndarray, np.ndarray] | None:
    """Least and greatest values of a space of whole numbers, in a type that holds both; None for boxes of floating numbers."""
    if isinstance(space, gym.spaces.Box):
        return None if np.issubdtype(space.dtype, np.floating) else (space.low, space.high)
    if isinstance(space, gym.spaces.Discrete):
        return np.asarray(int(space.start)), np.asarray(int(space.start) + int(space.n) - 1)
    if isinstance(space, gym.spaces.MultiDiscrete):
        first = space.start.astype(np.int64)
        return first, first + (space.nvec.astype(np.int64) - 1)
    return np.zeros(space.shape or (), np.int64), np.ones(space.shape or (), np.int64)


def first_value(space: gym.Space) -> np.ndarray:
    """A value for rows that show nothing yet: the least of a discrete kind, else zeros."""
    least = None if isinstance(space, gym.spaces.Box) else whole_range(space)
    return np.zeros(space.shape or (), stored_dtype(space)) if least is None else least[0]


class ObservationReader:
    """Writes observations of one environment's space into rows of an array of `stored_dtype`."""

    def __init__(self, space: gym.Space):
        self.space, self.shape = space, tuple(space.shape or ())
        self.dtype, self.range = stored_dtype(space), whole_range(space)
        all_bytes = self.dtype == np.uint8 and self.range is not None and not self.range[0].any() and (self.range[1] == 255).all()
        # Whether numbers of that type can be stored without a look: no byte lies outside, and `RowPlayer` looks at floats
        self.plain = self.range is None or bool(all_bytes)

    def read(self, given: Any, row: np.ndarray) -> str | None:
        """Write `given` into `row` [*shape], a view. Returns what is wrong with it in words, or None."""
        try:
            observation = np.asarray(given)
        except Exception:  # lists of unequal lengths, tensors of another device or with gradients
            return f"gave the observation {reprlib.repr(given)}, which is no array of numbers"
        if observation.shape != self.shape:
            return f"gave an observation of shape {observation.shape}; its space {self.space} has shape {self.shape}"
        if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
            return f"gave the observation {reprlib.repr(given)}, in which numbers are masked; fill them"
        if self.plain and observation.dtype == self.dtype:
            row[...] = observation
            return None
        if observation.dtype.kind not in "biuf":
            return f"gave the observation {reprlib.repr(given)}, whose entries are {observation.dtype} rather than numbers"
        return self._float(observation, row) if self.range is None else self._whole(observation, row, *self.range)

    def _float(self, observation: np.ndarray, row: np.ndarray) -> str | None:
        with np.errstate(over="ignore"):
            row[...] = observation
        if np.isfinite(row).all() or not np.isfinite(observation).all():  # NaN and infinities are looked for in all rows at once
            return None
        return (
            f"gave the observation {_shown(observation)}, which float32 can't hold: its numbers end at {FLOAT32_MAX:.3g}. "
            "Scale observations down, such as by a gymnasium.wrappers.TransformObservation"
        )

    def _whole(self, observation: np.ndarray, row: np.ndarray, low: np.ndarray, high: np.ndarray) -> str | None:
        what = f"gave the observation {_shown(observation)}"
        if observation.dtype.kind == "f" and not (observation == np.floor(observation)).all():  # fractions and NaN
            return f"{what}; its space {self.space} holds integers"
        if not ((observation >= low) & (observation <= high)).all():
            return f"{what}, which is not in its space {self.space}"
        row[...] = observation
        if self.dtype != np.float32 or (row.astype(np.longdouble) == observation).all():
            return None
        return (
            f"{what}, which float32 can't hold exactly, as it does whole numbers up to {2**24}. Make smaller numbers of it by a "
            "gymnasium.wrappers.TransformObservation, or say by a Box of floating numbers that rounding does no harm"
        )


class OutOfBounds(NamedTuple):
    """An action that isn't one of the space."""

    row: int
    problem: str


class ActionBounds:
    """Brings actions from the types of tensors (float32, int64) to a space's own, within its bounds.

    A bound that float32 rounds outward is still the bound: actions beyond it by no more than rounding become the bound itself.
    Boxes of integers get the nearest integer. Whatever lies farther out, or isn't finite, is the agent's mistake and isn't mended.
    """

    def __init__(self, space: gym.Space):
        self.space = space
        self.whole = whole_range(space)
        self.endless = False  # infinities lie within the bounds
        if not isinstance(space, gym.spaces.Box):
            assert self.whole is not None
            self.low, self.high = self.least, self.greatest = self.whole
            return
        self.low, self.high = np.asarray(space.low), np.asarray(space.high)
        least, greatest = self.low.astype(np.float64), self.high.astype(np.float64)
        self.endless = not bool(np.isfinite(least).all() and np.isfinite(greatest).all())
        finite = [np.where(np.isfinite(bound), np.abs(bound), 0.0) for bound in (least, greatest)]
        slack = ROUNDING * np.maximum(*finite)
        self.least, self.greatest = least - slack, greatest + slack

    def outside(self, actions: np.ndarray, rows: np.ndarray) -> OutOfBounds | None:
        """The first of `rows` [B] bool whose action in `actions` [B, *act] isn't one, or None."""
        inside = (actions >= self.least) & (actions <= self.greatest)
        if self.endless:
            inside &= np.isfinite(actions)
        if inside.all():
            return None
        wrong = rows & ~inside.reshape(len(actions), -1).all(1)
        if not wrong.any():
            return None
        row = int(np.flatnonzero(wrong)[0])
        action, space = actions[row], self.space
        if isinstance(space, gym.spaces.Discrete):
            return OutOfBounds(row, f"was given the action {action}; there are actions {self.low} to {self.high}")
        why = "isn't finite" if not np.isfinite(action).all() else f"isn't in {space}; clip actions to their space"
        return OutOfBounds(row, f"was given the action {_shown(action)}, which {why}")

    def own(self, actions: np.ndarray) -> np.ndarray:
        """`actions` [B, *act] that are none of `outside`'s in the space's own type."""
        dtype = self.space.dtype
        if not isinstance(self.space, gym.spaces.Box):
            return actions.astype(dtype)
        if self.whole is None:
            with np.errstate(over="ignore"):  # beyond float16, of which the bound is left
                return np.clip(actions.astype(dtype), self.low, self.high)
        nearest = np.rint(actions.astype(np.float64))
        above, below = nearest >= self.high.astype(np.float64), nearest <= self.low.astype(np.float64)
        own = np.where(above | below, 0.0, nearest).astype(dtype)
        return np.where(above, self.high, np.where(below, self.low, own)).astype(dtype, copy=False)


def as_number(value: Any) -> float | None:
    """`value` as a float; None unless it is one number, or an array of one."""
    if type(value) is float:
        return value
    # which NumPy would read as 0, or as what lies below the mask
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        return None
    if isinstance(value, np.ndarray | list | tuple):
        try:
            array = np.asarray(value)
        except ValueError:  # lists of unequal lengths
            return None
        value = array.item() if array.size == 1 else None
    if isinstance(value, str | bytes | bytearray | complex | np.complexfloating):
        return None
    try:
        return float(value)
    except Exception:  # whatever it is
        return None


def as_truth(value: Any) -> bool | None:
    """`value` as a truth value; None unless it is one, or the number 0 or 1, or an array of one of these."""
    if value is True or value is False:
        return value
    number = as_number(value)
    return bool(number) if number in (0.0, 1.0) else None


def _shown(array: np.ndarray) -> str:
    return reprlib.repr(array.tolist())
