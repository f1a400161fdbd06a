"""The benchmark of shared hierarchies, with trainings of a moment.

Scores, curves, maps, figures, what is missing.
"""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.mlsh import moving_bandits as mlsh
from benchmarks.mlsh import runs as mlsh_runs


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    monkeypatch.setattr(
        mlsh_runs,
        "MOVING_BANDITS",
        replace(mlsh_runs.MOVING_BANDITS, iterations=1, tasks=2, steps=100),
    )
    for name, smaller in (
        ("RL²", {"iterations": 1, "num_envs": 8}),
        ("MAML", {"iterations": 1, "tasks": 2}),
    ):
        other = mlsh_runs.OTHERS[name]
        monkeypatch.setitem(
            mlsh_runs.OTHERS, name, replace(other, config=replace(other.config, **smaller))
        )
    policy = mlsh_runs.ONE_POLICY
    monkeypatch.setattr(
        mlsh_runs,
        "ONE_POLICY",
        replace(
            policy,
            num_envs=4,
            steps=10,
            iterations=1,
            fine_tuning_steps=100,
            fine_tuning=replace(policy.fine_tuning, epochs=1),
        ),
    )


def run(tmp_path, publish=False, **more):
    settings = {
        "seeds": (0, 1),
        "ablation_seeds": (0,),
        "ablations": ("no warm-up", "one choice an episode"),
        "num_tasks": 6,
        "fine_tuned_tasks": 2,
        **more,
    }
    options = mlsh.Options(
        publish=publish, runs=tmp_path / "runs", results=tmp_path / "results", **settings
    )
    stream = io.StringIO()
    mlsh.main(options, Console(file=stream, width=160))
    return (
        options,
        stream.getvalue(),
        pd.read_csv(options.folder / "figures.csv").set_index("figure"),
    )


@pytest.mark.filterwarnings("ignore:MLSH without a warm-up")
def test_scores_curves_maps_and_figures(tmp_path):
    options, printed, figures = run(tmp_path, publish=True)
    table = pd.read_csv(options.folder / "moving-bandits.csv").set_index("agent")
    score = (
        "MovingBandits-v0: return of the episodes after the last warm-up update, mean of 2 seeds"
    )
    assert figures.loc[score, "value"] == pytest.approx(
        table.loc["MLSH", "return"].mean(), abs=1e-3
    )
    assert figures.loc[score, "wanted"] == "> 40"
    assert figures.loc[score, "reached"] in (False, "False")
    with np.load(options.folder / "moving-bandits.npz") as episodes:
        assert episodes["MLSH/return"].shape == (2, 6, 20)
        last = episodes["MLSH/return"][:, :, -2:].mean((1, 2))
        assert last == pytest.approx(table.loc["MLSH", "return"].to_numpy(), abs=1e-3)
    with np.load(options.folder / "within-a-task.npz") as episodes:
        assert episodes["PPO from scratch/return"].shape == (1, 2, 20)
        assert episodes["MLSH/return"].shape == (2, 2, 20)
    for name in options.ablations:
        own = f"MovingBandits-v0, {name}: trainings whose sub-policies come apart"
        assert figures.loc[own, "value"] == (table.loc[name, "return"] > 30)
        assert figures.loc[own, "n"] == 1
    assert (
        table.loc["Known goal", "return"]
        > 40
        > table.loc["Always one goal", "return"]
        > table.loc["Random", "return"]
    )
    assert "Random master, known primitives" in printed
    for name in ("sub-policies.png", "within-a-task.png"):
        assert (options.folder / name).stat().st_size > 10_000
    assert (
        tmp_path / "results/mlsh/weights/moving-bandits-mlsh-seed1/weights.safetensors"
    ).exists()
    assert not figures["value"].isna().any()
    for name, steps in (("MLSH", 9 * 100), ("RL²", 100), ("MAML", 3_000), ("Random", 0)):
        assert (table.loc[[name], "steps_before"] == steps).all()
    assert figures.loc["MovingBandits-v0, RL²: return", "value"] == pytest.approx(
        table.loc["RL²", "return"], abs=1e-3
    )


def test_what_isnt_trained_is_missing(tmp_path):
    _, _, figures = run(tmp_path, train=False)
    missing = figures["value"].isna()
    assert set(missing.index[~missing]) == {
        "MovingBandits-v0, PPO from scratch: return from step 18,000 to 20,000, all drawn"
    }


def test_commands_name_what_changes_figures():
    assert mlsh.Options().command() == "python benchmarks/mlsh/moving_bandits.py"
    assert (
        mlsh.Options(seeds=(0, 1), num_tasks=50).command()
        == "python benchmarks/mlsh/moving_bandits.py --seeds 0 1 --num-tasks 50"
    )


def test_bad_options_get_a_sentence():
    with pytest.raises(ValueError, match="no ablation 'no master'"):
        mlsh.Options(ablations=("no master",))
    with pytest.raises(ValueError, match="at least one seed, and from two to 4096"):
        mlsh.Options(num_tasks=1)
