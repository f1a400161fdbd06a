"""The benchmark of hierarchies in four rooms, with trainings of a moment.

Curves, figures, what is missing.
"""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.mlsh import four_rooms as mlsh_four_rooms
from benchmarks.mlsh import runs as mlsh_runs

AGENTS = ("MLSH", "MLSH, fine-tuned", "one policy, fine-tuned", "PPO from scratch")


def brief(config):
    """Return the same with one pass over the samples of an update."""
    return replace(
        config,
        master=replace(config.master, epochs=1),
        sub_policy=replace(config.sub_policy, epochs=1),
    )


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    monkeypatch.setattr(
        mlsh_runs, "FOUR_ROOMS", replace(brief(mlsh_runs.FOUR_ROOMS), tasks=2, steps=100)
    )
    monkeypatch.setattr(mlsh_runs, "FOUR_ROOMS_QUICK", brief(mlsh_runs.FOUR_ROOMS_QUICK))
    monkeypatch.setattr(mlsh_runs, "FOUR_ROOMS_ITERATIONS", {"room": 1, "upper-room": 1, "any": 1})


def run(tmp_path, **more):
    where = {"publish": True, "runs": tmp_path / "runs", "results": tmp_path / "results"}
    options = mlsh_four_rooms.Options(seeds=(0, 3), num_tasks=3, steps=1200, **where, **more)
    mlsh_four_rooms.main(options, Console(file=io.StringIO(), width=160))
    return options, pd.read_csv(options.folder / "figures.csv").set_index("figure")


def test_all_learn_in_the_same_tasks(tmp_path):
    options, figures = run(tmp_path, goals=("room", "any"))
    for goals, where in (("room", "in one room"), ("any", "anywhere")):
        with np.load(options.folder / f"four-rooms-{goals}.npz") as arrays:
            returns = {name: arrays[f"{name}/return"] for name in AGENTS}
            cells = arrays["goal"]
        assert all(own.shape == (2, 3, 12) for own in returns.values())
        by_goal = {
            name: [own[:, cells == cell].mean() for cell in set(cells.tolist())]
            for name, own in returns.items()
        }
        for name, own in by_goal.items():
            title = (
                f"FourRooms-v0, goals {where}, {name}: mean return of the episodes of 1,200 steps"
                " on held-out goals"
            )
            assert figures.loc[title, "value"] == pytest.approx(np.mean(own), abs=1e-3)
            assert figures.loc[title, "n"] == len(set(cells.tolist()))
        row = figures.loc[
            f"FourRooms-v0, goals {where}: MLSH, fine-tuned minus PPO from scratch on held-out"
            " goals, paired"
        ]
        lead = np.subtract(by_goal["MLSH, fine-tuned"], by_goal["PPO from scratch"]).mean()
        assert row["value"] == pytest.approx(lead, abs=1e-3)
        assert (str(row["reached"]) == "True") == (row["ci_low"] > 0)
        assert (options.folder / f"four-rooms-{goals}.png").stat().st_size > 5_000
        for name in (f"four-rooms-{goals}-seed3", f"four-rooms-{goals}-one-policy-seed3"):
            assert (tmp_path / "results/mlsh/weights" / name / "weights.safetensors").exists()


def test_what_isnt_trained_is_missing(tmp_path):
    _, figures = run(tmp_path, train=False, goals=("room",))
    missing = figures["value"].isna()
    scratch = (
        "FourRooms-v0, goals in one room, PPO from scratch: mean return of the episodes of 1,200"
        " steps on held-out goals"
    )
    assert set(missing.index[~missing]) == {scratch}


def test_bad_options_get_a_sentence():
    with pytest.raises(ValueError, match="a multiple of 1,200 steps"):
        mlsh_four_rooms.Options(steps=1000)
    with pytest.raises(ValueError, match="goals of room, upper-room, any"):
        mlsh_four_rooms.Options(goals=("four",))
