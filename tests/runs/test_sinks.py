import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from metarl.cli import main
from metarl.runs.config import RunConfig
from metarl.runs.sinks import CSVSink, WandBSink
from metarl.runs.store import RunFolder, RunFolderError
from metarl.runs.training import train
from tests.runs.tiny_learner import TinyLearner


def csv_of(folder, iteration):
    """metrics.csv in `folder`, to go on after `iteration`."""
    sink = CSVSink()
    sink.open(RunFolder(folder), iteration)
    return sink


def test_lines_are_on_disk_at_once_and_exact(tmp_path):
    log = csv_of(tmp_path, 0)
    assert log.last == {}
    for i in (1, 2):
        log.write({"iteration": i, "return": 0.1 * i})
        assert RunFolder(tmp_path).metrics["return"].iloc[-1] == 0.1 * i
    assert log.last == {"iteration": "2", "return": "0.2"}


def test_a_name_that_comes_later_becomes_a_column(tmp_path):
    log = csv_of(tmp_path, 0)
    log.write({"iteration": 1, "a": 1.0})
    log.write({"iteration": 2, "b": float("nan")})
    log.write({"iteration": 3, "a": 2.5})
    assert (tmp_path / "metrics.csv").read_text() == "iteration,a,b\n1,1.0,\n2,,nan\n3,2.5,\n"
    again = csv_of(tmp_path, 2)
    assert (tmp_path / "metrics.csv").read_text() == "iteration,a,b\n1,1.0,\n2,,nan\n"
    again.write({"iteration": 3, "a": 2.5})
    assert (tmp_path / "metrics.csv").read_text() == "iteration,a,b\n1,1.0,\n2,,nan\n3,2.5,\n"


def test_a_fresh_start_drops_all_lines(tmp_path):
    csv_of(tmp_path, 0).write({"iteration": 1, "a": 1.0})
    log = csv_of(tmp_path, 0)
    log.write({"iteration": 1, "a": 2.0})
    pd.testing.assert_frame_equal(
        RunFolder(tmp_path).metrics, pd.DataFrame({"iteration": [1], "a": [2.0]})
    )


def test_missing_lines_are_refused(tmp_path):
    csv_of(tmp_path, 0).write({"iteration": 1, "a": 1.0})
    with pytest.raises(RunFolderError, match="lacks lines of the 2 iterations"):
        csv_of(tmp_path, 2)


class Kept:
    """A sink that keeps what it was given, and fails in the method and at the iteration that it is
    told.
    """

    def __init__(self, fails="", at=0):
        self.fails = fails
        self.at = at
        self.calls = []
        self.rows = []

    def _note(self, name):
        self.calls.append(name)
        if self.fails == name and len(self.rows) >= self.at:
            raise ConnectionError("no route to host")

    def open(self, run, iteration):
        self.began = (run.path, run.identity["learner"], iteration)
        self._note("open")

    def write(self, metrics):
        self._note("write")
        self.rows.append(metrics)

    def close(self):
        self._note("close")


def test_every_sink_gets_every_line_and_the_end(tiny, tmp_path):
    sinks = [Kept(), Kept()]
    train(RunConfig("tiny", tiny()), tmp_path, show=False, sinks=sinks)
    for sink in sinks:
        assert sink.began == (tmp_path, "tiny", 0)
        assert pd.DataFrame(sink.rows).equals(RunFolder(tmp_path).metrics)
        assert sink.calls == ["open", *["write"] * 5, "close"]
    later = Kept()
    train(RunConfig("tiny", tiny(iterations=7)), tmp_path, show=False, sinks=[later])
    assert later.began[2] == 5
    assert [row["iteration"] for row in later.rows] == [6, 7]


