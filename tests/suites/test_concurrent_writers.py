"""Several processes that record figures at once lose nothing, also where some are killed."""

import os
import random
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from metarl.evaluation.statistics import Estimate
from metarl.runs.exclusive import exclusively
from metarl.runs.store import StorageError
from metarl.suites.figures_csv import record_figure


def start(folder, name, count):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.suites.recorder", str(folder), name, str(count)]
    )


def noted(folder):
    """The figures that processes were done recording."""
    return {line for file in folder.glob("*.noted") for line in file.read_text().splitlines()}


def recorded(folder):
    figures = pd.read_csv(folder / "figures.csv")
    assert figures["figure"].is_unique
    assert (figures["value"] == figures["figure"].str.split().str[1].astype(float)).all()
    with np.load(folder / "scores.npz") as arrays:
        kept = set(arrays) - {"fingerprint", "split", "seed"}
    return set(figures["figure"]), kept


def test_writers_that_are_killed_lose_at_most_what_they_were_writing(tmp_path):
    rng = random.Random(0)
    doomed = [start(tmp_path, f"killed{i}", 10_000) for i in range(3)]
    steady = [start(tmp_path, f"steady{i}", 25) for i in range(2)]
    for process in doomed:
        while not (tmp_path / f"killed{doomed.index(process)}.noted").exists():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.5))
        process.kill()
        process.wait()
    assert [process.wait() for process in steady] == [0, 0]
    wanted = noted(tmp_path)
    assert len([figure for figure in wanted if figure.startswith("steady")]) == 50
    figures, kept = recorded(tmp_path)
    assert wanted <= figures
    assert wanted <= kept
    # one each that was written, and not noted any more
    assert len(figures - wanted) <= 3
    assert not list(tmp_path.glob(".*.tmp")) or record_once(tmp_path)


def record_once(folder):
    """Record one more; what a killed writer left is swept away."""
    record_figure(folder, "last 0", "shown", Estimate(0, 0, 0, 1), None, "make x")
    return not list(folder.glob(".figures.csv.*.tmp"))


def test_a_lock_leaves_nothing_behind(tmp_path):
    file = tmp_path / "new" / "figures.csv"
    with exclusively(file):
        (file.parent / f".figures.csv.{os.getpid()}.tmp").write_text("half")
    with exclusively(file):
        assert os.listdir(file.parent) == []


def test_a_folder_that_can_not_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match="a file is in the way"),
        exclusively(tmp_path / "file" / "figures.csv"),
    ):
        pass
