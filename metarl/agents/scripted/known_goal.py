"""An agent that is told the goal, on a grid or in a plane: the upper bound, played."""

from typing import ClassVar

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.reveal import Revealed
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.control.moving_bandits import MovingBandits, move_towards
from metarl.tasks.control.point_navigation import MOST_MOVE, PointNavigation
from metarl.tasks.mazes.four_rooms import FourRooms, best_play
from metarl.tasks.mazes.grid_navi import GridNavi

__all__ = ["KnownGoal"]


class KnownGoal:
    """Plays families that `reveal` tells the goal of, as well as can be played.

    GridNavi: right, then up, then stay. PointNavigation: at full speed along both axes.
        MovingBandits: the move that ends nearest to the
    correct goal. FourRooms: the best action for the cell and the steps left, by backward induction.
    """

    id = "known-goal"
    label = "Known goal"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not self.supports(distribution):
            raise ValueError(
                "KnownGoal plays a GridNavi, PointNavigation, MovingBandits or FourRooms that is"
                f" told to it, such as reveal(GridNavi(...)), not {distribution.id}."
            )
        assert isinstance(distribution, Revealed)
        self.made_for = MadeFor(distribution, budget)
        self.distribution = distribution
        self.wrapped = distribution.wrapped

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`.

        Revealed GridNavi, PointNavigation, MovingBandits and FourRooms only.
        """
        families = GridNavi | PointNavigation | MovingBandits | FourRooms
        return isinstance(distribution, Revealed) and isinstance(distribution.wrapped, families)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return how much of the episode is gone [B]; every observation tells the goal."""
        return torch.zeros(batch_size, dtype=torch.int64)

    @torch.no_grad()
    def act(self, step: Step, state: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        """Return one move towards the goal."""
        told = self.distribution.parameters_of(step.observation)
        seen = self.distribution.observation_of(step.observation)
        clock = torch.where(step.episode_start, 0, state.to(seen.device) + 1)
        if isinstance(self.wrapped, MovingBandits):
            return move_towards(seen, told["correct"]), clock
        if isinstance(self.wrapped, FourRooms):
            best = best_play(self.wrapped.horizon, seen.device).action
            goal = told["goal"].to(torch.int64)
            cell = seen[:, 0].to(torch.int64)
            return best[goal, clock.clamp_max(self.wrapped.horizon - 1), cell], clock
        away = told["goal"] - seen
        if isinstance(self.wrapped, PointNavigation):
            return away.clamp(-MOST_MOVE, MOST_MOVE), clock
        return torch.where(away[:, 0] > 0, 2, torch.where(away[:, 1] > 0, 1, 0)), clock
