"""The benchmark of Rainbow, small.

A row for every figure; published weights are used as they are.
"""

import pandas as pd
from rich.console import Console

from benchmarks.rainbow.parts import Options, main
from metarl.runs.store import RunFolder


def figures_of(options):
    main(options, Console(quiet=True))
    return pd.read_csv(options.folder / "figures.csv")


def test_it_trains_scores_publishes_and_reads_back(tmp_path):
    where = {"publish": True, "runs": tmp_path / "runs", "results": tmp_path / "results"}
    options = Options(
        ("cart-pole",), seeds=(0,), parts=("double",), iterations=1, episodes=4, **where
    )
    figures = figures_of(options)
    assert figures.wanted.tolist() == ["shown", ">= 150", "shown"]
    assert figures.value.between(5, 200).all()
    assert figures.reached[1] in (True, False, "True", "False")
    assert (
        figures.command[0]
        == "python benchmarks/rainbow/parts.py --games cart-pole --seeds 0 --parts double"
        " --iterations 1 --episodes 4 --publish"
    )
    table = pd.read_csv(options.folder / "table.csv")
    assert table["mean"].tolist() == figures.value.tolist()
    assert RunFolder(options.run_folders("cart-pole-all-seed0")[1]).weights().exists()
    (tmp_path / "runs").rename(tmp_path / "away")
    assert figures_of(options).value.tolist() == figures.value.tolist()
    assert not (tmp_path / "runs").exists()  # nothing was trained


def test_what_is_not_trained_is_missing(tmp_path):
    options = Options(
        ("cart-pole",),
        parts=(),
        episodes=4,
        train=False,
        runs=tmp_path / "runs",
        results=tmp_path / "results",
    )
    figures = figures_of(options).set_index("wanted")
    assert figures.loc["shown", "value"] > 0  # random play
    assert figures.loc[">= 150", ["value", "reached"]].isna().all()
