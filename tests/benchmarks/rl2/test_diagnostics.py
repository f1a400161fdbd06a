"""Diagnostics of published weights: memory, more episodes, regret."""

import io

import pandas as pd
import pytest
from rich.console import Console

from benchmarks.rl2 import diagnostics as rl2_diagnostics
from benchmarks.rl2.rows import named_row
from metarl.learners.memory.rl2 import RL2Config
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.config import RunConfig
from metarl.runs.store import publish
from metarl.runs.training import train


@pytest.mark.parametrize(
    ("name", "core"),
    [("bandits-n10-k5", "gru"), ("bandits-n10-k5", "per_pair_memory"), ("mdps-n10", "attention")],
    ids=["gru", "arms", "attention"],
)
def test_memory_more_episodes_and_regret_of_published_weights(tmp_path, name, core):
    row = named_row(name)
    config = RL2Config(
        row.n,
        num_envs=32,
        iterations=2,
        network=NetworkConfig(core, hidden_size=8, heads=2, layers=1),
    )
    train(RunConfig("rl2", config, row.id, row.arguments), tmp_path / "seed0", show=False)
    publish(tmp_path / "seed0", tmp_path / "results" / "rl2_tables" / "weights" / name)
    stream = io.StringIO()
    options = rl2_diagnostics.Options(tasks=20, publish=True, results=tmp_path / "results")
    rl2_diagnostics.main(options, Console(file=stream, width=160))
    rl2_diagnostics.main(options, Console(file=stream, width=160))  # takes the place of the first
    lines = pd.read_csv(options.folder / "diagnostics.csv")
    assert lines["condition"].tolist()[:5] == [
        "memory intact",
        "emptied after episode 5",
        "swapped with another task's after episode 5",
        "fed with another task's rewards until episode 5",
        "random actions",
    ]
    assert lines["figure"].tolist()[5:] == [
        f"return per episode, episodes {first} to {first + 4}" for first in (1, 6, 11, 16)
    ]
    assert (lines["ci_low"] <= lines["value"]).all()
    assert (lines["value"] <= lines["ci_high"]).all()
    assert (options.folder / f"regret-{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "swapped with another" in stream.getvalue()
    regret = pd.read_csv(options.folder / "regret.csv")
    assert regret.groupby("agent", sort=False)["episode"].max().tolist() == [10, 10, 10]
    assert regret["agent"].iloc[0] == "RL²"
    assert (regret["num_tasks"] == 20).all()


def test_a_row_without_weights_gets_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="train that row first"):
        rl2_diagnostics.main(
            rl2_diagnostics.Options(("mdps-n25",), results=tmp_path), Console(quiet=True)
        )
    with pytest.raises(ValueError, match="Rows are named like"):
        rl2_diagnostics.main(
            rl2_diagnostics.Options(("mdps-25",), results=tmp_path), Console(quiet=True)
        )
