"""Training.

The one loop that calls a learner's `update`, writes down what it measured, shows it, and keeps
checkpoints.
"""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from metarl.core.errors import PlugInError
from metarl.core.learner import (
    CountsIterations,
    CountsSteps,
    HoldsResources,
    Learner,
    StartsFromWeights,
)
from metarl.core.task_distribution import TaskDistribution
from metarl.learners.data_parallel import leading
from metarl.learners.registry import check_fits, learns_from_examples
from metarl.runs.checkpoint import CheckpointError, load_about, load_state, save_state
from metarl.runs.config import RunConfig
from metarl.runs.footprint import Footprint, check_it_fits, footprint
from metarl.runs.old_names import state_of_today
from metarl.runs.progress import Progress, yardstick
from metarl.runs.sinks import CSVSink, MetricSink, OpenSinks, TensorBoardSink
from metarl.runs.stopping import stop_signals
from metarl.runs.store import RunFolder, RunFolderError

__all__ = ["check_belongs", "iterations_done", "resume", "save", "train"]

# seconds, from which on each iteration is saved, since a signal may break the next one off ...
SLOW_ITERATION = 0.5
SAVING_SHARE = 0.1  # ... unless that takes more than this part of the iteration's time


def train(
    run: RunConfig | Learner,
    folder: str | Path,
    *,
    checkpoint_seconds: float = 60.0,
    show: bool = True,
    tensorboard: bool = False,
    sinks: Sequence[MetricSink] = (),
    start: str | Path | None = None,
    lengthen: bool = True,
) -> Any:
    """Train `run` to its end in `folder`, going on from the checkpoint there if there is one.

    Killed at any moment and started again, a run on tensor families and one CPU ends with the very
    same weights. Ctrl-C and SIGTERM let the iteration end, or break it off if it takes longer than
    seconds, and raise KeyboardInterrupt; what was saved is of a whole iteration.

    A folder whose run differs in its number of iterations only goes on to the number wanted now.
    What follows the course of training, such as a learning rate that falls to its end, follows the
    new number from there on, so the weights aren't those of one run of that length.

    Where torchrun started as many processes as the config says, all of them call this: the first
    one leads, and alone prints and writes.

    Args:
        run: what to train; a learner that was made in code is trained itself, and goes on in
            `folder` if it is freshly made.
        folder: the run's own; `metarl.runs.store` says what lies in it.
        checkpoint_seconds: time between checkpoints; 0 saves after every iteration.
        show: print progress to standard error.
        tensorboard: write event files to `folder`/tensorboard too.
        sinks: where metrics go beside metrics.csv, such as metarl.runs.sinks.WandBSink(); one that
            fails amid training is left out from then on, with a warning.
        start: folder of the trained run that `run.start` names.
        lengthen: whether a run of another number of iterations may go on; otherwise it is refused
            as another run.

    Returns:
        The trained learner.

    Raises:
        ValueError: bad settings, more memory wanted than there is, a folder in use or of another
            run, a damaged checkpoint, or training diverged: then nothing of it is saved.
            StorageError: a full or read-only disk.
    """
    if not (math.isfinite(checkpoint_seconds) and checkpoint_seconds >= 0):
        raise ValueError(
            f"checkpoint_seconds can't be negative and must be a number, not {checkpoint_seconds}."
        )
    place = RunFolder(folder)
    run, distribution, learner, expected = _ready(run)
    with ExitStack() as stack:
        stack.enter_context(_computing_on(run.threads))
        # a process that torchrun started beside the first one neither prints nor writes
        if not stack.enter_context(leading(learner)):
            return learner
        stack.enter_context(place.lock())
        stack.enter_context(place.removed_unless_begun())
        done = iterations_done(place) if lengthen else None
        changed = place.adopt(
            run.identity(), _read_today, done, partial(_check_whole, learner, place)
        )
        if changed is not None and show:
            print(_lengthened(*changed, place), file=sys.stderr)
        iteration = _go_on(learner, place)
        _refuse_without_checkpoint(place)
        if iteration == 0 and run.start is not None:
            begin_with(learner, run, start)
        log = CSVSink()
        log.open(place, iteration)
        if learner.finished:
            _save_weights(learner, place)
            return learner

        if isinstance(learner, HoldsResources):
            stack.callback(learner.close)
        place.note_continuation()
        wanted = [*((TensorBoardSink(),) if tensorboard else ()), *sinks]
        others = stack.enter_context(OpenSinks(wanted, place, iteration))
        if show and expected is not None:
            print(
                expected.sentence(getattr(run.config, "iterations", None)),
                file=sys.stderr,
                flush=True,
            )
        progress = (
            stack.enter_context(_progress(run, distribution, place, iteration)) if show else None
        )
        _iterate(learner, place, log, iteration, checkpoint_seconds, others, progress)
        _save_weights(learner, place)
    return learner


