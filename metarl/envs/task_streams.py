"""Tasks drawn by a user's function, without end: task number x of a stream is the same in every
process.

Imports no PyTorch, so that workers start fast and stay small.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from metarl.core.errors import PlugInError
from metarl.envs.content import content_key

__all__ = ["SHARES", "Sampler", "TaskStream", "check_streams", "refuse_shared"]

Sampler = Callable[[np.random.Generator], Any]

# Of all contents, where one function draws for several splits
SHARES = {"train": 5, "test": 2, "validation": 1}
MOST_ATTEMPTS = 1000  # draws until one belongs to the split
PROBES = 128  # draws of each stream that are compared when the distribution is made


class TaskStream:
    """The tasks of one split, by numbers of 63 bits.

    Args:
        id: of the distribution. split: whose tasks they are.
        draw: the user's function of a generator.
        listed: content keys of tasks that other splits list; they are drawn again.
        owners: splits that share `draw`; a hash of its content says whose a task is, and other
            splits' are drawn again.
    """

    def __init__(
        self,
        id: str,
        split: str,
        draw: Sampler,
        listed: frozenset[bytes],
        owners: tuple[str, ...] = (),
    ):
        self.id = id
        self.split = split
        self.draw = draw
        self.listed = listed
        self.owners = tuple(owner for owner in owners for _ in range(SHARES[owner]))

    def __getitem__(self, number: int) -> Any:
        """The task of that number.

        Raises:
            PlugInError: the function raised an error, or draws nothing that belongs to this split.
        """
        for attempt in range(MOST_ATTEMPTS):
            try:
                task = self.draw(np.random.default_rng([number, attempt]))
            except Exception as error:
                raise PlugInError(
                    f"{self.id}: the sampler of {self.split} tasks raised {type(error).__name__}:"
                    f" {error}. It is called with a NumPy generator and returns one task."
                ) from error
            if task is None:
                raise PlugInError(
                    f"{self.id}: the sampler of {self.split} tasks returned None, as functions"
                    " without a return do; it returns one task."
                )
            key = content_key(task)
            own = not self.owners or self.owners[key[-1] % len(self.owners)] == self.split
            if own and key not in self.listed:
                return task
        raise PlugInError(
            f"{self.id}: of {MOST_ATTEMPTS} tasks that the sampler drew none was for the split"
            f" {self.split!r}, since other splits have them all; draw from more tasks, or give"
            " lists, and finite=True if there are few tasks by nature."
        )

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        raise ValueError(
            f"{self.id}: the tasks of {self.split!r} are drawn without end; this needs a list of"
            " them."
        )

    def key(self, number: int) -> bytes:
        """Return the content key of the task of that number."""
        return content_key(self[number])


def check_streams(streams: dict[str, TaskStream], finite: bool) -> dict[bytes, str]:
    """Draw some tasks of each stream. Returns their content keys, with the split that has them.

    Raises:
        ValueError: a stream gives other tasks for the same number, or two streams share one, unless
            they are `finite`.
    """
    seen: dict[bytes, str] = {}
    for split, stream in streams.items():
        for number in range(PROBES):
            key = stream.key(number)
            if number < 2 and key != stream.key(number):
                raise ValueError(
                    f"{stream.id}: the sampler of {split} tasks gives another task for the same"
                    " generator; draw from the generator that it is called with, and from nothing"
                    " else."
                )
            refuse_shared(stream, key, seen, finite)
            seen[key] = split
    return seen


def refuse_shared(stream: TaskStream, key: bytes, seen: dict[bytes, str], finite: bool) -> None:
    """Raise ValueError where another stream has drawn the task of `key`."""
    if not finite and seen.get(key, stream.split) != stream.split:
        raise ValueError(
            f"{stream.id}: the samplers of {seen[key]} and {stream.split} draw the same task; let"
            " them draw from different or continuous ranges, or give one function as sampler=,"
            " which keeps the splits apart by itself, or say finite=True."
        )
