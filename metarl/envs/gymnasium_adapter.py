"""Gymnasium environments as a task distribution.

A list of tasks a split, and a function that makes a task's environment.
"""

import reprlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.arguments import check_whole
from metarl.core.errors import ActionError, PlugInError
from metarl.core.new_environment import own_limit, problem_of_environment, remember
from metarl.core.seeding import numpy_generator
from metarl.core.space_values import ActionBounds
from metarl.core.spaces import spaces_of
from metarl.core.task_distribution import (
    SPLITS,
    EpisodeRows,
    TaskDistribution,
    Tasks,
    Transition,
    check_draw,
    check_split,
)
from metarl.envs.content import Groups, content_key, group_by_content
from metarl.envs.env_worker import EnvSpec, RowArrays, RowPlayer, arrays_in, bytes_needed
from metarl.envs.flattened import NESTED, flattened, problem_of_flattening
from metarl.envs.processes import DEFAULT_PATIENCE, check_patience
from metarl.envs.task_streams import SHARES, Sampler, TaskStream, check_streams, refuse_shared
from metarl.envs.workers import WorkerPool

__all__ = [
    "DEFAULT_HORIZON",
    "GymnasiumDistribution",
    "GymnasiumRows",
    "GymnasiumTasks",
    "SampledTasks",
]

# steps, where neither the user nor the environment says how long an episode lasts
DEFAULT_HORIZON = 200


@dataclass(frozen=True, eq=False)
class GymnasiumTasks(Tasks):
    """n tasks, by where they stand in the lists that the distribution was made with."""

    split: Tensor  # [n] int64, position of the split in SPLITS
    index: Tensor  # [n] int64, position of the task in the split's list


@dataclass(frozen=True, eq=False)
class SampledTasks(GymnasiumTasks):
    """n tasks of a split that a function draws, by their numbers in its stream."""

    content: Tensor  # [n] int64, a hash of what each task is made of

    @property
    def fingerprint(self) -> str:
        """A 16-digit hash of what the tasks are made of, whatever their numbers are."""
        return Contents(self.split, self.content).fingerprint


@dataclass(frozen=True, eq=False)
class Contents(Tasks):
    """What the fingerprint of sampled tasks is made of."""

    split: Tensor  # [n] int64
    content: Tensor  # [n] int64


