"""What an executor is, and what all of them start: one process a job."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from metarl.suites.job import Job

__all__ = ["Ended", "Executor", "environment", "words_of"]


@dataclass(frozen=True)
class Ended:
    """How a job's process ended.

    Attributes:
        job: which.
        status: its exit status; negative, the number of the signal that killed it.
        lost: in words, how it died without a word of its own; "" where it said how it ended.
    """

    job: Job
    status: int
    lost: str = ""


class Executor(Protocol):
    """Runs jobs somewhere. What they do and how they stand is in their folders."""

    def room(self, job: Job) -> bool:
        """Return whether `job` could begin now."""
        ...

    def submit(self, job: Job) -> None:
        """Begin a job's process."""
        ...

    def poll(self, seconds: float) -> Sequence[Ended]:
        """Return the processes that ended since the last call, after at most `seconds`."""
        ...

    def stop(self) -> None:
        """End all processes; each saves what it can first."""
        ...


def words_of(job: Job, *, publishes: bool = False, lifeline: bool = False) -> list[str]:
    """Return the command that does a job.

    Args:
        job: which. publishes: copy what it gives to its published place.
        lifeline: the process ends soon after its standard input is closed.
    """
    words = [sys.executable, "-m", "metarl", "suite", "work", str(job.folder.resolve())]
    return [*words, *(["--publish"] if publishes else []), *(["--lifeline"] if lifeline else [])]


def environment(job: Job) -> dict[str, str]:
    """Return what a job's process needs in its environment beside what is there.

    Threads are part of the run. Modules are found where they are found here.
    """
    threads = str(job.threads)
    own = tuple({sys.prefix, sys.base_prefix})  # which every interpreter of the same kind has
    here = [os.path.abspath(entry) for entry in sys.path]
    here = [entry for entry in here if os.path.isdir(entry) and not entry.startswith(own)]
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        **dict.fromkeys(names, threads),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(here)),
        "PYTHONUNBUFFERED": "1",
    }
