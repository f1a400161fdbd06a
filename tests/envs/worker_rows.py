"""learn2learn's AsyncVectorEnv against environments played alone: `python -m
tests.envs.worker_rows`, for a process of its own.

Its workers are forks. Those of a process that has run many tests hold copies of renderers and
thread pools, whose clean-up may end a fork badly; whoever waits for it waits for ever.
"""

from functools import partial

import numpy as np

from metarl.core.registry import make
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.interop.learn2learn import import_learn2learn
from metarl.interop.learn2learn_env import meta_env
from tests.envs.marks import AdaptedMarks
from tests.tasks.noisy_walk import NoisyWalk

__all__ = ["FAMILIES", "play"]


def walks():
    return GymnasiumDistribution(
        "NoisyWalk-v0", NoisyWalk, {"train": [0.0, 0.5, 1.0], "test": [2.0]}, 6
    )


FAMILIES = {"cart-pole": partial(make, "CartPole-v0"), "walks": walks, "marks": AdaptedMarks}


def play(family):
    """Two workers play as two environments alone do, episodes and the next ones' starts included."""
    rows = import_learn2learn("This test").gym.AsyncVectorEnv(
        [partial(meta_env, family(), seed=i) for i in range(2)]
    )
    try:
        task = rows.sample_tasks(2)[1]
        rows.set_task(task)
        alone = [meta_env(family(), seed=i) for i in range(2)]
        for env in alone:
            env.reset()  # as AsyncVectorEnv does when it is made
            env.set_task(task)
        shown = rows.reset()
        assert np.array_equal(shown, np.stack([env.reset() for env in alone]))
        for t in range(15):
            actions = [t % 2, (t + 1) % 2]
            observation, reward, done, _ = rows.step(actions)
            wanted = [env.step(action) for env, action in zip(alone, actions, strict=True)]
            assert reward.tolist() == [each[1] for each in wanted]
            assert done.tolist() == [each[2] for each in wanted]
            after = [
                env.reset() if each[2] else each[0] for env, each in zip(alone, wanted, strict=True)
            ]
            assert np.array_equal(observation, np.stack(after))
    finally:
        rows.close()


if __name__ == "__main__":
    for name, make_family in FAMILIES.items():
        play(make_family)
        print(name, "played", flush=True)
