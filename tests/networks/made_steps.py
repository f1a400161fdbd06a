"""Steps of invented meta-episodes over any spaces, for tests of what reads them."""

from operator import itemgetter

import numpy as np
import torch

from metarl.core.spaces import action_dtype, observation_dtype
from metarl.core.step import Step


def drawn(space, length, rows, seed, dtype):
    """[T, B, *shape] members of `space`, where it is unbounded normal ones."""
    space.seed(seed)
    members = np.stack([np.asarray(space.sample()) for _ in range(length * rows)])
    return torch.from_numpy(members).to(dtype).unflatten(0, (length, rows))


def random_steps(observation_space, action_space, length=6, rows=5, seed=0):
    """Return what a policy sees along `rows` meta-episodes of `length` steps, with ends of episodes
    here and there.
    """
    rng = torch.Generator().manual_seed(seed)
    observation = drawn(observation_space, length, rows, seed, observation_dtype(observation_space))
    action = drawn(action_space, length, rows, seed + 1, action_dtype(action_space))
    reward = torch.randn(length, rows, generator=rng)
    terminated, truncated = (torch.rand(length, rows, generator=rng) < 0.25 for _ in range(2))
    action[0] = 0
    reward[0] = 0
    terminated[0] = False
    truncated[0] = False
    start = torch.zeros(length, rows, dtype=torch.bool)
    start[0] = True
    return Step(observation, action, reward, terminated, truncated & ~terminated, reward, start)


def at(steps, t):
    """Step t of `steps` [T, B, ...]."""
    return steps.apply(itemgetter(t))
