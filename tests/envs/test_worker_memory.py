"""Memory for worker processes: measured by the first one, and refused before the others start."""

import subprocess
import sys

import pytest
import torch

from metarl.core.budget import Steps
from metarl.envs import worker_memory, workers
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.envs.worker_memory import available_bytes, check_memory, plainly_enough
from tests.tasks.noisy_walk import Heavy, NoisyWalk

MIB = 2**20


def test_a_process_knows_what_it_takes():
    code = (  # a fresh one, so that nothing else comes or goes
        "import numpy as np; from metarl.envs.worker_memory import own_bytes; before = own_bytes();"
        " ballast = np.ones(2**26, np.uint8); print(own_bytes() - before, len(ballast))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert 60 * MIB < int(printed.split()[0]) < 70 * MIB


def test_memory_is_that_of_the_machine_or_of_its_container():
    assert 0 < available_bytes() < 2**50
    assert plainly_enough(0)
    assert not plainly_enough(2**30)


def test_too_many_workers_are_refused_with_how_many_there_is_room_for(monkeypatch):
    monkeypatch.setattr(worker_memory, "available_bytes", lambda: 900 * MIB)
    check_memory("Game-v0", 10, 100 * MIB)  # the first one runs already
    sentence = (
        r"Game-v0: 11 worker processes need about 1\.1 GiB of memory \(100 MiB each, .*\), and 1\.0"
        r" GiB are free; use at most 10:"
    )
    with pytest.raises(ValueError, match=sentence):
        check_memory("Game-v0", 11, 100 * MIB)


@pytest.mark.parametrize("one_per_process", [False, True])
def test_nothing_but_the_first_worker_starts_where_memory_is_short(monkeypatch, one_per_process):
    started = []
    popen = subprocess.Popen

    def counted(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", counted)
    monkeypatch.setattr(worker_memory, "available_bytes", lambda: 300 * MIB)
    distribution = GymnasiumDistribution(
        "Heavy-v0", Heavy, {"test": [0.0]}, 9, workers=9, one_per_process=one_per_process
    )
    with pytest.raises(
        ValueError,
        match=(
            r"Heavy-v0: 9 worker processes need about (0\.[6-9]|1\.[0-2]) GiB .* use at most [3-5]:"
            r" set fewer workers"
        ),
    ):
        MetaEpisodeEnv(distribution, Steps(5), 9, torch.Generator())
    assert len(started) == 1
    assert started[0].poll() is not None


def test_the_measured_worker_plays_as_any(monkeypatch):
    monkeypatch.setattr(workers, "plainly_enough", lambda workers: False)
    distribution = GymnasiumDistribution(
        "NoisyWalk-v0", NoisyWalk, {"train": [0.0, 0.5, 1.0]}, 6, workers=2
    )
    seen = []
    for processes in (0, 2):
        distribution.workers = processes
        env = MetaEpisodeEnv(distribution, Steps(30), 4, torch.Generator().manual_seed(0))
        tasks = distribution.sample(4, "train", 0)
        env.reset(lambda rows, counts, tasks=tasks: tasks[rows])
        seen.append([env.step(torch.ones(4, dtype=torch.int64))[1] for _ in range(12)])
        if processes:
            assert 5 * MIB < env._rows.arrays.taken[0] < 500 * MIB
        env.close()
    assert all(
        torch.equal(a, b)
        for one, two in zip(*seen, strict=True)
        for a, b in zip(one, two, strict=True)
    )


def test_it_needs_no_pytorch():
    code = "import sys, metarl.envs.worker_memory; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
