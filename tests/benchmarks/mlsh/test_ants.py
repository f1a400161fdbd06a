"""The benchmark of ants' hierarchies, with trainings of a moment.

Ways, the course, what is missing.
"""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.mlsh import ants as mlsh_ants
from benchmarks.mlsh import runs as mlsh_runs
from metarl.learners.policy_gradient.stacked_ppo import StackedPPO
from metarl.tasks.mujoco.ant_courses import ant_obstacle


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    once = StackedPPO(epochs=1, minibatches=1)
    shorter = {
        "iterations": 20,
        "tasks": 2,
        "steps": 20,
        "option_length": 10,
        "warmup_updates": 1,
        "joint": 1,
    }
    smaller = replace(mlsh_runs.TWO_WALK, **shorter, master=once, sub_policy=once)
    monkeypatch.setattr(mlsh_runs, "TWO_WALK", smaller)
    monkeypatch.setattr(mlsh_runs, "TWO_WALK_HORIZON", 10)
    short = mlsh_ants.make
    monkeypatch.setattr(
        mlsh_ants,
        "make",
        lambda name: ant_obstacle(horizon=20) if name == mlsh_ants.COURSE else short(name),
    )


def run(tmp_path, **more):
    where = {"publish": True, "runs": tmp_path / "runs", "results": tmp_path / "results"}
    options = mlsh_ants.Options(seeds=(0, 4), num_walks=3, num_rows=2, steps=80, **where, **more)
    mlsh_ants.main(options, Console(file=io.StringIO(), width=160))
    return options, pd.read_csv(options.folder / "figures.csv").set_index("figure")


def test_ways_the_course_and_figures(tmp_path):
    options, figures = run(tmp_path)
    for seed in (0, 4):
        table = pd.read_csv(options.folder / f"two-walk-ways-seed{seed}.csv")
        for k in range(2):
            title = (
                f"AntTwoWalk-v0, seed {seed}, sub-policy {k + 1}: angle between its mean"
                " displacement and its own axis, degrees"
            )
            row = figures.loc[title]
            assert row["value"] == pytest.approx(table["angle_degrees"][k], abs=0.01)
            assert row["ci_low"] <= row["value"] <= row["ci_high"]
            way = figures.loc[
                f"AntTwoWalk-v0, seed {seed}, sub-policy {k + 1}: way along its own axis in 10"
                " s, m",
                "value",
            ]
            ways = table.loc[k, ["right_m", "up_m"]].to_numpy()
            assert min(abs(ways - way)) < 0.01
            assert (str(row["reached"]) == "True") == (row["value"] <= 30 and way >= 1)
        title = (
            f"AntObstacle-v0, seed {seed}: MLSH, sub-policies of the two-way walk, minus PPO from"
            " scratch, paired by row"
        )
        assert figures.loc[title, "value"] == 0.0  # nobody gets to the goal in 20 steps
        for name in (
            f"two-walk-ways-seed{seed}.png",
            f"obstacle-course-seed{seed}.png",
            "two-walk-training.png",
        ):
            assert (options.folder / name).stat().st_size > 5_000
        assert (
            tmp_path / f"results/mlsh/weights/ant-two-walk-seed{seed}/weights.safetensors"
        ).exists()
    assert not figures["value"].isna().any()
    ways = [
        pd.read_csv(options.folder / f"two-walk-ways-seed{seed}.csv")["right_m"].tolist()
        for seed in (0, 4)
    ]
    assert ways[0] != ways[1], "each seed has a training of its own"


def test_what_isnt_trained_is_missing(tmp_path):
    _, figures = run(tmp_path, train=False)
    missing = figures["value"].isna()
    known = {
        f"AntObstacle-v0, seed {seed}, PPO from scratch: mean return of the episodes of 80 steps"
        for seed in (0, 4)
    }
    assert set(missing.index[~missing]) == known


def test_angles_have_intervals_of_redrawn_walks():
    ways = np.array([[1.0, 0.2], [1.0, -0.2], [2.0, 0.1], [1.5, 0.0]])
    own = mlsh_ants.angle(ways, np.array([5.0, 0.0]))
    assert own.value == pytest.approx(np.degrees(np.arctan2(0.1, 5.5)))
    assert own.low <= own.value <= own.high < 12
