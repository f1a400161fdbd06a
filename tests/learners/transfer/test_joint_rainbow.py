"""Joint Rainbow learns what it plays.

To balance a pole, and to find its way in a maze by what it sees.
"""

from dataclasses import replace

import pytest

import metarl
from metarl.core.budget import Episodes, Steps
from metarl.evaluation.protocol import evaluate
from metarl.learners.transfer.joint_rainbow import JointRainbow, JointRainbowConfig
from metarl.learners.transfer.online import OnlineAgent
from metarl.learners.transfer.rainbow import RainbowConfig
from metarl.learners.transfer.replay import ReplayConfig
from metarl.networks.rainbow_network import RainbowNetworkConfig

POLE = RainbowConfig(
    start=500,
    batch=64,
    n_step=5,
    update_every=8,
    target_every=500,
    lr=2e-3,
    act="mode",
    network=RainbowNetworkConfig(layers=(64,), hidden=64, v_min=0.0, v_max=100.0),
    replay=ReplayConfig(capacity=20_000, beta_steps=0),
)
MAZE = RainbowConfig(
    start=256,
    n_step=3,
    update_every=8,
    target_every=256,
    lr=1e-3,
    adam_epsilon=1e-6,
    act="mode",
    network=RainbowNetworkConfig(encoder="rl2", hidden=0, v_min=-2.0, v_max=1.0),
    replay=ReplayConfig(capacity=8_000, beta_steps=0),
)


def trained(distribution, config, iterations, steps=64, seed=0):
    learner = JointRainbow(
        JointRainbowConfig(16, steps, iterations, rainbow=config, fine_tuning=config),
        distribution,
        seed,
    )
    while not learner.finished:
        metrics = learner.update()
    learner.close()
    return learner, metrics


def test_it_balances_a_pole():
    pole = metarl.make("CartPole-v0", low=1.0, high=1.0, reversals=False)
    learner, _ = trained(pole, POLE, 10)
    budget = Episodes(1)
    score = evaluate(learner.agent(budget), pole, "test", 100, 0, budget).scores().mean()
    assert score >= 100  # of 200; random play gets about 20


def test_it_finds_its_way_by_pixels():
    maze = metarl.make("VisualMaze-v0", size=2, horizon=30, train_mazes=1)
    learner, _ = trained(maze, MAZE, 4)
    budget = Episodes(1)
    evaluation = evaluate(learner.agent(budget), maze, "train", 20, 0, budget)
    assert evaluation.success.mean() > 0.9  # random play: 0.44
    best = maze.upper_bound(maze.sample(20, "train", 0), 1).mean()
    assert evaluation.scores().mean() > best - 0.4  # random play: 1.4 below


def test_its_agent_goes_on_from_the_joint_weights_in_each_task():
    pole = metarl.make("CartPole-v0", low=0.8, high=1.25)
    config = replace(POLE, start=30, update_every=4)
    learner, metrics = trained(pole, config, 2, steps=16)
    assert metrics["updates"] > 0
    agent = learner.agent(Steps(50))
    assert isinstance(agent, OnlineAgent)
    evaluation = evaluate(agent, pole, "test", 2, 0, Steps(50))
    assert evaluation.num_tasks == 2
    first = agent.make(3)
    mine = first.weights()["network"]
    joint = learner.weights()["network"]
    assert all((mine[name] == joint[name]).all() for name in joint)
    assert first.rows == 1


def test_fine_tuning_keeps_the_networks_shape():
    other = replace(POLE, network=replace(POLE.network, hidden=8))
    with pytest.raises(ValueError, match="the same network"):
        JointRainbowConfig(rainbow=POLE, fine_tuning=other)
