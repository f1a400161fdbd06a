"""What stands between a video game and its player in the papers: sticky frame skip, small grey
pictures, stacks of them, scaled rewards.

Imports no PyTorch, so that workers start fast; all of this is done in the worker.
"""

import math
from typing import Any

import gymnasium as gym
import numpy as np

__all__ = ["ScaleReward", "StackFrames", "StickyFrameSkip", "WarpFrame"]

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey
# Keeps these draws apart from those that an environment makes of the same seed
STICKY_STREAM = 180403720

Reset = tuple[Any, dict[str, Any]]
Stepped = tuple[Any, float, bool, bool, dict[str, Any]]


class StickyFrameSkip(gym.Wrapper):
    """Each action is held for `skip` frames, and with some probability sets in one frame late
    (Nichol et al. 2018, section 3.4).

    With probability `stickiness` the first frame repeats what the frame before it was given; from
    the second frame on the new action is held. An episode's first step is never late. Rewards of
    the frames are summed, the last frame is seen, and an end cuts the step short. This is not the
    Arcade Learning Environment's stickiness, which may hold an old action for many frames.

    Args:
        env: steps one frame at a time. If the innermost environment has an attribute `shown`, it is
            set before each frame: whether the picture is needed, or may be an older one. A frame
            that ends the episode must show its own in any case.
        skip: frames a step, at least 1.
        stickiness: probability in [0, 1].

    Raises:
        ValueError: a number beyond these bounds.
    """

    def __init__(self, env: gym.Env, skip: int = 4, stickiness: float = 0.25):
        if skip < 1 or not 0.0 <= stickiness <= 1.0:
            raise ValueError(
                f"skip must be at least 1 and stickiness between 0 and 1, not {skip} and"
                f" {stickiness}."
            )
        super().__init__(env)
        self.skip = skip
        self.stickiness = stickiness
        self._held: Any = None  # what the last frame was given; None before an episode's first
        self._draws: np.random.Generator | None = None
        self._game: Any = env.unwrapped if hasattr(env.unwrapped, "shown") else None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        """Start an episode; a seed begins the draws anew, without one they go on."""
        self._held = None
        if seed is not None or self._draws is None:
            self._draws = np.random.default_rng(None if seed is None else (STICKY_STREAM, seed))
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> Stepped:
        """Play `skip` frames, or fewer where the episode ends. The info is the last frame's."""
        assert self._draws is not None, "reset comes before step"
        late = self._draws.random() < self.stickiness and self._held is not None
        total = 0.0
        for frame in range(self.skip):
            if frame > 0 or not late:
                self._held = action
            if self._game is not None:
                self._game.shown = frame == self.skip - 1
            observation, reward, terminated, truncated, info = self.env.step(self._held)
            total += float(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, info


class WarpFrame(gym.ObservationWrapper):
    """Pictures [size, size, 1] or [size, size, 3] uint8 of any picture, each pixel the mean of the
    area that it covers, rounded.

    Grey is 0.299 red + 0.587 green + 0.114 blue (ITU-R 601), as in Mnih et al. 2015 and after; grey
    pictures stay as they are.

    Args:
        env: shows pictures [height, width], [height, width, 1] or [height, width, 3] uint8.
        size: pixels a side.
        grey: one channel, rather than red, green and blue.

    Raises:
        ValueError: `env` shows no such pictures, or grey ones where colours are wanted.
    """

    def __init__(self, env: gym.Env, size: int = 84, grey: bool = True):
        super().__init__(env)
        shape = env.observation_space.shape or ()
        if (
            len(shape) not in (2, 3)
            or (shape[2:] or (1,)) not in ((1,), (3,))
            or env.observation_space.dtype != np.uint8
        ):
            raise ValueError(
                "WarpFrame needs uint8 pictures [height, width, 1 or 3], not"
                f" {env.observation_space}."
            )
        if size < 1 or (not grey and shape[2:] != (3,)):
            raise ValueError(
                f"Pictures {list(shape)} can't be shown in {1 if grey else 3} channels of {size}"
                " pixels a side."
            )
        self.observation_space = gym.spaces.Box(0, 255, (size, size, 1 if grey else 3), np.uint8)
        self._rows = _means(shape[0], size)
        columns = _means(shape[1], size)
        channels = (
            np.eye(3) if not grey else np.array([LUMA]) if shape[2:] == (3,) else np.ones((1, 1))
        )
        # [columns and colours in, columns and channels out] of a block
        self._columns = np.kron(columns, channels).T.astype(np.float32)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        """Return the picture made small."""
        blocks = observation.astype(np.float32).reshape(
            -1, self._rows.shape[1], math.prod(observation.shape[1:])
        )
        short = np.matmul(self._rows, blocks).reshape(-1, len(self._columns))
        return np.rint(short @ self._columns).astype(np.uint8).reshape(self.observation_space.shape)


def _means(length: int, size: int) -> np.ndarray:
    """Return how `size` equal parts of a line of `length` pixels average them: [parts in a block,
    pixels in a block] float32.

    The line falls into gcd(length, size) blocks that are all alike, such as 28 blocks of 8 pixels
    and 3 parts for 224 and 84; so a block's small product serves for the line.
    """
    blocks = math.gcd(length, size)
    pixels = np.arange(length // blocks)
    edges = np.linspace(0, length // blocks, size // blocks + 1)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.clip(covered, 0, None) * size / length).astype(np.float32)


class StackFrames(gym.Wrapper):
    """The last `count` pictures, one behind the other in the channels, oldest first; an episode's
    first one fills all places at its start.

    Args:
        env: shows pictures [height, width, channels].
        count: pictures, at least 1. Shown are [height, width, count x channels].

    Raises:
        ValueError: no such pictures, or no such count.
    """

    def __init__(self, env: gym.Env, count: int = 4):
        super().__init__(env)
        space = env.observation_space
        if count < 1 or not isinstance(space, gym.spaces.Box) or len(space.shape) != 3:
            raise ValueError(
                "StackFrames needs a count of at least 1 and pictures [height, width, channels],"
                f" not {count} and {space}."
            )
        self.count = count
        self._channels = space.shape[2]
        low, high = (np.concatenate([bound] * count, axis=2) for bound in (space.low, space.high))
        self.observation_space = gym.spaces.Box(low, high, dtype=space.dtype.type)
        self._stack = np.zeros(self.observation_space.shape, space.dtype)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        """Start an episode."""
        picture, info = self.env.reset(seed=seed, options=options)
        self._stack = np.concatenate([picture] * self.count, axis=2)
        return self._stack, info

    def step(self, action: Any) -> Stepped:
        """Let the oldest picture go."""
        picture, reward, terminated, truncated, info = self.env.step(action)
        stack = np.empty_like(self._stack)
        # All numbers move down by a picture's channels, in one copy of memory; what that puts in
        # the last places is written over.
        stack.reshape(-1)[: -self._channels] = self._stack.reshape(-1)[self._channels :]
        stack[:, :, -self._channels :] = picture
        self._stack = stack
        return stack, float(reward), terminated, truncated, info


class ScaleReward(gym.Wrapper):
    """Rewards times `factor`.

    Args:
        env: any. factor: any finite number.

    Raises:
        ValueError: the factor isn't finite.
    """

    def __init__(self, env: gym.Env, factor: float):
        if not np.isfinite(factor):
            raise ValueError(f"The factor of rewards must be finite, not {factor}.")
        super().__init__(env)
        self.factor = float(factor)

    def step(self, action: Any) -> Stepped:
        """Step, and scale."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, float(reward) * self.factor, terminated, truncated, info
