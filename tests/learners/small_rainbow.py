"""Rainbow with a small network, and a loop that lets it play."""

from dataclasses import replace

from metarl.core.budget import Steps
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.transfer.rainbow import Rainbow, RainbowConfig
from metarl.learners.transfer.replay import ReplayConfig
from metarl.networks.rainbow_network import RainbowNetworkConfig

NETWORK = RainbowNetworkConfig(layers=(8,), hidden=8, atoms=11, v_min=0.0, v_max=10.0)
SMALL = RainbowConfig(
    start=20,
    batch=4,
    update_every=2,
    target_every=10,
    lr=1e-2,
    epsilon_steps=100,
    network=NETWORK,
    replay=ReplayConfig(capacity=400),
)

SWITCHES = {  # each of the six parts, off
    "double": replace(SMALL, double=False),
    "duelling": replace(SMALL, network=replace(NETWORK, duelling=False)),
    "noisy": replace(SMALL, network=replace(NETWORK, noisy=False)),
    "distributional": replace(SMALL, network=replace(NETWORK, distributional=False)),
    "prioritised": replace(SMALL, replay=replace(SMALL.replay, prioritised=False)),
    "n-step": replace(SMALL, n_step=1),
}


def rainbow(distribution, config=SMALL, rows=1, seed=0):
    return Rainbow(config, distribution.observation_space, distribution.action_space, rows, seed)


def drive(learner, distribution, steps, seed=0, watch=None):
    """Let it learn from `steps` steps of each row, in one task a row.

    `watch` is called after each.
    """
    env = MetaEpisodeEnv(
        distribution, Steps(steps + 1), learner.rows, torch_generator(seed, "environment")
    )
    step = env.reset(fresh_tasks(distribution, "train", learner.rows, seed))
    for _ in range(steps):
        step, outcome = env.step(learner.choose(step))
        learner.learn(step, outcome)
        if watch is not None:
            watch()
    env.close()
    return learner
