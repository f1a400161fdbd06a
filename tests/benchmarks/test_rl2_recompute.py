"""Recomputing published cells: they come out as they were published, and a wrong one is found."""

import importlib.util
import io
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from metarl.experiments import rl2_rows
from metarl.experiments.rl2_rows import Preset

FOLDER = Path(__file__).parents[2] / "benchmarks"


def script(name, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def published(monkeypatch, tmp_path):
    """A table with two rows of two agents, trained for a moment."""
    monkeypatch.setitem(rl2_rows.PRESETS, "paper", Preset(200, 20, 30, 20, seeds=(0, 1)))
    full = rl2_rows.rl2_config
    monkeypatch.setattr(rl2_rows, "rl2_config", lambda row, preset: replace(full(row, preset), iterations=2, num_envs=64))
    tables = script("rl2_tables", monkeypatch)
    for table, row in (("bandits", "10,5"), ("mdps", "10")):
        options = tables.Options(
            table, (row,), "paper", ("random", "rl2"), publish=True, runs=tmp_path / "runs", results=tmp_path / "results"
        )
        tables.main(options, Console(quiet=True))
    return script("rl2_recompute", monkeypatch), tmp_path / "results"


@pytest.mark.parametrize("full", [False, True], ids=["learned column", "every cell"])
def test_published_cells_come_out_again_and_wrong_ones_are_found(published, full):
    recompute, results = published
    options, stream = recompute.Options(full, tasks=50, results=results), io.StringIO()
    assert recompute.main(options, Console(file=stream, width=120))
    assert ("Random" in stream.getvalue()) == full
    assert stream.getvalue().count("yes") == (4 if full else 2)
    file = results / "rl2_tables" / "mdps.csv"
    table = pd.read_csv(file)
    table.loc[table["agent"] == "RL²", ["mean", "ci_low", "ci_high"]] += 30
    table.to_csv(file, index=False)
    assert not recompute.main(options, Console(file=stream, width=120))
    assert "NO" in stream.getvalue()
