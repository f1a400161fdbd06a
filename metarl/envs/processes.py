"""Worker processes with a pipe each, and nothing left behind.

A worker is a fresh interpreter, not a fork: forks of a process that runs PyTorch's threads may
hang, and multiprocessing's own fresh processes run the user's script again. Workers end when the
pipe to their parent closes, even if the parent was killed.
"""

import faulthandler
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from numbers import Real
from typing import Any

__all__ = ["DEFAULT_PATIENCE", "WorkerProcesses", "check_patience", "enter_worker"]

DEFAULT_PATIENCE = 300.0  # seconds that a worker has for one answer

LONGEST_PATIENCE = 2_000_000.0  # seconds that the system can wait for; about three weeks
PATIENCE = 3.0  # seconds that workers have to close what they hold before they are killed
START = """import importlib, json, sys
setup = json.loads(sys.argv[1])
sys.path[:] = setup.pop("path")
getattr(importlib.import_module(setup.pop("module")), "serve")(**setup)"""
# Workers share the cores among them
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def check_patience(id: str, patience: object) -> None:
    """Raise ValueError unless `patience` is a number of seconds above 0, or None."""
    number = isinstance(patience, Real) and not isinstance(patience, bool)
    if patience is not None and not (number and 0 < float(patience) < LONGEST_PATIENCE):  # type: ignore[arg-type]
        raise ValueError(
            f"{id}: patience must be a number of seconds above 0, or None to wait for ever, not"
            f" {patience!r}."
        )


class WorkerProcesses:
    """Fresh interpreters, each in the function `serve` of a module.

    `serve` is called with `connection`, `lifeline` and `patience`, which are for `enter_worker`,
    and what `start` gave as setup.

    Attributes:
        connections: the parent's end of each worker's pipe.
        processes: in the same order.
    """

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self.connections: list[Connection] = []
        self._lifeline, alive = os.pipe()
        self._descriptors = [self._lifeline, alive]
        self._finalizer = weakref.finalize(
            self, _release, os.getpid(), self.processes, self.connections, self._descriptors
        )

    def start(
        self,
        module: str,
        setup: dict[str, Any],
        pass_fds: Sequence[int] = (),
        instead_of: int | None = None,
    ) -> None:
        """Start one more, or one in the place of a worker that died.

        `setup` is JSON, and `pass_fds` stay open in it.
        """
        ours, theirs = Pipe()
        with theirs:
            if instead_of is None:
                self.connections.append(ours)
            else:
                self._bury(instead_of)
                self.connections[instead_of] = ours
            pipes = {
                "path": [str(entry) for entry in sys.path],
                "connection": theirs.fileno(),
                "lifeline": self._lifeline,
                "patience": PATIENCE,
            }
            process = subprocess.Popen(
                [sys.executable, "-c", START, json.dumps({"module": module, **pipes, **setup})],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), self._lifeline, *pass_fds),
                env={**os.environ, **ONE_THREAD},
                process_group=0,  # Ctrl-C reaches the parent only, which then closes its workers
            )
            if instead_of is None:
                self.processes.append(process)
            else:
                self.processes[instead_of] = process

    def keep(self, descriptor: int) -> None:
        """Close a file descriptor when the workers are closed, and not before."""
        self._descriptors.append(descriptor)

    @property
    def open(self) -> bool:
        """Whether `close` has not been called."""
        return self._finalizer.alive

    def cause_of_death(self, worker: int) -> str:
        """Return what a worker that closed its pipe died of, in words."""
        try:
            status = self.processes[worker].wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        return f"was killed by {_signal(-status)}" if status < 0 else f"exited with status {status}"

    def answers_within(self, worker: int, deadline: float | None) -> bool:
        """Return whether a worker has something to say, or has closed its pipe, before `deadline`
        by the monotonic clock; None waits.
        """
        if deadline is None:
            return True
        poll = select.poll()
        poll.register(self.connections[worker].fileno(), select.POLLIN)
        return bool(poll.poll(max(0.0, 1000 * (deadline - time.monotonic()))))

    def kill(self, worker: int) -> None:
        """End a worker at once, with whatever it has started."""
        _kill(self.processes[worker])

    def close(self) -> None:
        """Let the workers end; kill those that don't."""
        self._finalizer()

    def _bury(self, worker: int) -> None:
        """See to it that nothing is left of a worker that closed its pipe."""
        self.connections[worker].close()
        _kill(self.processes[worker])


def enter_worker(connection: int, lifeline: int, patience: float) -> Connection:
    """Return what `serve` calls first.

    The pipe to the parent. From now on the process ends soon after its parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    threading.Thread(target=_die_with_parent, args=(lifeline, patience), daemon=True).start()
    return Connection(connection)


def _die_with_parent(lifeline: int, patience: float) -> None:
    os.read(lifeline, 1)
    time.sleep(patience)
    os._exit(1)


def _release(
    owner: int,
    processes: list["subprocess.Popen[bytes]"],
    connections: list[Connection],
    descriptors: list[int],
) -> None:
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
            _kill(process)
        for descriptor in descriptors:
            os.close(descriptor)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process, with whatever it has started, if it hasn't ended by itself."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
