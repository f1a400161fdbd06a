"""Gymnasium environments as a task distribution: a list of tasks a split, and a function that makes a task's environment."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import cloudpickle
import gymnasium as gym
import torch
from torch import Generator, Tensor

from metarl.tasks.contract import SPLITS, EpisodeRows, TaskDistribution, Tasks, Transition, check_split
from metarl.tasks.row_player import Recipe, RowArrays, RowPlayer, arrays_in, bytes_needed
from metarl.tasks.seeding import numpy_generator
from metarl.tasks.spaces import spaces_of
from metarl.tasks.workers import WorkerPool

__all__ = ["GymnasiumDistribution", "GymnasiumRows", "GymnasiumTasks"]


@dataclass(frozen=True, eq=False)
class GymnasiumTasks(Tasks):
    """n tasks, by where they stand in the lists that the distribution was made with."""

    split: Tensor  # [n] int64, position of the split in SPLITS
    index: Tensor  # [n] int64, position of the task in the split's list


class GymnasiumDistribution(TaskDistribution):
    """A user's own environments, one a task, drawn from lists of tasks.

    Either pass `make_env`, or subclass and define the method `make_env(self, task)`.

    | part | value |
    |---|---|
    | observation, action | as the first task's environment has them: Discrete, MultiDiscrete, MultiBinary or Box |
    | reward | the environment's |
    | start | `env.reset(seed=...)`, a fresh seed every episode |
    | end | terminated as the environment says; truncated by the environment's own limit or at the horizon |
    | success | `info["is_success"]`, else `info["success"]`, else false |
    | splits | the lists given; a batch goes through a shuffled list before any of its tasks comes again |

    Boxes arrive as float32 (uint8 ones stay uint8), all else as int64.

    Args:
        id: such as "MyMaze-v0".
        make_env: makes the environment of one task.
        splits: split -> tasks; a task is anything that `make_env` understands, picklable if there are workers.
        horizon: most steps in one episode.
        workers: worker processes that share the rows; 0 plays them in this process. Results don't depend on it.
        one_per_process: a process can hold one environment only, as with stable-retro; then each row has a worker of its own, whatever
            `workers` says. Only a single row with workers=0 is played in this process. An environment is closed before the next is made.
        finite: there are few tasks by nature, so that splits may share some.

    Raises:
        ValueError: no tasks, an unknown split, splits that share a task without `finite`, or spaces that tensors can't hold.
    """

    def __init__(
        self,
        id: str,
        make_env: Callable[[Any], gym.Env] | None = None,
        splits: Mapping[str, Sequence[Any]] | None = None,
        horizon: int = 200,
        *,
        workers: int = 0,
        one_per_process: bool = False,
        finite: bool = False,
    ):
        if horizon < 1 or workers < 0:
            raise ValueError(f"{id}: horizon must be at least 1 and workers at least 0, not {horizon} and {workers}.")
        self.id, self.horizon, self.workers, self.one_per_process, self.finite = id, horizon, workers, one_per_process, finite
        self.task_lists = {split: tuple(tasks) for split, tasks in (splits or {}).items()}
        self.splits = tuple(self.task_lists)
        self._make_env = make_env
        if make_env is None and type(self).make_env is GymnasiumDistribution.make_env:
            raise ValueError(f"{id}: pass make_env, a function that makes the environment of one task, or define it in a subclass.")
        _check_lists(id, self.task_lists, finite)
        env = self.make_env(self.task_lists[self.splits[0]][0])
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self._draws = env.render_mode == "rgb_array"
        env.close()
        spaces_of(self)

    @property
    def draws(self) -> bool:
        return self._draws

    def make_env(self, task: Any) -> gym.Env:
        """The environment of one `task` of the lists."""
        assert self._make_env is not None
        return self._make_env(task)

    def sample(self, n: int, split: str, seed: int) -> GymnasiumTasks:
        """Draw n tasks: shuffled copies of the split's list, one after the other, so that n = its length plays each once."""
        check_split(self, split)
        length, rng = len(self.task_lists[split]), numpy_generator(seed, self.id, split)
        index = torch.cat([torch.from_numpy(rng.permutation(length)) for _ in range(-(-n // length))])[:n] if n else torch.zeros(0)
        index = index.to(torch.int64)
        return GymnasiumTasks(torch.full_like(index, SPLITS.index(split)), index)

    def values(self, tasks: GymnasiumTasks) -> list[Any]:
        """The entries of the lists that `tasks` stand for."""
        return [self.task_lists[SPLITS[split]][index] for split, index in zip(tasks.split.tolist(), tasks.index.tolist(), strict=True)]

    def open(self, num_rows: int, rng: Generator) -> "GymnasiumRows":
        return GymnasiumRows(self, num_rows, [rng])

    def open_independent(self, rngs: Sequence[Generator]) -> "GymnasiumRows":
        return GymnasiumRows(self, len(rngs), rngs)


class GymnasiumRows(EpisodeRows):
    """B environments, in this process or shared among worker processes.

    At each call of `reset` all rows draw a seed, so that no row's noise depends on another's clock.
    """

    def __init__(self, distribution: GymnasiumDistribution, num_rows: int, rngs: Sequence[Generator]):
        tasks = tuple((split, distribution.task_lists.get(split, ())) for split in SPLITS)
        make_env = distribution._make_env or distribution.make_env
        self.recipe = Recipe(distribution.id, make_env, tasks, distribution.observation_space, distribution.action_space)
        self.num_rows, self.rngs, self.device = num_rows, rngs, rngs[0].device
        self.host: WorkerPool | RowPlayer
        workers = num_rows if distribution.one_per_process and (num_rows > 1 or distribution.workers) else distribution.workers
        if workers:
            self.host = WorkerPool(self.recipe, num_rows, workers)
        else:
            memory = bytearray(bytes_needed(self.recipe, num_rows))
            self.host = RowPlayer(self.recipe, arrays_in(memory, self.recipe, num_rows), range(num_rows))
        self.arrays: RowArrays = self.host.arrays
        self.arrays.wanted[:] = True
        self._observation = self._tensor("observation")

    def reset(self, mask: Tensor, tasks: Tasks) -> Tensor:
        assert isinstance(tasks, GymnasiumTasks)
        each = self.num_rows // len(self.rngs)
        seeds = torch.cat([torch.randint(2**31 - 1, (each,), generator=rng, device=self.device) for rng in self.rngs])
        if bool(mask.any()):
            for array, tensor in (
                (self.arrays.begin, mask),
                (self.arrays.split, tasks.split),
                (self.arrays.index, tasks.index),
                (self.arrays.seed, seeds),
            ):
                array[:] = tensor.cpu().numpy()
            self.host.reset()
            self._observation = self._tensor("observation")
        return self._observation

    def step(self, action: Tensor) -> Transition:
        self.arrays.action[:] = action.detach().cpu().numpy()
        self.host.step()
        observation, reward, terminated, success, truncated = (
            self._tensor(name) for name in ("observation", "reward", "terminated", "success", "truncated")
        )
        self._observation = observation
        return Transition(None, observation, reward, terminated, success, truncated)

    def play_only(self, mask: Tensor) -> None:
        self.arrays.wanted[:] = mask.cpu().numpy()

    def render(self, row: int) -> Tensor | None:
        """What the row's environment draws, if `make_env` made it with render_mode="rgb_array"."""
        picture = self.host.render(row)
        return None if picture is None else torch.from_numpy(picture)

    def describe(self, row: int) -> str:
        return self.recipe.name_task(self.arrays, row)

    def close(self) -> None:
        self.host.close()

    def _tensor(self, name: str) -> Tensor:
        return torch.from_numpy(getattr(self.arrays, name).copy()).to(self.device)


def _check_lists(id: str, task_lists: dict[str, tuple[Any, ...]], finite: bool) -> None:
    if not task_lists or set(task_lists) - set(SPLITS):
        raise ValueError(
            f"{id}: splits must be a dict from {', '.join(SPLITS)} to lists of tasks; it has {', '.join(task_lists) or 'none'}."
        )
    empty = [split for split, tasks in task_lists.items() if not tasks]
    if empty:
        raise ValueError(f"{id}: the split {empty[0]!r} has no tasks; give it some, or leave it out.")
    owners: dict[Any, tuple[str, int]] = {}
    for split, tasks in task_lists.items():
        for i, task in enumerate(tasks):
            for key in _keys(task):
                owner = owners.setdefault(key, (split, i))
                if owner[0] != split and not finite:
                    raise ValueError(
                        f"{id}: {owner[0]} task {owner[1]} and {split} task {i} are the same, {task!r:.80}; keep the splits apart, "
                        "or say finite=True if there are few tasks by nature."
                    )


def _keys(task: Any) -> list[Any]:
    """What equal tasks have in common: being equal, or, where that can't be told by hashing, being pickled alike."""
    keys: list[Any] = []
    with suppress(TypeError):
        hash(task)
        keys.append(("value", task))
    with suppress(Exception):  # a task that can't be pickled is fine without workers
        keys.append(("pickle", cloudpickle.dumps(task)))
    return keys