@pytest.mark.parametrize(("fails", "at", "calls"), [("write", 2, 3), ("close", 0, 5)])
def test_a_sink_that_fails_is_named_and_the_run_goes_on_without_it(
    tiny, tmp_path, fails, at, calls
):
    broken = Kept(fails, at)
    whole = Kept()
    with pytest.warns(
        UserWarning,
        match=r"The metric sink Kept failed .*no route to host.*metrics\.csv has all of them",
    ) as warned:
        learner = train(RunConfig("tiny", tiny()), tmp_path, show=False, sinks=[broken, whole])
    assert len(warned) == 1
    assert broken.calls.count("write") == calls
    assert learner.finished
    assert len(RunFolder(tmp_path).metrics) == len(whole.rows) == 5
    assert RunFolder(tmp_path).checkpoint.exists()
    assert RunFolder(tmp_path).weights().exists()


def test_a_sink_that_cannot_be_opened_ends_the_run_before_it_begins(tiny, tmp_path):
    first = Kept()
    with pytest.raises(
        ValueError,
        match=r"Kept can't take this run's metrics: .*no route to host.*Train without it",
    ):
        train(RunConfig("tiny", tiny()), tmp_path / "run", show=False, sinks=[first, Kept("open")])
    assert first.calls == ["open", "close"]
    assert not (tmp_path / "run").exists()


def test_sinks_are_closed_where_training_fails(tiny, tmp_path, monkeypatch):
    sink = Kept()
    monkeypatch.setattr(TinyLearner, "update", lambda self: {}["nothing"])
    with pytest.raises(KeyError):
        train(RunConfig("tiny", tiny()), tmp_path, show=False, sinks=[sink])
    assert sink.calls == ["open", "close"]


@pytest.mark.parametrize("sink", [print, Kept, object()])
def test_what_is_no_sink_is_told_as_such(tiny, tmp_path, sink):
    with pytest.raises(ValueError, match="A metric sink has the methods open, write and close"):
        train(RunConfig("tiny", tiny()), tmp_path, show=False, sinks=[sink])


class FakeRun:
    def __init__(self):
        self.logged = []
        self.finished = False

    def log(self, metrics, step):
        self.logged.append((step, metrics))

    def finish(self):
        self.finished = True


@pytest.fixture
def wandb(monkeypatch):
    """A module in place of wandb that keeps what its runs are started with and given."""
    runs = []

    def init(**arguments):
        runs.append((arguments, FakeRun()))
        return runs[-1][1]

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return runs


def test_weights_and_biases_gets_a_run_offline(tiny, tmp_path, wandb):
    train(RunConfig("tiny", tiny()), tmp_path, show=False, sinks=[WandBSink()])
    train(
        RunConfig("tiny", tiny(iterations=6)),
        tmp_path,
        show=False,
        sinks=[WandBSink(project="mine")],
    )
    (first, run), (second, longer) = wandb
    assert first["mode"] == "offline"
    assert (first["dir"], first["project"], second["project"]) == (str(tmp_path), "metarl", "mine")
    assert first["config"]["learner"] == "tiny"
    assert [step for step, _ in run.logged] == [1, 2, 3, 4, 5]
    assert [step for step, _ in longer.logged] == [6]
    assert run.logged[-1][1]["return"] == RunFolder(tmp_path).metrics["return"].iloc[4]
    assert run.finished
    assert longer.finished


def test_the_command_logs_to_weights_and_biases_as_the_environment_says(
    tmp_path, wandb, monkeypatch
):
    monkeypatch.setenv("WANDB_MODE", "online")
    command = [
        "train",
        "rl2",
        "--wandb",
        "--iterations",
        "1",
        "--num-envs",
        "8",
        "--folder",
        str(tmp_path / "run"),
    ]
    main(command)
    ((arguments, run),) = wandb
    assert arguments["mode"] == "online"
    assert [step for step, _ in run.logged] == [1]


def test_weights_and_biases_says_how_to_get_it(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(
        ValueError, match=r"Weights & Biases isn't installed: `pip install -e '\.\[wandb\]'`"
    ):
        train(RunConfig("tiny", tiny()), tmp_path / "run", show=False, sinks=[WandBSink()])
    assert not (tmp_path / "run").exists()
