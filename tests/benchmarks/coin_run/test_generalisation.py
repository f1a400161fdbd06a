"""The benchmark of CoinRun's levels: table, figures and weights, with trainings of a moment."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.coin_run import generalisation as coin_run
from benchmarks.coin_run import runs as coin_run_runs


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    monkeypatch.setitem(coin_run_runs.SIZES, "cpu", coin_run_runs.SIZES["smoke"])
    monkeypatch.setattr(
        coin_run_runs,
        "COIN_RUN",
        replace(coin_run_runs.COIN_RUN, ppo=replace(coin_run_runs.COIN_RUN.ppo, minibatches=2)),
    )


def run(tmp_path, publish=False, **more):
    options = coin_run.Options(
        publish=publish,
        runs=tmp_path / "runs",
        results=tmp_path / "results",
        **{"num_tasks": 6, "levels": (2, 3), "horizon": 20, **more},
    )
    stream = io.StringIO()
    coin_run.main(options, Console(file=stream, width=200))
    return options, stream.getvalue()


def test_table_figures_and_weights(tmp_path):
    options, printed = run(tmp_path, publish=True)
    table = pd.read_csv(options.folder / "table.csv")
    own = table[table["source"] == "here"]
    assert own["levels"].tolist() == [2, 3]
    assert np.allclose(own["gap"], own["train"] - own["test"], atol=2e-4)
    assert "Cobbe et al. 2018, Nature, 256 million steps (notes)" in printed
    assert len(table) == 12
    figures = pd.read_csv(options.folder / "figures.csv").set_index("figure")
    assert len(figures) == 7
    fall = figures.loc["CoinRun: gap at 2 training levels minus gap at 3"]
    assert float(fall["value"]) == pytest.approx(own["gap"].iloc[0] - own["gap"].iloc[1], abs=1e-3)
    with np.load(options.folder / "test.npz") as kept:
        assert kept["levels-2"].mean() == pytest.approx(own["test"].iloc[0], abs=1e-3)
    assert (options.folder / "gap.png").stat().st_size > 0
    assert (tmp_path / "results/coin_run/weights/levels-3-seed0/weights.safetensors").exists()


def test_what_is_not_trained_is_missing(tmp_path):
    options, _ = run(tmp_path, train=False)
    figures = pd.read_csv(options.folder / "figures.csv")
    assert figures["value"].isna().all()
    assert len(figures) == 7


@pytest.mark.parametrize(
    "settings", [{"preset": "smoke", "publish": True}, {"levels": ()}, {"levels": (0,)}]
)
def test_bad_options(settings):
    with pytest.raises(ValueError, match="nothing to publish|numbers of training levels"):
        coin_run.Options(**settings)
