"""An agent that is told a bandit's means: the upper bound, played."""

from typing import Any, ClassVar

from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.reveal import Revealed
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit

__all__ = ["KnownArm"]


class KnownArm:
    """Plays `reveal(...)` of a Bernoulli or Gaussian bandit: always the arm of the highest mean."""

    id = "known-arm"
    label = "Known arm"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not isinstance(distribution, Revealed) or not self.supports(distribution):
            raise ValueError(
                "KnownArm plays bandits whose means are told to it, such as"
                f" reveal(BernoulliBandit(...)), not {distribution.id}."
            )
        self.made_for = MadeFor(distribution, budget)
        self.distribution = distribution

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`: revealed bandits only."""
        return isinstance(distribution, Revealed) and isinstance(
            distribution.wrapped, BernoulliBandit | GaussianBandit
        )

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing: every observation tells all."""
        return ()

    def act(self, step: Step, state: Any, rng: Generator) -> tuple[Tensor, Any]:
        """Pull the best arm."""
        return self.distribution.parameters_of(step.observation)["means"].argmax(1), state
