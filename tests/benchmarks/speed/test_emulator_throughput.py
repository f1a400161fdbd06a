"""The benchmark of emulators runs on all sides; speed itself is never asserted."""

from multiprocessing import Pipe
from threading import Thread

import pandas as pd
import pytest

from benchmarks.speed.emulator_throughput import GAMES, IN_STEP, RIVALS, Options, main, subject
from benchmarks.speed.opponents import bare_games
from benchmarks.speed.throughput import measure

SIDES = ["metarl", *RIVALS, *IN_STEP]


@pytest.mark.parametrize(
    ("name", "id"),
    [(name, "Airstriker-v0") for name in SIDES]
    + [(name, "AtariFlavours-v0") for name in SIDES[:2]],
)
def test_processes_report_their_rate(name, id):
    assert measure(subject(name, id, 2), Options(preset="smoke").timing) > 0


class Counting:
    """An environment whose third step since a reset ends the episode."""

    def __init__(self):
        self.steps = self.resets = self.since = 0

    def reset(self, seed=None):
        self.resets = self.resets + 1
        self.since = 0

    def step(self, action):
        self.steps = self.steps + 1
        self.since = self.since + 1
        return None, 0.0, self.since == 3, False, {}


@pytest.mark.parametrize(("kind", "frames", "ends"), [("raw", 3, 5), ("wrapped", 1, 1)])
def test_a_process_in_step_steps_once_a_byte_until_its_pipe_is_closed(
    monkeypatch, kind, frames, ends
):
    env = Counting()
    parent, child = Pipe()
    monkeypatch.setitem(bare_games.GAMES, "counting", lambda kind, number: (env, [0]))
    process = Thread(target=bare_games.play_in_step, args=(child, "counting", kind, 0))
    process.start()
    assert parent.poll(10), "ready"
    parent.recv_bytes()
    steps = env.steps
    resets = env.resets
    for _ in range(5):
        assert not parent.poll(0.02), "it waits for the next byte"
        parent.send_bytes(b".")
        assert parent.poll(10)
        parent.recv_bytes()
    assert (env.steps - steps, env.resets - resets) == (5 * frames, ends)
    parent.close()
    process.join(10)
    assert not process.is_alive()


def test_all_wait_while_the_parent_computes(monkeypatch):
    monkeypatch.setitem(IN_STEP, "slow", ("--in-step", "50"))
    rate = measure(subject("slow", "Airstriker-v0", 2), Options(preset="smoke").timing)
    assert rate <= 2 * bare_games.SKIP / 0.05, (
        "two processes, a step of four frames in 50 ms at most"
    )


def test_every_figure_is_recorded_with_its_measurements(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured = {
        "metarl": 90.0,
        "raw": 120.0,
        "wrapped": 100.0,
        **dict(zip(IN_STEP, (114.0, 75.0, 72.0), strict=True)),
    }
    monkeypatch.setattr(
        "benchmarks.speed.emulator_throughput.measure", lambda each, timing: measured[each.name]
    )
    main(Options(preset="smoke", repeats=2, processes=(2, 4)))
    folder = tmp_path / "runs" / "emulator_throughput" / "tables"
    figures = pd.read_csv(folder / "figures.csv").set_index("figure")
    assert len(figures) == 6 * 2 * len(GAMES)
    raw = figures.loc["Airstriker-v0 in 4 processes: part of the rate of raw loops"]
    assert (raw.value, raw.wanted, str(raw.reached)) == (0.75, ">= 0.8", "False")
    wrapped = figures.loc["Airstriker-v0 in 2 processes: part of the rate of wrapped loops"]
    assert (wrapped.value, wrapped.wanted) == (0.9, "measured")
    waiting = figures.loc[
        "Airstriker-v0 in 2 processes: raw loops in step, part of the rate of raw loops"
    ]
    assert (waiting.value, waiting.wanted) == (0.95, "measured")
    computing = figures.loc[
        "Airstriker-v0 in 2 processes: wrapped loops in step, 0.3 ms between steps, part of the"
        " rate of raw loops"
    ]
    assert computing.value == 0.6
    assert len(pd.read_csv(folder / "throughput.csv")) == 2 * 6 * 2 * len(GAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"families": ("CartPole-v0",)},
            "no bare loops for CartPole-v0; choose among Airstriker-v0, AtariFlavours-v0",
        ),
        ({"processes": (0,)}, "processes and repeats must be at least 1"),
    ],
)
def test_bad_options_get_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        Options(**arguments)
