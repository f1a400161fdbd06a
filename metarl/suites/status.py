"""How a suite stands, read from its folders alone; and what running it would take."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metarl.runs.store import RunFolder
from metarl.suites.job import Job, State

__all__ = ["JobStatus", "Progress", "expected_seconds", "job_status", "progress_of", "size_of"]

TAIL = 4096  # bytes of the end of metrics.csv that hold its last line


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        iterations: done. wanted: in all; None of a learner that doesn't say.
        seconds: that they took. steps: environment steps so far.
    """

    iterations: int
    wanted: int | None
    seconds: float
    steps: float

    @property
    def seconds_left(self) -> float | None:
        """How long it takes to the end of training at the rate so far; None where that is open."""
        if self.wanted is None or not self.iterations:
            return None
        return self.seconds / self.iterations * max(0, self.wanted - self.iterations)


@dataclass(frozen=True)
class JobStatus:
    """How a job stands.

    Attributes:
        job: which. state: how. progress: of a training that has begun.
        note: who works on it, or why it failed.
    """

    job: Job
    state: State
    progress: Progress | None
    note: str = ""


def job_status(job: Job) -> JobStatus:
    """Return how a job stands; nothing needs to be running."""
    state = job.state
    note = ""
    if state is State.RUNNING:
        worker = job.worker or {}
        note = f"on {worker.get('host', '?')}, process {worker.get('process', '?')}"
    elif state is State.FAILED:
        failure = job.failure
        if failure is not None:
            note = f"{failure.error} ({failure.tries} {'try' if failure.tries == 1 else 'tries'})"
    elif state is State.FINISHED and job.place == job.published:
        note = "published"
    return JobStatus(job, state, progress_of(job, job.place or job.folder), note)


def progress_of(job: Job, folder: Path) -> Progress | None:
    """Return how far the training in `folder` is, by the last line of its metrics; None of what
    isn't trained, or hasn't begun.
    """
    if job.run is None:
        return None
    last = last_metrics(folder / "metrics.csv")
    if not last:
        return None
    return Progress(
        int(last.get("iteration", 0)),
        getattr(job.run.config, "iterations", None),
        last.get("seconds", 0.0),
        last.get("steps", 0.0),
    )


def last_metrics(file: Path) -> dict[str, float]:
    """Return the last whole line of a metrics.csv by column; empty where there is none."""
    try:
        with open(file, "rb") as stream:
            header = stream.readline().decode().strip().split(",")
            size = stream.seek(0, 2)
            stream.seek(max(0, size - TAIL))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        values = line.split(",")
        if len(values) == len(header) and values != header:
            return _numbers(header, values)
    return {}


def _numbers(header: Sequence[str], values: Sequence[str]) -> dict[str, float]:
    found = {}
    for name, value in zip(header, values, strict=True):
        try:
            found[name] = float(value)
        except ValueError:
            continue
    return found


def expected_seconds(job: Job, others: Sequence[Job]) -> float | None:
    """Return how long is left of a job, by what it took so far, or what others took that are like
    it; None where nobody knows.

    Likeness: the same learner (or reference agent) on the same distribution; iterations count in
    proportion, scores as they are.
    """
    if job.place is not None:
        return 0.0
    scored = _likely_scoring(job, others)
    if job.run is None:
        return scored
    own = progress_of(job, job.folder)
    trained = None if own is None else own.seconds_left
    if trained is None:
        trained = _likely_training(job, others)
    return None if trained is None else trained + (scored or 0.0)


def _likely_training(job: Job, others: Sequence[Job]) -> float | None:
    assert job.run is not None
    wanted = getattr(job.run.config, "iterations", None)
    rates = []
    for other in others:
        if other.run is None or _kind(other) != _kind(job):
            continue
        known = progress_of(other, other.place or other.folder)
        if known is not None and known.iterations:
            rates.append(known.seconds / known.iterations)
    return None if wanted is None or not rates else wanted * sum(rates) / len(rates)


def _likely_scoring(job: Job, others: Sequence[Job]) -> float | None:
    told = [
        _scoring_seconds(other.place)
        for other in others
        if other.place is not None and _kind(other) == _kind(job)
    ]
    return sum(told) / len(told) if told else None


def _kind(job: Job) -> tuple[str, str]:
    if job.run is not None:
        return job.run.learner, f"{job.run.distribution} {sorted(job.run.arguments.items())}"
    assert job.agent is not None, "a job has a run or an agent"
    return job.agent.id, "".join(f"{each.distribution} {each.arguments}" for each in job.scorings)


def _scoring_seconds(folder: Path) -> float:
    seconds = 0.0
    for file in (folder / "evaluations").glob("*.json"):
        try:
            seconds += float(json.loads(file.read_text()).get("seconds", 0.0))
        except (OSError, ValueError):
            continue
    return seconds


def size_of(job: Job) -> int:
    """Return the bytes that a job's folder takes now."""
    place = RunFolder(job.folder).path
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
