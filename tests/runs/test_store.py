import errno
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metarl.core.budget import Episodes, Steps
from metarl.core.registry import make
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import mean
from metarl.runs import store as results
from metarl.runs.store import (
    RunFolder,
    RunFolderError,
    StorageError,
    find_runs,
    provenance,
    publish,
    write_evaluation,
    write_file,
)
from tests.runs.tiny_learner import TinyAgent

IDENTITY = {
    "learner": "tiny",
    "config": {"hidden_size": 64, "part": {"lr": 0.5}},
    "distribution": "BernoulliBandit-v0",
    "arguments": {"arms": 5},
    "seeds": [0],
    "device": "cpu",
}


@pytest.fixture
def run(tmp_path):
    """A run with everything in it."""
    run = RunFolder(tmp_path / "runs" / "first")
    with run.lock():
        run.adopt(IDENTITY)
    run.metrics_file.write_text("iteration,steps,return,seconds\n1,10,0.5,1.0\n2,20,0.75,2.0\n")
    run.weights().write_bytes(b"weights")
    run.checkpoint.write_bytes(b"checkpoint")
    return run


def played(horizon_one=True, budget=Episodes(3, after=1)):
    import torch

    distribution = (
        make("BernoulliBandit-v0", arms=2)
        if horizon_one
        else make("Identity-v0", numbers=3, horizon=2)
    )
    return evaluate(TinyAgent(torch.tensor([0.0, 1.0])), distribution, "test", 20, 3, budget)


def test_description_and_metrics_come_back(run):
    assert run.identity == IDENTITY
    assert run.description["versions"]["python"].startswith("3.")
    assert list(run.metrics["return"]) == [0.5, 0.75]
    assert RunFolder(run.path.parent / "none").metrics.empty


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(RunFolderError, match="holds no run"):
        _ = RunFolder(tmp_path).description


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "damaged"), ("[]", "isn't a metarl run"), ("{}", "isn't a metarl run")],
)
def test_a_bad_run_json_is_refused(run, text, sentence):
    (run.path / "run.json").write_text(text)
    with pytest.raises(RunFolderError, match=sentence):
        _ = run.description


def test_a_newer_run_json_is_refused(run):
    (run.path / "run.json").write_text(json.dumps({**run.description, "format": 2}))
    with pytest.raises(RunFolderError, match="upgrade metarl"):
        _ = run.description


def test_adopting_the_same_run_changes_nothing(run):
    before = (run.path / "run.json").read_bytes()
    run.adopt({**IDENTITY, "seeds": (0,)})
    assert (run.path / "run.json").read_bytes() == before


def test_another_config_is_refused_by_the_fields_that_differ(run):
    with pytest.raises(RunFolderError) as caught:
        run.adopt({**IDENTITY, "config": {"hidden_size": 128, "part": {"lr": 0.5}}, "seeds": [1]})
    assert "config.hidden_size is 64 there, 128 here; seeds is [0] there, [1] here" in str(
        caught.value
    )
    assert "lr" not in str(caught.value)


def test_of_another_learner_or_family_nothing_else_is_listed(run):
    other = {**IDENTITY, "learner": "other", "config": {"width": 3}}
    with pytest.raises(
        RunFolderError, match=r"another run: learner is \"\w+\" there, \"other\" here\. Choose"
    ):
        run.adopt(other)


