"""Replay of what rows that play side by side went through: n-step returns, prioritised draws,
frames kept once.

Prioritised replay: Schaul et al. 2016 (arXiv 1511.05952), proportional variant. n-step returns:
Hessel et al. 2018 (arXiv 1710.02298), section 3.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.arguments import check_fields
from metarl.core.spaces import observation_dtype
from metarl.learners.settings import check_counts
from metarl.learners.transfer.priorities import Priorities

__all__ = ["ReplayBuffer", "ReplayBatch", "ReplayConfig"]

MOST_SAVED = 2**26  # bytes of observations that a checkpoint holds; what is larger is played anew


@dataclass(frozen=True)
class ReplayConfig:
    """What is kept, and how it is drawn.

    Attributes:
        capacity: observations kept, over all rows; the paper's million takes 7 GB of single 84x84
            frames.
        stack: frames that an observation stacks along its last axis, oldest first; each is then
            kept once. 1 keeps observations whole.
        prioritised: draw in proportion to the last loss; otherwise all alike.
        alpha: power of the loss.
        offset: added to the loss before.
        beta: power of the importance weights at first.
        beta_steps: environment steps over which it rises to 1; 0 leaves it as it is.
    """

    capacity: int = 100_000
    stack: int = 1
    prioritised: bool = True
    alpha: float = 0.5
    offset: float = 1e-3
    beta: float = 0.4
    beta_steps: int = 50_000_000

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts(capacity=self.capacity, stack=self.stack)
        if (
            not (0 <= self.alpha <= 1 and 0 <= self.beta <= 1)
            or self.offset <= 0
            or self.beta_steps < 0
        ):
            raise ValueError(
                "alpha and beta must lie in [0, 1], offset must be positive, and beta_steps can't"
                " be negative."
            )

    def beta_after(self, steps: int) -> float:
        """Return the power of importance weights after a number of environment steps."""
        share = min(1.0, steps / self.beta_steps) if self.beta_steps else 0.0
        return self.beta + (1 - self.beta) * share


class ReplayBatch(NamedTuple):
    """n steps, each with what its next few brought."""

    observation: Tensor  # [n, *obs]
    action: Tensor  # [n] int64
    returns: Tensor  # [n] discounted sum of the rewards of up to n_step steps, fewer where the episode ends before
    discount: Tensor  # [n] of the value of `next_observation`: discount^(steps summed), 0 after termination
    next_observation: (
        Tensor  # [n, *obs]  after those steps; after an end, the one that the episode showed last
    )
    weight: Tensor  # [n] importance weights, at most 1
    place: np.ndarray  # [n] where the replay has them, for `rate`

    def to(self, device: torch.device) -> "ReplayBatch":
        """Return the same on another device, but for `place`."""
        return self._replace(**{name: getattr(self, name).to(device) for name in self._fields[:-1]})


class ReplayBuffer:
    """A ring of places for each row: an episode of L steps takes L + 1 of them, and stack - 1 more
    for its first frames.

    A place holds an observation (of a stack, the newest frame) and, once known, the action taken
    there and what it brought. A step can be drawn as soon as all n_step steps from it are known, or
    its episode is over.

    Args:
        config: settings.
        observation_space: of one task.
        num_rows: B.
        n_step: rewards summed before the value is asked. discount: gamma.

    Raises:
        ValueError: a stack that the observations can't be, or no room for n_step steps in each row.
    """

    def __init__(
        self,
        config: ReplayConfig,
        observation_space: gym.Space,
        num_rows: int,
        n_step: int,
        discount: float,
    ):
        shape = tuple(observation_space.shape or ())
        if config.stack > 1 and (not shape or shape[-1] % config.stack):
            raise ValueError(
                f"Observations of shape {list(shape)} can't be stacks of {config.stack} along their"
                " last axis; set stack=1."
            )
        self.config = config
        self.num_rows = num_rows
        self.n_step = n_step
        self.length = config.capacity // num_rows  # S, places of a row
        if self.length < 2 * (n_step + config.stack):
            least = 2 * (n_step + config.stack) * num_rows
            raise ValueError(
                f"A capacity of {config.capacity} is too small for {num_rows} rows; give {least} or"
                " more."
            )
        self.channels = shape[-1] // config.stack if config.stack > 1 else 0
        frame = (*shape[:-1], self.channels) if config.stack > 1 else shape
        self.discounts = discount ** np.arange(n_step + 1)
        self._frame = (frame, observation_dtype(observation_space))
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        places = self.num_rows * self.length
        shape, dtype = self._frame
        # NumPy's zeros take memory when they are written; PyTorch's take it at once.
        zeros = np.zeros((places, *shape), torch.empty(0, dtype=dtype).numpy().dtype)
        self.frames = torch.from_numpy(zeros)
        self.action = np.zeros(places, np.int64)
        self.reward = np.zeros(places, np.float32)
        self.acted = np.zeros(places, bool)
        self.terminated = np.zeros(places, bool)
        # Number of each row's newest place, counted from its first ever
        self.head = np.full(self.num_rows, -1)
        self.first = np.zeros(self.num_rows, np.int64)  # ... of its episode's first observation
        self.priorities = Priorities(places)
        self.highest = 1.0
        self.last: Tensor | None = None  # [B, *obs] newest observations of stacks

    def __len__(self) -> int:
        """Steps that can be drawn."""
        return self.priorities.positive

    def start(self, rows: np.ndarray, observation: Tensor) -> None:
        """Begin an episode in `rows` [n] with `observation` [n, *obs].

        What they played before is over, known to its end or not.
        """
        self._complete(rows, range(1, self.n_step))
        for i in range(self.config.stack):
            self._append(rows, self._part(observation, i))
        self.first[rows] = self.head[rows]
        self._keep_last(rows, observation)

    def add(
        self,
        rows: np.ndarray,
        action: Tensor,
        reward: Tensor,
        terminated: Tensor,
        observation: Tensor,
    ) -> None:
        """One step in each of `rows` [n]: what was done on the newest observation, what that
        brought, and what came to be seen.

        Raises:
            ValueError: `observation` isn't the last stack moved on by a frame. After termination it
                may be anything.
        """
        self._check_stacks(rows, observation, ~terminated)
        place = self._place(rows, self.head[rows])
        self.action[place] = action.numpy()
        self.reward[place] = reward.numpy()
        self.terminated[place] = terminated.numpy()
        self.acted[place] = True
        self._append(rows, self._part(observation, self.config.stack - 1))
        self._complete(rows, range(self.n_step, self.n_step + 1))
        self._keep_last(rows, observation)

    def draw(self, n: int, beta: float, rng: Generator) -> ReplayBatch:
        """n steps by priority, with importance weights to the power `beta`; `rng` is on the CPU.

        Raises:
            ValueError: there is nothing to draw yet.
        """
        index = self.priorities.draw(n, rng)
        # How many there are cancels out
        weight = (self.priorities[index] / self.priorities[index].min()) ** -beta
        following = self._later(index, np.arange(self.n_step))  # [n, n_step]
        known = np.logical_and.accumulate(self.acted[following], 1)
        summed = known.sum(1)
        returns = (self.reward[following] * known * self.discounts[:-1]).sum(1)
        over = self.terminated[following[np.arange(n), summed - 1]]
        after = self._later(index, summed[:, None])[:, 0]
        return ReplayBatch(
            self.observations(index),
            torch.from_numpy(self.action[index]),
            torch.from_numpy(returns.astype(np.float32)),
            torch.from_numpy((self.discounts[summed] * ~over).astype(np.float32)),
            self.observations(after),
            torch.from_numpy(weight.astype(np.float32)),
            index,
        )

    def rate(self, index: np.ndarray, loss: np.ndarray) -> None:
        """Give the steps at `index` [n], just drawn, priorities by their losses [n] of at least 0."""
        if self.config.prioritised:
            priority = (loss.astype(np.float64) + self.config.offset) ** self.config.alpha
            self.highest = max(self.highest, float(priority.max()))
            self.priorities.set(index, priority)

    def observations(self, place: np.ndarray) -> Tensor:
        """Observations [n, *obs] at places [n]."""
        stack = self.config.stack
        if stack == 1:
            return self.frames[torch.from_numpy(place)]
        frames = self.frames[
            torch.from_numpy(self._later(place, np.arange(1 - stack, 1)))
        ]  # [n, k, ..., C / k]
        return frames.movedim(1, -2).flatten(-2)

    def seen(self) -> Tensor:
        """Return all observations [n, *obs] that are kept whole."""
        assert self.config.stack == 1, "stacks are images, whose moments nobody asks for"
        filled = np.arange(self.length) <= np.minimum(self.head, self.length - 1)[:, None]
        return self.frames[torch.from_numpy(filled.reshape(-1))]

    def state_dict(self) -> dict[str, Any] | None:
        """Everything, or None where the observations take more than 64 MiB.

        They are then played anew.
        """
        filled = int(min(self.head.max() + 1, self.length))
        frames = self.frames.unflatten(0, (self.num_rows, self.length))[:, :filled]
        if frames.numel() * frames.element_size() > MOST_SAVED:
            return None
        names = ("action", "reward", "acted", "terminated")
        rows = {
            name: torch.from_numpy(
                getattr(self, name).reshape(self.num_rows, -1)[:, :filled].copy()
            )
            for name in names
        }
        numbers = torch.from_numpy(
            self.priorities.numbers().reshape(self.num_rows, -1)[:, :filled].copy()
        )
        heads = {name: torch.from_numpy(getattr(self, name).copy()) for name in ("head", "first")}
        state = {
            "frames": frames.clone(),
            **rows,
            **heads,
            "priorities": numbers,
            "highest": self.highest,
        }
        return state if self.last is None else {**state, "last": self.last.clone()}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Go on from `state`, or from nothing."""
        self.clear()
        if state is None:
            return
        filled = state["frames"].shape[1]
        self.frames.unflatten(0, (self.num_rows, self.length))[:, :filled] = state["frames"]
        for name in ("action", "reward", "acted", "terminated"):
            getattr(self, name).reshape(self.num_rows, -1)[:, :filled] = state[name].numpy()
        numbers = np.zeros((self.num_rows, self.length))
        numbers[:, :filled] = state["priorities"].numpy()
        self.priorities.set(np.arange(numbers.size), numbers.reshape(-1))
        self.head = state["head"].numpy().copy()
        self.first = state["first"].numpy().copy()
        self.highest = float(state["highest"])
        self.last = state["last"].clone() if "last" in state else None

    def _place(self, rows: np.ndarray, number: np.ndarray) -> np.ndarray:
        """Return where the places of `rows` lie that have these numbers."""
        return rows * self.length + number % self.length

    def _later(self, place: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Places [n, m] that come `offsets` [m] or [n, m] after `place` [n] in its row."""
        row = place // self.length * self.length
        return row[:, None] + ((place - row)[:, None] + offsets) % self.length

    def _append(self, rows: np.ndarray, frame: Tensor) -> None:
        """Move on by one place.

        The oldest, or of stacks the one whose oldest frame is overwritten, can't be drawn any more.
        """
        self.head[rows] += 1
        place = self._place(rows, self.head[rows])
        self.frames[torch.from_numpy(place)] = frame
        self.acted[place] = False
        self.priorities.set(self._place(rows, self.head[rows] + self.config.stack - 1), 0.0)

    def _complete(self, rows: np.ndarray, back: range) -> None:
        """Let the steps be drawn that were taken `back` places ago, in the same episode."""
        number = self.head[rows][:, None] - np.array(back, np.int64)
        fits = number >= self.first[rows][:, None]
        place = self._place(rows[:, None], number)[fits]
        if len(place):
            self.priorities.set(place, self.highest)

    def _part(self, observation: Tensor, i: int) -> Tensor:
        """Return the i-th oldest frame of stacks [n, *obs].

        Observations themselves where they aren't stacks.
        """
        return (
            observation
            if self.config.stack == 1
            else observation[..., i * self.channels : (i + 1) * self.channels]
        )

    def _keep_last(self, rows: np.ndarray, observation: Tensor) -> None:
        if self.config.stack > 1:
            if self.last is None:
                self.last = observation.new_zeros((self.num_rows, *observation.shape[1:]))
            self.last[torch.from_numpy(rows)] = observation

    def _check_stacks(self, rows: np.ndarray, observation: Tensor, matters: Tensor) -> None:
        if self.last is None:
            return
        before = self.last[torch.from_numpy(rows)][matters]
        if not torch.equal(
            before[..., self.channels :], observation[matters][..., : -self.channels]
        ):
            raise ValueError(
                f"An observation isn't the one before it moved on by one of {self.config.stack}"
                " frames; set the replay's stack=1."
            )
