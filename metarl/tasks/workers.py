"""Worker processes that play rows of Gymnasium environments, with all numbers in shared memory.

A worker is a fresh interpreter, not a fork: forks of a process that runs PyTorch's threads may hang, and multiprocessing's own
fresh processes run the user's script again. Nothing can be left behind: the shared memory has no name and goes with the last
process that maps it, and workers end when the pipe to their parent closes, even if the parent was killed.
"""

import faulthandler
import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import weakref
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import cloudpickle
import numpy as np

from metarl.tasks.errors import PlugInError
from metarl.tasks.row_player import Recipe, RowPlayer, arrays_in, bytes_needed

__all__ = ["WorkerPool", "serve", "slices"]

PATIENCE = 3.0  # seconds that workers have to close their environments before they are killed
START = """import json, sys
setup = json.loads(sys.argv[1])
sys.path[:] = setup.pop("path")
from metarl.tasks.workers import serve
serve(**setup)"""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # workers share the cores among them


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
        self._processes: list[subprocess.Popen[bytes]] = []
        self._connections: list[Connection] = []
        lifeline, alive = os.pipe()
        self._finalizer = weakref.finalize(self, _release, os.getpid(), self._processes, self._connections, alive)
        memory = _anonymous_memory(size)
        try:
            self.arrays = arrays_in(mmap.mmap(memory, size), recipe, num_rows)
            for rows in self._slices:
                self._start(rows, num_rows, memory, lifeline)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(memory)
            os.close(lifeline)
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
        self._finalizer()

    def _start(self, rows: range, num_rows: int, memory: int, lifeline: int) -> None:
        ours, theirs = Pipe()
        with theirs:
            self._connections.append(ours)
            setup = {
                "path": [str(entry) for entry in sys.path],
                "connection": theirs.fileno(),
                "memory": memory,
                "lifeline": lifeline,
                "first": rows.start,
                "last": rows.stop,
                "num_rows": num_rows,
                "patience": PATIENCE,
            }
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", START, json.dumps(setup)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), memory, lifeline),
                    env={**os.environ, **ONE_THREAD},
                    process_group=0,  # Ctrl-C reaches the parent only, which then closes its workers
                )
            )

    def _run(self, command: bytes, workers: Sequence[int]) -> None:
        """Have `workers` carry out `command` side by side."""
        if not self._finalizer.alive:
            raise PlugInError(f"{self.recipe.id}: the worker processes are closed; make a new environment.")
        i = 0
        try:
            for i in workers:
                self._connections[i].send_bytes(command)
            for i in workers:
                if answer := self._connections[i].recv_bytes():
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
        process, rows, arrays = self._processes[worker], self._slices[worker], self.arrays
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = None
        cause = (
            "closed its pipe" if status is None else f"was killed by {_signal(-status)}" if status < 0 else f"exited with status {status}"
        )
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


def serve(connection: int, memory: int, lifeline: int, first: int, last: int, num_rows: int, patience: float) -> None:
    """What a worker process does: play rows [first, last) until the pipe closes.

    Args:
        connection, memory, lifeline: file descriptors of the pipe to the parent, of the shared arrays, and of a pipe that
            closes when the parent dies, even while an environment hangs.
        first, last: the slice of rows. num_rows: B. patience: seconds between the parent's death and a hanging worker's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    threading.Thread(target=_die_with_parent, args=(lifeline, patience), daemon=True).start()
    pipe, player = Connection(connection), None
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


def _die_with_parent(lifeline: int, patience: float) -> None:
    os.read(lifeline, 1)
    time.sleep(patience)
    os._exit(1)


def _release(owner: int, processes: list["subprocess.Popen[bytes]"], connections: list[Connection], alive: int) -> None:
    if os.getpid() != owner:  # a fork of the owner ends: the workers aren't its own
        return
    for connection in connections:
        connection.close()
    deadline = time.monotonic() + PATIENCE
    try:
        for process in processes:
            process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # with whatever it has started
                process.wait()
        os.close(alive)


def _anonymous_memory(size: int) -> int:
    """A file descriptor of `size` bytes of memory that no path leads to."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("metarl rows")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
