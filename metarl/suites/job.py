"""What a suite does in one process: a run, trained and scored, or a reference agent, scored.

A job is a folder, and its state is read from the folder alone, by whoever looks:

    job.json       what is to be done; enough to do it anywhere that sees the folder
    run.json …     of a run: as `metarl train` leaves it (`metarl.runs.store`)
    evaluations/   scores, a file for each split
    job.lock       held by the process that works on it; says which one, on which machine
    failure.json   the last failure, and how many tries there were; gone once the job is finished
    log.txt        what the process printed
"""

import fcntl
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from metarl.core.budget import Budget, Episodes, Steps
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolder, RunFolderError, explained, write_file
from metarl.suites.suite import PlannedRun, Reference, Scoring, SuiteError

__all__ = [
    "Failure",
    "FilledSuite",
    "Job",
    "JobLocked",
    "State",
    "evaluation_name",
    "job_of",
    "read_job",
]

FORMAT = 1


class JobLocked(RunFolderError):
    """Another process works on the job."""


class State(Enum):
    """How a job stands."""

    WAITING = "waiting"  # nothing is there yet
    STARTED = "stopped"  # there is a checkpoint, weights or a score, and nobody works on it
    RUNNING = "running"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True)
class Failure:
    """Why a job isn't finished.

    Attributes:
        error: in a sentence. traceback: where it was raised; "" of a process that was lost.
        tries: how often it failed so far.
        lost: the process died without a word, as one does that is killed for its memory or whose
            machine goes; otherwise it raised an exception.
        host, time: where and when it failed.
    """

    error: str
    traceback: str
    tries: int
    lost: bool
    host: str = field(default_factory=socket.gethostname)
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


@dataclass(frozen=True)
class Job:
    """One run, or one reference agent, of a suite.

    Attributes:
        name: of its folder among the suite's.
        folder: where it is done.
        published: where its published copy lies, if there is one.
        run: what is trained; None of a reference agent.
        agent: of a reference agent; None of a run.
        scorings: what it is scored on.
        start: the folder of the job whose weights training begins with, and of its published copy.
        threads: that it computes on.
    """

    name: str
    folder: Path
    published: Path
    run: RunConfig | None
    agent: Reference | None
    scorings: tuple[Scoring, ...]
    start: tuple[Path, Path] | None = None
    threads: int = 1

    def content(self) -> dict[str, Any]:
        """Return what job.json says, in JSON values."""
        return {
            "format": FORMAT,
            "name": self.name,
            "run": None if self.run is None else self.run.identity(),
            "agent": None if self.agent is None else asdict(self.agent),
            "scorings": [_scoring_to_json(each) for each in self.scorings],
            "start": None if self.start is None else [str(each.resolve()) for each in self.start],
            "published": str(self.published.resolve()),
            "threads": self.threads,
        }

    def write(self) -> None:
        """Write job.json, so that a process that is given the folder knows what to do."""
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_file(self.folder / "job.json", (json.dumps(self.content(), indent=1) + "\n").encode())

    @property
    def state(self) -> State:
        """How it stands, by its folder and its published copy alone."""
        if self.place is not None:
            return State.FINISHED
        if self.worker is not None:
            return State.RUNNING
        if self.failure is not None:
            return State.FAILED
        run = RunFolder(self.folder)
        return State.STARTED if run.has_progress else State.WAITING

    @property
    def place(self) -> Path | None:
        """The folder, its own or the published one, that has all it is to give; None if neither."""
        return next((each for each in (self.folder, self.published) if self._is_done(each)), None)

    @property
    def trained(self) -> Path | None:
        """The folder that has the run's weights; None where it isn't trained."""
        places = (self.folder, self.published)
        return next((each for each in places if self._is_trained(each)), None)

    def missing(self, folder: Path) -> list[tuple[Scoring, str]]:
        """Return the scorings, with a split each, whose scores aren't in `folder`."""
        return [
            (scoring, split)
            for scoring in self.scorings
            for split in scoring.splits
            if not (folder / "evaluations" / f"{evaluation_name(scoring, split)}.json").exists()
        ]

    @property
    def failure(self) -> Failure | None:
        """The last failure; None where there was none since it last succeeded."""
        file = self.folder / "failure.json"
        if not file.exists():
            return None
        try:
            return Failure(**json.loads(file.read_text()))
        except (ValueError, TypeError):  # written by another version
            return Failure(f"{file} can't be read", "", 1, False)

    def note_failure(self, error: str, traceback: str = "", *, lost: bool = False) -> Failure:
        """Write down that a try has failed."""
        before = self.failure
        failure = Failure(error, traceback, 1 + (before.tries if before else 0), lost)
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(failure), indent=1) + "\n"
        write_file(self.folder / "failure.json", content.encode())
        return failure

    def forget_failure(self) -> None:
        """Take back what `note_failure` wrote."""
        (self.folder / "failure.json").unlink(missing_ok=True)

    @property
    def worker(self) -> dict[str, Any] | None:
        """Who works on it: host, process and since when; None where nobody does."""
        file = self.folder / "job.lock"
        try:
            descriptor = os.open(file, os.O_RDONLY)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _lock_content(file)
        finally:
            os.close(descriptor)
        return None

    @contextmanager
    def locked(self, patience: float = 0.0) -> Iterator[None]:
        """Hold the job against other processes, on other machines too.

        Args:
            patience: seconds to wait for one that is about to end.

        Raises:
            JobLocked: another process works on it.
        """
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "job.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _flock(descriptor, time.monotonic() + patience, self.folder)
            about = {"host": socket.gethostname(), "process": os.getpid(), "since": time.time()}
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(about).encode())
            yield
        finally:
            os.close(descriptor)

    def _is_trained(self, folder: Path) -> bool:
        place = RunFolder(folder)
        assert self.run is not None, "only runs are trained"
        seeds = range(len(self.run.seeds))
        if not all(place.weights(each).exists() for each in seeds):
            return False
        stored = RunConfig.from_identity(place.identity)
        return not place.earlier_lengths and stored.trains_the_same(self.run)

    def _is_done(self, folder: Path) -> bool:
        if not folder.is_dir() or self.missing(folder):
            return False
        return self.run is None or self._is_trained(folder)


