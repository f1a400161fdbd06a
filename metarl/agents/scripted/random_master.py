"""Perfect sub-policies without a master.

What choosing between them at random is worth (Frans et al. 2017).
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.control.moving_bandits import MovingBandits, move_towards

__all__ = ["Choice", "RandomMaster"]


class Choice(NamedTuple):
    """Which walker each row has chosen, and for how long."""

    option: Tensor  # [B] int64, 0 or 1
    clock: Tensor  # [B] int64, steps of the episode that are gone


class RandomMaster:
    """Plays MovingBandits with a perfect walker to each goal, one of which is drawn anew every few
    steps.

    Args:
        distribution: MovingBandits. budget: not used.
        option_length: N, the steps for which a choice stands; each episode begins with a new one.
    """

    id = "random-master"
    label = "Random master"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget, option_length: int = 10):
        if not self.supports(distribution):
            raise ValueError(
                "RandomMaster plays MovingBandits, whose goals its walkers know, not"
                f" {distribution.id}."
            )
        if option_length < 1:
            raise ValueError(f"option_length must be at least 1 step, not {option_length}.")
        self.made_for = MadeFor(distribution, budget)
        self.option_length = int(option_length)

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`: MovingBandits only."""
        return isinstance(distribution, MovingBandits)

    def initial_state(self, batch_size: int) -> Choice:
        """Nothing chosen."""
        nothing = torch.zeros(batch_size, dtype=torch.int64)
        return Choice(nothing, nothing)

    @torch.no_grad()
    def act(self, step: Step, state: Choice, rng: Generator) -> tuple[Tensor, Choice]:
        """Draw a walker where it is time to, and let the chosen ones walk."""
        device = step.observation.device
        clock = torch.where(step.episode_start, 0, state.clock.to(device) + 1)
        drawn = torch.randint(2, clock.shape, generator=rng, device=rng.device).to(device)
        option = torch.where(clock % self.option_length == 0, drawn, state.option.to(device))
        return move_towards(step.observation, option), Choice(option, clock)
