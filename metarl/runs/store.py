"""How runs and results lie on disk: the only code that knows, and the way to read them back into
DataFrames.

A run's folder, under `runs/` or, published, under `results/`:

    run.json                  learner, config, distribution, seeds, device, versions, commit
    metrics.csv               one line an iteration
    checkpoint.safetensors    all that is needed to go on, bit for bit (not published once the run
                              is finished)
    weights.safetensors       what the trained agent needs; weights-1.safetensors and so on for
                              further seeds
    evaluations/NAME.csv      one line a task; NAME.json says who played what
    evaluations/NAME-episodes.csv   one line an episode (not published)
    lock                      held by the process that trains here; a kill releases it
    earlier/N-iterations/     what a training of N iterations left, once it goes on to more: a
                              finished run's folder, but for the checkpoint

Every file is written under a temporary name in the same folder, synced, then renamed, so that a
kill or a full disk never costs what was there before. Only metrics.csv grows in place; what a kill
left behind the last checkpoint is cut off on resume.
"""

import errno
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metarl import __version__
from metarl.core.paths import as_path
from metarl.evaluation.protocol import Evaluation
from metarl.evaluation.scores import same_tasks
from metarl.evaluation.supervised import SupervisedEvaluation

__all__ = [
    "FORMAT",
    "MAX_PUBLISHED_BYTES",
    "RunFolder",
    "RunFolderError",
    "StorageError",
    "explained",
    "find_runs",
    "provenance",
    "publish",
    "skipped_if_broken",
    "write_csv",
    "write_evaluation",
    "write_file",
    "write_supervised_evaluation",
]

FORMAT = 1  # of run.json and of its folder
MAX_PUBLISHED_BYTES = 5_000_000  # a file; larger ones make a repository slow to clone for good
# The fields of run.json that say which run it is
IDENTITY = ("learner", "config", "distribution", "arguments", "seeds", "device")
OPTIONAL = ("start", "own", "threads")  # ... and those that only some runs have


class RunFolderError(ValueError):
    """A run's folder can't be used as asked; the message says what to do."""


class StorageError(OSError):
    """A file can't be written; the message says what to do."""


