"""The benchmark of tasks side by side.

It measures both sides and keeps others' figures; speed itself is never asserted.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.speed import mlsh_speed
from metarl.evaluation.statistics import Estimate
from metarl.suites.figures_csv import record_figure


def test_both_sides_are_measured_and_one_figure_is_added(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    record_figure(
        tmp_path / "results/mlsh",
        "an older figure",
        "shown",
        Estimate(1.0, 0.5, 1.5, 3),
        None,
        "a command",
    )
    mlsh_speed.main(mlsh_speed.Options("smoke", tasks=4, repeats=2, publish=True))
    assert torch.get_num_threads() == threads
    speed = pd.read_csv(tmp_path / "results/mlsh/speed.csv")
    ways = speed.groupby(["tasks", "processes", "threads"])
    assert ways.size().to_dict() == dict.fromkeys(
        [(1, 1, 1), (1, 1, 2), (4, 1, 1), (4, 1, 2), (4, 2, 1)], 2
    )
    figures = pd.read_csv(tmp_path / "results/mlsh/figures.csv")
    title = "MovingBandits-v0: 4 tasks in parallel, updates a second over one after another"
    assert figures.figure.tolist() == ["an older figure", title, f"{title}, in one process"]
    best = ways.updates_per_second.median().groupby(level=["tasks", "processes"]).idxmax()
    rates = {own: ways.get_group(way).updates_per_second.to_numpy() for own, way in best.items()}
    many = max((rates[4, 1], rates[4, 2]), key=np.median)
    assert figures.value[1] == pytest.approx((many / rates[1, 1]).mean(), abs=1e-3)
    assert figures.value[2] == pytest.approx((rates[4, 1] / rates[1, 1]).mean(), abs=1e-3)
    assert figures.reached[1] == (figures.value[1] >= 10)
    assert figures.wanted[2] == "shown"


def test_updates_are_counted_task_by_task(monkeypatch):
    learner = mlsh_speed.learner(mlsh_speed.Options("smoke"), mlsh_speed.Way(3, 1, 1))
    moments = iter((0.0, 2.0))
    monkeypatch.setattr(mlsh_speed.time, "perf_counter", lambda: next(moments))
    before = learner.iteration
    assert mlsh_speed.measure(learner, 2) == 4 * 3 / 2.0  # two lives of two updates each
    assert learner.iteration == before + 4


def test_bad_options_get_a_sentence():
    with pytest.raises(ValueError, match="An interval needs two repeats"):
        mlsh_speed.Options(repeats=1)
