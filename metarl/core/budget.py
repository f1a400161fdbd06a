"""How long a meta-episode lasts: a number of episodes, or a number of steps."""

from dataclasses import dataclass
from numbers import Integral

from metarl.core.arguments import LARGEST_COUNT, check_whole
from metarl.core.lookup import shown
from metarl.core.task_distribution import TaskDistribution

__all__ = ["Budget", "Episodes", "Steps", "as_budget", "max_steps"]


@dataclass(frozen=True)
class Episodes:
    """K episodes of learning, and M episodes after them that the `after_k` score averages.

    Attributes:
        learning: K, episodes of learning.
        after: M, episodes that follow; with none, as in RL²'s tables, there is no `after_k`.
    """

    learning: int
    after: int = 0

    def __post_init__(self) -> None:
        for name in ("learning", "after"):
            object.__setattr__(
                self, name, check_whole(f"Episodes: {name}", getattr(self, name), -LARGEST_COUNT)
            )
        if self.learning < 0 or self.after < 0 or self.learning + self.after < 1:
            raise ValueError(
                f"A budget needs K >= 0, M >= 0 and K + M >= 1 episodes, not K={self.learning},"
                f" M={self.after}."
            )

    @property
    def total(self) -> int:
        """K + M, all episodes played."""
        return self.learning + self.after


@dataclass(frozen=True)
class Steps:
    """N environment steps; the last episode is cut there and counts as truncated.

    Attributes:
        total: N, in environment steps.
    """

    total: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", check_whole("Steps: total", self.total, -LARGEST_COUNT))
        if self.total < 1:
            raise ValueError(f"A budget needs at least one step, not {self.total}.")


Budget = Episodes | Steps


def as_budget(budget: object) -> Budget:
    """Return `budget`, or Episodes(n) for a whole number n.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(budget, Episodes | Steps):
        return budget
    if isinstance(budget, Integral) and not isinstance(budget, bool):
        return Episodes(int(budget))
    example = "Episodes(10), Episodes(10, after=5) or Steps(1000)"
    raise ValueError(
        f"budget must be a number of episodes, or such as {example}, not {shown(budget)}."
    )


def max_steps(budget: Budget, distribution: TaskDistribution) -> int:
    """Return the most environment steps that a meta-episode of `distribution` can take within
    `budget`.
    """
    return budget.total if isinstance(budget, Steps) else budget.total * distribution.horizon