class RunFolder:
    """One run's folder. Making the object touches nothing.

    Attributes:
        path: the folder. checkpoint, metrics_file: its files, present or not.
    """

    def __init__(self, path: str | Path):
        if not isinstance(path, str | os.PathLike):
            raise RunFolderError(
                f"A folder is named by its path, such as 'runs/bandits', not by {path!r:.80}."
            )
        self.path = as_path(path)
        self.checkpoint = self.path / "checkpoint.safetensors"
        self.metrics_file = self.path / "metrics.csv"

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @property
    def description(self) -> dict[str, Any]:
        """What run.json says.

        Raises:
            RunFolderError: there is none, or it is damaged, foreign or newer.
        """
        file = self.path / "run.json"
        if not file.is_file():
            missing = (
                "there is no run.json"
                if self.path.is_dir()
                else "it is a file"
                if self.path.exists()
                else "there is no such folder"
            )
            raise RunFolderError(
                f"{self.path} holds no run: {missing}. Name the folder that `metarl train` wrote."
            )
        try:
            description = json.loads(file.read_text())
        except ValueError as error:
            raise RunFolderError(
                f"{file} is damaged ({error}). Restore it from a copy, or train into another"
                " folder."
            ) from error
        if (
            not isinstance(description, dict)
            or not {"format", *IDENTITY} <= set(description)
            or not isinstance(description["config"], dict)
        ):
            raise RunFolderError(
                f"{file} isn't a metarl run's. Name the folder that `metarl train` wrote."
            )
        if description["format"] > FORMAT:
            raise RunFolderError(
                f"{file} is a newer metarl's (format {description['format']}, this one reads"
                f" {FORMAT}); upgrade metarl."
            )
        return description

    @property
    def identity(self) -> dict[str, Any]:
        """The part of `description` that says which run this is."""
        return {
            name: self.description[name]
            for name in (*IDENTITY, *OPTIONAL)
            if name in self.description
        }

    @property
    def digest(self) -> str:
        """A hash of `identity`.

        The run's checkpoint and weights carry it, to tell whose they are.
        """
        return _digest(self.identity)

    @property
    def digests(self) -> set[str]:
        """`digest`, and what it was before the run went on to more iterations.

        What a checkpoint of this run may carry.
        """
        identity = self.identity
        others = [
            {**identity, "config": {**identity["config"], "iterations": length}}
            for length in self.earlier_lengths
        ]
        return {_digest(each) for each in (identity, *others)}

    @property
    def earlier_lengths(self) -> list[int]:
        """The iterations that were wanted before the run went on to more, in the order of time."""
        return [
            entry["iterations"][0]
            for entry in self.description.get("continued", [])
            if "iterations" in entry
        ]

    @property
    def has_progress(self) -> bool:
        """Whether there is anything here that another run mustn't take the place of."""
        return (
            self.checkpoint.exists()
            or any(self.path.glob("weights*.safetensors"))
            or any(self.path.glob("evaluations/*"))
        )

    @property
    def metrics(self) -> pd.DataFrame:
        """One row an iteration; empty before the first."""
        return pd.read_csv(self.metrics_file) if self.metrics_file.is_file() else pd.DataFrame()

    def weights(self, seed_index: int = 0) -> Path:
        """Return the weights file of the run's seed number `seed_index`, present or not."""
        return self.path / (
            f"weights-{seed_index}.safetensors" if seed_index else "weights.safetensors"
        )

    def evaluations(self) -> dict[str, tuple[dict[str, Any], pd.DataFrame]]:
        """Return every saved evaluation by name: (what was played, one row a task)."""
        files = sorted((self.path / "evaluations").glob("*.json"))
        return {
            file.stem: (json.loads(file.read_text()), pd.read_csv(file.with_suffix(".csv")))
            for file in files
        }

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Make the folder if need be, prove that it can be written to, and hold it against other
        processes.

        Raises:
            StorageError: it can't be written to. RunFolderError: another process holds it.
        """
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _locked(descriptor):
                raise RunFolderError(
                    f"{self.path} is in use by another process. Wait for it to end, or choose"
                    " another folder."
                )
            for leftover in self.path.glob(".*.tmp"):  # of a process that was killed while it wrote
                leftover.unlink()
            write_file(self.path / "probe", b"metarl can write here\n" * 200)
            (self.path / "probe").unlink()
            yield
        finally:
            if made and os.listdir(self.path) == ["lock"]:
                (self.path / "lock").unlink()
                _remove_empty(made)
            os.close(descriptor)  # and with it the lock

    @contextmanager
    def removed_unless_begun(self) -> Iterator[None]:
        """Take back what a start that failed, or was stopped, before its first iteration's end has
        written: it would block the next.
        """
        new = [
            file
            for file in (self.path / "run.json", self.path / "tensorboard", self.path / "wandb")
            if not file.exists()
        ]
        try:
            yield
        except BaseException:
            if not self.has_progress and not self.metrics_file.exists():
                for file in new:
                    if file.is_dir():
                        shutil.rmtree(file)
                    else:
                        file.unlink(missing_ok=True)
            raise

    def adopt(
        self,
        identity: dict[str, Any],
        read_today: Callable[[dict[str, Any]], dict[str, Any]] = dict,
        done: int | None = None,
        before_change: Callable[[], object] = lambda: None,
    ) -> tuple[int, int] | None:
        """Write run.json for a new run; for a folder that has one, make sure that it is the same
        run.

        A folder without checkpoint, weights or evaluations, as a run leaves it that failed early,
        is any run's. The same run but for `config.iterations` goes on to the new number: what the
        shorter training left moves to the folder `earlier`.

        Args:
            identity: the run, in JSON values.
            read_today: gives a stored identity the fields that were added to configs since, with
                their defaults.
            done: the iterations behind the checkpoint; None where the number of iterations mustn't
                change.
            before_change: raises where the run can't go on to another number of iterations, such as
                from a damaged checkpoint; called before anything is moved.

        Returns:
            The old number of iterations and the new, where it changed.

        Raises:
            RunFolderError: the folder holds another run (the differing fields are named), or files
                of an unknown one; or fewer iterations are wanted than are done.
        """
        if not (self.path / "run.json").exists():
            if self.checkpoint.exists() or self.metrics_file.exists():
                raise RunFolderError(
                    f"{self.path} holds a checkpoint or metrics but no run.json to tell whose."
                    " Choose another folder."
                )
            self._write_description(identity)
            return None
        differences = list(
            _differences(read_today(self.identity), json.loads(json.dumps(identity)))
        )
        if not differences:
            return None
        if not self.has_progress:
            self.metrics_file.unlink(missing_ok=True)
            self._write_description(identity)
            return None
        if done is not None and [name for name, _, _ in differences] == ["config.iterations"]:
            return self._change_length(identity["config"]["iterations"], done, before_change)
        # the rest follows from these
        differences = [
            each for each in differences if each[0] in ("learner", "distribution")
        ] or differences
        raise RunFolderError(
            f"{self.path} holds another run: {'; '.join(_in_words(*each) for each in differences)}."
            " Choose another folder, or the settings that it was started with to go on with it."
        )

    def _write_description(self, identity: dict[str, Any]) -> None:
        write_file(self.path / "run.json", _json({"format": FORMAT, **identity, **provenance()}))

    def _change_length(
        self, wanted: int, done: int, before_change: Callable[[], object]
    ) -> tuple[int, int]:
        """Have the run train for `wanted` iterations in all.

        Killed at any moment, the same call does the rest.
        """
        description = self.description
        old = description["config"]["iterations"]
        if not self.checkpoint.exists():
            raise RunFolderError(
                f"{self.path} is finished after {old} iterations and has no checkpoint to go on"
                f" from. Train {wanted} in another folder."
            )
        if wanted < done:
            raise RunFolderError(
                f"{self.path} has {done} iterations behind it already, and {wanted} are wanted. "
                f"Choose another folder, or at least {done} iterations."
            )
        before_change()
        self._set_aside(done, old)
        entry = {**provenance(), "iterations": [old, wanted]}
        description["config"]["iterations"] = wanted
        description["continued"] = [*description.get("continued", []), entry]
        write_file(self.path / "run.json", _json(description))
        return old, wanted

    def _set_aside(self, done: int, wanted: int) -> None:
        """Move weights and scores to `earlier`, so that nobody takes them for the longer
        training's.
        """
        finished = self.weights().exists()
        place = (
            self.path
            / "earlier"
            / (f"{done}-iterations" if finished else f"{done}-of-{wanted}-iterations")
        )
        moved = [*sorted(self.path.glob("evaluations/*")), *sorted(self.path.glob("watched/*"))]
        if finished:
            copied = [self.path / "run.json", self.metrics_file]
            for file in (file for file in copied if file.exists()):
                with explained(place):
                    place.mkdir(parents=True, exist_ok=True)
                write_file(place / file.name, file.read_bytes())
            # The first seed's last, by which a run counts as finished
            moved += sorted(self.path.glob("weights*.safetensors"))
        for file in moved:
            target = place / file.relative_to(self.path)
            with explained(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, target)

    def note_continuation(self) -> None:
        """Write down with what the run goes on, where versions or commit aren't those it was
        started or last continued with.
        """
        description = self.description
        now = provenance()
        last = description.get("continued", [description])[-1]
        if any(last.get(name) != now[name] for name in ("versions", "commit")):
            description["continued"] = [*description.get("continued", []), now]
            write_file(self.path / "run.json", _json(description))


def find_runs(root: str | Path) -> list[RunFolder]:
    """Return every run's folder at or below `root`, in the order of their paths; broken ones are
    left out, with a warning that names them.

    What a run left in `earlier` before it went on to more iterations is no run beside it; named as
    `root`, it is one.
    """
    runs = []
    root = as_path(root)
    for file in sorted(root.rglob("run.json")):
        if "earlier" in file.relative_to(root).parts and (file.parents[2] / "run.json").exists():
            continue
        run = RunFolder(file.parent)
        with skipped_if_broken(run.path):
            assert run.description
            runs.append(run)
    return runs


@contextmanager
def skipped_if_broken(path: Path) -> Iterator[None]:
    """Warn, rather than raise, where what lies at `path` can't be read.

    One broken run doesn't hide the others.
    """
    try:
        yield
    except (ValueError, OSError) as error:  # pandas' and JSON's errors are ValueErrors, too
        warnings.warn(f"{path} is left out: {error}", stacklevel=4)


def write_evaluation(
    folder: str | Path,
    name: str,
    evaluation: Evaluation,
    *,
    agent: str | None = None,
    label: str | None = None,
    training_seed: int | None = None,
    score: str | None = None,
) -> Path:
    """Save one agent's `evaluation` as NAME.csv (one line a task) and NAME.json (who played what)
    in `folder`; `metarl.runs.evaluations` reads them.

    Columns: task, total, then after_k where the budget has episodes after K, budget_mean where it
    counts steps, success where the family has such a notion, and same_task where tasks repeat: the
    first task that is the same, to be given to `metarl.evaluation.statistics` as `tasks`, since the
    repeats say nothing of other tasks. Where episodes are longer than a step, NAME-episodes.csv has
    a line for each of them.

    Args:
        folder: such as a run's `evaluations`.
        name: of the files.
        evaluation: what was played.
        agent: who played: a learner's name, or an agent's id; left out, the folder tells.
        label: its name in tables.
        training_seed: of a learner's agent; None of one that isn't trained.
        score: what tables show, where it isn't the usual one of the budget.
    """
    folder = as_path(folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    scores = evaluation.applicable()
    table = pd.DataFrame(
        {
            "task": range(evaluation.num_tasks),
            **{score: np.asarray(evaluation.scores(score)) for score in scores},
        }
    )
    same = same_tasks(evaluation.task_keys)
    write_csv(folder / f"{name}.csv", table if same is None else table.assign(same_task=same))
    if int(evaluation.length.max()) > 1:
        write_csv(folder / f"{name}-episodes.csv", evaluation.rows())
    budget = {"kind": type(evaluation.budget).__name__, **vars(evaluation.budget)}
    played = _what(evaluation, budget)
    who = {} if agent is None else _who(agent, label, training_seed)
    shown = {} if score is None else {"score": score}
    content = {"format": FORMAT, **who, **played, **shown, **provenance()}
    write_file(folder / f"{name}.json", _json(content))
    return folder / f"{name}.csv"


def write_supervised_evaluation(
    folder: str | Path,
    name: str,
    evaluation: SupervisedEvaluation,
    *,
    agent: str,
    label: str | None = None,
    training_seed: int | None = None,
    batch: int | None = None,
) -> Path:
    """Save one adapter's `evaluation` as NAME.csv and NAME.json, as `write_evaluation` does.

    Columns: task, inner_step, loss, accuracy where there is one, fingerprint, transductive, and
    same_task where tasks repeat: the first task that is the same.

    Args:
        folder, name, agent, label, training_seed: as there.
        evaluation: what was learned.
        batch: examples in an inner step; None is the whole support.
    """
    folder = as_path(folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    same = same_tasks(evaluation.task_keys)
    rows = evaluation.rows().assign(
        fingerprint=evaluation.fingerprint, transductive=evaluation.transductive
    )
    table = rows if same is None else rows.assign(same_task=same[rows["task"]])
    write_csv(folder / f"{name}.csv", table)
    budget = {
        "kind": "InnerSteps",
        "total": evaluation.steps,
        "batch": batch,
        "transductive": evaluation.transductive,
    }
    content = {
        "format": FORMAT,
        **_who(agent, label, training_seed),
        **_what(evaluation, budget),
        "score": "loss" if evaluation.accuracies is None else "accuracy",
        **provenance(),
    }
    write_file(folder / f"{name}.json", _json(content))
    return folder / f"{name}.csv"


def _what(evaluation: Evaluation | SupervisedEvaluation, budget: dict[str, Any]) -> dict[str, Any]:
    """Return the part of an evaluation's description that says what was played."""
    return {
        "distribution": evaluation.distribution,
        "arguments": evaluation.config,
        "split": evaluation.split,
        "seed": evaluation.seed,
        "budget": budget,
        "num_tasks": evaluation.num_tasks,
        "distinct_tasks": evaluation.distinct_tasks,
        "fingerprint": evaluation.fingerprint,
        "finite": evaluation.finite,
    }


