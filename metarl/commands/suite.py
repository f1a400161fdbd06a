"""What `metarl suite` does, and its flags."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from metarl.analysis.board_tables import render_board
from metarl.analysis.leaderboard import leaderboard
from metarl.core.paths import as_path
from metarl.runs.store import explained, write_csv
from metarl.suites.driver import Outcome, SuitePlace, jobs_of, run_jobs
from metarl.suites.executors.executor import Executor
from metarl.suites.executors.local import LocalExecutor
from metarl.suites.executors.printed import command_line, waves
from metarl.suites.executors.ray_cluster import RayExecutor
from metarl.suites.find import find_suite
from metarl.suites.job import FilledSuite, Job, State
from metarl.suites.status import JobStatus, expected_seconds, job_status, progress_of, size_of
from metarl.suites.suite import SuiteError
from metarl.suites.worker import end_with_standard_input, work

__all__ = [
    "ReportOptions",
    "RunOptions",
    "SuiteOptions",
    "WorkOptions",
    "report_suite",
    "run_suite",
    "suite_status",
    "work_on",
]

ORDER = (State.FAILED, State.RUNNING, State.STARTED, State.WAITING, State.FINISHED)


@dataclass(frozen=True)
class SuiteOptions:
    """Which part of a suite, and where it lies.

    Attributes:
        preset: such as smoke, cpu or paper; the suite's usual one if left out.
        seeds: of the trainings, in place of the preset's.
        only: names of jobs, with * for anything; all if left out.
        runs: folder of all suites' runs.
        results: folder of published results.
    """

    preset: str | None = None
    seeds: tuple[int, ...] = ()
    only: tuple[str, ...] = ()
    runs: Path = field(default=Path("runs"))
    results: Path = field(default=Path("results"))


@dataclass(frozen=True)
class RunOptions(SuiteOptions):
    """How a suite is run.

    Attributes:
        jobs: cores that are shared among jobs; all of this machine's if left out.
        executor: local, ray, or print, which prints commands for a Slurm array, GNU parallel or a
            shell, and runs none.
        ray_address: of a Ray cluster, such as auto; Ray is started on this machine if left out.
        publish: copy each job that is finished to results/, one by one, and make tables and figures
            there.
        dry_run: say what would run, how long by what earlier runs took, and how much disk.
    """

    jobs: int | None = None
    executor: Literal["local", "ray", "print"] = "local"
    ray_address: str | None = None
    publish: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class ReportOptions(SuiteOptions):
    """What tables and figures are made from.

    Attributes:
        publish: make them among the published results.
    """

    publish: bool = False


@dataclass(frozen=True)
class WorkOptions:
    """How one job is done.

    Attributes:
        publish: copy what it gives to its published place.
        lifeline: end soon after standard input is closed.
    """

    publish: bool = False
    lifeline: bool = False


def run_suite(name: str, options: RunOptions, console: Console) -> int:
    """Run a suite's jobs; returns the command's exit status: 1 if a job failed."""
    place = _place(name, options)
    jobs = jobs_of(place, options.seeds, options.only)
    if options.jobs is not None and options.jobs < 1:
        raise SuiteError(f"--jobs must be at least 1, not {options.jobs}.")
    if options.dry_run:
        _tell_plan(jobs, options, console)
        return 0
    place.claim()
    if options.executor == "print":
        _print_commands(jobs, options)
        return 0
    executor = _executor(options)
    console.print(f"{len(jobs)} jobs of {place.suite.name}, {place.preset} → {place.root}")
    with _Shown(jobs, console) as shown:
        outcome = run_jobs(jobs, executor, say=shown.say, show=shown.show)
    return _tell_outcome(place, jobs, outcome, options, console)


def suite_status(name: str, options: SuiteOptions, console: Console) -> int:
    """Show how a suite's jobs stand, by their folders alone."""
    place = _place(name, options)
    jobs = jobs_of(place, options.seeds, options.only)
    stands = [job_status(job) for job in jobs]
    console.print(_table(stands, f"{place.suite.name}, preset {place.preset}"))
    console.print(_counts(stands), highlight=False)
    return 0


def report_suite(name: str, options: ReportOptions, console: Console) -> int:
    """Make a suite's tables and figures from what is trained and scored."""
    place = _place(name, options)
    jobs = jobs_of(place, options.seeds, options.only)
    _fill(place, jobs, options, console)
    return 0


def work_on(folder: Path, options: WorkOptions) -> int:
    """Do one job; returns the process's exit status."""
    if options.lifeline:
        end_with_standard_input()
    return work(as_path(folder), publishes=options.publish)


def _place(name: str, options: SuiteOptions) -> SuitePlace:
    suite = find_suite(name)
    preset = options.preset or suite.usual_preset
    suite.preset(preset)
    return SuitePlace(as_path(options.runs), as_path(options.results), suite, preset)


def _executor(options: RunOptions) -> Executor:
    if options.executor == "ray":
        return RayExecutor(options.ray_address, options.jobs, publishes=options.publish)
    if options.ray_address is not None:
        raise SuiteError("--ray-address is for --executor ray.")
    return LocalExecutor(options.jobs, publishes=options.publish)


