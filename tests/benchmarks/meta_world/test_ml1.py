"""RL² against a policy without memory on ML1: the whole script, small."""

import io

import pandas as pd
from rich.console import Console

from benchmarks.meta_world import ml1 as meta_world
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.load import load_agent


def test_the_script_trains_plays_and_publishes(tmp_path):
    small = {"horizon": 4, "iterations": 1, "num_envs": 3, "goals": 5}
    options = meta_world.Options(
        **small, publish=True, runs=tmp_path / "runs", results=tmp_path / "results"
    )
    stream = io.StringIO()
    meta_world.main(options, Console(file=stream, width=160))
    table = pd.read_csv(options.folder / "table.csv")
    labels = [
        "RL² (GRU)",
        "Without memory",
        "Do nothing",
        "Random",
        "Scripted expert (shown the goal)",
    ]
    assert table["agent"].tolist() == [label for label in labels for _ in range(2)]
    assert table["episode"].tolist() == [1, 2] * 5
    assert (table["goals"] == 5).all()
    assert table["fingerprint"].nunique() == 1
    assert (table["return_low"] <= table["return"]).all()
    assert (table["success"] == 0).all(), "nobody reaches a goal in four steps"
    figures = pd.read_csv(options.folder / "figures.csv").set_index("figure")
    expert = figures.loc[
        "scripted expert (shown the goal) minus doing nothing, total return, ML1 reach-v3, 2"
        " episodes of 4 steps, test goals, paired"
    ]
    assert expert["reached"]
    assert expert["ci_low"] > 0
    assert (
        expert["command"]
        == "python benchmarks/meta_world/ml1.py --horizon 4 --iterations 1 --num-envs 3 --goals 5"
        " --publish"
    )
    assert not figures["reached"][figures.index.str.contains("success")].any()
    for core in ("gru", "none"):
        load_agent(options.folder / "weights" / f"reach-v3-{core}-seed0", options.budget)
    assert "Without memory" in stream.getvalue()


def test_both_policies_are_trained_alike():
    options = meta_world.Options()
    memory = options.run("gru")
    memoryless = options.run("none")
    assert memory.config.network == NetworkConfig("gru", hidden_size=64)
    assert memoryless.config.network == NetworkConfig("none", hidden_size=64)
    assert (memory.config.ppo, memory.config.iterations, memory.arguments, memory.seed) == (
        memoryless.config.ppo,
        memoryless.config.iterations,
        memoryless.arguments,
        memoryless.seed,
    )


def test_what_is_not_trained_is_missing(tmp_path):
    small = {"horizon": 4, "iterations": 1, "num_envs": 3, "goals": 5}
    options = meta_world.Options(
        **small, train=False, runs=tmp_path / "runs", results=tmp_path / "results"
    )
    meta_world.main(options, Console(quiet=True))
    figures = pd.read_csv(options.folder / "figures.csv").set_index("figure")
    learned = figures.index.str.startswith("RL²")
    assert figures.loc[learned, ["value", "reached"]].isna().all(axis=None)
    assert figures.loc[~learned, "value"].notna().all()
