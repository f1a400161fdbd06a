"""An agent that repeats what paid and changes what didn't (win-stay, lose-shift; Robbins 1952)."""

from typing import ClassVar

import gymnasium as gym
import torch
from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from torch import Generator, Tensor

__all__ = ["NewAgent"]


class NewAgent:
    """Repeats an action after a reward above `wanted`, and else takes another one at random.

    Its state is nothing: what it adapts by is the last action and the last reward, which every
    agent is shown.

    Args:
        distribution: what it plays.
        budget: for how long.
        wanted: a reward of more than this is a win.

    Source: Robbins 1952, "Some aspects of the sequential design of experiments".
    """

    id = "new-agent"
    label = "NewAgent"  # as tables print it
    grid: ClassVar[dict[str, tuple[float, ...]]] = {"wanted": (0.0, 0.5)}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget, wanted: float = 0.0):
        space = distribution.action_space
        if not isinstance(space, gym.spaces.Discrete):
            raise ValueError(
                f"This agent chooses among numbered actions; {distribution.id} has {space}."
            )
        self.made_for = MadeFor(distribution, budget, tasks="spaces")
        self.wanted = wanted
        self.first = int(space.start)
        self.actions = int(space.n)

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`: any with numbered actions."""
        return isinstance(distribution.action_space, gym.spaces.Discrete)

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Return nothing: there is nothing to remember."""
        return ()

    def act(self, step: Step, state: tuple[()], rng: Generator) -> tuple[Tensor, tuple[()]]:
        """Choose an action for each row; rows with a new task choose any."""
        rows = len(step.prev_reward)
        draw = torch.rand(rows, 2, generator=rng, device=rng.device, dtype=torch.float64)
        anything = (draw[:, 0] * self.actions).to(torch.int64)
        before = step.prev_action - self.first
        # One of the others: so many places on, and around
        others = 1 + (draw[:, 1] * (self.actions - 1)).to(torch.int64)
        shifted = (before + others) % self.actions
        chosen = torch.where(step.prev_reward > self.wanted, before, shifted)
        chosen = torch.where(step.meta_episode_start, anything, chosen)
        return self.first + chosen, ()
