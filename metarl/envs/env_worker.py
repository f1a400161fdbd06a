"""Plays Gymnasium environments row by row into plain arrays, in this process or in a worker.

Imports no PyTorch, so that workers start fast and stay small.
"""

import math
import reprlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from metarl.core.errors import PlugInError
from metarl.core.new_environment import (
    own_limit,
    problem_of_environment,
    problem_of_reuse,
    remember,
)
from metarl.core.space_values import (
    FLOAT32_MAX,
    ObservationReader,
    as_number,
    as_truth,
    first_value,
    stored_dtype,
)
from metarl.envs.flattened import flattened
from metarl.envs.worker_memory import own_bytes

__all__ = ["EnvSpec", "RowArrays", "RowPlayer", "arrays_in", "bytes_needed", "same_space"]


@dataclass(frozen=True, eq=False)
class RowArrays:
    """What passes between rows of environments and whoever steps them, in ordinary or in shared
    memory.
    """

    begin: np.ndarray  # [B] bool  in: rows that `reset` starts
    wanted: np.ndarray  # [B] bool  in: rows whose results are read; the others stand still
    split: np.ndarray  # [B] int64  in: position of the split in the spec
    index: np.ndarray  # [B] int64  in: task within the split
    seed: np.ndarray  # [B] int64  in: of the next episode
    action: np.ndarray  # [B, *act]  in, of the action space's own type and within it
    observation: np.ndarray  # [B, *obs]
    reward: np.ndarray  # [B] float64
    terminated: np.ndarray  # [B] bool
    truncated: np.ndarray  # [B] bool
    success: np.ndarray  # [B] bool
    tells_success: np.ndarray  # [B] bool  some step of the row told whether it was a success
    clock: np.ndarray  # [B] int64  steps of the episode
    at: (
        np.ndarray
    )  # [B] int64  first entry of a slice of rows: the row whose environment is running, or -1
    taken: (
        np.ndarray
    )  # [B] int64  first entry of a slice of rows: bytes that they take, if `trial` measured them


class EnvSpec(NamedTuple):
    """What it takes to make the environments of a distribution.

    Worker processes receive it pickled.
    """

    id: str
    make_env: Callable[[Any], gym.Env]
    tasks: tuple[tuple[str, tuple[Any, ...]], ...]  # (split, its tasks) in a fixed order
    observation_space: gym.Space
    action_space: gym.Space
    # Most steps that an environment's own limit may allow; None where the horizon was given
    longest: int | None = None

    def name_task(self, arrays: RowArrays, row: int) -> str:
        """Return how error messages name the task that `row` plays."""
        split, tasks = self.tasks[arrays.split[row]]
        return f"{split} task {arrays.index[row]} ({reprlib.repr(tasks[arrays.index[row]])})"


def _layout(spec: EnvSpec, num_rows: int) -> list[tuple[tuple[int, ...], np.dtype]]:
    observation = spec.observation_space
    action = spec.action_space
    kinds: dict[str, tuple[tuple[int, ...], Any]] = {
        **dict.fromkeys(
            ("begin", "wanted", "terminated", "truncated", "success", "tells_success"),
            ((), np.bool_),
        ),
        **dict.fromkeys(("split", "index", "seed", "clock", "at", "taken"), ((), np.int64)),
        "reward": ((), np.float64),
        "action": (action.shape or (), action.dtype),
        "observation": (observation.shape or (), stored_dtype(observation)),
    }
    return [
        ((num_rows, *kinds[name][0]), np.dtype(kinds[name][1]))
        for name in (field.name for field in fields(RowArrays))
    ]


