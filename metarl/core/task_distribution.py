"""What a task distribution is: pure functions that draw tasks, start episodes and step them,
thousands at once.

A family for PyTorch implements `sample`, `reset` and `step` on tensors with a leading dimension n
(parallel tasks). An environment written for Gymnasium becomes a distribution through
`metarl.envs.gymnasium_adapter`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils._pytree import tree_map

from metarl.core.arguments import check_seed, check_whole
from metarl.core.capabilities import pictures_of
from metarl.core.errors import PlugInError
from metarl.core.seeding import derive_seed

__all__ = [
    "SPLITS",
    "STREAMS",
    "EpisodeRows",
    "TaskDistribution",
    "TaskSource",
    "Tasks",
    "Transition",
    "check_draw",
    "check_split",
    "fresh_tasks",
    "join_tasks",
    "row_keys",
    "where_rows",
]

SomeTasks = TypeVar("SomeTasks", bound="Tasks")

# In this order for ever: adapted tasks count on it
SPLITS = ("train", "test", "extrapolate", "validation")
# Of a family that draws each from a stream of its own, of tasks without end
STREAMS = ("train", "test", "validation")


@dataclass(frozen=True, eq=False)
class Tasks:
    """A frozen batch of n tasks.

    Subclasses add tensor fields [n, ...] (floating ones drawn in float64 on the CPU).
    """

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, index: Any) -> Self:
        """The tasks at `index`.

        A slice, a list, a mask or an index tensor; an integer gives a batch of one.
        """
        if not isinstance(index, slice | list):
            index = torch.as_tensor(index)
            index = index[None] if index.dim() == 0 else index
        elif isinstance(index, list):
            index = torch.as_tensor(index) if index else torch.zeros(0, dtype=torch.int64)
        return self.map(lambda tensor: tensor[index])

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Return the same tasks with `function` applied to every tensor."""
        return type(self)(
            **{field.name: function(getattr(self, field.name)) for field in fields(self)}
        )

    def to(self, device: str | torch.device, dtype: torch.dtype | None = None) -> Self:
        """Return the tasks on `device`; floating tensors in `dtype` when it is given."""
        return self.map(
            lambda tensor: tensor.to(device, dtype if tensor.is_floating_point() else None)
        )

    def where(self, mask: Tensor, other: Self) -> Self:
        """Rows of `other` where `mask` [n] is true, rows of these tasks elsewhere."""
        return type(self)(
            **{
                field.name: where_rows(mask, getattr(other, field.name), getattr(self, field.name))
                for field in fields(self)
            }
        )

    def keys(self) -> np.ndarray:
        """Return a 64-bit hash [n] of each task's parameters.

        Tasks with equal parameters have equal keys, whatever batch they are in.
        """
        return row_keys([getattr(self, field.name) for field in fields(self)])

    @property
    def fingerprint(self) -> str:
        """A 16-digit hash of every parameter of every task, the same on every device."""
        digest = hashlib.sha256(type(self).__name__.encode())
        for field in fields(self):
            tensor = getattr(self, field.name).detach().cpu().contiguous()
            digest.update(f"{field.name}{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()[:16]


def row_keys(tensors: Sequence[Tensor]) -> np.ndarray:
    """Hash row i of all `tensors` [n, ...] to 64 bits: [n] uint64."""
    keys = np.full(len(tensors[0]), len(tensors), np.uint64)
    for tensor in tensors:
        rows = tensor.detach().cpu().reshape(len(tensor), -1)
        # -0.0 is 0.0
        values = (rows.double() + 0.0 if rows.is_floating_point() else rows).contiguous().numpy()
        size = values.shape[1] * values.itemsize
        words = np.zeros((len(values), -(-size // 8) * 8), np.uint8)
        words[:, :size] = values.view(np.uint8).reshape(len(values), size)
        for column in words.view(np.uint64).T:
            keys = _mixed(keys ^ column)
        keys = _mixed(keys ^ np.uint64(size))
    return keys


def _mixed(words: np.ndarray) -> np.ndarray:
    """Return the finaliser of SplitMix64 (Steele et al. 2014), which spreads every bit over all."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = words ^ (words >> np.uint64(31))
    return mixed


class Transition(NamedTuple):
    """What one step of n tasks gives.

    The horizon is not the distribution's business: whoever steps it truncates.
    """

    state: Any  # nested tuples of tensors [n, ...]
    observation: Tensor  # [n, *obs]
    reward: Tensor  # [n] float
    terminated: Tensor  # [n] bool: the episode ended in the MDP
    success: Tensor  # [n] bool: the task's own notion of success; all false where it has none
    truncated: Tensor | None = None  # [n] bool: the environment's own limit; None where it has none


# Tasks for (rows [m], counts [m]): row i's j-th task is the same whatever the other rows do.
TaskSource = Callable[[Tensor, Tensor], Tasks]


class TaskDistribution(ABC):
    """A distribution over tasks of one family. Pure: two instances made alike behave alike, and
    none keeps state.

    What a family can do beyond being played is a method that it has or hasn't: an optimum, upper
    bounds, pictures, a list of its tasks (`metarl.core.capabilities` says which, and what each
    promises).

    Attributes:
        id: its id in the registry, such as "BernoulliBandit-v0".
        observation_space, action_space: Gymnasium spaces of one task.
        horizon: most steps in one episode.
        finite: the family has few tasks by nature, so train and test may overlap; scores say so.
        has_success: whether the family has a notion of success; where it has none, nothing can be
            scored by it. None leaves it open: then it has one where some step of an evaluation told
            of one.
        reveals: an episode's first observation is meant to tell something of the task.
        hides: fields of its tasks that no observation of an unfinished episode depends on; only
            rewards, successes and ends do.
        headings: ways that an agent which walks about may face, as `odometry` counts them.
        env_per_row: each row is an environment of its own, so that many rows take long; tensors
            step all of them at once.
        splits: the splits it can sample: train, test, and where they make sense validation (to
            choose settings by) and extrapolate.
    """

    id: str
    observation_space: gym.Space
    action_space: gym.Space
    horizon: int
    finite: bool = False
    has_success: bool | None = None
    reveals: bool = False
    hides: ClassVar[tuple[str, ...]] = ()
    headings: int = 1
    env_per_row: ClassVar[bool] = False
    splits: tuple[str, ...] = ("train", "test")

    @abstractmethod
    def sample(self, n: int, split: str, seed: int) -> Tasks:
        """Draw n tasks of a split on the CPU in float64: same arguments, same tasks."""

    def reset(self, tasks: Any, rng: Generator) -> tuple[Any, Tensor]:
        """Start an episode in each task. Returns (state, observation [n, *obs])."""
        raise PlugInError(
            f"{type(self).__name__} has no reset for tensors; play it through MetaEpisodeEnv."
        )

    def step(self, tasks: Any, state: Any, action: Tensor, rng: Generator) -> Transition:
        """Take one step in each task.

        No `.item()`, no branching on values, noise of a fixed shape.
        """
        raise PlugInError(
            f"{type(self).__name__} has no step for tensors; play it through MetaEpisodeEnv."
        )

    def task_keys(self, tasks: Any) -> np.ndarray:
        """Return a key [n] for each of `tasks`.

        Those with equal keys are the same task, and scores count them once.
        """
        keys: np.ndarray = tasks.keys()
        return keys

    def open(self, num_rows: int, rng: Generator) -> "EpisodeRows":
        """Rows that play episodes of these tasks side by side.

        `MetaEpisodeEnv` holds the clocks.
        """
        return TensorRows(self, num_rows, rng)

    def open_independent(self, rngs: Sequence[Generator]) -> "EpisodeRows":
        """Rows with a generator each.

        Row i plays exactly as it would alone with `rngs[i]`. Slower than `open`, whose rows share
        one.
        """
        return IndependentRows([self.open(1, rng) for rng in rngs])

    def config(self) -> dict[str, Any]:
        """Return the keyword arguments that `metarl.make(id, ...)` needs to build this distribution
        again (JSON values).
        """
        return {}

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value!r}" for name, value in self.config().items())
        return f"metarl.make({self.id!r}{arguments})"


class EpisodeRows(ABC):
    """B episodes in progress, in process or in workers."""

    @abstractmethod
    def reset(self, mask: Tensor, tasks: Tasks) -> Tensor:
        """Begin an episode of `tasks` [B] in the rows of `mask` [B].

        Other rows play on. Returns observation [B, *obs], valid in `mask`.
        """

    @abstractmethod
    def step(self, action: Tensor) -> Transition:
        """Step every row; a row whose episode has ended is not read until it is reset."""

    def play_only(self, mask: Tensor) -> None:  # noqa: B027 - tensor families play all rows at the same price
        """From now on only rows of `mask` [B] are read; the others needn't be reset or stepped."""

    def render(self, row: int) -> Tensor | None:
        """Return a picture [H, W, 3] uint8 of how `row` stands.

        None where there is nothing to show.
        """
        return None

    def describe(self, row: int) -> str:
        """Return how error messages name the task of `row`."""
        return f"the task of row {row}"

    @property
    def tells_success(self) -> bool | None:
        """Whether some step so far told if it was a success.

        None where steps can't but say yes or no, as of tensor families.
        """
        return None

    def close(self) -> None:  # noqa: B027
        """Release what the rows hold (worker processes, emulators)."""


class TensorRows(EpisodeRows):
    """Rows of a tensor family.

    One `reset` and one `step` over all rows, merged by masks, static in shape.
    """

    def __init__(self, distribution: TaskDistribution, num_rows: int, rng: Generator):
        self.distribution = distribution
        self.num_rows = num_rows
        self.rng = rng
        self.tasks: Tasks | None = None
        self.state: Any = None

    def reset(self, mask: Tensor, tasks: Tasks) -> Tensor:
        # All rows draw, so that no row's noise depends on another's clock
        state, observation = self.distribution.reset(tasks, self.rng)
        self.state = state if self.state is None else where_rows(mask, state, self.state)
        self.tasks = tasks
        return observation

    def step(self, action: Tensor) -> Transition:
        assert self.tasks is not None, "reset comes before step"
        transition = self.distribution.step(self.tasks, self.state, action, self.rng)
        self.state = transition.state
        return transition

    def render(self, row: int) -> Tensor | None:
        if self.tasks is None:
            return None
        one, state = (
            self.tasks[row].to("cpu"),
            tree_map(lambda part: part[row : row + 1].cpu(), self.state),
        )
        pictures = pictures_of(self.distribution, one, state)
        return None if pictures is None else pictures[0]


class IndependentRows(EpisodeRows):
    """Rows played one by one, each with a generator of its own."""

    def __init__(self, rows: Sequence[EpisodeRows]):
        self.rows = rows
        self.tasks: Tasks | None = None
        self.each: list[Tasks] = []

    def reset(self, mask: Tensor, tasks: Tasks) -> Tensor:
        if tasks is not self.tasks:
            self.tasks, self.each = tasks, [tasks[i : i + 1] for i in range(len(self.rows))]
        return torch.cat(
            [row.reset(mask[i : i + 1], self.each[i]) for i, row in enumerate(self.rows)]
        )

    def step(self, action: Tensor) -> Transition:
        parts = [row.step(action[i : i + 1]) for i, row in enumerate(self.rows)]
        truncated = (
            None
            if parts[0].truncated is None
            else torch.cat([part.truncated for part in parts if part.truncated is not None])
        )
        observation, reward, terminated, success = (
            torch.cat([getattr(part, name) for part in parts])
            for name in ("observation", "reward", "terminated", "success")
        )
        return Transition(None, observation, reward, terminated, success, truncated)

    def play_only(self, mask: Tensor) -> None:
        for i, row in enumerate(self.rows):
            row.play_only(mask[i : i + 1])

    @property
    def tells_success(self) -> bool | None:
        told = [row.tells_success for row in self.rows]
        return None if None in told else any(told)

    def render(self, row: int) -> Tensor | None:
        return self.rows[row].render(0)

    def close(self) -> None:
        for row in self.rows:
            row.close()


def join_tasks(parts: Sequence[SomeTasks]) -> SomeTasks:
    """Return one batch of the tasks of all `parts`, in order."""
    return type(parts[0])(
        **{
            field.name: torch.cat([getattr(part, field.name) for part in parts])
            for field in fields(parts[0])
        }
    )


def where_rows(mask: Tensor, chosen: Any, other: Any) -> Any:
    """Rows of `chosen` where `mask` [n] is true, of `other` elsewhere, through nested tuples of
    tensors [n, ...].
    """
    if isinstance(chosen, Tensor):
        # images: eight bytes at once take an eighth of the time
        if mask.dim() == 1 and _in_words(chosen) and _in_words(other):
            words: Tensor = torch.where(
                mask[:, None],
                chosen.flatten(1).view(torch.int64),
                other.flatten(1).view(torch.int64),
            )
            return words.view(torch.uint8).view(chosen.shape)
        return torch.where(
            mask.reshape(mask.shape + (1,) * (chosen.dim() - mask.dim())), chosen, other
        )
    parts = [where_rows(mask, a, b) for a, b in zip(chosen, other, strict=True)]
    return type(chosen)(*parts) if hasattr(chosen, "_fields") else tuple(parts)


def _in_words(rows: Tensor) -> bool:
    """Return whether rows of bytes can be read as 64-bit words where they lie."""
    fits = (
        rows.dtype == torch.uint8 and rows.dim() > 1 and rows.is_contiguous() and rows.numel() > 0
    )
    return fits and rows[0].numel() % 8 == 0 and rows.storage_offset() % 8 == 0


def check_draw(distribution: Any, n: int, split: str, seed: int) -> None:
    """Raise ValueError unless `sample` of `distribution` can be called so.

    Each `sample` begins with this.
    """
    check_split(distribution, split)
    check_whole(f"{distribution.id}: the number of tasks", n, 0)
    check_seed(seed, f"{distribution.id}: seed")


def check_split(distribution: Any, split: str) -> None:
    """Raise ValueError unless `distribution`, of episodes or of examples, has `split`."""
    if not isinstance(split, str) or split not in distribution.splits:
        raise ValueError(
            f"{distribution.id} has no split {split!r}; choose one of"
            f" {', '.join(distribution.splits)}."
        )


def fresh_tasks(
    distribution: TaskDistribution, split: str, num_rows: int, seed: int, first: int = 0
) -> TaskSource:
    """Return a source of never-ending tasks: row i's j-th task is row i of block j, a pure function
    of (seed, i, j).

    Args:
        distribution: where tasks come from.
        split: which split.
        num_rows: B, the rows that will ask.
        seed: names the stream.
        first: offset added to every j, so that successive rollouts see new tasks.
    """
    check_split(distribution, split)
    num_rows = check_whole("num_rows", num_rows)
    seed = check_seed(seed)
    first = check_whole("first", first, 0)
    blocks: dict[int, Tasks] = {}  # the latest used is the last

    def block_of(j: int) -> Tasks:
        if j in blocks:
            blocks[j] = blocks.pop(j)
        else:
            blocks[j] = distribution.sample(
                num_rows, split, derive_seed(seed, "task block", first + j)
            )
            if len(blocks) > 8:  # rows far behind or ahead draw their block again: sampling is pure
                del blocks[next(iter(blocks))]
        return blocks[j]

    def source(rows: Tensor, counts: Tensor) -> Tasks:
        wanted = sorted(set(counts.tolist()))
        if len(wanted) == 1:
            block = block_of(wanted[0])
            return (
                block
                if len(rows) == num_rows and bool((rows == torch.arange(num_rows)).all())
                else block[rows]
            )
        order = torch.cat([torch.nonzero(counts == j).flatten() for j in wanted])
        return join_tasks([block_of(j)[rows[counts == j]] for j in wanted])[order.argsort()]

    return source
