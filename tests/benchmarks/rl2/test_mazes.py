"""The benchmark of RL² in mazes.

Its tables, figures and figures of merit, with trainings of a moment.
"""

import io
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from benchmarks.rl2 import mazes as rl2_mazes
from benchmarks.rl2 import runs as rl2_maze_runs
from metarl.networks.policies.policy import NetworkConfig


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    for name, training in rl2_maze_runs.TRAININGS.items():
        network = NetworkConfig(training.config.network.core, hidden_size=8)
        config = replace(training.config, num_envs=8, iterations=1, network=network)
        short = replace(
            training,
            config=config,
            arguments={**training.arguments, "horizon": 8},
            seeds=training.seeds[:2],
        )
        monkeypatch.setitem(rl2_maze_runs.TRAININGS, name, short)
    full = rl2_mazes.make
    monkeypatch.setattr(
        rl2_mazes,
        "make",
        lambda id, **given: full(
            id, **({"horizon": 200} if given.get("size") == 9 else {}), **given
        ),
    )
    monkeypatch.setattr(
        rl2_mazes, "GRID_SETTINGS", {"5x5": ({}, 2, 12), "5x5, 5 episodes": ({"horizon": 12}, 5, 6)}
    )


def run(tmp_path, *parts, publish=False, **more):
    options = rl2_mazes.Options(
        parts, 12, publish=publish, runs=tmp_path / "runs", results=tmp_path / "results", **more
    )
    stream = io.StringIO()
    rl2_mazes.main(options, Console(file=stream, width=160))
    figures = pd.read_csv(options.folder / "figures.csv").set_index("figure")
    return options, stream.getvalue(), figures


def test_grid_mazes(tmp_path):
    options, printed, figures = run(tmp_path, "grid-maze", publish=True)
    table = pd.read_csv(options.folder / "grid_mazes.csv")
    assert set(table["agent"]) == {
        "Random",
        "Systematic explorer",
        "Known maze",
        "RL²",
        rl2_mazes.LOOPED,
        rl2_mazes.GRU,
    }
    known = table[table["agent"] == "Known maze"]
    assert (known["to_shortest"] == 1).all()
    explorer = table[(table["agent"] == "Systematic explorer") & (table["setting"] == "5x5")]
    assert explorer["to_shortest"].tolist()[1] == 1
    assert explorer["shorter_of_improvable"].tolist()[1] == 1
    assert (options.folder / "grid-maze-5x5.png").stat().st_size > 0
    assert (tmp_path / "results/rl2_mazes/weights/grid-maze/seed0/weights.safetensors").exists()
    success = f"{rl2_mazes.SUCCESS}, {rl2_mazes.seeds_of('grid-maze')}"
    assert figures.loc[success, "wanted"] == ">= 0.99"
    assert not figures.loc[success, "reached"]  # of a training of a moment
    rl2 = table[(table["agent"] == "RL²") & (table["setting"] == "5x5")]
    assert figures.loc[success, "value"] == pytest.approx(rl2["success"].mean(), abs=1e-3)
    ratio = figures.loc[f"{rl2_mazes.SECOND}, {rl2_mazes.seeds_of('grid-maze')}", "value"]
    shortest = known[known["setting"] == "5x5"]["steps"].mean()
    assert ratio == pytest.approx(rl2["steps"].tolist()[1] / shortest, rel=1e-3)
    lead, wide = (
        figures.loc[f"{name}, {rl2_mazes.seeds_of('grid-maze')}"]
        for name in (rl2_mazes.FIRST, rl2_mazes.FURTHER)
    )
    assert (lead["n"], wide["n"]) == (12, 12 * rl2_mazes.FURTHER_TASKS)
    assert min(lead["ci_low"], wide["ci_low"]) > 0, (
        "after a training of a moment the explorer is ahead in whatever mazes"
    )
    assert (table["steps"] >= table["length"].fillna(0)).all(), (
        "episodes that fail are longer than those that don't"
    )
    assert "Systematic explorer" in printed


def test_the_gap_is_of_the_mazes_in_training(tmp_path):
    options, _, figures = run(tmp_path, "gap")
    table = pd.read_csv(options.folder / "gap.csv")
    assert table["train_mazes"].tolist() == [10, 10, 100, 100, 1000, 1000]
    gaps = [
        figures.loc[f"GridMaze 5x5, generalisation gap in return, {count} mazes", "value"]
        for count in (10, 100, 1000)
    ]
    returns = table.set_index(["train_mazes", "tasks"])["return"]
    for count, gap in zip((10, 100, 1000), gaps, strict=True):
        assert gap == pytest.approx(
            returns[count, "training mazes"] - returns[count, "test mazes"], abs=2e-4
        )
    assert (options.folder / "gap.png").stat().st_size > 0


def test_table_3_stands_beside_the_papers(tmp_path):
    options, printed, figures = run(tmp_path, "visual-maze")
    table = pd.read_csv(options.folder / "table3.csv")
    paper = table[table["agent"] == rl2_mazes.PAPER]
    assert paper["length"].tolist() == [
        52.4,
        39.1,
        42.6,
        43.5,
        43.9,
        180.1,
        151.8,
        169.3,
        162.3,
        169.3,
    ]
    assert table["setting"].unique().tolist() == ["5x5", "9x9"]
    known = table[table["agent"] == "Known maze"]
    assert (known["to_shortest"] == 1).all(), "the bound, turns included"
    assert (known["success"] == 1).all()
    assert len(figures) == 2
    assert "91.7%" in printed


def test_grid_navi(tmp_path):
    options, _, figures = run(tmp_path, "grid-navi")
    table = pd.read_csv(options.folder / "grid_navi.csv")
    known = table[table["agent"] == "Known goal"]["return"]
    assert known.nunique() == 1
    returns = table[(table["agent"] == "RL²") & (table["episode"] > 1)]["return"]
    assert len(figures) == 1
    assert returns.mean() < known.iloc[0]


def test_what_is_not_trained_is_missing(tmp_path):
    _, _, figures = run(tmp_path, train=False)
    assert len(figures) == 9
    assert figures["value"].isna().all()
    assert not (tmp_path / "runs" / "rl2_mazes" / "grid-maze").exists()
