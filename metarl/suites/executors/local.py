"""Jobs in processes of this machine, as many at a time as cores allow."""

import os
import time
from collections.abc import Sequence

from metarl.suites.executors.executor import Ended, environment, words_of
from metarl.suites.executors.process import (
    LOOK,
    Process,
    died_of,
    start_process,
    stop_process,
)
from metarl.suites.job import Job

__all__ = ["LocalExecutor"]


class LocalExecutor:
    """A process a job; those of at most `cores` threads together run at a time.

    Args:
        cores: to share among them; this machine's if left out.
        publishes: whether jobs copy what they give to their published places.
    """

    def __init__(self, cores: int | None = None, *, publishes: bool = False):
        self.cores = cores or len(os.sched_getaffinity(0))
        self.publishes = publishes
        self._running: dict[str, tuple[Job, Process]] = {}

    def room(self, job: Job) -> bool:
        """Return whether `job` could begin now; one of more threads than cores has them alone."""
        used = sum(other.threads for other, _ in self._running.values())
        return used == 0 or used + job.threads <= self.cores

    def submit(self, job: Job) -> None:
        """Begin a job's process."""
        words = words_of(job, publishes=self.publishes, lifeline=True)
        process = start_process(str(job.folder), words, environment(job))
        self._running[job.name] = (job, process)

    def poll(self, seconds: float) -> Sequence[Ended]:
        """Return the processes that ended since the last call, after at most `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            ended = [
                Ended(job, status, died_of(status))
                for job, process in self._running.values()
                if (status := process.poll()) is not None
            ]
            for each in ended:
                del self._running[each.job.name]
            if ended or not self._running or time.monotonic() >= deadline:
                return ended
            time.sleep(LOOK)

    def stop(self) -> None:
        """End all processes; each saves what it can first."""
        processes = [process for _, process in self._running.values()]
        self._running.clear()
        for process in processes:
            assert process.stdin is not None, "a process is started with one"
            process.stdin.close()
        for process in processes:
            stop_process(process)
