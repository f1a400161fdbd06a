"""The agent that does nothing: the floor that a score must tell from an agent that acts well."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution

__all__ = ["DoNothing"]


class DoNothing:
    """Acts with zeros, whatever it sees: no force, no movement."""

    id = "do-nothing"
    label = "Do nothing"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not self.supports(distribution):
            raise ValueError(
                f"Doing nothing is an action of zeros; {distribution.action_space} of"
                f" {distribution.id} has none."
            )
        self.made_for = MadeFor(distribution, budget, tasks="spaces")
        self.shape = tuple(distribution.action_space.shape or ())

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`: box actions that include zeros."""
        space = distribution.action_space
        return isinstance(space, gym.spaces.Box) and bool(
            np.all((space.low <= 0) & (space.high >= 0))
        )

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing."""
        return ()

    def act(self, step: Step, state: Any, rng: Generator) -> tuple[Tensor, Any]:
        """Zeros [B, *act]."""
        return (
            torch.zeros((len(step.prev_reward), *self.shape), device=step.prev_reward.device),
            state,
        )
