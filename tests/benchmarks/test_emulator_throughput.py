"""The benchmark of emulators runs on all sides; speed itself is never asserted."""

import pandas as pd
import pytest
from emulator_throughput import GAMES, Options, main, subject
from throughput import measure


@pytest.mark.parametrize("name", ["metarl", "raw", "wrapped"])
@pytest.mark.parametrize("id", GAMES)
def test_processes_report_their_rate(name, id):
    assert measure(subject(name, id, 2), Options(preset="smoke").timing) > 0


def test_every_figure_is_recorded_with_its_measurements(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("emulator_throughput.measure", lambda each, timing: {"metarl": 90.0, "raw": 120.0, "wrapped": 100.0}[each.name])
    main(Options(preset="smoke", repeats=2, processes=(2, 4)))
    folder = tmp_path / "runs" / "emulator_throughput"
    figures = pd.read_csv(folder / "figures.csv").set_index("figure")
    assert len(figures) == 3 * 2 * len(GAMES)
    raw = figures.loc["Airstriker-v0 in 4 processes: part of the rate of raw loops"]
    assert (raw.value, raw.wanted, str(raw.reached)) == (0.75, ">= 0.8", "False")
    wrapped = figures.loc["Airstriker-v0 in 2 processes: part of the rate of wrapped loops"]
    assert (wrapped.value, wrapped.wanted) == (0.9, "measured")
    assert len(pd.read_csv(folder / "throughput.csv")) == 2 * 3 * 2 * len(GAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"families": ("CartPole-v0",)}, "no bare loops for CartPole-v0; choose among Airstriker-v0, AtariFlavours-v0"),
        ({"processes": (0,)}, "processes and repeats must be at least 1"),
    ],
)
def test_bad_options_get_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        Options(**arguments)
