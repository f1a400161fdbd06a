"""Running a suite: which jobs are left, what may begin, and what becomes of those that fail.

The driver keeps nothing that isn't in the jobs' folders: killed and started again, or started twice
side by side, it takes up what is there.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from metarl.runs.store import write_file
from metarl.suites.executors.executor import Ended, Executor
from metarl.suites.job import Job, State, job_of
from metarl.suites.suite import (
    Preset,
    Reference,
    Scoring,
    Suite,
    SuiteError,
    planned_runs,
)
from metarl.suites.worker import BUSY, FAILED, STOPPED

__all__ = ["MOST_TRIES", "Outcome", "SuitePlace", "jobs_of", "run_jobs"]

MOST_TRIES = 3  # of a job whose process, machine or memory was lost
LOOK = 1.0  # seconds between two looks
LONGEST_NAME = 80  # letters of what is played
FORMAT = 1


@dataclass(frozen=True)
class SuitePlace:
    """Where one preset of a suite lies.

    Attributes:
        runs: the folder of all suites' runs. results: of all that is published.
        suite, preset: which.
    """

    runs: Path
    results: Path
    suite: Suite
    preset: str

    @property
    def root(self) -> Path:
        """The folder of its jobs."""
        return self.runs / self.suite.name / self.preset

    @property
    def published(self) -> Path:
        """The folder of what is published of it."""
        return self.results / self.suite.name

    def claim(self) -> None:
        """Make its folder, and write down whose it is.

        Raises:
            SuiteError: it is another suite's.
        """
        file = self.root / "suite.json"
        about = {"format": FORMAT, "suite": self.suite.name, "preset": self.preset}
        if file.exists():
            try:
                told = json.loads(file.read_text())
            except ValueError as error:
                raise SuiteError(f"{file} is damaged ({error}): delete it.") from error
            if {name: told.get(name) for name in about} != about:
                raise SuiteError(
                    f"{self.root} is the folder of another suite, {told.get('suite')}, preset"
                    f" {told.get('preset')}: choose other --runs."
                )
            return
        self.root.mkdir(parents=True, exist_ok=True)
        write_file(file, (json.dumps(about) + "\n").encode())


@dataclass
class Outcome:
    """What became of the jobs that were asked for.

    Attributes:
        finished: those that are done, whoever did them.
        failed: names of those that aren't -> why.
    """

    finished: list[Job] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def jobs_of(place: SuitePlace, seeds: tuple[int, ...] = (), only: Sequence[str] = ()) -> list[Job]:
    """Return the jobs of a suite's preset, those that others begin with first.

    Args:
        place: which suite. seeds: in place of the preset's.
        only: patterns such as "rl2-*"; jobs whose names fit one, and those that they begin with.

    Raises:
        SuiteError: two equal runs, or a pattern that nothing fits. ValueError: bad settings.
    """
    preset = place.suite.preset(place.preset)
    runs: dict[str, Job] = {}
    for planned in planned_runs(preset, seeds):
        runs[planned.folder] = job_of(planned, place.root, place.results, place.suite.name, runs)
    # Reference agents are quick, and what all others are held against
    jobs = [*_reference_jobs(place, preset, list(runs.values())), *runs.values()]
    return _chosen(jobs, only, place.suite.name)


def _reference_jobs(place: SuitePlace, preset: Preset, runs: Sequence[Job]) -> list[Job]:
    """Return a job for each reference agent of each thing that is played."""
    played = [scoring for job in runs for scoring in job.scorings]
    played += [scoring for scoring in preset.scorings if scoring.budget is not None]
    jobs: dict[str, Job] = {}
    for scoring in played:
        if scoring.budget is None:  # examples, which no agent plays
            continue
        for agent in scoring.agents:
            known = agent if isinstance(agent, Reference) else Reference(agent)
            name = f"agents/{_played_name(scoring)}-{_agent_name(known)}"
            own = replace(scoring, agents=(), score="total")
            earlier = jobs.get(name)
            if earlier is not None and own not in earlier.scorings:
                own_and_earlier = (*earlier.scorings, own)
                jobs[name] = replace(earlier, scorings=own_and_earlier)
            elif earlier is None:
                jobs[name] = Job(
                    name, place.root / name, place.published / name, None, known, (own,)
                )
    return list(jobs.values())


def _played_name(scoring: Scoring) -> str:
    """Return what is played, as part of a folder's name."""
    arguments = "-".join(
        f"{name}={value}" for name, value in sorted(dict(scoring.arguments).items())
    )
    name = f"{scoring.distribution}{f'-{arguments}' if arguments else ''}"
    plain = re.sub(r"[^A-Za-z0-9._=+-]", "_", name)
    if plain == name and len(name) <= LONGEST_NAME:
        return plain
    mark = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{plain[:LONGEST_NAME]}-{mark}"


def _agent_name(agent: Reference) -> str:
    if agent.label:
        return re.sub(r"[^A-Za-z0-9._=+-]", "_", agent.label)
    told = "-told" if agent.revealed else ""
    parameters = "".join(f"-{name}={value}" for name, value in agent.parameters.items())
    return re.sub(r"[^A-Za-z0-9._=+-]", "_", f"{agent.id}{told}{parameters}")


