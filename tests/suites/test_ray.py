"""Suites on a Ray cluster of several node processes: workers and nodes that are lost, and what
Ray itself refuses.
"""

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from metarl.runs.checkpoint import load_state
from metarl.runs.config import RunConfig
from metarl.runs.training import train
from metarl.suites.driver import SuitePlace, jobs_of, run_jobs
from metarl.suites.executors.process import UNSEEN, run_to_end
from metarl.suites.executors.ray_cluster import RayExecutor
from metarl.suites.find import find_suite
from metarl.suites.suite import SuiteError
from tests.runs.tiny_learner import TinyConfig
from tests.suites.small_suite import processes_of, run_suite, write_suite
from tests.suites.test_running import QUICK, failure, root_of, weights_of

ray = pytest.importorskip("ray")
SLOW = 'tiny("Slow", "slow-{seed}", iterations=100, pause=0.05)'
RAISES = 'tiny("Raises", "raises-{seed}", (0,), iterations=4)'
DIES = 'tiny("Dies", "dies-{seed}", (0,), iterations=4)'


@pytest.fixture(scope="module")
def cluster():
    """A head that runs nothing, and two nodes of a core each."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": 80_000_000},
    )
    nodes = [made.add_node(num_cpus=1, object_store_memory=80_000_000) for _ in range(2)]
    try:
        yield SimpleNamespace(address=made.address, cluster=made, nodes=nodes)
    finally:
        ray.shutdown()
        made.shutdown()


def jobs_in(file):
    suite = find_suite(str(file))
    place = SuitePlace(file.parent / "runs", file.parent / "results", suite, "cpu")
    place.claim()
    return jobs_of(place)


def parent_of(process):
    with open(f"/proc/{process}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def raylet_of(node):
    """Return the process that starts a node's workers."""
    return node.all_processes["raylet"][0].process.pid


def worker_of(folder):
    """Return the Ray worker that has started the training in `folder`, once there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in processes_of(folder):
            return parent_of(process)
        time.sleep(0.05)
    raise AssertionError(f"nobody trains in {folder}")


def trained_alone(folder, seed):
    config = TinyConfig(iterations=100, pause=0.0)
    run = RunConfig(
        "tests.suites.misbehaving:Slow",
        config,
        "BernoulliBandit-v0",
        {"arms": 3},
        seed,
        threads=1,
    )
    train(run, folder, show=False)
    return load_state(folder / "weights.safetensors")[1]["preferences"].tolist()


def test_a_lost_worker_and_a_lost_node_cost_no_run_anything(cluster, tmp_path):
    file = write_suite(tmp_path, [SLOW, DIES, RAISES], seeds=(0, 1))
    root = root_of(file)
    said = []
    removed = []

    def disturb():
        lost = worker_of(root / "slow-0")
        while not (root / "slow-0" / "metrics.csv").exists():
            time.sleep(0.05)
        os.kill(lost, signal.SIGKILL)
        worker = worker_of(root / "slow-1")
        while not (root / "slow-1" / "metrics.csv").exists():
            time.sleep(0.05)
        # The other node has to do the rest
        node = next(each for each in cluster.nodes if raylet_of(each) == parent_of(worker))
        cluster.cluster.remove_node(node, allow_graceful=False)
        removed.append(node)

    disturbing = threading.Thread(target=disturb, daemon=True)
    disturbing.start()
    outcome = run_jobs(jobs_in(file), RayExecutor(cluster.address), say=said.append)
    disturbing.join(60)
    assert len(removed) == 1
    assert set(outcome.failed) == {"raises-0", "dies-0"}, said
    assert "there is a bug in me" in outcome.failed["raises-0"]
    # How often is counted in the job's folder, not by Ray
    assert failure(file, "raises-0")["tries"] == 1
    assert failure(file, "dies-0")["tries"] == 3
    for name in ("slow-0", "slow-1"):
        assert [line for line in said if "was lost; tried again" in line and name in line], said
    assert not processes_of(root), "a training went on as an orphan"
    for seed in (0, 1):
        alone = trained_alone(tmp_path / f"alone-{seed}", seed)
        assert weights_of(root / f"slow-{seed}") == alone


def test_a_machine_that_does_not_see_the_folder_is_named(cluster, tmp_path, monkeypatch):
    assert run_to_end(str(tmp_path), ["true"], {})[0] == UNSEEN
    monkeypatch.setattr("metarl.suites.job.Job.write", lambda job: None)
    file = write_suite(tmp_path, [QUICK])
    with pytest.raises(SuiteError, match="doesn't see .* must see the same folder"):
        run_jobs(jobs_in(file), RayExecutor(cluster.address), say=lambda sentence: None)


def test_what_ray_refuses_is_one_sentence(tmp_path, monkeypatch):
    file = write_suite(tmp_path, [QUICK])

    def other_versions(**options):
        raise RuntimeError("Version mismatch: The cluster was started with:\n Ray: 2.1.0")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", other_versions)
    done = run_suite(file, "--executor=ray", "--ray-address=10.0.0.1:6379")
    assert done.returncode == 1
    assert "has other versions than this process" in done.stderr

    def nobody(**options):
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", nobody)
    assert (
        "There is no Ray cluster at auto"
        in run_suite(file, "--executor=ray", "--ray-address=auto").stderr
    )
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    assert "Ray isn't installed" in run_suite(file, "--executor=ray").stderr
