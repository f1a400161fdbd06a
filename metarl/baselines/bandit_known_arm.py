"""The agent that is told the arms' means: the upper bound of bandits, as played."""

from typing import ClassVar

from torch import Generator, Tensor

from metarl.baselines.bandit_posterior import is_bandit
from metarl.envs.budget import Budget
from metarl.envs.meta_episode import Step
from metarl.tasks.contract import TaskDistribution
from metarl.tasks.reveal import Revealed

__all__ = ["KnownArm"]


class KnownArm:
    """Always pulls the best arm. Plays `metarl.tasks.reveal.reveal(bandit)`, which tells it the means."""

    id = "known-arm"
    label = "Known means"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not isinstance(distribution, Revealed) or not is_bandit(distribution.wrapped):
            raise ValueError(f"The known-arm agent must be told the means: give it reveal(bandit), not {distribution!r}.")
        self.distribution = distribution

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Whether this agent can play `distribution`: revealed bandits."""
        return isinstance(distribution, Revealed) and is_bandit(distribution.wrapped)

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def act(self, step: Step, state: tuple[()], rng: Generator) -> tuple[Tensor, tuple[()]]:
        """Read the means off the observation and pull the best arm."""
        return self.distribution.parameters_of(step.observation)["means"].argmax(1), ()
