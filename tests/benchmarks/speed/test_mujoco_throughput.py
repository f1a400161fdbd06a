"""The benchmark of MuJoCo's throughput runs on both sides; speed itself is never asserted."""

import pandas as pd
import pytest

from benchmarks.speed.mujoco_throughput import ROBOTS, Options, main, subject
from benchmarks.speed.throughput import measure


@pytest.mark.parametrize("name", ["metarl", "sync", "async"])
def test_a_process_reports_its_rate(name):
    assert measure(subject(name, "HopperPhysics-v0", 2), Options(preset="smoke").timing) > 0


def test_every_figure_is_recorded_with_its_measurements(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "benchmarks.speed.mujoco_throughput.measure",
        lambda each, timing: {"metarl": 300.0, "sync": 100.0, "async": 400.0}[each.name],
    )
    main(Options(preset="smoke", repeats=2))
    folder = tmp_path / "runs" / "mujoco_throughput" / "tables"
    figures = pd.read_csv(folder / "figures.csv").set_index("figure")
    assert len(figures) == 3 * len(ROBOTS)
    sync = figures.loc["AntPhysics-v0: times the rate of Gymnasium's SyncVectorEnv of Ant-v5"]
    assert (sync.value, str(sync.reached)) == (3.0, "True")
    slower = figures.loc["AntPhysics-v0: times the rate of Gymnasium's AsyncVectorEnv of Ant-v5"]
    assert (slower.value, str(slower.reached)) == (0.75, "False")
    assert len(pd.read_csv(folder / "throughput.csv")) == 2 * 3 * len(ROBOTS)


def test_a_family_without_an_opponent_is_refused():
    with pytest.raises(
        ValueError, match="no opponent for BernoulliBandit-v0; choose among HalfCheetahPhysics-v0"
    ):
        Options(families=("BernoulliBandit-v0",))
