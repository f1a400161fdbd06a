"""Estimates in figures.csv: as measured, or missing."""

import pandas as pd

from metarl.evaluation.statistics import Estimate
from metarl.suites.figures_csv import record_figure


def test_measured_and_missing_figures(tmp_path):
    record_figure(
        tmp_path,
        "success",
        ">= 0.9",
        Estimate(0.912345, 0.9, 0.92, 1000, 0.95),
        True,
        "python it.py",
    )
    record_figure(
        tmp_path, "length", "shown", Estimate(7.5, 7.0, 8.0, 10, 0.95), None, "python it.py"
    )
    record_figure(tmp_path, "speed", ">= 2", None, None, "python it.py")
    table = pd.read_csv(tmp_path / "figures.csv", dtype=str, keep_default_na=False).set_index(
        "figure"
    )
    assert table.loc["success"].tolist() == [
        ">= 0.9",
        "0.9123",
        "0.9",
        "0.92",
        "1000",
        "True",
        "python it.py",
    ]
    assert table.loc["length", ["wanted", "reached"]].tolist() == ["shown", "None"]
    assert table.loc["speed", ["value", "n", "reached"]].tolist() == ["nan", "0", "None"]


def test_figures_are_updated_in_place(tmp_path):
    def record(figure, value):
        record_figure(
            tmp_path, figure, ">= 6.58", Estimate(value, value, value, 10), value > 6.58, "make x"
        )

    record("first, with a comma", 6.6)
    record("second", 0.1)
    record("first, with a comma", 6.5)
    table = pd.read_csv(tmp_path / "figures.csv")
    assert list(table) == [
        "figure",
        "wanted",
        "value",
        "ci_low",
        "ci_high",
        "n",
        "reached",
        "command",
    ]
    assert list(table["figure"]) == ["first, with a comma", "second"]
    assert list(table["value"]) == [6.5, 0.1]
    assert list(table["reached"]) == [False, False]
