"""Games in which one runs: the actions that they name do what they say."""

import numpy as np
import pytest

from metarl.tasks.games.coin_run import CoinRun


@pytest.mark.parametrize(
    "distribution", [CoinRun(levels=2)], ids=lambda distribution: distribution.id
)
def test_running_moves_the_view_and_standing_still_does_not(distribution):
    assert len(set(distribution.running)) == 5
    assert all(
        distribution.action_space.contains(np.int64(action)) for action in distribution.running
    )
    env = distribution.make_env(distribution.task_lists["train"][0])
    moved = {}
    for name, action in distribution.running._asdict().items():
        start, _ = env.reset()
        for _ in range(8):
            observation = env.step(np.int64(action))[0]
        moved[name] = np.abs(observation[12:].astype(int) - start[12:]).mean()
    assert moved["right"] > moved["still"]
    assert moved["jump_right"] > moved["still"]
    env.close()
