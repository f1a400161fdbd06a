"""The paper's figures on CoinRun."""

import numpy as np

from benchmarks.coin_run.published import generalisation_table


def test_more_training_levels_are_generalised_from_better():
    table = generalisation_table()
    for _, rows in table.groupby("network"):
        assert rows["levels"].is_monotonic_increasing
        assert rows["test"].is_monotonic_increasing
    nature = table[(table["network"] == "Nature") & table["train"].notna()]
    assert (nature["train"] > nature["test"]).all()
    gaps = (nature["train"] - nature["test"]).to_numpy()
    assert np.all(np.diff(gaps) < 0)
    assert set(table["trust"]) == {"notes", "unverified"}
