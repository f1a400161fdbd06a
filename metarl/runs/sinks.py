"""Where a run's metrics go: metrics.csv, and beside it TensorBoard, Weights & Biases or a sink of
your own.

metrics.csv is the run's own record: a run resumes by it, and one that can't write it stops.
Whatever else takes the metrics may fail without harm to the run.
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import pandas as pd

from metarl.runs.store import RunFolder, RunFolderError, explained, write_file

__all__ = ["CSVSink", "MetricSink", "OpenSinks", "TensorBoardSink", "WandBSink"]


class MetricSink(Protocol):
    """Takes the metrics of a run, one iteration at a time."""

    def open(self, run: RunFolder, iteration: int) -> None:
        """Begin to take the metrics of `run`, which goes on after `iteration`, 0 at its start.

        Lines of later iterations that an earlier process wrote come again. `run.path` is its
        folder, `run.identity` its settings. Raise ValueError with a sentence where it can't.
        """
        ...

    def write(self, metrics: dict[str, float]) -> None:
        """Take one iteration's metrics; "iteration" counts from 1."""
        ...

    def close(self) -> None:
        """Finish, also where the run was stopped or failed."""
        ...


class CSVSink:
    """metrics.csv of a run in progress, cut back to the checkpoint that the run goes on from.

    Attributes:
        last: the last line kept, as text by column; empty at a run's start.
    """

    def open(self, run: RunFolder, iteration: int) -> None:
        """Begin with the lines up to `iteration`; later ones are dropped. Hold the lock of `run`.

        Raises:
            RunFolderError: the file is damaged, or lacks lines.
        """
        self._file = run.metrics_file
        self._columns: list[str] = []
        self._rows: list[dict[str, str]] = []
        if self._file.exists():
            try:
                table = pd.read_csv(
                    self._file, dtype=str, keep_default_na=False, on_bad_lines="skip"
                )
            except (ValueError, OSError) as error:
                raise RunFolderError(
                    f"{self._file} is damaged ({error}). Restore it from a copy, or start in"
                    " another folder."
                ) from error
            self._columns = list(table.columns)
            lines = [
                {str(name): value for name, value in row.items()}
                for row in table.to_dict("records")
            ]
            self._rows = [
                line
                for line in lines
                if line.get("iteration", "").isdigit() and int(line["iteration"]) <= iteration
            ]
        if not self._whole(iteration):
            raise RunFolderError(
                f"{self._file} lacks lines of the {iteration} iterations that the checkpoint has"
                " behind it. Restore it from a copy, or start again in another folder."
            )
        self._rewrite()

    @property
    def last(self) -> dict[str, str]:
        return self._rows[-1] if self._rows else {}

    def write(self, metrics: dict[str, float]) -> None:
        """Add one iteration's line at once.

        A name that no line had before becomes a further column.
        """
        text = {name: repr(value) for name, value in metrics.items()}
        self._rows.append(text)
        new = [name for name in text if name not in self._columns]
        if new:
            self._columns += new
            self._rewrite()
            return
        with explained(self._file), open(self._file, "ab") as stream:
            stream.write(self._line(text))

    def close(self) -> None:
        """Do nothing: each line is written at once."""

    def sync(self) -> None:
        """Make sure that every line is on the disk: before a checkpoint that counts them."""
        if self._file.exists():
            with explained(self._file), open(self._file, "ab") as stream:
                os.fsync(stream.fileno())

    def _whole(self, iteration: int) -> bool:
        """Return whether the lines lead up to `iteration`; one without a return stands for all
        before it.

        Such a line is written where a learner is saved, or given to train, amid its training.
        """
        reached = 0
        for row in self._rows:
            number = int(row["iteration"])
            if number <= reached or (number > reached + 1 and row.get("return")):
                return False
            reached = number
        return reached == iteration

    def _line(self, row: dict[str, str]) -> bytes:
        return (",".join(row.get(name, "") for name in self._columns) + "\n").encode()

    def _rewrite(self) -> None:
        if self._columns:
            header = dict(zip(self._columns, self._columns, strict=True))
            write_file(self._file, b"".join(self._line(row) for row in [header, *self._rows]))