@contextmanager
def _computing_on(threads: int | None) -> Iterator[None]:
    """Have PyTorch compute on so many threads of this process; None leaves them as they are."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _iterate(
    learner: Learner,
    place: RunFolder,
    log: CSVSink,
    iteration: int,
    checkpoint_seconds: float,
    others: OpenSinks,
    progress: Progress | None,
) -> None:
    """Update until the learner is finished, write down what it measured, show it, and keep
    checkpoints.
    """
    seconds = float(log.last.get("seconds", 0.0))
    steps = float(log.last.get("steps", 0.0))
    saved = time.monotonic()
    saving = 0.0
    with stop_signals() as stop:
        while not learner.finished and not stop.asked:
            began = time.monotonic()
            try:
                with stop.interruptible():
                    metrics = learner.update()
            except KeyboardInterrupt:
                raise KeyboardInterrupt(_broken_off(place, iteration + 1)) from None
            took = time.monotonic() - began

            iteration += 1
            seconds += took
            row = _row(learner, iteration, metrics, seconds, (metrics["steps"] - steps) / took)
            _check_finite(row, iteration)
            steps = row["steps"]
            log.write(row)
            others.write(row)
            if progress is not None:
                progress.show(iteration, row)
            now = time.monotonic()
            due = now - saved >= checkpoint_seconds or (
                took >= SLOW_ITERATION and saving <= SAVING_SHARE * took
            )
            if due and not learner.finished:
                _save_checkpoint(learner, place, log, iteration)
                saved = time.monotonic()
                saving = saved - now
        _save_checkpoint(learner, place, log, iteration)
        if not learner.finished:
            raise KeyboardInterrupt(
                f"Stopped after iteration {iteration}; the same command goes on from there."
            )


def _read_today(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a stored identity with the fields that were added to configs since."""
    return RunConfig.from_identity(stored).identity()


def _check_whole(learner: Learner, place: RunFolder) -> None:
    """Raise ValueError where `learner` can't go on from what lies in `place`.

    A damaged file mustn't cost a run its weights.
    """
    CSVSink().open(place, _go_on(learner, place))


def iterations_done(place: RunFolder) -> int:
    """Return the iterations behind the checkpoint, without reading all of it."""
    return int(load_about(place.checkpoint).get("iteration", 0)) if place.checkpoint.exists() else 0


def _lengthened(old: int, wanted: int, place: RunFolder) -> str:
    """Return what it means that a run goes on to another number of iterations."""
    return (
        f"{place.path} goes on to {wanted} iterations, {old} before. What follows the course of"
        " training, such as a learning rate that falls to its end, follows the new number from"
        f" here on: the weights won't be those of one run of {wanted}. Weights and scores of the"
        f" shorter training, if there are any, are in {place.path / 'earlier'} now."
    )


def _broken_off(place: RunFolder, iteration: int) -> str:
    """Return what is left where an iteration was interrupted."""
    done = iterations_done(place)
    if not done:
        return (
            f"Stopped amid iteration {iteration}, before there was a checkpoint: the same command"
            " starts anew."
        )
    return (
        f"Stopped amid iteration {iteration}; the checkpoint is of iteration {done}, and the same"
        " command goes on from there."
    )


def _refuse_without_checkpoint(place: RunFolder) -> None:
    """Raise RunFolderError where training would start anew beside weights, such as published ones,
    and spoil their metrics.
    """
    if place.weights().exists() and not place.checkpoint.exists():
        raise RunFolderError(
            f"{place.path} is finished: it has weights, and no checkpoint to go on from. `metarl"
            " evaluate` scores it; train in another folder."
        )