def _chosen(jobs: Sequence[Job], only: Sequence[str], suite: str) -> list[Job]:
    """Return the jobs whose names fit one of the patterns, and those that they begin with."""
    if not only:
        return list(jobs)
    wanted: set[Path] = set()
    for pattern in only:
        fitting = [job for job in jobs if fnmatch(job.name, pattern)]
        if not fitting:
            raise SuiteError(
                f"No job of the suite {suite} fits {pattern!r}; `metarl suite status {suite}` shows"
                " their names."
            )
        wanted |= {job.folder for job in fitting}
    for job in reversed(jobs):  # a job stands behind the one that it begins with
        if job.folder in wanted and job.start is not None:
            wanted.add(job.start[0])
    return [job for job in jobs if job.folder in wanted]


def run_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    *,
    say: Callable[[str], None],
    show: Callable[[Sequence[Job], int, int], None] = lambda running, left, failed: None,
) -> Outcome:
    """Do the jobs that aren't done, in the order in which they can be; returns what became of them.

    A job that another process works on is waited for. One that raised isn't tried again by this
    call; one whose process was lost is, up to `MOST_TRIES` times in all.

    Args:
        jobs: those that others begin with first.
        executor: where.
        say: is told what happens, a sentence each.
        show: is called about once a second with the jobs at work, the number of those that are
            left, and of those that failed.
    """
    outcome = Outcome()
    left: dict[str, Job] = {}
    for job in jobs:
        if job.state is State.FINISHED:
            outcome.finished.append(job)
        else:
            left[job.name] = job
    running: dict[str, Job] = {}
    elsewhere: dict[str, float] = {}
    places = {job.folder: job.name for job in jobs}
    for job in left.values():
        job.write()
    try:
        while left:
            _fail_those_without_start(left, running, outcome, places, say)
            for job in _startable(left, running, elsewhere, places, executor):
                executor.submit(job)
                running[job.name] = job
            show(list(running.values()), len(left), len(outcome.failed))
            for ended in executor.poll(LOOK):
                running.pop(ended.job.name, None)
                _take_note(ended, left, elsewhere, outcome, say)
            if not running:
                _wait_for_others(left, elsewhere, outcome, say)
    finally:
        executor.stop()
    return outcome


def _startable(
    left: dict[str, Job],
    running: dict[str, Job],
    elsewhere: dict[str, float],
    places: dict[Path, str],
    executor: Executor,
) -> Iterator[Job]:
    """Each job that may begin now, one by one, since each takes room."""
    for name, job in list(left.items()):
        waits = job.start is not None and places.get(job.start[0]) in left
        if name in running or name in elsewhere or waits:
            continue
        if not executor.room(job):
            return
        yield job


def _take_note(
    ended: Ended,
    left: dict[str, Job],
    elsewhere: dict[str, float],
    outcome: Outcome,
    say: Callable[[str], None],
) -> None:
    """Note how a process ended, and whether its job is tried again."""
    job = ended.job
    if job.state is State.FINISHED:
        outcome.finished.append(left.pop(job.name))
        say(f"finished: {job.name}")
        return
    if ended.status == BUSY:
        elsewhere[job.name] = time.monotonic()
        say(f"another process works on it: {job.name}")
        return
    lost = ended.lost
    if ended.status == STOPPED:
        lost = lost or "The process was stopped"
    if not lost and ended.status != FAILED:
        lost = f"The process ended with status {ended.status}; the end of log.txt says why"
    failure = job.note_failure(lost, lost=True) if lost else job.failure
    sentence = "it ended without a word" if failure is None else failure.error
    if failure is not None and failure.lost and failure.tries < MOST_TRIES:
        say(f"{sentence}; tried again ({failure.tries + 1} of {MOST_TRIES}): {job.name}")
        return
    outcome.failed[job.name] = sentence
    del left[job.name]
    say(f"failed: {job.name}: {sentence}")


def _fail_those_without_start(
    left: dict[str, Job],
    running: dict[str, Job],
    outcome: Outcome,
    places: dict[Path, str],
    say: Callable[[str], None],
) -> None:
    """Give up jobs that begin with the weights of one that failed."""
    for name, job in list(left.items()):
        before = None if job.start is None else places.get(job.start[0])
        if name not in running and before in outcome.failed:
            outcome.failed[name] = f"it begins with the weights of {before}, which failed"
            del left[name]
            say(f"failed: {name}: {outcome.failed[name]}")


def _wait_for_others(
    left: dict[str, Job],
    elsewhere: dict[str, float],
    outcome: Outcome,
    say: Callable[[str], None],
) -> None:
    """Look at the jobs of other processes: done, or given up and free again?"""
    if not elsewhere:
        return
    time.sleep(LOOK)
    for name in list(elsewhere):
        job = left[name]
        state = job.state
        if state is State.RUNNING:
            continue
        del elsewhere[name]
        if state is State.FINISHED:
            outcome.finished.append(left.pop(name))
            say(f"finished by another process: {name}")
