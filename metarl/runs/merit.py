"""Estimates as rows of a benchmark's figures.csv."""

from pathlib import Path

import numpy as np

from metarl.evaluation.statistics import Estimate
from metarl.runs.store import record_figure

__all__ = ["record_estimate"]


def record_estimate(folder: Path, figure: str, wanted: str, estimate: Estimate | None, reached: bool | None, command: str) -> None:
    """One figure of merit with its interval, in four decimals.

    Args:
        folder: such as `results/rl2_mazes`.
        figure: what was measured, with its unit.
        wanted: what is to be reached, such as ">= 0.9"; "shown" where nothing is.
        estimate: the figure; None where it wasn't measured, which is shown as missing.
        reached: whether it is as wanted; None where nothing is wanted.
        command: what reruns it.
    """
    value, low, high = (np.nan,) * 3 if estimate is None else (round(float(part), 4) for part in estimate[:3])
    n = 0 if estimate is None else estimate.n
    known = None if estimate is None or reached is None else bool(reached)
    record_figure(folder, figure, wanted=wanted, value=value, ci_low=low, ci_high=high, n=n, reached=known, command=command)
