"""Worker processes that play rows of Gymnasium environments, with all numbers in shared memory.

The shared memory has no name and goes with the last process that maps it; `metarl.tasks.processes` says how workers start and end.
"""

import mmap
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from itertools import pairwise

import cloudpickle
import numpy as np

from metarl.tasks.errors import PlugInError
from metarl.tasks.processes import WorkerProcesses, enter_worker
from metarl.tasks.row_player import Recipe, RowPlayer, arrays_in, bytes_needed

__all__ = ["WorkerPool", "serve", "slices"]


class WorkerPool:
    """Plays `num_rows` rows in `workers` processes, a contiguous slice of rows each.

    Args:
        recipe: what to play; pickled with cloudpickle, so functions of a script or a notebook will do.
        num_rows: B. workers: processes, at most B.

    Attributes:
        arrays: of all rows, shared with the workers.

    Raises:
        ValueError: the recipe can't be pickled.
        PlugInError: an environment broke its contract, or a worker died; all workers are closed then.
    """

    def __init__(self, recipe: Recipe, num_rows: int, workers: int):
        try:
            pickled = cloudpickle.dumps(recipe)
        except Exception as error:
            raise ValueError(
                f"{recipe.id}: make_env or a task can't be sent to worker processes ({error}); make them picklable, or use workers=0."
            ) from error
        self.recipe = recipe
        size = bytes_needed(recipe, num_rows)
        self._slices = slices(num_rows, workers)
        self._workers = WorkerProcesses()
        memory = _anonymous_memory(size)
        try:
            self.arrays = arrays_in(mmap.mmap(memory, size), recipe, num_rows)
            for rows in self._slices:
                setup = {"memory": memory, "first": rows.start, "last": rows.stop, "num_rows": num_rows}
                self._workers.start("metarl.tasks.workers", setup, (memory,))
        except BaseException:
            self.close()
            raise
        finally:
            os.close(memory)
        self._run(pickled, range(len(self._slices)))

    def reset(self) -> None:
        """Start an episode in every row that `arrays.begin` and `arrays.wanted` flag."""
        begin = self.arrays.begin & self.arrays.wanted
        self._run(b"reset", [i for i, rows in enumerate(self._slices) if begin[rows.start : rows.stop].any()])

    def step(self) -> None:
        """Step every wanted row."""
        self._run(b"step", range(len(self._slices)))

    def close(self) -> None:
        """Let the workers close their environments and end; kill those that don't."""
        self._workers.close()

    def _run(self, command: bytes, workers: Sequence[int]) -> None:
        """Have `workers` carry out `command` side by side."""
        if not self._workers.open:
            raise PlugInError(f"{self.recipe.id}: the worker processes are closed; make a new environment.")
        i = 0
        try:
            for i in workers:
                self._workers.connections[i].send_bytes(command)
            for i in workers:
                if answer := self._workers.connections[i].recv_bytes():
                    raise PlugInError(answer.decode())
        except (EOFError, ConnectionError) as error:
            message = self._obituary(i)
            self.close()
            raise PlugInError(message) from error
        except BaseException:
            self.close()  # after an interruption nobody knows which answers are still to come
            raise

    def _obituary(self, worker: int) -> str:
        """Who died, of what, and while playing which task at which step."""
        rows, arrays, cause = self._slices[worker], self.arrays, self._workers.cause_of_death(worker)
        who = f"{self.recipe.id}: worker process {worker} (rows {rows.start} to {rows.stop - 1}) {cause}"
        row = int(arrays.at[rows.start])
        if row >= 0:
            return f"{who} while it played {self.recipe.name_task(arrays, row)} in row {row}, at step {arrays.clock[row]} of its episode."
        names = dict.fromkeys(self.recipe.name_task(arrays, row) for row in rows)
        shown = ", ".join(list(names)[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        return f"{who} between steps (its first row was at step {arrays.clock[rows.start]} of its episode); it held {shown}."


def slices(num_rows: int, workers: int) -> list[range]:
    """Contiguous rows for each worker, as equal in number as can be; no more workers than rows."""
    edges = np.linspace(0, num_rows, min(workers, num_rows) + 1).round().astype(int).tolist()
    return [range(first, last) for first, last in pairwise(edges)]


def serve(connection: int, lifeline: int, patience: float, memory: int, first: int, last: int, num_rows: int) -> None:
    """What a worker process does: play rows [first, last) until the pipe closes.

    Args:
        connection, lifeline, patience: see `metarl.tasks.processes`. memory: file descriptor of the shared arrays.
        first, last: the slice of rows. num_rows: B.
    """
    pipe, player = enter_worker(connection, lifeline, patience), None
    try:
        recipe = cloudpickle.loads(pipe.recv_bytes())
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
        player = RowPlayer(recipe, arrays_in(mmap.mmap(memory, bytes_needed(recipe, num_rows)), recipe, num_rows), range(first, last))
        while True:
            pipe.send_bytes(b"")
            getattr(player, pipe.recv_bytes().decode())()
    except (EOFError, ConnectionError):
        pass
    except Exception as error:
        cause = error.__cause__ or error
        trace = "" if isinstance(error, PlugInError) and error.__cause__ is None else f"\n\n{''.join(traceback.format_exception(cause))}"
        intro = "" if isinstance(error, PlugInError) else "A worker process could not load make_env and the tasks: "
        pipe.send_bytes(f"{intro}{error}{trace}".encode())
    finally:
        if player is not None:
            player.close()


def _anonymous_memory(size: int) -> int:
    """A file descriptor of `size` bytes of memory that no path leads to."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("metarl rows")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
