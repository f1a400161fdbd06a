"""Worker processes that play rows of Gymnasium environments, with all numbers in shared memory.

The shared memory has no name and goes with the last process that maps it; `metarl.envs.processes`
says how workers start and end.
"""

import math
import mmap
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from multiprocessing.connection import Connection

import cloudpickle
import numpy as np

from metarl.core.errors import PlugInError
from metarl.envs.env_worker import EnvSpec, RowPlayer, arrays_in, bytes_needed
from metarl.envs.processes import DEFAULT_PATIENCE, WorkerProcesses, check_patience, enter_worker
from metarl.envs.registered_envs import register_in_worker, registered_by_script, unknown_to_workers
from metarl.envs.worker_memory import check_memory, plainly_enough

__all__ = ["MOST_DEATHS", "WorkerPool", "serve", "slices"]

STARTING = -2  # in `RowArrays.at`: the worker has not yet answered that it is there
PATIENCE_TO_START = 30.0  # seconds, at least: a worker imports what make_env needs
MOST_DEATHS = 3  # of workers in a task of which no episode was finished in between


class WorkerPool:
    """Plays `num_rows` rows in `workers` processes, a contiguous slice of rows each.

    A worker that dies, of an emulator's segmentation fault or of kill -9, is started again, with a
    warning. The episodes in its rows are cut there: truncated, with a reward of 0 in the step that
    was lost and the latest observation. That is honest, since nothing ended in the task, but a
    return of such an episode lacks what would have followed. An error in Python, which would come
    again, stops the play.

    Args:
        spec: what to play; pickled with cloudpickle, so functions of a script or a notebook will
            do, and so will environments that it registered with Gymnasium.
        num_rows: B. workers: processes, at most B.
        patience: seconds that a worker has to carry out one command, such as a step of all its
            rows; None waits for ever. It has at least `PATIENCE_TO_START` to start.

    Attributes:
        arrays: of all rows, shared with the workers.

    Raises:
        ValueError: the spec can't be pickled, or there isn't memory for so many workers.
        PlugInError: an environment broke its contract, or workers died `MOST_DEATHS` times in a
            task of which no episode was finished in between, or while they were starting, or one
            didn't answer in time; all workers are closed then.
    """

    def __init__(
        self, spec: EnvSpec, num_rows: int, workers: int, patience: float | None = DEFAULT_PATIENCE
    ):
        check_patience(spec.id, patience)
        try:
            self._pickled = cloudpickle.dumps((registered_by_script(), cloudpickle.dumps(spec)))
        except Exception as error:
            raise ValueError(
                f"{spec.id}: make_env or a task can't be sent to worker processes ({error}); make"
                " them picklable, or use workers=0."
            ) from error
        self.spec = spec
        self._num_rows = num_rows
        self._patience = patience
        self._slices = slices(num_rows, workers)
        self._workers = WorkerProcesses()
        # Rows whose episode went with their worker, until they are reset
        self._lost = np.zeros(num_rows, bool)
        # Row -> split and index of the task that it plays
        self._tasks: dict[int, tuple[int, int]] = {}
        # Of workers in a task, since an episode of it was finished
        self._deaths: Counter[tuple[int, int]] = Counter()
        size = bytes_needed(spec, num_rows)
        self._memory = _anonymous_memory(size)
        self._workers.keep(self._memory)
        try:
            self.arrays = arrays_in(mmap.mmap(self._memory, size), spec, num_rows)
            self.arrays.at[:] = STARTING
            every = range(len(self._slices))
            if not plainly_enough(len(every)):
                self._start(every[:1])
                if self._run(b"trial", every[:1]):
                    raise PlugInError(self._obituary(0))
                check_memory(spec.id, len(every), int(self.arrays.taken[0]))
                every = every[1:]
            self._start(every)
        except BaseException:
            self.close()
            raise

    def reset(self) -> None:
        """Start an episode in every row that `arrays.begin` and `arrays.wanted` flag."""
        begin = self.arrays.begin & self.arrays.wanted
        for row in np.flatnonzero(begin).tolist():
            if row in self._tasks and not self._lost[row]:
                self._deaths.pop(self._tasks[row], None)  # it has finished an episode
            self._tasks[row] = (int(self.arrays.split[row]), int(self.arrays.index[row]))
        self._lost &= ~begin
        waiting = [i for i, rows in enumerate(self._slices) if begin[rows.start : rows.stop].any()]
        while waiting:
            waiting = self._run(b"reset", waiting)
            for i in waiting:
                self._start_again(i)
                part = slice(self._slices[i].start, self._slices[i].stop)
                self._lost[part] = self.arrays.wanted[part] & ~begin[part]

    def step(self) -> None:
        """Step every wanted row."""
        arrays = self.arrays
        for i in self._run(b"step", range(len(self._slices))):
            self._start_again(i)
            part = slice(self._slices[i].start, self._slices[i].stop)
            for array in (arrays.reward, arrays.terminated, arrays.success):
                array[part] = 0
            self._lost[part] = True
        arrays.truncated[self._lost & arrays.wanted] = True

    def render(self, row: int) -> np.ndarray | None:
        """Return what `RowPlayer.render` gives in the worker that plays `row`."""
        worker = next(i for i, rows in enumerate(self._slices) if row in rows)
        if self._run(f"render {row}".encode(), [worker]):
            raise PlugInError(self._obituary(worker))
        try:
            packed = self._workers.connections[worker].recv_bytes()
        except (EOFError, OSError) as error:
            raise PlugInError(self._obituary(worker)) from error
        shape = np.frombuffer(packed, np.int64, 3 if packed else 0)
        return (
            np.frombuffer(packed, np.uint8, offset=shape.nbytes).reshape(shape).copy()
            if packed
            else None
        )

    def close(self) -> None:
        """Let the workers close their environments and end; kill those that don't."""
        self._workers.close()

    def _start(self, workers: Sequence[int]) -> None:
        """Start workers that come after those that there are, and send them the spec."""
        for i in workers:
            self._launch(i, None)
        if died := self._run(self._pickled, workers):
            raise PlugInError(self._obituary(died[0]))

    def _launch(self, worker: int, instead_of: int | None) -> None:
        rows = self._slices[worker]
        setup = {
            "memory": self._memory,
            "first": rows.start,
            "last": rows.stop,
            "num_rows": self._num_rows,
        }
        self._workers.start("metarl.envs.workers", setup, (self._memory,), instead_of)

    def _start_again(self, worker: int) -> None:
        """Put a fresh worker in the place of one that died, unless that happens again and again."""
        rows = self._slices[worker]
        arrays = self.arrays
        died = True
        while died:
            message = self._obituary(worker)
            running = int(arrays.at[rows.start])
            blamed = {
                self._tasks[row]
                for row in ([running] if running >= 0 else rows)
                if row in self._tasks
            }
            self._deaths.update(blamed)
            if max((self._deaths[task] for task in blamed), default=0) >= MOST_DEATHS:
                self.close()
                raise PlugInError(
                    f"{message} That was death {MOST_DEATHS} there without a finished episode; mend"
                    " the task or leave it out."
                )
            warnings.warn(
                f"{message} The episodes of its rows are cut there, and a new worker plays on.",
                RuntimeWarning,
                stacklevel=2,
            )
            part = slice(rows.start, rows.stop)
            seen = arrays.observation[part].copy()
            arrays.at[rows.start] = STARTING
            self._launch(worker, worker)
            died = bool(self._run(self._pickled, [worker]))
            arrays.observation[part] = seen

    def _run(self, command: bytes, workers: Sequence[int]) -> list[int]:
        """Have `workers` carry out `command` side by side. Returns those that died of it."""
        if not self._workers.open:
            raise PlugInError(
                f"{self.spec.id}: the worker processes are closed; make a new environment."
            )
        died = []
        patience = math.inf if self._patience is None else self._patience
        if command is self._pickled:
            patience = max(patience, PATIENCE_TO_START)
        deadline = None if patience == math.inf else time.monotonic() + patience
        try:
            for i in workers:
                with suppress(ConnectionError):  # it is found dead below
                    self._workers.connections[i].send_bytes(command)
            # The last to begin is about the last to end: then the other answers wait, and none
            # wakes us
            for i in reversed(workers):
                if not self._workers.answers_within(i, deadline):
                    raise self._hung(i, patience)
                try:
                    answer = self._workers.connections[i].recv_bytes()
                except (EOFError, OSError):
                    died.append(i)
                    continue
                if answer:
                    raise PlugInError(answer.decode())
        except BaseException:
            self.close()  # after an interruption nobody knows which answers are still to come
            raise
        return died[::-1]

    def _hung(self, worker: int, seconds: float) -> PlugInError:
        """End a worker that doesn't answer. Returns what to say of it."""
        told = self._told(worker, f"has not answered for {seconds:g} s")
        self._workers.kill(worker)
        return PlugInError(
            f"{told} It was ended. Mend what hangs there, or have more patience: "
            "patience=SECONDS of the distribution, None to wait for ever."
        )

    def _obituary(self, worker: int) -> str:
        """Return who died, of what, and while playing which task at which step."""
        return self._told(worker, self._workers.cause_of_death(worker))

    def _told(self, worker: int, what: str) -> str:
        """Return what happened to a worker, and where."""
        rows = self._slices[worker]
        arrays = self.arrays
        who = (
            f"{self.spec.id}: worker process {worker} (rows {rows.start} to {rows.stop - 1}) {what}"
        )
        row = int(arrays.at[rows.start])
        if row >= 0:
            return (
                f"{who} while it played {self.spec.name_task(arrays, row)} in row {row}, at step"
                f" {arrays.clock[row]} of its episode."
            )
        if row == STARTING and not any(row in self._tasks for row in rows):
            return (
                f"{who} while it was starting: while it loaded make_env, the tasks and the modules"
                " that they need."
            )
        names = dict.fromkeys(self.spec.name_task(arrays, row) for row in rows)
        shown = ", ".join(list(names)[:8]) + (
            f" and {len(names) - 8} more" if len(names) > 8 else ""
        )
        return (
            f"{who} between steps (its first row was at step {arrays.clock[rows.start]} of its"
            f" episode); it held {shown}."
        )


