"""Suites at work in real processes: what fails, what is killed, who else works on it."""

import json
import os
import signal
import subprocess
import time

import pandas as pd
import pytest

from metarl.runs.checkpoint import load_state
from metarl.suites.executors.local import LocalExecutor
from tests.suites.small_suite import processes_of, run_suite, start_suite, write_suite

SLOW = 'tiny("Slow", "slow-{seed}", iterations=40, pause=0.05)'
QUICK = 'tiny("Slow", "quick-{seed}", iterations=3)'
RAISES = 'tiny("Raises", "raises-{seed}", iterations=4)'
DIES = 'tiny("Dies", "dies-{seed}", iterations=4)'
GREEDY = 'tiny("WantsMemory", "greedy-{seed}")'


def root_of(file):
    return file.parent / "runs" / "small" / "cpu"


def weights_of(folder):
    return load_state(folder / "weights.safetensors")[1]["preferences"].tolist()


def written(folder):
    """Return when each file that a finished job keeps was written."""
    files = [*folder.glob("*.safetensors"), *folder.glob("evaluations/*"), folder / "metrics.csv"]
    return {str(file): file.stat().st_mtime_ns for file in files if file.exists()}


def failure(file, name):
    return json.loads((root_of(file) / name / "failure.json").read_text())


def wait_for(path, process, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """A suite in which a run raises, one is killed again and again, one wants too much memory, and
    one is fine: its file, and the process that ran it.
    """
    folder = tmp_path_factory.mktemp("failing")
    file = write_suite(folder, [RAISES, DIES, GREEDY, QUICK])
    return file, run_suite(file, "--jobs=2")


def test_a_failed_run_is_named_and_the_others_go_on(failing):
    file, done = failing
    assert done.returncode == 1, done.stdout + done.stderr
    assert "failed: raises-0: RuntimeError: there is a bug in me" in done.stdout
    assert "failed: greedy-0: RuntimeError" in done.stdout
    assert "3 of 5 jobs failed" in done.stdout
    assert (root_of(file) / "quick-0" / "weights.safetensors").exists()
    assert len(list(root_of(file).glob("agents/*/evaluations/*.csv"))) == 1


def test_what_raises_is_tried_once_and_what_is_killed_three_times(failing):
    file, done = failing
    raised = failure(file, "raises-0")
    assert raised["tries"] == 1
    assert "in update" in raised["traceback"]
    assert not raised["lost"]
    killed = failure(file, "dies-0")
    assert (killed["tries"], killed["lost"]) == (3, True)
    assert "SIGKILL" in killed["error"]
    assert "tried again (3 of 3): dies-0" in done.stdout
    assert failure(file, "greedy-0")["tries"] == 1


def test_status_reads_all_that_from_the_folders(failing):
    file, _ = failing
    told = run_suite(file, command="status").stdout
    lines = {line.split("│")[1].strip(): line for line in told.splitlines() if "│" in line}
    assert "finished" in lines["quick-0"]
    assert "3 of 3" in lines["quick-0"]
    assert "failed" in lines["raises-0"]
    assert "there is a bug in me (1 try)" in lines["raises-0"]
    assert "5 jobs: 3 failed, 2 finished." in told


def test_what_failed_is_tried_again_and_what_is_finished_is_not(failing, tmp_path):
    file, _ = failing
    before = written(root_of(file) / "quick-0")
    mended = tmp_path / "mended"
    mended.touch()
    done = run_suite(file, "--only", "raises-*", "quick-*", MENDED=str(mended))
    assert done.returncode == 0, done.stdout + done.stderr
    assert written(root_of(file) / "quick-0") == before
    assert not (root_of(file) / "raises-0" / "failure.json").exists()
    told = pd.read_csv(root_of(file) / "raises-0" / "metrics.csv")
    assert told["iteration"].tolist() == [1, 2, 3, 4]


def test_a_killed_driver_leaves_no_process_and_the_next_goes_on_bit_for_bit(tmp_path):
    undisturbed = write_suite(tmp_path / "whole", [SLOW])
    assert run_suite(undisturbed).returncode == 0
    file = write_suite(tmp_path / "killed", [SLOW, QUICK])
    first = start_suite(file, "--jobs=1")
    wait_for(root_of(file) / "slow-0" / "metrics.csv", first)
    time.sleep(0.5)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    deadline = time.monotonic() + 40
    while processes_of(file.parent) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not processes_of(file.parent), "the training went on as an orphan"
    assert not (root_of(file) / "slow-0" / "weights.safetensors").exists()
    assert run_suite(file).returncode == 0
    assert weights_of(root_of(file) / "slow-0") == weights_of(root_of(undisturbed) / "slow-0")
    told = pd.read_csv(root_of(file) / "slow-0" / "metrics.csv")
    assert told["iteration"].tolist() == list(range(1, 41))


def test_ctrl_c_leaves_no_process_and_what_was_done_is_kept(tmp_path):
    file = write_suite(tmp_path, [SLOW])
    suite = start_suite(file)
    wait_for(root_of(file) / "slow-0" / "metrics.csv", suite)
    suite.send_signal(signal.SIGINT)
    said = suite.communicate(timeout=60)[0]
    assert suite.returncode == 130, said
    assert not processes_of(file.parent)
    assert (root_of(file) / "slow-0" / "checkpoint.safetensors").exists()
    assert "stopped" in run_suite(file, command="status").stdout


def test_two_drivers_share_a_suite_and_train_nothing_twice(tmp_path):
    file = write_suite(tmp_path, [SLOW, QUICK])
    other = start_suite(file, "--jobs=1")
    done = run_suite(file, "--jobs=2")
    assert done.returncode == 0, done.stdout
    said = other.communicate(timeout=240)[0]
    assert other.returncode == 0, said
    for name, iterations in (("slow-0", 40), ("quick-0", 3)):
        told = pd.read_csv(root_of(file) / name / "metrics.csv")
        assert told["iteration"].tolist() == list(range(1, iterations + 1)), name


def test_printed_commands_do_the_suite_and_publish_it(tmp_path):
    file = write_suite(tmp_path, [SLOW])
    first = run_suite(file, "--dry-run").stdout
    assert "unknown" in first
    assert not (tmp_path / "runs").exists()

    printed = run_suite(file, "--executor=print", "--publish")
    lines = printed.stdout.splitlines()
    assert len(lines) == 2, printed.stdout + printed.stderr
    for line in lines:
        assert subprocess.run(line, shell=True, cwd="/", check=False).returncode == 0
    assert (tmp_path / "results/small/weights/slow-0/weights.safetensors").exists()
    assert list((tmp_path / "results/small/agents").glob("*/evaluations/*.csv"))
    assert run_suite(file, "--executor=print", "--publish").stdout == ""

    write_suite(tmp_path, [SLOW], seeds=(0, 1))
    told = run_suite(file, "--dry-run", "--jobs=1").stdout
    line = next(line for line in told.splitlines() if "slow-1" in line)
    seconds = int(line.split("│")[3].split()[0])
    assert 2 <= seconds <= 20, told
    assert "MB of disk" in told

    # What is published isn't done again where the runs are lost
    (tmp_path / "runs").rename(tmp_path / "lost")
    assert "1 of 3 jobs are left" in run_suite(file, "--dry-run").stdout


def test_cores_are_shared_among_jobs():
    class Job:
        def __init__(self, name, threads):
            self.name, self.threads = name, threads

    executor = LocalExecutor(3)
    assert executor.room(Job("wide", 8)), "nothing else runs, so that it never could otherwise"
    executor._running = {"a": (Job("a", 2), None)}
    assert executor.room(Job("b", 1))
    assert not executor.room(Job("c", 2))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--jobs=0"], "--jobs must be at least 1"),
        (["--preset=papre"], "has no preset 'papre'"),
        (["--ray-address=auto"], "--ray-address is for --executor ray"),
    ],
)
def test_bad_options_are_one_sentence(tmp_path, words, sentence):
    done = run_suite(write_suite(tmp_path, [QUICK]), *words)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_one_sentence_and_the_suite_goes_on_afterwards(tmp_path):
    file = write_suite(tmp_path, [QUICK])
    root = root_of(file)
    root.mkdir(parents=True)
    blocked = root / "quick-0"
    blocked.write_text("in the way")
    done = run_suite(file)
    assert done.returncode == 1
    assert "Can't write" in done.stderr
    assert "Traceback" not in done.stderr
    blocked.unlink()
    assert run_suite(file).returncode == 0