def test_what_holds_no_run_is_said_by_what_is_there(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for name, found in (
        ("file", "it is a file"),
        ("empty", "there is no run.json"),
        ("none", "there is no such folder"),
    ):
        with pytest.raises(RunFolderError, match=f"{name} holds no run: {found}"):
            _ = RunFolder(tmp_path / name).description
    with pytest.raises(ValueError, match="can't be empty; write . for the folder"):
        RunFolder("")


def test_going_on_with_other_versions_is_written_down(run, monkeypatch):
    run.note_continuation()
    assert "continued" not in run.description
    identity = run.identity
    monkeypatch.setattr(results, "__version__", "99.0")
    for _ in range(2):
        run.note_continuation()
    assert [entry["versions"]["metarl"] for entry in run.description["continued"]] == ["99.0"]
    assert run.identity == identity
    monkeypatch.undo()
    run.note_continuation()
    assert len(run.description["continued"]) == 2


def test_files_of_an_unknown_run_are_refused(run):
    (run.path / "run.json").unlink()
    with pytest.raises(RunFolderError, match="no run.json to tell whose"):
        run.adopt(IDENTITY)


def in_child(action):
    """Run `action(report)` in a forked process, which costs no imports.

    Gives its process id and what it reports, as a stream.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            action(lambda text: os.write(writing, text.encode()))
        finally:
            os._exit(0)
    os.close(writing)
    return child, os.fdopen(reading)


def test_a_folder_in_use_is_refused_until_its_process_dies(run):
    def hold(report):
        with run.lock():
            report("held\n")
            time.sleep(60)

    child, reports = in_child(hold)
    assert reports.readline() == "held\n"
    with pytest.raises(RunFolderError, match="in use by another process"), run.lock():
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with run.lock(), pytest.raises(RunFolderError, match="in use"), run.lock():
        pass


def test_the_lock_sweeps_up_what_a_killed_writer_left(run):
    (run.path / ".checkpoint.safetensors.99.tmp").write_bytes(b"half")
    with run.lock():
        assert sorted(os.listdir(run.path)) == [
            "checkpoint.safetensors",
            "lock",
            "metrics.csv",
            "run.json",
            "weights.safetensors",
        ]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "no space is left"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "read-only"),
        (errno.EIO, "nput/output"),
    ],
)
def test_a_disk_that_refuses_is_explained_and_costs_nothing(run, monkeypatch, number, sentence):
    before = {name: (run.path / name).read_bytes() for name in os.listdir(run.path)}

    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=sentence), run.lock():
        pass
    assert {name: (run.path / name).read_bytes() for name in os.listdir(run.path)} == before


def test_a_folder_without_permission_is_explained():
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o555)
        is_root = os.geteuid() == 0  # root may write anywhere, so it becomes nobody for a moment
        if is_root:
            os.seteuid(65534)
        try:
            with (
                pytest.raises(StorageError, match="it is read-only for you. Choose another folder"),
                RunFolder(f"{parent}/run").lock(),
            ):
                pass
        finally:
            if is_root:
                os.seteuid(0)


def test_a_disk_with_a_limit_keeps_the_old_file(tmp_path):
    """A real refusal: the system stops the write half-way."""
    file = tmp_path / "file"
    write_file(file, b"old")

    def overfill(report):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_file(file, bytes(5000))
        except StorageError as error:
            report(str(error))

    child, reports = in_child(overfill)
    assert "no space is left" in reports.read()
    os.waitpid(child, 0)
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_in_the_folders_way_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="a file is in the way"), RunFolder(path).lock():
            pass


def test_runs_are_found_and_broken_ones_do_not_hide_the_others(run):
    assert [found.path for found in find_runs(run.path.parent.parent)] == [run.path]
    for content in ("{", "[]", '{"format": 1}', '{"format": 999}'):
        broken = run.path.parent / "broken"
        shutil.copytree(run.path, broken, dirs_exist_ok=True)
        (broken / "run.json").write_text(content)
        with pytest.warns(UserWarning, match="broken is left out: "):
            assert [found.path for found in find_runs(run.path.parent)] == [run.path]


def test_an_evaluation_is_saved_per_task_with_what_was_played(tmp_path):
    evaluation = played()
    write_evaluation(tmp_path / "evaluations", "agent", evaluation)
    saved = RunFolder(tmp_path).evaluations()
    about, table = saved["agent"]
    assert list(table) == ["task", "total", "after_k"]
    np.testing.assert_array_equal(table["total"], evaluation.scores("total"))
    assert about["fingerprint"] == evaluation.fingerprint
    assert about["budget"] == {"kind": "Episodes", "learning": 3, "after": 1}
    assert not (tmp_path / "evaluations" / "agent-episodes.csv").exists()  # one-step episodes


def test_longer_episodes_are_saved_one_by_one_too(tmp_path):
    evaluation = played(horizon_one=False, budget=Steps(5))
    write_evaluation(tmp_path, "agent", evaluation)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "agent-episodes.csv"), evaluation.rows())
    table = pd.read_csv(tmp_path / "agent.csv")
    assert list(table) == ["task", "total", "budget_mean", "success", "same_task"]
    assert mean(table["total"], tasks=table["same_task"]) == mean(evaluation.scores())


def test_publishing_leaves_checkpoint_and_episodes_behind(run, tmp_path):
    write_evaluation(run.path / "evaluations", "test", played(horizon_one=False))
    target = publish(run, tmp_path / "results" / "tables")
    assert target == tmp_path / "results" / "tables" / "first"
    copied = sorted(str(file.relative_to(target)) for file in target.rglob("*") if file.is_file())
    assert copied == [
        "evaluations/test.csv",
        "evaluations/test.json",
        "metrics.csv",
        "run.json",
        "weights.safetensors",
    ]
    assert RunFolder(target).identity == IDENTITY


def test_an_unfinished_run_is_published_with_its_checkpoint(run, tmp_path):
    run.weights().unlink()
    assert (publish(run.path, tmp_path / "r") / "checkpoint.safetensors").exists()
    run.checkpoint.unlink()
    with pytest.raises(RunFolderError, match="train it first"):
        publish(run, tmp_path / "s")


def test_publishing_refuses_large_files_before_copying_any(run, tmp_path):
    run.weights().write_bytes(bytes(results.MAX_PUBLISHED_BYTES + 1))
    with pytest.raises(RunFolderError, match="at most 5 MB"):
        publish(run, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_provenance_names_versions_and_commit():
    about = provenance()
    assert {"python", "metarl", "torch", "numpy"} <= set(about["versions"])
    assert about["created"].endswith("+00:00")
    assert about["commit"] is None or len(about["commit"].removesuffix("-dirty")) == 40


def test_a_checkout_gives_its_commit(tmp_path, monkeypatch):
    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@y", *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    own = tmp_path / "metarl" / "runs" / Path(results.__file__).name
    own.parent.mkdir(parents=True)
    elsewhere = tmp_path / "metarl" / "core" / "step.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text("as committed")
    shutil.copy(results.__file__, own)
    monkeypatch.setattr(results, "__file__", str(own))
    assert provenance()["commit"] is None
    git("init", "--quiet")
    assert provenance()["commit"] is None, "the file isn't part of the checkout"
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    commit = provenance()["commit"]
    assert re.fullmatch("[0-9a-f]{40}", commit)
    elsewhere.write_text("changed")
    assert provenance()["commit"] == f"{commit}-dirty"
