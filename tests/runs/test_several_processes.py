"""Runs in several processes.

Started by torchrun or by whoever sets its variables, by the command itself, killed and resumed.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest

import metarl
from metarl.runs.checkpoint import load_state, save_state
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolder
from metarl.runs.training import resume, train
from tests.learners.small_rl2 import same

WORDS = ["train", "rl2", "--num-envs", "8", "--episodes", "2"]


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def start_ranks(folder, *words, of_second=()):
    """Two ranks of one command, as a launcher starts them, the second with further words."""
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    command = [sys.executable, "-m", "metarl", *WORDS, *words, f"--folder={folder}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return [
        subprocess.Popen([*command, *more], env={**os.environ, **place, "RANK": str(rank)}, **pipes)
        for rank, more in enumerate(((), of_second))
    ]


def wait_for(file, run):
    while not file.exists() and run.poll() is None:
        time.sleep(0.05)


def measured(folder):
    return pd.read_csv(folder / "metrics.csv").drop(columns=["seconds", "steps_per_second"])


def run_of(iterations):
    """Return the run of `WORDS` in two processes."""
    suggested = metarl.suggested_config("rl2", metarl.make("BernoulliBandit-v0"))
    config = replace(suggested, episodes=2, num_envs=8, iterations=iterations, processes=2)
    return RunConfig("rl2", config, "BernoulliBandit-v0")


@pytest.fixture(scope="module")
def by_itself(tmp_path_factory):
    """The folder of a run that has started its other process itself."""
    folder = tmp_path_factory.mktemp("runs") / "by_itself"
    train(run_of(4), folder, show=False)
    return folder


def test_torchrun_trains_what_the_command_trains_by_itself(by_itself, tmp_path):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        f"--master-port={free_port()}",
    ]
    done = subprocess.run(
        [*command, "-m", "metarl", *WORDS, "--iterations", "4", f"--folder={tmp_path / 'a'}"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Trained: ") == 1
    assert measured(tmp_path / "a").equals(measured(by_itself))


def test_a_rank_that_dies_is_named_and_the_run_resumes(tmp_path):
    first, second = start_ranks(
        tmp_path / "a", "--iterations", "100000", "--checkpoint-seconds", "0"
    )
    wait_for(tmp_path / "a" / "checkpoint.safetensors", first)
    second.kill()
    _, shown = first.communicate(timeout=60)
    second.communicate()
    assert "Rank 1 of 2 died; start again from the last checkpoint." in shown
    assert first.returncode == 1
    done = load_state(tmp_path / "a" / "checkpoint.safetensors")[0]["iteration"]
    train(run_of(done + 2), tmp_path / "a", show=False)
    assert measured(tmp_path / "a").iteration.tolist() == list(range(1, done + 3))


def test_a_signal_to_all_ranks_ends_them_saved(tmp_path):
    ranks = start_ranks(tmp_path / "a", "--iterations", "100000")
    wait_for(tmp_path / "a" / "metrics.csv", ranks[0])
    for rank in ranks:
        rank.send_signal(signal.SIGINT)
    (_, shown), (_, quiet) = (rank.communicate(timeout=60) for rank in ranks)
    assert [rank.returncode for rank in ranks] == [130, 0]
    assert "goes on from there" in shown
    assert quiet == ""
    assert load_state(tmp_path / "a" / "checkpoint.safetensors")[0]["iteration"] >= 1


def test_ranks_that_disagree_get_a_sentence(tmp_path):
    ranks = start_ranks(tmp_path / "a", "--iterations", "4", of_second=("--ppo.lr", "0.1"))
    (_, shown), (_, quiet) = (rank.communicate(timeout=120) for rank in ranks)
    assert [rank.returncode for rank in ranks] == [1, 1]
    assert (
        "metarl: Rank 1 of 2 has another config.ppo.lr than rank 0: 0.1 rather than 0.005." in shown
    )
    assert "metarl" not in quiet
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["train", "reptile-rl"],
            "The learner reptile-rl trains in one process, and a launcher started 2",
        ),
        (
            ["train", "rl2", "--num-envs", "32", "--processes", "4"],
            "A launcher started 2 processes, not 4",
        ),
    ],
)
def test_what_torchrun_cannot_start_gets_a_sentence(words, sentence, monkeypatch, capsys, tmp_path):
    from metarl.cli import main

    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit):
        main([*words, f"--folder={tmp_path / 'a'}"])
    assert sentence in capsys.readouterr().err


def test_checkpoints_from_before_there_were_ranks_resume(by_itself, tmp_path):
    folder = shutil.copytree(by_itself, tmp_path / "old")
    about, state = load_state(folder / "checkpoint.safetensors")
    assert state["ranks"].keys() == {"1"}
    old = {"crew" if name == "ranks" else name: part for name, part in state.items()}
    save_state(folder / "checkpoint.safetensors", old, about)
    run = run_of(4)
    learner = run.make_learner(run.make_distribution())
    assert resume(learner, RunFolder(folder)) == 4
    assert same(learner.state_dict()["ranks"], state["ranks"])
