"""Recomputing published cells: they come out as they were published, and a wrong one is found."""

import io
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from benchmarks.rl2 import recompute as rl2_recompute
from benchmarks.rl2 import rows as rl2_rows
from benchmarks.rl2 import runs as rl2_runs
from benchmarks.rl2 import tables as rl2_tables
from benchmarks.rl2.rows import Preset


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A table with two rows of two agents, trained for a moment."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        made_small(patch)
        for table, row in (("bandits", "10,5"), ("mdps", "10")):
            options = rl2_tables.Options(
                table,
                (row,),
                "paper",
                ("random", "rl2"),
                publish=True,
                runs=folder / "runs",
                results=folder / "results",
            )
            rl2_tables.main(options, Console(quiet=True))
    return folder / "results"


def made_small(patch):
    """Have tables train for a moment."""
    full = rl2_runs.rl2_config
    patch.setitem(rl2_rows.PRESETS, "paper", Preset(200, 20, 30, 20, seeds=(0, 1)))
    patch.setattr(
        rl2_runs,
        "rl2_config",
        lambda row, preset: replace(full(row, preset), iterations=2, num_envs=64),
    )


@pytest.fixture
def published(trained, monkeypatch, tmp_path):
    """Return a copy that a test may spoil."""
    made_small(monkeypatch)
    return shutil.copytree(trained, tmp_path / "results")


@pytest.mark.parametrize("full", [False, True], ids=["learned column", "every cell"])
def test_published_cells_come_out_again_and_wrong_ones_are_found(published, full):
    options = rl2_recompute.Options(full, tasks=50, results=published)
    stream = io.StringIO()
    assert rl2_recompute.main(options, Console(file=stream, width=120))
    assert ("Random" in stream.getvalue()) == full
    assert stream.getvalue().count("yes") == (4 if full else 2)
    file = published / "rl2_tables" / "mdps.csv"
    table = pd.read_csv(file)
    table.loc[table["agent"] == "RL²", ["mean", "ci_low", "ci_high"]] += 30
    table.to_csv(file, index=False)
    assert not rl2_recompute.main(options, Console(file=stream, width=120))
    assert "NO" in stream.getvalue()


def test_rows_can_be_chosen(published):
    stream = io.StringIO()
    assert rl2_recompute.main(
        rl2_recompute.Options(rows=("mdps-n10",), tasks=50, results=published),
        Console(file=stream, width=120),
    )
    assert stream.getvalue().count("yes") == 1
    assert "mdps-n10" in stream.getvalue()


def test_an_unknown_row_gets_a_sentence(published):
    with pytest.raises(
        ValueError, match="No row 'mdps-n11' was published; choose of bandits-n10-k5, mdps-n10"
    ):
        rl2_recompute.main(
            rl2_recompute.Options(rows=("mdps-n11",), results=published), Console(quiet=True)
        )