def _who(agent: str, label: str | None, training_seed: int | None) -> dict[str, Any]:
    """Return the part of an evaluation's description that says who played."""
    return {
        "agent": agent,
        "label": agent if label is None else label,
        "training_seed": training_seed,
    }


def publish(
    run: str | Path | RunFolder,
    results_folder: str | Path,
    shrink: Callable[[Path], bytes] | None = None,
) -> Path:
    """Copy a run to `results_folder`/NAME, NAME its folder's name: run.json, metrics, weights and
    evaluations per task.

    The checkpoint goes along only for a run that isn't finished, since it has no weights yet.

    Args:
        run: it, or its folder. results_folder: such as `results/sonic/weights`.
        shrink: gives the content of a smaller file in place of weights that are too large, such as
            in half precision.

    Raises:
        RunFolderError: there is nothing to publish, or a file is larger than MAX_PUBLISHED_BYTES;
            then nothing is copied.
    """
    run = run if isinstance(run, RunFolder) else RunFolder(run)
    assert run.description
    trained = sorted(run.path.glob("weights*.safetensors")) or [
        file for file in [run.checkpoint] if file.exists()
    ]
    if not trained:
        raise RunFolderError(f"{run.path} has neither weights nor a checkpoint: train it first.")
    evaluations = [
        file
        for file in sorted(run.path.glob("evaluations/*"))
        if not file.stem.endswith("-episodes")
    ]
    files = [
        run.path / "run.json",
        *(file for file in [run.metrics_file] if file.exists()),
        *trained,
        *evaluations,
    ]
    large = [
        file
        for file in trained
        if file != run.checkpoint and file.stat().st_size > MAX_PUBLISHED_BYTES
    ]
    smaller = {file: shrink(file) for file in large} if shrink is not None else {}
    for file in files:
        size = len(smaller[file]) if file in smaller else file.stat().st_size
        if size > MAX_PUBLISHED_BYTES:
            raise RunFolderError(
                f"{file} has {size / 1e6:.1f} MB; published files have at most"
                f" {MAX_PUBLISHED_BYTES / 1e6:.0f} MB. Score fewer tasks, or publish weights in"
                " half precision."
            )
    target = as_path(results_folder) / run.path.resolve().name
    for file in files:
        copy = target / file.relative_to(run.path)
        with explained(copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
        write_file(copy, smaller[file] if file in smaller else file.read_bytes())
    return target


def provenance() -> dict[str, Any]:
    """Return when and with what something was computed.

    Created (UTC), versions, and the git commit of this package's checkout, if any.
    """
    versions = {"python": platform.python_version(), "metarl": __version__}
    for name in ("torch", "numpy", "gymnasium", "scipy", "pandas", "safetensors"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions,
        "commit": _commit(),
    }


def write_csv(file: str | Path, table: pd.DataFrame) -> None:
    """Write `table` without its index, whole or not at all."""
    write_file(as_path(file), table.to_csv(index=False, lineterminator="\n").encode())


def write_file(file: Path, content: bytes) -> None:
    """Write `content` under a temporary name beside `file`, sync it, and rename it: `file` is the
    old or the new one, never half.

    Raises:
        StorageError: the disk is full or read-only; what was there before stays.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with explained(file):
        try:
            with open(temporary, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name itself
        finally:
            os.close(folder)


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turn the operating system's error about `file` into a sentence."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            advice = (
                "no space is left. Free some and run the same command again, or choose another"
                " folder; what was saved is intact"
            )
        elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            advice = "it is read-only for you. Choose another folder"
        elif error.errno in (errno.EEXIST, errno.ENOTDIR):
            advice = "a file is in the way where a folder should be. Choose another folder"
        else:
            advice = f"{error.strerror or error}. Choose another folder"
        raise StorageError(f"Can't write {file}: {advice}.") from error


def _locked(descriptor: int) -> bool:
    """Take the lock, unless another process keeps it.

    Whoever lists runs holds it for a moment, to see whether it is free.
    """
    for pause in (0.01, 0.05, 0.2, None):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if pause is not None:
                time.sleep(pause)
    return False


def _differences(old: Any, new: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two JSON values differ, such as ("config.hidden_size", 64, 128)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(
                old.get(key), new.get(key), f"{name}.{key}" if name else str(key)
            )
    elif old != new:
        yield name, old, new


def _in_words(name: str, old: Any, new: Any) -> str:
    return f"{name} is {json.dumps(old)} there, {json.dumps(new)} here"


def _digest(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, innermost first, up to the first one that something lies in."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _commit() -> str | None:
    """Return the commit that this package's files are tracked at, "-dirty" if any differ.

    None outside a checkout.
    """
    git = shutil.which("git")
    file = Path(__file__)
    package = file.parents[1]

    def ask(*arguments: str) -> str | None:
        try:
            answer = subprocess.run(
                [str(git), "--no-optional-locks", "-C", str(package), *arguments],
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return answer.stdout.strip()

    if git is None or ask("ls-files", "--error-unmatch", str(file)) is None:
        return None
    changed = ask("status", "--porcelain", "--", ".")
    return f"{ask('rev-parse', 'HEAD')}{'-dirty' if changed else ''}"
