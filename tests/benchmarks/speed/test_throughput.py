"""The benchmark of throughput.

Its arithmetic, and that its own side runs; speed itself is never asserted.
"""

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

import metarl
from benchmarks.speed.opponents.own import plain_policy
from benchmarks.speed.throughput import (
    Options,
    measure,
    operations_per_step,
    own,
    ratio,
    ratio_interval,
)
from metarl.learners.memory.rl2 import RL2, RL2Config
from metarl.networks.kernels.matmul_precision import fast_matmul
from metarl.networks.policies.policy import NetworkConfig


@pytest.mark.parametrize("subject", ["rl2", "plain", "environment"])
def test_a_process_reports_its_rate(subject):
    assert measure(own(subject, tasks=8, hidden_size=8), Options(preset="smoke")) > 0


def test_operations_of_one_pass_are_counted():
    hidden_size = 16
    tasks = 32
    pulls = 4
    config = RL2Config(
        episodes=pulls, num_envs=tasks, iterations=1, network=NetworkConfig(hidden_size=hidden_size)
    )
    # Its products are all counted
    learner = RL2(
        config, metarl.make("BernoulliBandit-v0", arms=5), make_policy=plain_policy(hidden_size)
    )
    with fast_matmul():  # its trial, once a process, has products of its own
        pass
    with FlopCounterMode(display=False) as counter:
        learner.update()
    assert counter.get_total_flops() / (tasks * pulls) == pytest.approx(
        operations_per_step(hidden_size, 7, 6, 4), rel=0.3
    )


def test_ratios_pair_neighbours():
    ratios = ratio(np.array([2.0, 6.0]), np.array([1.0, 2.0]))
    assert list(ratios) == [2.0, 3.0]
    assert ratio_interval(ratios) == (2.0, 3.0)
    assert ratio(np.ones(2), None) is None
