"""An agent that is told a bandit's means: the upper bound, played."""

from typing import Any, ClassVar

from torch import Generator, Tensor

from metarl.envs.agent import MadeFor, agent_repr
from metarl.envs.budget import Budget
from metarl.envs.meta_episode import Step
from metarl.tasks.bernoulli_bandit import BernoulliBandit
from metarl.tasks.contract import TaskDistribution
from metarl.tasks.gaussian_bandit import GaussianBandit
from metarl.tasks.reveal import Revealed

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
                f"KnownArm plays bandits whose means are told to it, such as reveal(BernoulliBandit(...)), not {distribution.id}."
            )
        self.made_for = MadeFor(distribution, budget)
        self.distribution = distribution

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Whether this agent can play `distribution`: revealed bandits only."""
        return isinstance(distribution, Revealed) and isinstance(distribution.wrapped, BernoulliBandit | GaussianBandit)

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing: every observation tells all."""
        return ()

    def act(self, step: Step, state: Any, rng: Generator) -> tuple[Tensor, Any]:
        """Pull the best arm."""
        return self.distribution.parameters_of(step.observation)["means"].argmax(1), state
