"""Worker processes end with whoever started them, and say what they died of.

`test_workers.py` and `test_data_parallel.py` try the rest.
"""

import os
import signal

import pytest

from metarl.envs import processes
from metarl.envs.processes import WorkerProcesses


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    workers = WorkerProcesses()
    for rank in (1, 2):
        workers.start("metarl.learners.data_parallel", {"rank": rank, "size": 3, "file": ""})
    yield workers
    workers.close()


def test_closing_ends_them_all_and_may_be_repeated(two):
    assert two.open
    assert all(process.poll() is None for process in two.processes)
    two.close()
    two.close()
    assert not two.open
    assert all(process.poll() is not None for process in two.processes)


def test_what_one_died_of_is_said(two):
    os.kill(two.processes[1].pid, signal.SIGKILL)
    assert two.cause_of_death(1) == "was killed by SIGKILL"
    assert two.cause_of_death(0) == "closed its pipe"  # it is alive, and nobody knows better
    two.connections[0].close()
    two.processes[0].wait(60)
    assert two.cause_of_death(0).startswith("exited with status")