def save(learner: Learner, folder: str | Path) -> None:
    """Save `learner` in `folder`, as far as it is trained; `metarl.train` goes on from there, and
    `metarl.load_agent` reads it.

    What a learner was made with beside settings and a registered distribution isn't saved: a
    distribution of your own, a network, an algorithm. run.json names such parts, and `load_agent`
    asks for them.

    Args:
        learner: what to save.
        folder: a new one, or one with an earlier stage of the same training.

    Raises:
        ValueError: a folder in use, of another run or of a later stage, or a learner that doesn't
            tell its settings or its iterations. StorageError: a full or read-only disk.
    """
    run = RunConfig.of(learner)
    place = RunFolder(folder)
    if not isinstance(learner, CountsIterations):
        raise ValueError(
            f"{type(learner).__name__} lacks the attribute iteration: a learner that is saved tells"
            " how far it is."
        )
    stands = learner.iteration
    with place.lock():
        place.adopt(run.identity(), _read_today)
        saved = iterations_done(place)
        if saved > stands:
            raise ValueError(
                f"{folder} has {saved} iterations of this run, the learner {stands}. Choose another"
                " folder."
            )
        log = CSVSink()
        log.open(place, saved)
        if stands > saved:
            log.write({"iteration": stands, "steps": _steps_of(learner), "seconds": 0.0})
        _save_checkpoint(learner, place, log, stands)
        if learner.finished:
            _save_weights(learner, place)


def _ready(
    run: RunConfig | Learner,
) -> tuple[RunConfig, TaskDistribution, Learner, Footprint | None]:
    """Return a run, what it trains on, who is trained, and what that takes; a learner given in
    place of its run is it.

    Raises:
        ValueError: it takes more memory than there is, or the learner refuses the distribution.
    """
    if not isinstance(run, RunConfig):
        described = RunConfig.of(run)
        known: TaskDistribution = run.distribution  # type: ignore[attr-defined]
        return (
            described,
            known,
            run,
            footprint(described.learner, described.config, known, len(described.seeds)),
        )
    distribution = run.make_distribution()
    check_fits(run.learner, distribution)
    expected = footprint(run.learner, run.config, distribution, len(run.seeds))
    if run.device == "cpu":
        check_it_fits(expected, f"{run.learner} on {run.distribution}")
    return run, distribution, run.make_learner(distribution), expected


def _go_on(learner: Learner, place: RunFolder) -> int:
    """Load the checkpoint in `place` into a fresh `learner`; one that has made iterations of its
    own goes on from where it stands.

    Raises:
        ValueError: both are under way, at different iterations.
    """
    stands = int(learner.iteration) if isinstance(learner, CountsIterations) else 0
    saved = iterations_done(place)
    if stands == 0 or stands == saved:
        return resume(learner, place)
    if saved:
        raise ValueError(
            f"{place.path} has {saved} iterations of this run, the learner {stands}. Give a freshly"
            " made learner to go on from the folder, or another folder to go on from the learner."
        )
    log = CSVSink()
    log.open(place, 0)
    log.write({"iteration": stands, "steps": _steps_of(learner), "seconds": 0.0})
    return stands


def _steps_of(learner: Learner) -> int:
    """Return the environment steps that `learner` has taken; 0 where it doesn't count them."""
    return int(learner.steps) if isinstance(learner, CountsSteps) else 0


def resume(learner: Learner, place: RunFolder) -> int:
    """Load the checkpoint in `place`, if there is one, into `learner`; returns the iterations
    behind it.

    Raises:
        CheckpointError: it is damaged, foreign or newer.
    """
    if not place.checkpoint.exists():
        return 0
    about, state = load_state(place.checkpoint)
    check_belongs(place.checkpoint, about, "checkpoint", place)
    try:
        learner.load_state_dict(state_of_today(state))
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{place.checkpoint} doesn't fit the learner {type(learner).__name__} as it is now"
            f" ({error}). Use the version of metarl that run.json names, or start in another"
            " folder."
        ) from error
    return int(about["iteration"])


