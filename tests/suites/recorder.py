"""Records figures one after the other, and notes each that is recorded; several of these run at
once in tests, and are killed.

    python -m tests.suites.recorder FOLDER NAME COUNT
"""

import os
import sys
from pathlib import Path

import numpy as np

from metarl.evaluation.scores import scores_of
from metarl.evaluation.statistics import Estimate
from metarl.suites.figures_csv import record_figure
from metarl.suites.score_arrays import write_scores


def main(folder: Path, name: str, count: int) -> None:
    noted = os.open(folder / f"{name}.noted", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for i in range(count):
        figure = f"{name} {i}"
        record_figure(folder, figure, "shown", Estimate(i, i, i, 1), None, "make x")
        write_scores(folder / "scores.npz", figure, scores_of(np.full(4, i), None), "tasks", 0)
        os.write(noted, f"{figure}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
