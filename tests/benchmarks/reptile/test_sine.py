"""The benchmark of sine regression, small.

A row for every figure; published weights are used as they are; the missing is missing.
"""

import numpy as np
import pandas as pd
from rich.console import Console

from benchmarks.reptile.runs import SINE_TRAININGS
from benchmarks.reptile.sine import Options, main, run_name
from metarl.runs.store import RunFolder


def figures_of(options):
    main(options, Console(quiet=True))
    return pd.read_csv(options.folder / "figures.csv")


def test_it_trains_scores_publishes_and_reads_back(tmp_path):
    options = Options(
        "smoke", seeds=(0,), publish=True, runs=tmp_path / "runs", results=tmp_path / "results"
    )
    figures = figures_of(options)
    assert len(figures) == len(SINE_TRAININGS)
    assert figures.wanted.tolist() == ["shown", *["<= 0.1"] * 3]
    assert (figures.value > 0).all()
    table = pd.read_csv(options.folder / "table.csv")
    last = table[table.inner_step == 32].set_index("learner").error
    assert np.allclose(figures.value[1:], (last / last["Joint training"]).iloc[1:], rtol=1e-2)
    with np.load(options.folder / "errors.npz") as errors:
        assert np.isclose(errors["MAML"].mean(), last["MAML"], atol=1e-4)
    for name in ("fits.png", "errors.png"):
        assert (options.folder / name).stat().st_size > 10_000
    published = options.run_folders(run_name("MAML", 0))[1]
    assert RunFolder(published).weights().exists()
    (tmp_path / "runs").rename(tmp_path / "away")
    again = figures_of(options)
    assert not (tmp_path / "runs").exists()  # nothing was trained
    assert again.value.tolist() == figures.value.tolist()


def test_what_is_not_trained_is_missing(tmp_path):
    figures = figures_of(
        Options("smoke", train=False, runs=tmp_path / "runs", results=tmp_path / "results")
    )
    assert figures.value.isna().all()
    assert figures.reached.isna().all()