class TensorBoardSink:
    """Event files in the run's folder, below tensorboard/."""

    def open(self, run: RunFolder, iteration: int) -> None:
        """Go on after `iteration`; TensorBoard leaves out later events of an earlier process."""
        from torch.utils.tensorboard import SummaryWriter  # slow to import

        self._writer: Any = SummaryWriter(str(run.path / "tensorboard"), purge_step=iteration + 1)

    def write(self, metrics: dict[str, float]) -> None:
        """Add one scalar for each metric."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, int(metrics["iteration"]))

    def close(self) -> None:
        """Write what is left to the disk."""
        self._writer.close()


class WandBSink:
    """A run of Weights & Biases, whose files lie in the run's folder, below wandb/.

    Offline mode needs neither account nor network; `wandb sync FOLDER/wandb/offline-run-*` uploads
    it later. A run that goes on keeps its id there.

    Args:
        project: what it belongs to on the site.
        mode: "offline", "online" or "disabled"; if None, the environment variable WANDB_MODE
            decides, and offline where that isn't set.
    """

    def __init__(self, project: str = "metarl", mode: str | None = None):
        self.project = project
        self.mode = mode or os.environ.get("WANDB_MODE") or "offline"

    def open(self, run: RunFolder, iteration: int) -> None:
        """Start the run, or go on with it.

        Raises:
            ValueError: wandb isn't installed.
        """
        try:
            import wandb
        except ImportError as error:
            raise ValueError(
                "Weights & Biases isn't installed: `pip install -e '.[wandb]'` in metarl's folder"
                " brings it."
            ) from error
        place = str(run.path.resolve())
        mode: Any = self.mode
        self._run: Any = wandb.init(
            project=self.project,
            name=run.path.name,
            id=hashlib.sha256(f"{run.digest} {place}".encode()).hexdigest()[:16],
            config=run.identity,
            dir=place,
            mode=mode,
            resume="allow",
        )

    def write(self, metrics: dict[str, float]) -> None:
        """Log one step."""
        self._run.log(metrics, step=int(metrics["iteration"]))

    def close(self) -> None:
        """Write what is left, and upload it in online mode."""
        self._run.finish()


class OpenSinks:
    """The sinks beside metrics.csv while a run goes on; use it as a context manager.

    One that can't be opened ends the run before it begins. One that fails later is left out from
    then on, with a warning: an upload that breaks off takes no training with it.

    Args:
        sinks: where metrics go. run: whose; hold its lock. iteration: where it goes on.
    """

    def __init__(self, sinks: Sequence[MetricSink], run: RunFolder, iteration: int):
        self._wanted = sinks
        self._run = run
        self._iteration = iteration
        self._open: list[MetricSink] = []

    def __enter__(self) -> "OpenSinks":
        """Open all of them.

        Raises:
            ValueError: one lacks a method, or can't be opened; those before it are closed.
        """
        check_sinks(self._wanted)
        try:
            for sink in self._wanted:
                self._open_one(sink)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close those that haven't failed."""
        for sink in self._open:
            self._attempt(sink, sink.close)
        self._open = []

    def write(self, metrics: dict[str, float]) -> None:
        """Give one iteration's metrics to each; leave out from now on who fails."""
        for sink in list(self._open):
            if not self._attempt(sink, partial(sink.write, dict(metrics))):
                self._open.remove(sink)

    def _open_one(self, sink: MetricSink) -> None:
        try:
            sink.open(self._run, self._iteration)
        except ValueError:
            raise
        except Exception as error:
            raise ValueError(
                f"{_named(sink)} can't take this run's metrics: {error!r}. Train without it."
            ) from error
        self._open.append(sink)

    def _attempt(self, sink: MetricSink, action: Callable[[], None]) -> bool:
        """Return whether `action` went well; warn where it didn't."""
        try:
            action()
        except Exception as error:
            warnings.warn(
                f"{_named(sink)} failed and takes no more metrics of this run: {error!r}. "
                f"Training goes on, and {self._run.metrics_file} has all of them.",
                stacklevel=3,
            )
            return False
        return True


def check_sinks(sinks: Sequence[MetricSink]) -> None:
    """Raise ValueError where one of `sinks` lacks a method of `MetricSink`."""
    for sink in sinks:
        missing = [
            name for name in ("open", "write", "close") if not callable(getattr(sink, name, None))
        ]
        if isinstance(sink, type) or missing:
            lacks = (
                "make one of the class"
                if isinstance(sink, type)
                else f"this lacks {', '.join(missing)}"
            )
            raise ValueError(
                f"A metric sink has the methods open, write and close; {lacks}: {sink!r:.80}."
            )


def _named(sink: MetricSink) -> str:
    return f"The metric sink {type(sink).__name__}"