class GymnasiumDistribution(TaskDistribution):
    """A user's own environments, one a task, drawn from lists of tasks or by a function.

    Either pass `make_env`, or subclass and define the method `make_env(self, task)`.

    | part | value |
    |---|---|
    | observation | as the first task's environment has it; a Dict or Tuple as one vector |
    | action | as the first task's environment has it |
    | spaces | Discrete, MultiDiscrete, MultiBinary or Box |
    | reward | the environment's |
    | start | `env.reset(seed=...)`, a fresh seed every episode |
    | end | terminated as the environment says; truncated by the environment's own limit or at the horizon |
    | success | `info["is_success"]`, else `info["success"]`, true or false (or 1 or 0); false where there is neither |
    | splits | the lists given; a batch goes through a shuffled list before any of its tasks comes again; or new tasks without end |

    Observations of boxes arrive as float32 (uint8 ones stay uint8), all else as int64; numbers of
    an integer box that float32 can't hold exactly are refused. The parts of a Dict or Tuple stand in
    the vector in the space's order, discrete ones one-hot; images, texts and sequences in it are
    refused with the wrapper that helps. Scores sum the environment's own
    rewards in float64; agents see them rounded to float32.

    Environments get actions of their space's own type and within its bounds: integers for boxes of
    integers (the nearest), and a bound that float32 rounds outward is the bound again. Actions
    farther out are refused with a PlugInError rather than clipped: clip them in the agent, as all
    policies here do.

    Args:
        id: such as "MyMaze-v0".
        make_env: makes the environment of one task, a new one in each call: an environment that was
            returned before is refused.
        splits: split -> tasks; a task is anything that `make_env` understands, picklable if there
            are workers. In place of a list, a function may draw a split's tasks: called with a
            NumPy generator, it returns one task. Tasks that another split lists are drawn again;
            that two functions draw from different or continuous ranges is theirs to see to, and an
            error where it fails.
        sampler: such a function for all of train, test and validation that `splits` doesn't give; a
            hash of its content says to which of them a task belongs, so that none is in two.
        horizon: most steps in one episode. If it isn't given: the own limit of the first task's
            environment (its `gymnasium.wrappers.TimeLimit`, or `max_episode_steps` of its spec),
            and 200 if it has none; a warning tells the first episode that is cut without a word of
            the user's or of the environment, and a task with a longer limit of its own is refused.
        workers: worker processes that share the rows; 0 plays them in this process. Results don't
            depend on it.
        one_per_process: a process can hold one environment only, as with stable-retro; then each
            row has a worker of its own, whatever `workers` says. Only a single row with workers=0
            is played in this process. An environment is closed before the next is made.
        finite: there are few tasks by nature, so that splits may share some.
        patience: seconds that a worker process has for one step or reset of its rows; one that
            hangs is ended, and the error names its task and step. None waits for ever, and so does
            whoever plays in this process (workers=0), where nothing can end a hang.
        reveals: an episode's first observation is meant to tell something of the task;
            `metarl.checks` then lets it. If it isn't given, as the class says.

    Raises:
        ValueError: no tasks, an unknown split, splits that share a task without `finite`, or spaces
            that tensors can't hold.
        PlugInError: make_env raises an error, or returns something other than a Gymnasium
            environment with spaces.
    """

    env_per_row = True

    def __init__(
        self,
        id: str,
        make_env: Callable[[Any], gym.Env] | None = None,
        splits: Mapping[str, Sequence[Any] | Sampler] | None = None,
        horizon: int | None = None,
        *,
        workers: int = 0,
        one_per_process: bool = False,
        finite: bool = False,
        patience: float | None = DEFAULT_PATIENCE,
        reveals: bool | None = None,
        sampler: Sampler | None = None,
    ):
        _check_id_and_maker(id, make_env)
        if horizon is not None:
            horizon = check_whole(f"{id}: horizon", horizon)
        workers = check_whole(f"{id}: workers", workers, 0)
        check_patience(id, patience)
        for name, flag in (
            ("one_per_process", one_per_process),
            ("finite", finite),
            ("reveals", reveals),
        ):
            if flag not in (None, True, False):
                raise ValueError(f"{id}: {name} must be True or False, not {flag!r}.")
        self.id = id
        self.workers = workers
        self.one_per_process = one_per_process
        self.finite = finite
        self.patience = patience
        if reveals is not None:
            self.reveals = reveals
        self._make_env = make_env
        if make_env is None and type(self).make_env is GymnasiumDistribution.make_env:
            raise ValueError(
                f"{id}: pass make_env, a function that makes the environment of one task, or define"
                " it in a subclass."
            )
        self._take_tasks(splits, sampler)
        limit = self._look_at_first_task()
        self.horizon_given = horizon is not None
        self.horizon = (
            horizon if horizon is not None else DEFAULT_HORIZON if limit is None else limit
        )
        spaces_of(self)

    def _take_tasks(
        self, splits: Mapping[str, Sequence[Any] | Sampler] | None, sampler: Sampler | None
    ) -> None:
        """Take the lists of tasks, and the functions that draw tasks, and see to it that splits
        share none.
        """
        given = dict(splits or {}) if isinstance(splits, Mapping | None) else {"splits": splits}
        _check_names(self.id, given, sampler)
        lists = {split: tuple(tasks) for split, tasks in given.items() if not callable(tasks)}
        _check_lists(self.id, lists)
        self._groups = group_by_content(lists)
        if not self.finite:
            _check_apart(self.id, lists, self._groups)
        shared = (
            tuple(split for split in SHARES if split not in given) if sampler is not None else ()
        )
        draws: dict[str, Any] = {
            split: tasks for split, tasks in given.items() if callable(tasks)
        } | dict.fromkeys(shared, sampler)
        keys = {
            split: frozenset(map(content_key, tasks)) if draws else frozenset()
            for split, tasks in lists.items()
        }
        self._streams: dict[str, TaskStream] = {}
        for split, draw in draws.items():
            others = (
                frozenset()
                if self.finite
                else frozenset().union(*(keys[other] for other in keys if other != split))
            )
            self._streams[split] = TaskStream(
                self.id, split, draw, others, shared if split in shared and not self.finite else ()
            )
        self._probed = check_streams(self._streams, self.finite)
        tasks: dict[str, Any] = {**lists, **self._streams}
        self.task_lists = {split: tasks[split] for split in (*given, *shared)}
        self.splits = tuple(self.task_lists)

    def _look_at_first_task(self) -> int | None:
        """Take the spaces of the first task's environment.

        Returns its own limit of steps, if it has one.
        """
        split = self.splits[0]
        task = self.task_lists[split][0]
        where = f"{self.id}: {split} task 0 ({reprlib.repr(task)})"
        try:
            env = self.make_env(task)
        except PlugInError:
            raise
        except Exception as error:
            raise PlugInError(
                f"{where} raised {type(error).__name__} while being made: {error}"
            ) from error
        problem = problem_of_environment(env)
        if problem is not None:
            raise PlugInError(f"{where}: {problem}.")
        remember(env)
        env = flattened(env)
        if isinstance(env.observation_space, NESTED):
            problem = problem_of_flattening(env.observation_space)
            raise ValueError(f"{self.id}: the observation space {env.observation_space} {problem}.")
        self.observation_space = env.observation_space
        self.action_space = env.action_space
        self._draws = env.render_mode == "rgb_array"
        limit = own_limit(env)
        # As of rows: an environment that can't be closed has been played all the same
        with suppress(Exception):
            env.close()
        return limit

    @property
    def draws(self) -> bool:
        return self._draws

    def make_env(self, task: Any) -> gym.Env:
        """Return the environment of one `task` of the lists."""
        assert self._make_env is not None
        return self._make_env(task)

    def sample(self, n: int, split: str, seed: int) -> GymnasiumTasks:
        """Draw n tasks.

        Shuffled copies of the split's list, one after the other, so that n = its length plays each
        once.
        """
        check_draw(self, n, split, seed)
        rng = numpy_generator(seed, self.id, split)
        if split in self._streams:
            return self._drawn(rng.integers(2**63 - 1, size=n), split)
        length = len(self.task_lists[split])
        index = (
            torch.cat([torch.from_numpy(rng.permutation(length)) for _ in range(-(-n // length))])[
                :n
            ]
            if n
            else torch.zeros(0)
        )
        index = index.to(torch.int64)
        return GymnasiumTasks(torch.full_like(index, SPLITS.index(split)), index)

    def task_keys(self, tasks: GymnasiumTasks) -> np.ndarray:
        if isinstance(tasks, SampledTasks):
            return tasks.content.numpy().astype(np.uint64)
        keys = np.zeros(len(tasks), np.uint64)
        for split in tasks.split.unique().tolist():
            rows = (tasks.split == split).numpy()
            keys[rows] = self._groups[SPLITS[split]][tasks.index.numpy()[rows]]
        return keys

    def task_count(self, split: str) -> int | None:
        check_split(self, split)
        return None if split in self._streams else len(self.task_lists[split])

    def _drawn(self, numbers: np.ndarray, split: str) -> SampledTasks:
        stream = self._streams[split]
        keys = [stream.key(number) for number in numbers.tolist()]
        for key in keys:
            refuse_shared(stream, key, self._probed, self.finite)
        content = torch.tensor(
            [int.from_bytes(key[:8], "little") >> 1 for key in keys], dtype=torch.int64
        )
        index = torch.from_numpy(numbers)
        return SampledTasks(torch.full_like(index, SPLITS.index(split)), index, content)

    def values(self, tasks: GymnasiumTasks) -> list[Any]:
        """Return the entries of the lists that `tasks` stand for."""
        return [
            self.task_lists[SPLITS[split]][index]
            for split, index in zip(tasks.split.tolist(), tasks.index.tolist(), strict=True)
        ]

    def first_tasks(self, split: str, most: int) -> list[Any]:
        """Return the first tasks of a split's list, as many as there are up to `most`.

        Or `most` that its function draws.
        """
        tasks = self.task_lists[split]
        return [tasks[i] for i in range(most if split in self._streams else min(most, len(tasks)))]

    def task_groups(self, split: str) -> np.ndarray:
        """Number the tasks of a split's list by content: int64 [number of tasks].

        Equal numbers stand for equal tasks, whatever containers they are in, within a split and
        across splits.
        """
        check_split(self, split)
        if split in self._streams:
            raise ValueError(
                f"{self.id}: the tasks of {split!r} are drawn without end; there is no list of"
                " them."
            )
        return self._groups[split]

    def open(self, num_rows: int, rng: Generator) -> "GymnasiumRows":
        return GymnasiumRows(self, num_rows, [rng])

    def open_independent(self, rngs: Sequence[Generator]) -> "GymnasiumRows":
        return GymnasiumRows(self, len(rngs), rngs)


class GymnasiumRows(EpisodeRows):
    """B environments, in this process or shared among worker processes.

    At each call of `reset` all rows draw a seed, so that no row's noise depends on another's clock.
    """

    def __init__(
        self, distribution: GymnasiumDistribution, num_rows: int, rngs: Sequence[Generator]
    ):
        tasks = tuple((split, distribution.task_lists.get(split, ())) for split in SPLITS)
        make_env = distribution._make_env or distribution.make_env
        spaces = distribution.observation_space, distribution.action_space
        self.horizon = distribution.horizon
        self._unsaid = not distribution.horizon_given
        self.spec = EnvSpec(
            distribution.id,
            make_env,
            tasks,
            *spaces,
            longest=self.horizon if self._unsaid else None,
        )
        self.actions = ActionBounds(distribution.action_space)
        self.num_rows = num_rows
        self.rngs = rngs
        self.device = rngs[0].device
        self.host: WorkerPool | RowPlayer
        workers = (
            num_rows
            if distribution.one_per_process and (num_rows > 1 or distribution.workers)
            else distribution.workers
        )
        if workers:
            self.host = WorkerPool(self.spec, num_rows, workers, distribution.patience)
        else:
            memory = bytearray(bytes_needed(self.spec, num_rows))
            self.host = RowPlayer(
                self.spec, arrays_in(memory, self.spec, num_rows), range(num_rows)
            )
        self.arrays: RowArrays = self.host.arrays
        self.arrays.wanted[:] = True
        self._observation = self._tensor("observation")

    def reset(self, mask: Tensor, tasks: Tasks) -> Tensor:
        assert isinstance(tasks, GymnasiumTasks)
        each = self.num_rows // len(self.rngs)
        seeds = torch.cat(
            [
                torch.randint(2**31 - 1, (each,), generator=rng, device=self.device)
                for rng in self.rngs
            ]
        )
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
        actions = action.detach().cpu().numpy()
        outside = self.actions.outside(actions, self.arrays.wanted)
        if outside is not None:
            raise ActionError(f"{self.spec.id}: row {outside.row} {outside.problem}.")
        self.arrays.action[:] = self.actions.own(actions)
        self.host.step()
        if self._unsaid:
            self._tell_cut()
        observation, reward, terminated, success, truncated = (
            self._tensor(name)
            for name in ("observation", "reward", "terminated", "success", "truncated")
        )
        self._observation = observation
        return Transition(None, observation, reward, terminated, success, truncated)

    def _tell_cut(self) -> None:
        """Warn, once, where an episode is cut by a horizon that nobody gave."""
        arrays = self.arrays
        cut = (
            arrays.wanted & (arrays.clock >= self.horizon) & ~arrays.terminated & ~arrays.truncated
        )
        if cut.any():
            self._unsaid = False
            name = self.spec.name_task(arrays, int(np.flatnonzero(cut)[0]))
            warnings.warn(
                f"{self.spec.id}: an episode of {name} is cut after {self.horizon} steps, since its"
                " environment has no limit of its own and no horizon was given. Say horizon=...,"
                " or wrap the environment in gymnasium.wrappers.TimeLimit.",
                stacklevel=2,
            )

    def play_only(self, mask: Tensor) -> None:
        self.arrays.wanted[:] = mask.cpu().numpy()

    def render(self, row: int) -> Tensor | None:
        """Return what the row's environment draws, if `make_env` made it with
        render_mode="rgb_array".
        """
        picture = self.host.render(row)
        return None if picture is None else torch.from_numpy(picture)

    @property
    def tells_success(self) -> bool:
        return bool(self.arrays.tells_success.any())

    def describe(self, row: int) -> str:
        return self.spec.name_task(self.arrays, row)

    def close(self) -> None:
        self.host.close()

    def _tensor(self, name: str) -> Tensor:
        return torch.from_numpy(getattr(self.arrays, name).copy()).to(self.device)


def _check_id_and_maker(id: object, make_env: object) -> None:
    """Raise ValueError unless the id is text and `make_env`, where it is given, can be called."""
    if not isinstance(id, str):
        raise ValueError(f"The id of a distribution is text, such as 'MyMaze-v0', not {id!r}.")
    if make_env is None or callable(make_env):
        return
    if isinstance(make_env, gym.Env):
        kind = type(make_env.unwrapped).__name__
        raise ValueError(
            f"{id}: make_env must make a new environment in each call, and this is one environment"
            f" ({kind}): pass a function of the task, such as lambda task: {kind}(task)."
        )
    raise ValueError(
        f"{id}: make_env must be a function of the task that makes its environment, "
        f"such as lambda task: gymnasium.make('CartPole-v1'), not {make_env!r}."
    )


def _check_names(id: str, given: dict[str, Any], sampler: Any) -> None:
    if (not given and sampler is None) or set(given) - set(SPLITS):
        raise ValueError(
            f"{id}: splits must be a dict from {', '.join(SPLITS)} to lists of tasks; it has"
            f" {', '.join(map(str, given)) or 'none'}."
        )
    if sampler is not None and not callable(sampler):
        raise ValueError(
            f"{id}: sampler must be a function of a NumPy generator that returns one task, not"
            f" {sampler!r:.80}."
        )
    wrong = [
        split
        for split, tasks in given.items()
        if not callable(tasks) and (isinstance(tasks, str) or not isinstance(tasks, Iterable))
    ]
    if wrong:
        raise ValueError(
            f"{id}: the split {wrong[0]!r} needs a list of tasks, or a function that draws one, not"
            f" {given[wrong[0]]!r:.80}."
        )


def _check_lists(id: str, task_lists: dict[str, tuple[Any, ...]]) -> None:
    empty = [split for split, tasks in task_lists.items() if not tasks]
    if empty:
        raise ValueError(
            f"{id}: the split {empty[0]!r} has no tasks; give it some, or leave it out."
        )


def _check_apart(id: str, task_lists: dict[str, tuple[Any, ...]], groups: Groups) -> None:
    owners: dict[int, tuple[str, int]] = {}
    for split, tasks in task_lists.items():
        for i, group in enumerate(groups[split].tolist()):
            owner = owners.setdefault(group, (split, i))
            if owner[0] != split:
                raise ValueError(
                    f"{id}: {owner[0]} task {owner[1]} and {split} task {i} are the same,"
                    f" {tasks[i]!r:.80}; keep the splits apart, or say finite=True if there are few"
                    " tasks by nature."
                )
