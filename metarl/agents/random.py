"""The agent that acts at random: the zero of normalised scores."""

from typing import ClassVar

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution

__all__ = ["RandomAgent"]

UNBOUNDED = 1e30  # some environments write the largest float for "unbounded"


class RandomAgent:
    """Draws each action from its space and looks at nothing.

    Discrete kinds and boxes with two bounds are uniform. Where a box has one bound, the distance
    from it is exponential with mean 1; where it has none, or one of 1e30 or more, the action is
    standard normal.
    """

    id = "random"
    label = "Random"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not self.supports(distribution):
            raise ValueError(
                f"The random agent can't draw from {distribution.action_space}; flatten it to"
                " discrete kinds or a Box."
            )
        self.made_for = MadeFor(distribution, budget, tasks="spaces")
        self.space = distribution.action_space

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`.

        Any discrete, multi-discrete, multi-binary or box actions.
        """
        kinds = (
            gym.spaces.Discrete,
            gym.spaces.MultiDiscrete,
            gym.spaces.MultiBinary,
            gym.spaces.Box,
        )
        return isinstance(distribution.action_space, kinds)

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def act(self, step: Step, state: tuple[()], rng: Generator) -> tuple[Tensor, tuple[()]]:
        """Draw an action for each row."""
        space = self.space
        shape = (len(step.prev_reward), *(self.space.shape or ()))
        if isinstance(space, gym.spaces.Box):
            return _draw_box(space, shape, rng), ()
        uniform = torch.rand(shape, generator=rng, device=rng.device, dtype=torch.float64)
        if isinstance(space, gym.spaces.MultiBinary):
            return (uniform < 0.5).to(torch.int64), ()
        if isinstance(space, gym.spaces.Discrete):
            count = space.n
            first = space.start
        else:
            assert isinstance(space, gym.spaces.MultiDiscrete)
            count = space.nvec
            first = space.start
        counts = _on(np.asarray(count, np.int64), rng)
        # Of more than 2**53 values the product may round up to the count itself
        return (
            _on(np.asarray(first, np.int64), rng)
            + (uniform * counts).to(torch.int64).minimum(counts - 1),
            (),
        )


def _draw_box(space: gym.spaces.Box, shape: tuple[int, ...], rng: Generator) -> Tensor:
    uniform = torch.rand(shape, generator=rng, device=rng.device)
    normal = torch.randn(shape, generator=rng, device=rng.device)
    whole = not np.issubdtype(space.dtype, np.floating)
    least = space.low.astype(np.float64)
    greatest = space.high.astype(np.float64)
    below = _on(space.bounded_below & (least > -UNBOUNDED), rng)
    above = _on(space.bounded_above & (greatest < UNBOUNDED), rng)
    low, high = (
        _on(np.where(np.abs(bound) < UNBOUNDED, bound, 0.0), rng) for bound in (least, greatest)
    )
    high = high + float(whole)
    exponential = -torch.log1p(-uniform)
    one_bound = torch.where(below, low + exponential, high - exponential)
    action = torch.where(
        below & above,
        low + uniform * (high - low),
        torch.where(below | above, one_bound, normal.to(torch.float64)),
    )
    return (action.floor() if whole else action).to(torch.float32)


def _on(values: object, rng: Generator) -> Tensor:
    return torch.as_tensor(np.asarray(values), device=rng.device)