def bytes_needed(spec: EnvSpec, num_rows: int) -> int:
    """Size of the memory that `arrays_in` cuts up."""
    return sum(
        -(-math.prod(shape) * dtype.itemsize // 64) * 64 for shape, dtype in _layout(spec, num_rows)
    )


def arrays_in(memory: Any, spec: EnvSpec, num_rows: int) -> RowArrays:
    """Arrays for `num_rows` rows as views of `memory` (a bytearray or mmap of at least
    `bytes_needed`), each on a cache line of its own.
    """
    arrays = []
    offset = 0
    for shape, dtype in _layout(spec, num_rows):
        arrays.append(np.frombuffer(memory, dtype, math.prod(shape), offset).reshape(shape))
        offset += -(-math.prod(shape) * dtype.itemsize // 64) * 64
    return RowArrays(*arrays)


def same_space(one: gym.Space, other: gym.Space, bounds: bool) -> bool:
    """Return whether two spaces are equal.

    Boxes of one shape and type also count as equal unless `bounds` matter.
    """
    if not bounds and isinstance(one, gym.spaces.Box) and isinstance(other, gym.spaces.Box):
        return one.shape == other.shape and one.dtype == other.dtype
    return one == other


class RowPlayer:
    """Holds one environment for each of `rows`, a slice of all rows, and plays them in `arrays`.

    An environment is kept while its row's task stays the same, and closed and made anew when it
    changes.

    Raises:
        PlugInError: an environment raised an error, or broke Gymnasium's contract; names the task,
            the row and the step.
    """

    def __init__(self, spec: EnvSpec, arrays: RowArrays, rows: range):
        self.spec = spec
        self.arrays = arrays
        self.rows = rows
        self._slice = slice(rows.start, rows.stop)
        self._envs: dict[int, gym.Env] = {}
        self._tasks: dict[int, tuple[int, int]] = {}
        self._playing = dict.fromkeys(rows, False)
        self._readers: dict[int, ObservationReader] = {}
        arrays.at[rows.start] = -1
        arrays.observation[self._slice] = first_value(spec.observation_space)

    def reset(self) -> None:
        """Start an episode in every row that `begin` and `wanted` flag."""
        arrays = self.arrays
        begin = self.rows.start + np.flatnonzero(
            arrays.begin[self._slice] & arrays.wanted[self._slice]
        )
        arrays.clock[begin] = 0
        row = self.rows.start
        doing = "being made"
        try:
            for row in begin.tolist():
                arrays.at[self.rows.start] = row
                task = (int(arrays.split[row]), int(arrays.index[row]))
                if self._tasks.get(row) != task:
                    doing = "being made"
                    self._make(row, task)
                doing = "reset"
                answer = self._envs[row].reset(seed=int(arrays.seed[row]))
                if not isinstance(answer, tuple) or len(answer) != 2:
                    raise self._broken(
                        row, f"reset must return (observation, info), not {reprlib.repr(answer)}"
                    )
                self._store(row, answer[0])
                self._playing[row] = True
        except PlugInError:
            raise
        except Exception as error:
            raise self._broken(
                row, f"raised {type(error).__name__} while {doing}: {error}"
            ) from error
        self._check_observations()
        arrays.at[self.rows.start] = -1

    def step(self) -> None:
        """Step every row that is wanted and whose episode hasn't ended by itself."""
        arrays = self.arrays
        part = self._slice
        arrays.clock[part] += 1
        for array in (arrays.reward, arrays.terminated, arrays.truncated, arrays.success):
            array[part] = 0
        actions = self._actions()
        wanted = arrays.wanted[part].tolist()
        row = self.rows.start
        try:
            for row in self.rows:
                if not (self._playing[row] and wanted[row - part.start]):
                    continue
                arrays.at[part.start] = row
                answer = self._envs[row].step(actions[row - part.start])
                if not isinstance(answer, tuple) or len(answer) != 5:
                    raise self._broken(
                        row,
                        "step must return (observation, reward, terminated, truncated, info), not"
                        f" {reprlib.repr(answer)}",
                    )
                self._take(row, *answer)
        except PlugInError:
            raise
        except Exception as error:
            raise self._broken(row, f"raised {type(error).__name__}: {error}") from error
        self._check_observations()
        arrays.at[part.start] = -1

    def _take(
        self, row: int, observation: Any, reward: Any, terminated: Any, truncated: Any, info: Any
    ) -> None:
        """Write down what a step of `row` answered."""
        arrays = self.arrays
        self._store(row, observation)
        # What most steps answer is told apart at once, since all rows of all steps come by here
        plain = type(reward) is float and -FLOAT32_MAX <= reward <= FLOAT32_MAX
        arrays.reward[row] = reward if plain else self._reward(row, reward)
        if terminated is not False or truncated is not False:
            ended = self._truth(row, "terminated", terminated)
            cut = self._truth(row, "truncated", truncated)
            if ended or cut:
                arrays.terminated[row] = ended
                arrays.truncated[row] = cut
                self._playing[row] = False
        if not info:
            return
        if type(info) is not dict and not isinstance(info, Mapping):
            raise self._broken(row, f"gave the info {reprlib.repr(info)}; it must be a dictionary")
        name = "is_success" if "is_success" in info else "success"
        if name in info:
            success = info[name]
            arrays.success[row] = (
                success if type(success) is bool else self._truth(row, f"info[{name!r}]", success)
            )
            arrays.tells_success[row] = True

    def _reward(self, row: int, given: Any) -> float:
        reward = as_number(given)
        if reward is None:
            raise self._broken(
                row,
                f"gave the reward {reprlib.repr(given)}, which is not one number that float64 can"
                " hold",
            )
        if not math.isfinite(reward):
            raise self._broken(row, f"gave the reward {reward}, which is not finite")
        if abs(reward) > FLOAT32_MAX:
            raise self._broken(
                row,
                f"gave the reward {reward}, which float32, as agents see it, can't hold; "
                "scale rewards down, such as by gymnasium.wrappers.TransformReward",
            )
        return reward

    def _truth(self, row: int, name: str, given: Any) -> bool:
        truth = as_truth(given)
        if truth is None:
            raise self._broken(
                row, f"gave {name} = {reprlib.repr(given)}, which is neither true nor false"
            )
        return truth

    def trial(self) -> None:
        """Start an episode of the first task in the first row, to see what memory its environment
        takes, and so all rows'.
        """
        row = self.rows.start
        before = own_bytes()
        self.arrays.split[row] = next(i for i, (_, tasks) in enumerate(self.spec.tasks) if tasks)
        self.arrays.begin[row] = self.arrays.wanted[row] = True
        self.reset()
        self.arrays.taken[row] = before + len(self.rows) * max(own_bytes() - before, 0)

    def render(self, row: int) -> np.ndarray | None:
        """Return the picture [H, W, 3] uint8 that the row's environment draws now.

        None if it wasn't made with render_mode="rgb_array".
        """
        env = self._envs[row]
        if env.render_mode != "rgb_array":
            return None
        try:
            picture = np.array(env.render())
        except Exception as error:
            raise self._broken(
                row, f"raised {type(error).__name__} while being drawn: {error}"
            ) from error
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise self._broken(
                row,
                f"drew {picture.dtype} of shape {picture.shape}; a picture is uint8 [height,"
                " width, 3]",
            )
        return picture

    def close(self) -> None:
        """Close all environments."""
        while self._envs:
            with suppress(Exception):
                self._envs.popitem()[1].close()

    def _actions(self) -> list[Any]:
        """This step's actions as environments expect them, in memory of their own, since an
        environment may keep one.
        """
        actions = self.arrays.action[self._slice].copy()
        if isinstance(self.spec.action_space, gym.spaces.Discrete):
            return list(actions)
        # arrays, even where a box holds a single number
        return [actions[i, ...] for i in range(len(actions))]

    def _make(self, row: int, task: tuple[int, int]) -> None:
        self._tasks.pop(row, None)
        if row in self._envs:
            self._envs.pop(row).close()
        env = self.spec.make_env(self.spec.tasks[task[0]][1][task[1]])
        problem = problem_of_environment(env) or problem_of_reuse(env)
        if problem is not None:
            raise self._broken(row, problem)
        remember(env)
        env = flattened(env)
        self._envs[row] = env
        self._tasks[row] = task
        for what, first, own, bounds in (
            ("observation", self.spec.observation_space, env.observation_space, False),
            ("action", self.spec.action_space, env.action_space, True),
        ):
            if not same_space(first, own, bounds):
                raise self._broken(
                    row,
                    f"has the {what} space {own}, the distribution's first task has {first}; all"
                    " tasks must share their spaces",
                )
        limit = own_limit(env)
        longest = self.spec.longest
        if limit is not None and longest is not None and limit > longest:
            raise self._broken(
                row,
                f"has a limit of its own of {limit} steps, and would be cut after {longest}, as the"
                " first task's environment ends; give horizon= the most steps that any task may"
                " take",
            )
        self._readers[row] = ObservationReader(env.observation_space)

    def _store(self, row: int, observation: Any) -> None:
        problem = self._readers[row].read(observation, self.arrays.observation[row, ...])
        if problem is not None:
            raise self._broken(row, problem)

    def _check_observations(self) -> None:
        """Look at all rows at once, which costs less than a look at each."""
        observation = self.arrays.observation[self._slice]
        if observation.dtype != np.float32:
            return
        bad = ~np.isfinite(observation)
        if bad.any():
            row = self.rows.start + int(np.flatnonzero(bad.reshape(len(self.rows), -1).any(1))[0])
            shown = reprlib.repr(self.arrays.observation[row].tolist())
            raise self._broken(
                row, f"gave the observation {shown}, which is not finite (NaN or infinite)"
            )

    def _broken(self, row: int, problem: str) -> PlugInError:
        where = (
            f"at step {clock} of its episode"
            if (clock := int(self.arrays.clock[row]))
            else "at its episode's start"
        )
        return PlugInError(
            f"{self.spec.id}: {self.spec.name_task(self.arrays, row)}, in row {row} {where},"
            f" {problem}."
        )
