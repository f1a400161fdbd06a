"""The benchmark of `metarl runs` runs, and saves its figure; speed itself is never asserted."""

import pandas as pd

from benchmarks.speed.run_listing import Options, main, make_runs
from metarl.runs.listing import list_runs


def test_runs_are_made_and_listed_and_the_figure_is_saved(tmp_path, monkeypatch):
    make_runs(tmp_path / "made", 5)
    assert [run.state for run in list_runs(tmp_path / "made")].count("finished") == 2
    monkeypatch.chdir(tmp_path)
    main(Options(preset="smoke"))
    figures = pd.read_csv(tmp_path / "runs/run_listing/tables/figures.csv")
    assert figures["value"][0] > 0
    assert figures["figure"][0].startswith("seconds to list 20 runs")