def slices(num_rows: int, workers: int) -> list[range]:
    """Contiguous rows for each worker, as equal in number as can be; no more workers than rows."""
    edges = np.linspace(0, num_rows, min(workers, num_rows) + 1).round().astype(int).tolist()
    return [range(first, last) for first, last in pairwise(edges)]


def serve(
    connection: int,
    lifeline: int,
    patience: float,
    memory: int,
    first: int,
    last: int,
    num_rows: int,
) -> None:
    """What a worker process does: play rows [first, last) until the pipe closes.

    Args:
        connection, lifeline, patience: see `metarl.envs.processes`. memory: file descriptor of the
            shared arrays.
        first, last: the slice of rows. num_rows: B.
    """
    pipe = enter_worker(connection, lifeline, patience)
    player = None
    try:
        registered, pickled = cloudpickle.loads(pipe.recv_bytes())
        try:
            register_in_worker(registered)
            spec = cloudpickle.loads(pickled)
        except Exception as error:
            _tell(
                pipe,
                f"A worker process could not load make_env and the tasks: {error}{_trace(error)}",
            )
            return
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
        player = RowPlayer(
            spec,
            arrays_in(mmap.mmap(memory, bytes_needed(spec, num_rows)), spec, num_rows),
            range(first, last),
        )
        drawn: list[bytes] = []
        while True:
            for message in (b"", *drawn):
                pipe.send_bytes(message)
            command, *row = pipe.recv_bytes().decode().split()
            answer = getattr(player, command)(*map(int, row))
            drawn = [_packed(answer)] if row else []
    except (EOFError, ConnectionError):
        pass
    except Exception as error:
        cause = error.__cause__
        trace = "" if isinstance(error, PlugInError) and cause is None else _trace(cause or error)
        _tell(pipe, f"{error}{unknown_to_workers(cause)}{trace}")
    finally:
        if player is not None:
            player.close()


def _tell(pipe: Connection, message: str) -> None:
    """Send an error to the parent, unless it has gone, or has had enough of another worker's error."""
    with suppress(OSError):
        pipe.send_bytes(message.encode())


def _trace(error: BaseException) -> str:
    return "\n\n" + "".join(traceback.format_exception(error))


def _packed(picture: np.ndarray | None) -> bytes:
    """Return a picture's three lengths and its numbers; nothing of None."""
    return (
        b"" if picture is None else np.array(picture.shape, np.int64).tobytes() + picture.tobytes()
    )


def _anonymous_memory(size: int) -> int:
    """Return a file descriptor of `size` bytes of memory that no path leads to."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("metarl rows")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
