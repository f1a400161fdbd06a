"""Perfect sub-policies without a master: what choosing between them at random is worth (Frans et al. 2017)."""

from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.envs.agent import MadeFor, agent_repr
from metarl.envs.budget import Budget
from metarl.envs.meta_episode import Step
from metarl.tasks.contract import TaskDistribution
from metarl.tasks.moving_bandits import MovingBandits, move_towards

__all__ = ["Choice", "RandomMaster"]


class Choice(NamedTuple):
    """Which walker each row has chosen, and for how long."""

    option: Tensor  # [B] int64, 0 or 1
    clock: Tensor  # [B] int64, steps of the episode that are gone


class RandomMaster:
    """Plays MovingBandits with a perfect walker to each goal, one of which is drawn anew every few steps.

    Args:
        distribution: MovingBandits. budget: not used.
        every: N, the steps for which a choice stands; each episode begins with a new one.
    """

    id = "random-master"
    label = "Random master"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget, every: int = 10):
        if not self.supports(distribution):
            raise ValueError(f"RandomMaster plays MovingBandits, whose goals its walkers know, not {distribution.id}.")
        if every < 1:
            raise ValueError(f"every must be at least 1 step, not {every}.")
        self.made_for = MadeFor(distribution, budget)
        self.every = int(every)

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Whether this agent can play `distribution`: MovingBandits only."""
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
        option = torch.where(clock % self.every == 0, drawn, state.option.to(device))
        return move_towards(step.observation, option), Choice(option, clock)
