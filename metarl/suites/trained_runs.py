"""Trained runs: taken from disk where they are there, trained where they aren't."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from metarl.runs.checkpoint import in_half_precision
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolder, find_runs, publish
from metarl.runs.training import train

__all__ = ["check_folder", "find_trained_run", "is_trained", "trained_run"]


def trained_run(
    run: RunConfig,
    own: Path,
    published: Path,
    *,
    start: Callable[[], Path | None] | None = None,
    train_missing: bool = True,
    publishes: bool = False,
) -> Path | None:
    """Return the folder of `run` with its weights: our own, else the published one, else trained
    (or gone on with) now.

    Args:
        run: what is wanted.
        own: where it is trained.
        published: where its published copy lies.
        start: gives the folder of the run whose weights training begins with; asked only where this
            run must be trained.
        train_missing: otherwise None is returned where neither folder has the weights.
        publishes: copy a run of our own to `published`, and return that; weights of over 5 MB in
            half precision.
    """
    folder = own if is_trained(own, run) else published
    if not is_trained(folder, run):
        if not train_missing:
            return None
        begun = replace(run, threads=_threads_of(own)) if run.threads is None else run
        train(begun, own, start=None if start is None else start(), lengthen=False)
        folder = own
    return (
        publish(own, published.parent, in_half_precision) if publishes and folder == own else folder
    )


def _threads_of(folder: Path) -> int | None:
    """Return how many threads the run in `folder` was begun with, if it is known."""
    if not (folder / "run.json").is_file():
        return None
    threads: int | None = RunFolder(folder).identity.get("threads")
    return threads


def is_trained(folder: Path, run: RunConfig) -> bool:
    """Return whether the folder has the weights of `run`, on whatever device it was trained."""
    return RunFolder(folder).weights().exists() and same_run(folder, run)


def find_trained_run(root: Path, run: RunConfig) -> RunFolder | None:
    """Return the folder at or below `root` that has the weights of `run`, whatever its name.

    None where there is none.
    """
    wanted = run.learner, run.distribution
    for folder in find_runs(root):
        identity = folder.identity
        if (identity["learner"], identity["distribution"]) == wanted and is_trained(
            folder.path, run
        ):
            return folder
    return None


def check_folder(run: RunConfig, own: Path, published: Path) -> None:
    """Refuse, before anything is computed, a folder that holds a run with other settings.

    Raises:
        ValueError: it does, and there are no published weights of the right settings.
    """
    if (own / "run.json").exists() and not same_run(own, run) and not is_trained(published, run):
        raise ValueError(
            f"{own} holds a run with other settings than wanted now; move it away, or choose"
            " another folder for runs."
        )


def same_run(folder: Path, run: RunConfig) -> bool:
    """Return whether the folder holds `run`, on whatever device it was trained.

    One that went on to more iterations is another.
    """
    if RunFolder(folder).earlier_lengths:
        return False
    return RunConfig.from_identity(RunFolder(folder).identity).trains_the_same(run)
