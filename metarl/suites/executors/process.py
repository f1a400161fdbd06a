"""One job's process, and how it ends. Of the standard library alone: Ray's workers import this."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence

__all__ = ["UNSEEN", "died_of", "run_to_end", "start_process", "stop_process"]

LOOK = 0.2  # seconds between two looks at a process
PATIENCE = 25.0  # seconds that a process has to save what it can
UNSEEN = 66  # in place of an exit status: the job's folder isn't seen here

Process = subprocess.Popen  # of bytes


def start_process(folder: str, words: Sequence[str], environment: Mapping[str, str]) -> Process:
    """Start a job's process, which ends soon after this one; what it prints goes to its log.

    Args:
        folder: of the job. words: its command. environment: added to what is here.
    """
    with open(os.path.join(folder, "log.txt"), "ab") as log:
        return subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            process_group=0,  # Ctrl-C reaches the suite only, which then ends its processes
        )


def stop_process(process: Process) -> None:
    """Let a process save what it can; end it, with whatever it has started, if it doesn't."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_to_end(
    folder: str, words: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, str]:
    """Run a job's process; returns its exit status, and the name of this machine.

    Interrupted, it ends the process first.
    """
    host = socket.gethostname()
    if not os.path.exists(os.path.join(folder, "job.json")):
        return UNSEEN, host
    process = start_process(folder, words, environment)
    try:
        while (status := process.poll()) is None:
            time.sleep(LOOK)
    finally:
        if process.poll() is None:
            stop_process(process)
    return status, host


def died_of(status: int) -> str:
    """Return how a process died that said nothing; "" where it ended by itself."""
    if status >= 0:
        return ""
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    memory = ", as the system does where memory runs out" if name == "SIGKILL" else ""
    return f"The process was killed by {name}{memory}"