def begin_with(learner: Learner, run: RunConfig, folder: str | Path | None) -> None:
    """Give `learner` the weights of the run that `run.start` describes, which has one seed.

    Raises:
        ValueError: no folder, one of another run, or a learner that can't start from weights.
    """
    if folder is None:
        raise ValueError(
            "This run begins with the weights of another; say in which folder that one lies"
            " (start=...)."
        )
    place = RunFolder(folder)
    if RunConfig.from_identity(place.identity).origin() != run.identity()["start"]:
        raise ValueError(f"{folder} isn't the run that this one is meant to begin with.")
    if not isinstance(learner, StartsFromWeights):
        raise ValueError(f"{type(learner).__name__} can't begin with the weights of another run.")
    about, weights = load_state(place.weights())
    check_belongs(place.weights(), about, "weights", place)
    learner.start_from(weights)


def check_belongs(file: Path, about: dict[str, Any], kind: str, place: RunFolder) -> None:
    """Raise CheckpointError unless `file`, with `about` in it, is of this `kind` and of the run in
    `place`.
    """
    known = place.digests if kind == "checkpoint" else {place.digest}
    if about.get("kind") != kind or about.get("run") not in known:
        raise CheckpointError(
            f"{file} holds the {about.get('kind', 'state')} of another run (learner"
            f" {about.get('learner')}). Put the right file back, or delete this one to start again."
        )


def _row(
    learner: Learner, iteration: int, metrics: dict[str, float], seconds: float, rate: float
) -> dict[str, float]:
    """Return one line of metrics.csv; wall-clock columns come last."""
    if missing := [name for name in ("steps", "return") if name not in metrics]:
        raise PlugInError(
            f"{type(learner).__name__}.update() must report {' and '.join(missing)}; iteration"
            f" {iteration} didn't."
        )
    own = {
        name: float(value) for name, value in metrics.items() if name not in ("iteration", "steps")
    }
    return {
        "iteration": iteration,
        "steps": int(metrics["steps"]),
        **own,
        "seconds": round(seconds, 3),
        "steps_per_second": round(rate, 1),
    }


def _check_finite(figures: dict[str, float], iteration: int) -> None:
    """Raise ValueError where training diverged, before anything of it is saved."""
    if bad := [f"{name} is {value}" for name, value in figures.items() if not math.isfinite(value)]:
        raise ValueError(
            f"Training diverged in iteration {iteration}: {', '.join(bad)}. The last checkpoint, if"
            " there is one, is as it was. Train with a smaller learning rate, in another folder if"
            " there is one."
        )


def _check_weights(learner: Learner, num_seeds: int, iteration: int) -> None:
    """The same for the weights: an iteration's last step can spoil them after all was measured."""
    leaves = [
        leaf for seed_index in range(num_seeds) for leaf in tree_leaves(learner.weights(seed_index))
    ]
    spoilt = any(bool(leaf.isnan().any()) for leaf in leaves if isinstance(leaf, Tensor))
    _check_finite({"a weight": math.nan} if spoilt else {}, iteration)


def _save_checkpoint(learner: Learner, place: RunFolder, log: CSVSink, iteration: int) -> None:
    _check_weights(learner, len(place.identity["seeds"]), iteration)
    log.sync()  # a checkpoint never counts lines that a power cut could still take away
    about = {
        "kind": "checkpoint",
        "learner": place.identity["learner"],
        "run": place.digest,
        "iteration": iteration,
    }
    save_state(place.checkpoint, learner.state_dict(), about)


def _save_weights(learner: Learner, place: RunFolder) -> None:
    for seed_index, seed in enumerate(place.identity["seeds"]):
        about = {
            "kind": "weights",
            "learner": place.identity["learner"],
            "run": place.digest,
            "seed": seed,
        }
        if not place.weights(seed_index).exists():
            save_state(place.weights(seed_index), learner.weights(seed_index), about)


def _progress(
    run: RunConfig, distribution: TaskDistribution, place: RunFolder, iteration: int
) -> Progress:
    episodes = getattr(run.config, "episodes", None)
    scale = yardstick(distribution, episodes) if isinstance(episodes, int) else None
    title = (
        f"{run.learner} on {distribution!r}, seed {', '.join(map(str, run.seeds))} → {place.path}"
    )
    supervised = learns_from_examples(run.learner)
    return Progress(
        title, getattr(run.config, "iterations", None), iteration, scale, supervised=supervised
    )
