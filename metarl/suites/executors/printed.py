"""Jobs as commands that something else runs: a Slurm array, GNU parallel, a shell."""

import os
import shlex
from collections.abc import Sequence

from metarl.suites.executors.executor import environment, words_of
from metarl.suites.job import Job

__all__ = ["command_line", "waves"]


def waves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return the jobs in the order in which they can run: those of a wave side by side, once all
    waves before it are done.
    """
    left = list(jobs)
    done: set[object] = set()
    names = {job.folder for job in jobs}
    order: list[list[Job]] = []
    while left:
        wave = [
            job
            for job in left
            if job.start is None or job.start[0] not in names or job.start[0] in done
        ]
        assert wave, "a run begins with the weights of an earlier one"
        order.append(wave)
        done |= {job.folder for job in wave}
        left = [job for job in left if job not in wave]
    return order


def command_line(job: Job, *, publishes: bool = False) -> str:
    """Return the line that a shell runs for a job, from any folder, on any machine that sees the
    job's folder.
    """
    before = [
        f"{name}={shlex.quote(value)}"
        for name, value in environment(job).items()
        if name != "PYTHONPATH" or value not in ("", os.getcwd())
    ]
    return " ".join([*before, shlex.join(words_of(job, publishes=publishes))])
