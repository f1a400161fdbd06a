"""metrics.csv while a run writes it."""

import os

import pandas as pd

from metarl.results import RunFolder, RunFolderError, explained, write_file

__all__ = ["MetricsLog"]


class MetricsLog:
    """metrics.csv of a run in progress, cut back to the checkpoint that the run goes on from.

    Args:
        run: whose; hold its lock.
        iteration: the iteration to go on from; later lines are dropped, since they will be written again.

    Attributes:
        last: the last line kept, as text by column; empty at a run's start.
    """

    def __init__(self, run: RunFolder, iteration: int):
        self._file = run.metrics_file
        self._columns: list[str] = []
        self._rows: list[dict[str, str]] = []
        if self._file.exists():
            try:
                table = pd.read_csv(self._file, dtype=str, keep_default_na=False, on_bad_lines="skip")
            except (ValueError, OSError) as error:
                raise RunFolderError(f"{self._file} is damaged ({error}). Restore it from a copy, or start in another folder.") from error
            self._columns = list(table.columns)
            lines = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
            self._rows = [line for line in lines if line.get("iteration", "").isdigit() and int(line["iteration"]) <= iteration]
        if not self._whole(iteration):
            raise RunFolderError(
                f"{self._file} lacks lines of the {iteration} iterations that the checkpoint has behind it. "
                "Restore it from a copy, or start again in another folder."
            )
        self._rewrite()

    @property
    def last(self) -> dict[str, str]:
        return self._rows[-1] if self._rows else {}

    def append(self, row: dict[str, float]) -> None:
        """Add one iteration's line at once; a name that no line had before becomes a further column."""
        text = {name: repr(value) for name, value in row.items()}
        self._rows.append(text)
        new = [name for name in text if name not in self._columns]
        if new:
            self._columns += new
            self._rewrite()
            return
        with explained(self._file), open(self._file, "ab") as stream:
            stream.write(self._line(text))

    def sync(self) -> None:
        """Make sure that every line is on the disk: before a checkpoint that counts them."""
        if self._file.exists():
            with explained(self._file), open(self._file, "ab") as stream:
                os.fsync(stream.fileno())

    def _whole(self, iteration: int) -> bool:
        """Return whether the lines lead up to `iteration`; one without a return stands for all before it.

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
