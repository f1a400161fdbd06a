"""The benchmark of hierarchies in four rooms, with trainings of a moment: curves, figures, what is missing."""

import io
from dataclasses import replace

import mlsh_four_rooms
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from metarl.experiments import mlsh_runs
from metarl.experiments.benchmark_folders import Storage


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    monkeypatch.setattr(mlsh_runs, "FOUR_ROOMS", replace(mlsh_runs.FOUR_ROOMS, iterations=1, tasks=2, steps=100))


def run(tmp_path, **more):
    storage = Storage(publish=True, runs=tmp_path / "runs", results=tmp_path / "results")
    options = mlsh_four_rooms.Options(num_tasks=3, steps=2400, storage=storage, **more)
    mlsh_four_rooms.main(options, Console(file=io.StringIO(), width=160))
    return options, pd.read_csv(options.folder / "figures.csv").set_index("figure")


def test_all_learn_in_the_same_tasks(tmp_path):
    options, figures = run(tmp_path)
    with np.load(options.folder / "four-rooms.npz") as arrays:
        returns = {name: arrays[f"{name}/return"] for name in ("MLSH", "MLSH, fine-tuned", "PPO from scratch")}
    for name, own in returns.items():
        assert own.shape == (3, 24)
        title = f"FourRooms-v0, {name}: mean return of the episodes of 2,400 steps on held-out goals"
        assert figures.loc[title, "value"] == pytest.approx(own.mean(), abs=1e-3)
    row = figures.loc["FourRooms-v0: MLSH, fine-tuned minus PPO from scratch on held-out goals, paired"]
    assert row["value"] == pytest.approx((returns["MLSH, fine-tuned"] - returns["PPO from scratch"]).mean(), abs=1e-3)
    assert (str(row["reached"]) == "True") == (row["ci_low"] > 0)
    assert (options.folder / "four-rooms.png").stat().st_size > 5_000
    assert (tmp_path / "results/mlsh/weights/four-rooms-seed0/weights.safetensors").exists()


def test_what_isnt_trained_is_missing(tmp_path):
    _, figures = run(tmp_path, train=False)
    missing = figures["value"].isna()
    assert set(missing.index[~missing]) == {"FourRooms-v0, PPO from scratch: mean return of the episodes of 2,400 steps on held-out goals"}


def test_bad_options_get_a_sentence():
    with pytest.raises(ValueError, match="a multiple of 1,200 steps"):
        mlsh_four_rooms.Options(steps=1000)
