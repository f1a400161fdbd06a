"""Estimates in figures.csv: as measured, or missing."""

import pandas as pd

from metarl.evaluation.statistics import Estimate
from metarl.runs.merit import record_estimate


def test_measured_and_missing_figures(tmp_path):
    record_estimate(tmp_path, "success", ">= 0.9", Estimate(0.912345, 0.9, 0.92, 1000, 0.95), True, "python it.py")
    record_estimate(tmp_path, "length", "shown", Estimate(7.5, 7.0, 8.0, 10, 0.95), None, "python it.py")
    record_estimate(tmp_path, "speed", ">= 2", None, None, "python it.py")
    table = pd.read_csv(tmp_path / "figures.csv", dtype=str, keep_default_na=False).set_index("figure")
    assert table.loc["success"].tolist() == [">= 0.9", "0.9123", "0.9", "0.92", "1000", "True", "python it.py"]
    assert table.loc["length", ["wanted", "reached"]].tolist() == ["shown", "None"]
    assert table.loc["speed", ["value", "n", "reached"]].tolist() == ["nan", "0", "None"]
