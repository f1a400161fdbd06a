"""Worker processes: the same results as without, and nothing left behind however they end."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.budget import Episodes
from metarl.core.errors import PlugInError
from metarl.core.task_distribution import fresh_tasks
from metarl.envs import processes as processes_module
from metarl.envs.env_worker import EnvSpec, same_space
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.envs.workers import WorkerPool, slices
from tests.tasks.hanging_env import Hanging
from tests.tasks.noisy_walk import NoisyWalk, Report

ROOT = Path(__file__).parents[2]


def spec(*tasks, kind=NoisyWalk) -> EnvSpec:
    return EnvSpec(
        "NoisyWalk-v0", kind, (("train", tasks),), kind.observation_space, kind.action_space
    )


def opened(spec: EnvSpec, num_rows: int, workers: int, index=None) -> WorkerPool:
    """Return a pool with an episode begun in every row."""
    pool = WorkerPool(spec, num_rows, workers)
    pool.arrays.wanted[:] = pool.arrays.begin[:] = True
    pool.arrays.index[:] = 0 if index is None else index
    pool.arrays.seed[:] = np.arange(num_rows)
    pool.reset()
    return pool


def step_until_error(pool: WorkerPool, most: int = 5) -> None:
    for _ in range(most):
        pool.step()


def gone(pid: int) -> bool:
    """Return whether no process has this id, not even a zombie."""
    return not Path(f"/proc/{pid}").exists()


def ended(pid: int) -> bool:
    """Return whether a process that isn't ours has ended.

    Its new parent may take its time to bury it.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def eventually(condition, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def pids(pool: WorkerPool) -> list[int]:
    return [process.pid for process in pool._workers.processes]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(processes_module, "PATIENCE", 0.3)


def test_the_number_of_workers_does_not_change_results():
    streams = []
    for workers in (0, 1, 2):
        distribution = GymnasiumDistribution(
            "NoisyWalk-v0", NoisyWalk, {"train": [0.0, 0.5, 1.0]}, 6, workers=workers
        )
        env = MetaEpisodeEnv(distribution, Episodes(2, 0), 5, torch.Generator().manual_seed(3))
        actions = torch.Generator().manual_seed(4)
        records = [env.reset(fresh_tasks(distribution, "train", 5, 0))]
        for _ in range(40):
            records += env.step(torch.randint(2, (5,), generator=actions))
        env.close()
        streams.append([value for record in records for value in record])
    assert any(bool(record.any()) for record in streams[0] if record.dtype == torch.bool)
    for stream in streams[1:]:
        assert all(torch.equal(a, b) for a, b in zip(streams[0], stream, strict=True))


def test_rows_are_cut_into_contiguous_slices_of_like_size():
    assert slices(7, 3) == [range(2), range(2, 5), range(5, 7)]
    assert slices(4, 1) == [range(4)]
    assert slices(2, 5) == [range(1), range(1, 2)]


def test_workers_are_processes_of_their_own_that_inherit_settings_and_use_one_thread():
    pool = opened(spec("light", "torch", kind=Report), 2, 2, index=[0, 1])
    (first, _, torch_there, spin), (second, threads, _, _) = pool.arrays.observation.tolist()
    assert [first, second] == [pid % 2**20 for pid in pids(pool)]
    assert os.getpid() not in pids(pool)
    assert torch_there == 0, "workers needn't import PyTorch"
    assert threads == 1
    assert spin == 1, "GOMP_SPINCOUNT is inherited"
    pool.close()


def test_functions_of_a_script_will_do():
    drift = 0.25

    def make_env(task):
        return NoisyWalk(task + drift)  # a closure, which plain pickle refuses

    pool = opened(
        EnvSpec(
            "Walk-v0",
            make_env,
            (("train", (1.0,)),),
            NoisyWalk.observation_space,
            NoisyWalk.action_space,
        ),
        1,
        1,
    )
    assert pool.arrays.observation[0, 1] == 1.25
    pool.close()


def test_what_cannot_be_sent_is_said_before_anything_starts():
    with pytest.raises(
        ValueError, match=r"make_env or a task can't be sent to worker processes \(.*use workers=0"
    ):
        WorkerPool(spec(i for i in range(3)), 1, 1)


class Explosive:
    """Pickles, but can't be loaded elsewhere."""

    def __reduce__(self):
        return exec, ("raise ImportError('no such emulator here')",)


def test_an_error_while_loading_is_told():
    with pytest.raises(
        PlugInError,
        match=r"(?s)could not load make_env and the tasks: no such emulator here.*Traceback",
    ):
        WorkerPool(spec(Explosive()), 2, 2)


def test_an_error_in_an_environment_comes_with_its_traceback():
    pool = opened(spec(0.0, "raise"), 4, 2, index=[0, 0, 0, 1])
    with pytest.raises(
        PlugInError,
        match=(
            r"(?s)train task 1 \('raise'\), in row 3 at step 2 .*in fault.*RuntimeError: the walk"
            r" is blocked"
        ),
    ):
        step_until_error(pool)
    assert all(gone(pid) for pid in pids(pool))
    with pytest.raises(PlugInError, match="the worker processes are closed"):
        pool.step()


def leftovers() -> tuple[int, set[str]]:
    """Open files of this process, and what lies in shared memory."""
    return len(os.listdir("/proc/self/fd")), set(os.listdir("/dev/shm"))


@pytest.mark.parametrize("how", ["close", "collected", "error", "refused"])
def test_nothing_is_left_behind(how):
    before = leftovers()
    if how == "refused":
        with pytest.raises(PlugInError):
            WorkerPool(spec(Explosive()), 2, 2)
        gc.collect()
        assert leftovers() == before
        return
    pool = opened(spec(0.0, "raise"), 3, 2, index=[0, 0, int(how == "error")])
    workers = pids(pool)
    assert not any(gone(pid) for pid in workers)
    assert leftovers()[1] == before[1], "the shared memory has no name"
    if how == "close":
        pool.close()
        pool.close()
        assert all(gone(pid) for pid in workers)
    elif how == "error":
        with pytest.raises(PlugInError):
            step_until_error(pool)
    del pool
    gc.collect()
    assert all(gone(pid) for pid in workers)
    assert leftovers() == before


def test_a_worker_that_hangs_is_killed_when_closed(impatient):
    pool = opened(spec("hang"), 1, 1)
    pool.step()
    pool._workers.connections[0].send_bytes(b"step")
    time.sleep(0.1)
    pool.close()
    assert all(gone(pid) for pid in pids(pool))


SCRIPT = """
import os, signal, sys, time
import gymnasium as gym
import numpy as np
from metarl.envs import processes
from metarl.envs import workers
from metarl.envs.env_worker import EnvSpec
from tests.tasks.noisy_walk import NoisyWalk
# tests that run in a shell's background are deaf to Ctrl-C, and so would be what they start
signal.signal(signal.SIGINT, signal.default_int_handler)
processes.PATIENCE = 0.3
tasks = (("train", (0.0, "hang")),)
pool = workers.WorkerPool(EnvSpec("Walk-v0", NoisyWalk, tasks, NoisyWalk.observation_space, NoisyWalk.action_space), 2, 2)
pool.arrays.wanted[:] = pool.arrays.begin[:] = True
pool.arrays.index[:] = (0, HANGING)
pool.arrays.seed[:] = (1, 2)
pool.reset()
print(*(process.pid for process in pool._workers.processes), flush=True)
try:
    while True:
        pool.step()
        time.sleep(0.01)
except KeyboardInterrupt:
    print("interrupted", pool._workers.open, flush=True)
"""


@pytest.mark.parametrize("hanging", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_parent(hanging, number):
    """Ctrl-C and kill -9, while all workers run and while one hangs."""
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.replace("HANGING", str(hanging))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        time.sleep(0.2)
        parent.send_signal(number)
        out, err = parent.communicate(timeout=30)
    finally:
        parent.kill()
    if number == signal.SIGINT:
        assert parent.returncode == 0
        assert out.split()[0] == "interrupted"
        assert not hanging or out.split()[1] == "False", "interrupted in a step, the pool is closed"
        assert err == ""
        assert all(gone(pid) for pid in workers)
    assert eventually(lambda: all(ended(pid) for pid in workers))


def test_spaces_compare_with_or_without_bounds():
    box = gym.spaces.Box
    one = box(-1, 1, (2,))
    other = box(-2, 1, (2,))
    third = box(-1, 1, (3,))
    assert same_space(one, one, True)
    assert not same_space(one, other, True)
    assert same_space(one, other, False)
    assert not same_space(one, third, False)


@pytest.mark.parametrize("place", ["making", "reset", "step", "render"])
def test_a_worker_that_hangs_is_named_and_ended(place, impatient):
    pool = WorkerPool(spec("fine", f"hangs in {place}", kind=Hanging), 4, 2, patience=0.5)
    pool.arrays.wanted[:] = pool.arrays.begin[:] = True
    pool.arrays.index[:] = [0, 0, 0, 1]
    pool.arrays.split[:] = pool.arrays.seed[:] = 0
    step = 1 if place == "step" else 0
    where = (
        r"train task 1 \('hangs in \w+'\) in row 3, at step " + str(step)
        if place != "render"
        else "between steps"
    )
    with pytest.raises(
        PlugInError,
        match=(
            r"worker process 1 \(rows 2 to 3\) has not answered for .*"
            rf" {where}(?s:.*)patience=SECONDS"
        ),
    ):
        play_all(pool)
    assert all(gone(pid) for pid in pids(pool))


def play_all(pool: WorkerPool) -> None:
    pool.reset()
    pool.step()
    pool.render(3)


def test_a_stopped_worker_counts_as_hanging_and_no_patience_waits(impatient):
    pool = opened(spec(0.0), 2, 2)
    pool._patience = 0.3
    os.kill(pids(pool)[0], signal.SIGSTOP)
    with pytest.raises(
        PlugInError, match=r"worker process 0 .* has not answered for 0\.3 s between"
    ):
        pool.step()
    assert all(gone(pid) for pid in pids(pool))
    patient = opened(spec("fine", kind=Hanging), 1, 1)
    patient._patience = None
    patient.step()
    patient.close()


@pytest.mark.parametrize("patience", [0, -1, True, "3", float("nan"), float("inf"), 1e9])
def test_patience_is_a_number_of_seconds_or_none(patience):
    with pytest.raises(
        ValueError, match=r"Hanging-v0: patience must be a number of seconds above 0, or None"
    ):
        GymnasiumDistribution("Hanging-v0", Hanging, {"train": ["fine"]}, patience=patience)


FAILING_TOGETHER = """
from metarl.core.errors import PlugInError
from metarl.envs.env_worker import EnvSpec
from metarl.envs.workers import WorkerPool
from tests.tasks.hanging_env import Hanging

for place in ("making", "reset", "step", "render", "close"):
    tasks = tuple((place, 0.2 * number) for number in range(2))
    pool = WorkerPool(EnvSpec("Hanging-v0", Hanging, (("train", tasks),), *[Hanging.observation_space] * 2), 2, 2)
    pool.arrays.wanted[:] = pool.arrays.begin[:] = True
    pool.arrays.index[:] = range(2)
    try:
        pool.reset()
        pool.step()
        pool.render(0)
    except PlugInError:
        print(place)
    pool.close()
"""


def test_workers_that_fail_one_after_the_other_are_one_error_and_nothing_on_the_terminal():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FAILING_TOGETHER],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (run.stdout.split(), run.stderr) == (["making", "reset", "step", "render"], "")


REGISTERED = """
import gymnasium as gym
from metarl.core.errors import PlugInError
from metarl.envs.env_worker import EnvSpec
from metarl.envs.workers import WorkerPool
from tests.tasks.hanging_env import Hanging

class Own(Hanging):
    pass

gym.register("Own-v3", entry_point=Own)
gym.register("OwnByName-v3", entry_point="__main__:Own")
gym.register("OwnElsewhere-v3", entry_point="tests.tasks.hanging_env:Hanging")
gym.register("Unsendable-v3", entry_point=lambda generator=(i for i in ()): Own("fine"))
names = ("Own-v3", "OwnByName-v3", "OwnElsewhere-v3", "Unsendable-v3")
make_env = lambda name: gym.make(name, task="fine")
pool = WorkerPool(EnvSpec("Named-v0", make_env, (("train", names),), *[Hanging.observation_space] * 2), 1, 1)
pool.arrays.wanted[:] = pool.arrays.begin[:] = True
for index in range(4):
    pool.arrays.index[:] = index
    try:
        pool.reset()
        print("plays", end=" ")
    except PlugInError as error:
        print(str(error).split("\\n")[0])
"""


def test_workers_know_what_the_script_registered():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REGISTERED], capture_output=True, text=True, cwd=ROOT
    )
    assert run.stdout.startswith("plays plays plays Named-v0: train task 3 ('Unsendable-v3')"), (
        run.stdout + run.stderr
    )
    assert (
        "call gymnasium.register in make_env, or in a module that make_env imports, or use"
        " workers=0" in run.stdout
    )


REGISTERING = """
from metarl.envs.env_worker import EnvSpec
from metarl.envs.workers import WorkerPool
from tests.tasks.hanging_env import Hanging
from tests.tasks.registering_env import make_env

spaces = [Hanging.observation_space] * 2
pool = WorkerPool(EnvSpec("Named-v0", make_env, (("train", ("fine",)),), *spaces), 1, 1)
pool.arrays.wanted[:] = pool.arrays.begin[:] = True
pool.reset()
print("plays")
"""


def test_modules_that_register_by_themselves_do_so_in_workers_without_a_warning():
    run = subprocess.run(
        [sys.executable, "-c", REGISTERING], capture_output=True, text=True, cwd=ROOT
    )
    assert run.stdout == "plays\n", run.stderr
    assert "Overriding" not in run.stderr
