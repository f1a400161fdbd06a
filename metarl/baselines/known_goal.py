"""An agent that is told the goal, on a grid or in a plane: the upper bound, played."""

from typing import ClassVar

import torch
from torch import Generator, Tensor

from metarl.envs.budget import Budget
from metarl.envs.meta_episode import Step
from metarl.tasks.contract import TaskDistribution
from metarl.tasks.grid_navi import GridNavi
from metarl.tasks.point_navigation import MOST_MOVE, PointNavigation
from metarl.tasks.reveal import Revealed

__all__ = ["KnownGoal"]


class KnownGoal:
    """Plays `reveal(GridNavi(...))`: right, then up, then stay; and `reveal(PointNavigation(...))`: at full speed along both axes."""

    id = "known-goal"
    label = "Known goal"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not self.supports(distribution):
            raise ValueError(
                f"KnownGoal plays a GridNavi or PointNavigation that is told to it, such as reveal(GridNavi(...)), not {distribution.id}."
            )
        assert isinstance(distribution, Revealed)
        self.distribution = distribution

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Whether this agent can play `distribution`: revealed GridNavi and PointNavigation only."""
        return isinstance(distribution, Revealed) and isinstance(distribution.wrapped, GridNavi | PointNavigation)

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing to remember: every observation tells the goal."""
        return ()

    @torch.no_grad()
    def act(self, step: Step, state: tuple[()], rng: Generator) -> tuple[Tensor, tuple[()]]:
        """One move towards the goal."""
        away = self.distribution.parameters_of(step.observation)["goal"] - self.distribution.observation_of(step.observation)
        if isinstance(self.distribution.wrapped, PointNavigation):
            return away.clamp(-MOST_MOVE, MOST_MOVE), state
        return torch.where(away[:, 0] > 0, 2, torch.where(away[:, 1] > 0, 1, 0)), state
