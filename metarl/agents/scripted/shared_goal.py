"""Always to the same goal.

What one policy is worth that can't tell tasks apart (Frans et al. 2017).
"""

from typing import ClassVar

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.control.moving_bandits import MovingBandits, move_towards

__all__ = ["SharedGoal"]


class SharedGoal:
    """Plays MovingBandits by walking to one goal, whichever task it is: right in half of the tasks.

    Args:
        distribution: MovingBandits. budget: not used.
        goal: which one, 0 or 1.
    """

    id = "shared-goal"
    label = "Always one goal"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget, goal: int = 0):
        if not self.supports(distribution):
            raise ValueError(f"SharedGoal plays MovingBandits, not {distribution.id}.")
        if goal not in (0, 1):
            raise ValueError(f"There are two goals; choose goal 0 or 1, not {goal}.")
        self.made_for = MadeFor(distribution, budget)
        self.goal = int(goal)

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`: MovingBandits only."""
        return isinstance(distribution, MovingBandits)

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing to remember."""
        return ()

    @torch.no_grad()
    def act(self, step: Step, state: tuple[()], rng: Generator) -> tuple[Tensor, tuple[()]]:
        """Return one move towards the goal."""
        return (
            move_towards(step.observation, torch.full_like(step.observation[:, 0], self.goal)),
            state,
        )
