"""Which runs lie in a folder, and how far each one is, for ten thousand of them in a second or so.

Of each run only run.json, the last line of its metrics and the names of its files are read.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from metarl.core.paths import as_path
from metarl.runs.store import FORMAT, IDENTITY, RunFolderError, skipped_if_broken

__all__ = ["STATES", "ListedRun", "list_runs", "runs_table"]

# finished: it has weights. running: a process holds it. failed: its last try raised, or was lost.
# stopped: it has a checkpoint to go on from. begun: nothing is saved yet.
STATES = ("finished", "running", "failed", "stopped", "begun")
# Folders within a run's in which no other run lies
OWN = {"earlier", "evaluations", "tensorboard", "wandb", "watched"}
LAST_BYTES = 4096  # of metrics.csv that are read first; a line is a few hundred


@dataclass(frozen=True)
class ListedRun:
    """One run, as far as a list tells.

    Attributes:
        folder: its path.
        learner, distribution, arguments, seeds, device, config: which run, as run.json has them.
        state: one of `STATES`.
        iterations: done so far.
        last: the last iteration's metrics by name; empty before the first.
    """

    folder: Path
    learner: str
    distribution: str
    arguments: dict[str, Any]
    seeds: tuple[int, ...]
    device: str
    config: dict[str, Any]
    state: str
    iterations: int
    last: dict[str, float]

    @property
    def wanted(self) -> int | None:
        """How many iterations it is to have; None where its settings don't say."""
        return self.config.get("iterations")

    @property
    def steps(self) -> float:
        """Environment steps behind it; NaN before the first iteration."""
        return self.last.get("steps", float("nan"))

    @property
    def final_return(self) -> float:
        """The last iteration's return; NaN before the first."""
        return self.last.get("return", float("nan"))

    @property
    def seconds(self) -> float:
        """Time spent training; NaN before the first iteration."""
        return self.last.get("seconds", float("nan"))


def list_runs(root: str | Path) -> list[ListedRun]:
    """Return the runs at or below `root`, in the order of their paths; broken ones are left out,
    with a warning that names them.

    What a run left in `earlier` before it went on to more iterations is no run beside it.

    Raises:
        RunFolderError: there is no such folder.
    """
    root = as_path(root)
    if not root.is_dir():
        raise RunFolderError(f"There is no folder {root}: name one that holds runs.")
    runs = []
    for folder, files in sorted(_folders(str(root)), key=lambda found: Path(found[0]).parts):
        with skipped_if_broken(Path(folder)):
            runs.append(_listed(folder, files))
    return runs


def runs_table(root: str | Path) -> pd.DataFrame:
    """Return one row a run at or below `root`: folder, identity, state, iterations, its last
    iteration's steps, return and seconds, and its settings as columns `config.NAME`.

    Broken runs are left out, with a warning that names them.
    """
    return pd.DataFrame(
        [
            {
                "folder": str(run.folder),
                "learner": run.learner,
                "distribution": run.distribution,
                "arguments": run.arguments,
                "seeds": list(run.seeds),
                "device": run.device,
                "state": run.state,
                "iterations": run.iterations,
                "steps": run.steps,
                "return": run.final_return,
                "seconds": run.seconds,
                **{f"config.{name}": value for name, value in run.config.items()},
            }
            for run in list_runs(root)
        ]
    )


def _folders(folder: str) -> Iterator[tuple[str, set[str]]]:
    """Each folder at or below `folder` that has a run.json, with the names of its files."""
    files = set()
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append(entry)
            else:
                files.add(entry.name)
    is_run = "run.json" in files
    if is_run:
        yield folder, files
    for entry in below:
        if not (is_run and entry.name in OWN):
            yield from _folders(entry.path)


def _listed(folder: str, files: set[str]) -> ListedRun:
    """Return the run in `folder`.

    Raises:
        ValueError: a file of it is damaged, foreign or newer.
    """
    with open(os.path.join(folder, "run.json"), "rb") as stream:
        told = json.loads(stream.read())
    if not isinstance(told, dict) or not {"format", *IDENTITY} <= told.keys():
        raise ValueError("run.json isn't a metarl run's")
    if told["format"] > FORMAT:
        raise ValueError(f"it is a newer metarl's (format {told['format']}); upgrade metarl")
    last: dict[str, float] = {}
    if "metrics.csv" in files:
        last = _last_line(os.path.join(folder, "metrics.csv"))
    return ListedRun(
        folder=Path(folder),
        learner=told["learner"],
        distribution=told["distribution"],
        arguments=told["arguments"],
        seeds=tuple(told["seeds"]),
        device=told["device"],
        config=told["config"],
        state=_state(folder, files),
        iterations=int(last.get("iteration", 0)),
        last=last,
    )


def _state(folder: str, files: set[str]) -> str:
    if "weights.safetensors" in files:
        return "finished"
    if any(_is_held(os.path.join(folder, name)) for name in ("lock", "job.lock") if name in files):
        return "running"
    if "failure.json" in files:
        return "failed"
    return "stopped" if "checkpoint.safetensors" in files else "begun"


def _is_held(file: str) -> bool:
    """Return whether a process holds the lock `file`."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:  # it ended just now
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _last_line(file: str) -> dict[str, float]:
    """Return the last whole line of a table of numbers, by column; empty where there is none.

    A line without an end is one that is being written, or was when the process was killed.

    Raises:
        ValueError: it has other columns than the table's head, or no numbers.
    """
    with open(file, "rb") as stream:
        head = stream.readline()
        first = stream.tell()
        size = stream.seek(0, os.SEEK_END)
        length = LAST_BYTES
        while True:
            begin = max(first, size - length)
            stream.seek(begin)
            lines = stream.read(size - begin).split(b"\n")
            if len(lines) > 2 or begin == first:
                break
            length *= 8
    whole = lines[:-1]
    if not head.endswith(b"\n") or not whole:
        return {}
    names = head.decode().rstrip("\r\n").split(",")
    values = whole[-1].decode().rstrip("\r").split(",")
    if len(values) != len(names):
        raise ValueError(f"metrics.csv has {len(values)} values in {len(names)} columns")
    return {name: float(value) for name, value in zip(names, values, strict=True) if value}