def _print_commands(jobs: Sequence[Job], options: RunOptions) -> None:
    left = [job for job in jobs if job.state is not State.FINISHED]
    for job in left:
        job.write()
    for number, wave in enumerate(waves(left)):
        if number:
            print("# once those above are done")
        for job in wave:
            print(command_line(job, publishes=options.publish))


def _fill(
    place: SuitePlace,
    jobs: Sequence[Job],
    options: RunOptions | ReportOptions,
    console: Console,
) -> None:
    """Make the leaderboard of what is scored, and the suite's own tables and figures."""
    folder = place.published if options.publish else place.root / "tables"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    filled = FilledSuite(
        place.suite.name,
        place.preset,
        options.seeds,
        place.root,
        tuple(jobs),
        place.runs,
        place.results,
        folder,
        options.publish,
    )
    scored = [job.place or job.folder for job in jobs if job.scorings]
    with_scores = [each for each in scored if any(each.glob("evaluations/*.json"))]
    if with_scores:
        command = f"metarl suite run {place.suite.name} --preset {place.preset}"
        board = leaderboard(with_scores, command=command)
        write_csv(folder / "leaderboard.csv", board)
        for table in render_board(board[board["split"] == "test"]):
            console.print(table)
    if place.suite.fill is not None:
        place.suite.fill(filled)
    console.print(f"Tables and figures: {folder}", highlight=False)


def _tell_outcome(
    place: SuitePlace, jobs: Sequence[Job], outcome: Outcome, options: RunOptions, console: Console
) -> int:
    for name, why in outcome.failed.items():
        console.print(f"failed: {name}: {why}", highlight=False, markup=False)
    if outcome.failed:
        console.print(
            f"{len(outcome.failed)} of {len(outcome.failed) + len(outcome.finished)} jobs failed;"
            " each one's log.txt and failure.json say more. The same command tries them again.",
            highlight=False,
        )
        return 1
    _fill(place, jobs, options, console)
    return 0


def _tell_plan(jobs: Sequence[Job], options: RunOptions, console: Console) -> None:
    """Say what would run, for how long, and how much disk it takes."""
    left = [job for job in jobs if job.state is not State.FINISHED]
    table = Table("job", "cores", "time left", title=f"{len(left)} of {len(jobs)} jobs are left")
    seconds = {job.name: expected_seconds(job, jobs) for job in left}
    for job in left:
        table.add_row(job.name, str(job.threads), _time(seconds[job.name]))
    console.print(table)
    known = [each for each in seconds.values() if each is not None]
    cores = options.jobs or len(os.sched_getaffinity(0))
    busy = sum(job.threads * (seconds[job.name] or 0.0) for job in left)
    sentence = f"About {_time(busy / cores)} on {cores} cores" if known else "Nobody knows how long"
    if known and len(known) < len(left):
        sentence += f", and {len(left) - len(known)} jobs of unknown length"
    sizes = [size_of(job) for job in jobs if job.state is State.FINISHED and job.folder.is_dir()]
    disk = (
        f"about {len(left) * sum(sizes) / len(sizes) / 1e6:,.0f} MB of disk"
        if sizes
        else "disk by the size of checkpoints, mostly below 10 MB a run"
    )
    root = next(each for each in (options.runs, *options.runs.absolute().parents) if each.exists())
    free = shutil.disk_usage(root).free
    console.print(f"{sentence}; {disk}, of {free / 1e9:,.0f} GB free.", highlight=False)


class _Shown:
    """The table of jobs at work, on a terminal; elsewhere a line for each thing that happens."""

    def __init__(self, jobs: Sequence[Job], console: Console):
        self.console = console
        self.jobs = jobs
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "_Shown":
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def say(self, sentence: str) -> None:
        """Tell of something that happened."""
        self.console.print(sentence, highlight=False, markup=False)

    def show(self, running: Sequence[Job], left: int, failed: int) -> None:
        """Show the jobs at work."""
        if not self.console.is_terminal:
            return
        table = Table("job", "iteration", "steps", "time left")
        for job in running:
            table.add_row(*_progress_cells(job))
        done = len(self.jobs) - left - failed
        line = f"{done} of {len(self.jobs)} jobs finished, {failed} failed, {len(running)} at work"
        self._live.update(Group(table, line), refresh=True)


def _progress_cells(job: Job) -> tuple[str, str, str, str]:
    known = progress_of(job, job.folder)
    if known is None:
        return job.name, "", "", ""
    wanted = "" if known.wanted is None else f" of {known.wanted:,}"
    return (
        job.name,
        f"{known.iterations:,}{wanted}",
        f"{known.steps:,.0f}",
        _time(known.seconds_left),
    )


def _table(stands: Sequence[JobStatus], title: str) -> Table:
    table = Table("job", "state", "iteration", "trained for", "note", title=title)
    for each in sorted(stands, key=lambda each: ORDER.index(each.state)):
        known = each.progress
        wanted = "" if known is None or known.wanted is None else f" of {known.wanted:,}"
        table.add_row(
            each.job.name,
            each.state.value,
            "" if known is None else f"{known.iterations:,}{wanted}",
            "" if known is None else _time(known.seconds),
            each.note,
        )
    return table


def _counts(stands: Sequence[JobStatus]) -> str:
    counts = {state: sum(each.state is state for each in stands) for state in ORDER}
    told = [f"{count} {state.value}" for state, count in counts.items() if count]
    return f"{len(stands)} jobs: {', '.join(told)}."


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