@dataclass(frozen=True)
class FilledSuite:
    """A suite whose runs are trained and scored, as far as they are: what tables are made from.

    Attributes:
        name, preset: which.
        seeds: that were asked for in place of the preset's; none of them if empty.
        root: folder of its runs.
        runs, results: the folders that all suites' runs and published results lie in.
        jobs: all that it consists of, as far as they were asked for, done or not.
        folder: where tables and figures go.
        publish: whether that is among the published results.
    """

    name: str
    preset: str
    seeds: tuple[int, ...]
    root: Path
    jobs: tuple[Job, ...]
    runs: Path
    results: Path
    folder: Path
    publish: bool


def job_of(
    planned: PlannedRun, root: Path, results: Path, suite: str, starts: Mapping[str, "Job"]
) -> Job:
    """Return the job of a suite's run.

    Args:
        planned: the run. root: of the suite's folders.
        results: of all published results. suite: its name.
        starts: the jobs made so far, by name.
    """
    published = planned.published or f"{suite}/weights/{planned.folder}"
    before = None if planned.start is None else starts[planned.start]
    return Job(
        planned.folder,
        root / planned.folder,
        results / published,
        planned.run,
        None,
        planned.scorings,
        None if before is None else (before.folder, before.published),
        planned.run.threads or 1,
    )


def read_job(folder: Path) -> Job:
    """Return the job that `folder` says it is.

    Raises:
        SuiteError: there is no job.json, or it can't be read.
    """
    file = folder / "job.json"
    try:
        told = json.loads(file.read_text())
    except OSError as error:
        raise SuiteError(
            f"{folder} holds no job of a suite: there is no job.json that can be read here"
            f" ({error.strerror}). `metarl suite run` writes it; all machines must see the same"
            " folder."
        ) from error
    except ValueError as error:
        raise SuiteError(
            f"{file} is damaged ({error}): `metarl suite run` writes it anew."
        ) from error
    return Job(
        told["name"],
        folder,
        Path(told["published"]),
        None if told["run"] is None else RunConfig.from_identity(told["run"]),
        None if told["agent"] is None else Reference(**told["agent"]),
        tuple(_scoring_from_json(each) for each in told["scorings"]),
        None if told["start"] is None else (Path(told["start"][0]), Path(told["start"][1])),
        told["threads"],
    )


def evaluation_name(scoring: Scoring, split: str) -> str:
    """Return the name of the file with the scores of one split.

    It tells scorings apart by all that decides what is played.
    """
    budget = scoring.budget
    if budget is None:
        length = f"{scoring.inner_steps}inner-steps"
    elif isinstance(budget, Steps):
        length = f"{budget.total}steps"
    else:
        length = f"{budget.learning}{f'+{budget.after}' if budget.after else ''}episodes"
    tasks = "all" if scoring.num_tasks is None else str(scoring.num_tasks)
    rest = [
        scoring.distribution,
        dict(scoring.arguments),
        scoring.inner_steps,
        scoring.inner_batch,
    ]
    mark = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:6]
    return f"{split}-{tasks}tasks-{length}-seed{scoring.seed}-{mark}"


def _scoring_to_json(scoring: Scoring) -> dict[str, Any]:
    value: dict[str, Any] = {**asdict(scoring), "agents": []}
    budget = scoring.budget
    value["budget"] = None if budget is None else [type(budget).__name__, asdict(budget)]
    value["arguments"] = dict(scoring.arguments)
    return value


def _scoring_from_json(value: dict[str, Any]) -> Scoring:
    budget: Budget | None = None
    if value["budget"] is not None:
        kind, parts = value["budget"]
        budget = {"Episodes": Episodes, "Steps": Steps}[kind](**parts)
    return Scoring(**{**value, "budget": budget, "agents": (), "splits": tuple(value["splits"])})


def _flock(descriptor: int, deadline: float, folder: Path) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise JobLocked(f"{folder} is in use by another process.") from error
        time.sleep(0.2)


def _lock_content(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):  # it has just begun
        return {}
    return content
