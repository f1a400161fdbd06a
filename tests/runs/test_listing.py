"""Which runs lie in a folder, and how far each is."""

import json
import shutil

import pytest

from metarl.runs.listing import list_runs, runs_table
from metarl.runs.store import RunFolder, RunFolderError

IDENTITY = {
    "learner": "tiny",
    "config": {"hidden_size": 64, "iterations": 3, "part": {"lr": 0.5}},
    "distribution": "BernoulliBandit-v0",
    "arguments": {"arms": 5},
    "seeds": [0, 4],
    "device": "cpu",
}
METRICS = "iteration,steps,return,seconds\n1,10,0.5,1.0\n2,20,0.75,2.0\n"


@pytest.fixture
def run(tmp_path):
    run = RunFolder(tmp_path / "runs" / "group" / "first")
    with run.lock():
        run.adopt(IDENTITY)
    run.metrics_file.write_text(METRICS)
    return run


def only(root):
    (one,) = list_runs(root)
    return one


def test_a_run_is_told_by_its_description_and_last_line(run, tmp_path):
    one = only(tmp_path)
    assert (one.folder, one.learner, one.seeds) == (run.path, "tiny", (0, 4))
    assert (one.iterations, one.wanted, one.steps, one.final_return, one.seconds) == (
        2,
        3,
        20,
        0.75,
        2.0,
    )


def test_the_state_is_read_from_the_folder_alone(run):
    assert only(run.path).state == "begun"
    run.checkpoint.write_bytes(b"checkpoint")
    assert only(run.path).state == "stopped"
    (run.path / "failure.json").write_text("{}")
    assert only(run.path).state == "failed"
    with run.lock():
        assert only(run.path).state == "running"
    run.weights().write_bytes(b"weights")
    assert only(run.path).state == "finished"


def test_listing_does_not_keep_a_training_from_its_folder(run):
    # the list holds the lock for a moment; a start waits that long
    held = RunFolder(run.path)
    for _ in range(20):
        list_runs(run.path)
        with held.lock():
            pass


def test_a_line_that_is_being_written_is_not_read(run):
    with run.metrics_file.open("a") as stream:
        stream.write("3,30,0.9")
    assert only(run.path).iterations == 2
    run.metrics_file.write_text("iteration,steps")
    assert only(run.path).iterations == 0
    run.metrics_file.write_text("")
    assert only(run.path).iterations == 0


def test_the_last_line_is_found_behind_long_ones(run):
    wide = ["iteration", *(f"metric{i}" for i in range(3000))]
    lines = [",".join([str(i), *["0.123456789"] * 3000]) for i in (1, 2, 3)]
    run.metrics_file.write_text("\n".join([",".join(wide), *lines, ""]))
    one = only(run.path)
    assert (one.iterations, one.last["metric2999"]) == (3, 0.123456789)


def test_what_a_run_left_before_it_went_on_is_no_run_beside_it(run, tmp_path):
    earlier = run.path / "earlier" / "2-iterations"
    earlier.mkdir(parents=True)
    shutil.copy(run.path / "run.json", earlier)
    assert only(tmp_path).folder == run.path
    assert only(earlier).folder == earlier


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", "{"),
        ("run.json", "[]"),
        ("run.json", '{"format": 1}'),
        ("run.json", json.dumps({"format": 999, **IDENTITY})),
        ("metrics.csv", "steps\n1\n2,3,4\n"),
        ("metrics.csv", "steps\nmany\n"),
    ],
)
def test_a_broken_run_does_not_hide_the_others(run, file, content):
    broken = run.path.parent / "broken"
    shutil.copytree(run.path, broken)
    (broken / file).write_text(content)
    with pytest.warns(UserWarning, match="broken is left out: "):
        assert only(run.path.parent).folder == run.path


def test_a_table_has_settings_as_columns(run, tmp_path):
    row = runs_table(tmp_path).iloc[0]
    assert (row["folder"], row["iterations"], row["return"]) == (str(run.path), 2, 0.75)
    assert row["config.hidden_size"] == 64


def test_no_folder_is_a_sentence(tmp_path):
    with pytest.raises(RunFolderError, match="There is no folder"):
        list_runs(tmp_path / "none")
    assert list_runs(tmp_path) == []
    assert runs_table(tmp_path).empty
