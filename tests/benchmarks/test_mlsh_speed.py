"""The benchmark of tasks side by side: it measures both sides and keeps others' figures; speed itself is never asserted."""

import mlsh_speed
import pandas as pd
import pytest
import torch

from metarl.results import record_figure


def test_both_sides_are_measured_and_one_figure_is_added(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    old = {"wanted": "shown", "value": 1.0, "ci_low": 0.5, "ci_high": 1.5, "n": 3, "reached": None, "command": "a command"}
    record_figure(tmp_path / "results/mlsh", "an older figure", **old)
    mlsh_speed.main(mlsh_speed.Options("smoke", tasks=3, repeats=2, publish=True))
    assert torch.get_num_threads() == threads
    speed = pd.read_csv(tmp_path / "results/mlsh/speed.csv")
    assert speed.groupby(["tasks", "threads"]).size().to_dict() == {(1, 1): 2, (1, 2): 2, (3, 1): 2, (3, 2): 2}
    figures = pd.read_csv(tmp_path / "results/mlsh/figures.csv")
    assert figures.figure.tolist() == ["an older figure", "MovingBandits-v0: 3 tasks in parallel, updates a second over one after another"]
    best = speed.groupby(["tasks", "threads"]).updates_per_second.median()
    sides = [speed[(speed.tasks == tasks) & (speed.threads == best[tasks].idxmax())].updates_per_second for tasks in (3, 1)]
    assert figures.value[1] == pytest.approx((sides[0].to_numpy() / sides[1].to_numpy()).mean(), abs=1e-3)
    assert figures.reached[1] == (figures.value[1] >= 10)


def test_updates_are_counted_task_by_task(monkeypatch):
    learner = mlsh_speed.learner(mlsh_speed.Options("smoke"), 3)
    for clock, moments in (("perf_counter", iter((0.0, 2.0))), ("process_time", iter((1.0, 5.0)))):
        monkeypatch.setattr(mlsh_speed.time, clock, lambda moments=moments: next(moments))
    before = learner.iteration
    assert mlsh_speed.measure(learner, 2) == (4 * 3 / 2.0, 4 * 3 / 4.0)  # two lives of two updates each
    assert learner.iteration == before + 4


def test_bad_options_get_a_sentence():
    with pytest.raises(ValueError, match="An interval needs two repeats"):
        mlsh_speed.Options(repeats=1)
