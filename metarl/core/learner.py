"""What a learner is: it meta-trains, one outer-loop iteration at a time, and yields agents."""

from typing import Any, Protocol, runtime_checkable

from metarl.core.agent import Agent
from metarl.core.budget import Budget

__all__ = ["Learner", "Metrics"]

Metrics = dict[str, float]  # what one iteration measured, such as {"return": 6.1, "steps": 40960}


@runtime_checkable
class Learner(Protocol):
    """Built as `LearnerClass(config, distribution, seed, device="cpu")`; knows nothing of logging or files.

    `seed` may be a tuple: then one a seed trains, all in one batch, if the learner can; `agent(budget, seed_index)` picks one.
    """

    def update(self) -> Metrics:
        """One outer-loop iteration. Always reports "steps" (environment steps so far) and "return" (mean training score)."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the configured number of iterations is done."""
        ...

    def agent(self, budget: Budget, seed_index: int = 0) -> Agent:
        """The agent that the learner has trained so far, with weights of its own, ready to act within `budget`."""
        ...

    def weights(self, seed_index: int = 0) -> dict[str, Any]:
        """What `agent` needs and nothing else: parameters and normalisers, no optimiser (tensors and JSON values)."""
        ...

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over published `weights`; `agent` then acts as the one they came from."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that `update` depends on: parameters, optimiser, counters, random streams (tensors and JSON values)."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken, bit for bit on one CPU."""
        ...
