"""A benchmark's figures.csv: figures with intervals, what was wanted, what measures them again."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metarl.core.paths import as_path
from metarl.evaluation.statistics import Estimate
from metarl.runs.exclusive import exclusively
from metarl.runs.store import write_csv

__all__ = ["FIGURE_COLUMNS", "record_figure"]

FIGURE_COLUMNS = ["figure", "wanted", "value", "ci_low", "ci_high", "n", "reached", "command"]


def record_figure(
    folder: str | Path,
    figure: str,
    wanted: str,
    estimate: Estimate | None,
    reached: bool | None,
    command: str,
) -> None:
    """Add the row of `figure` to `folder`/figures.csv, or put it in its old row's place.

    Numbers are rounded to four decimals. Several processes may record figures in one folder.

    Args:
        folder: such as `results/rl2_mazes`.
        figure: what was measured, with its unit.
        wanted: what is to be reached, such as ">= 0.9"; "shown" where nothing is.
        estimate: the figure, its 95 % interval, and the number of tasks or repetitions behind it;
            None where it wasn't measured, which is shown as missing.
        reached: whether it is as wanted; None where nothing is wanted.
        command: what reruns it.
    """
    file = as_path(folder) / "figures.csv"
    numbers = [np.nan] * 3 if estimate is None else [round(float(part), 4) for part in estimate[:3]]
    n = 0 if estimate is None else estimate.n
    known = None if estimate is None or reached is None else bool(reached)
    values = (figure, wanted, *numbers, n, known, command)
    row = dict(zip(FIGURE_COLUMNS, (str(entry) for entry in values), strict=True))
    with exclusively(file):
        rows: list[Any] = []
        if file.exists():
            # Text stays as it was written.
            rows = pd.read_csv(file, dtype=str, keep_default_na=False).to_dict("records")
        place = next((i for i, old in enumerate(rows) if old["figure"] == figure), len(rows))
        rows[place : place + 1] = [row]
        write_csv(file, pd.DataFrame(rows, columns=FIGURE_COLUMNS))
