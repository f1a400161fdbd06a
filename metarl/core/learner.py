"""What a learner is.

It meta-trains, one outer-loop iteration at a time, and yields agents, or adapters where it learns
from examples.
"""

from typing import Any, Protocol, runtime_checkable

from metarl.core.agent import Agent
from metarl.core.budget import Budget

__all__ = [
    "CountsIterations",
    "CountsSteps",
    "HasOwnParts",
    "HoldsResources",
    "Labelled",
    "Learner",
    "Metrics",
    "PolicyLearner",
    "SaysUsualBudget",
    "StartsFromWeights",
    "SupervisedLearner",
    "TrainsOn",
    "TrainsSeeds",
    "YieldsAdapters",
]

Metrics = dict[str, float]  # what one iteration measured, such as {"return": 6.1, "steps": 40960}


@runtime_checkable
class Learner(Protocol):
    """Built as `LearnerClass(config, distribution, seed, device="cpu")`; knows nothing of logging
    or files.

    A `PolicyLearner` yields agents, a `SupervisedLearner` adapters. `seed` may be a tuple: then one
    a seed trains, all in one batch, if the learner can, and `seed_index` picks one.
    """

    def update(self) -> Metrics:
        """Return one outer-loop iteration.

        Always reports "steps" (environment steps so far) and "return" (mean training score).
        """
        ...

    @property
    def finished(self) -> bool:
        """Whether the configured number of iterations is done."""
        ...

    def weights(self, seed_index: int = 0) -> dict[str, Any]:
        """Return what its agent or adapter needs and nothing else.

        Parameters and normalisers, no optimiser (tensors and JSON values).
        """
        ...

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over published `weights`.

        Agents and adapters are then those of the learner they came from.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that `update` depends on.

        Parameters, optimiser, counters, random streams (tensors and JSON values).
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken, bit for bit on one CPU."""
        ...


@runtime_checkable
class PolicyLearner(Learner, Protocol):
    """A learner of episodes: it yields agents, which `metarl.evaluate` scores."""

    def agent(self, budget: Budget, seed_index: int = 0) -> Agent:
        """Return the agent trained so far, with weights of its own, ready to act within `budget`."""
        ...


@runtime_checkable
class YieldsAdapters(Protocol):
    """What a learner of examples has where one of episodes has agents."""

    def adapter(self, *, batch: int | None = None) -> Any:
        """Return what adapts to tasks from what is trained so far, `batch` examples a step.

        None takes a task's whole support at each step. What an adapter is, says
        `metarl.evaluation.supervised.Adapter`.
        """
        ...


@runtime_checkable
class SupervisedLearner(Learner, YieldsAdapters, Protocol):
    """A learner of examples: it yields adapters, which `metarl.evaluate_supervised` scores."""


@runtime_checkable
class StartsFromWeights(Protocol):
    """A learner that can begin with what a run of another length has trained."""

    def start_from(self, weights: dict[str, Any]) -> None:
        """Begin with published `weights`."""
        ...


@runtime_checkable
class HoldsResources(Protocol):
    """A learner with worker processes or open environments."""

    def close(self) -> None:
        """Let go of them; a further update opens them again."""
        ...


@runtime_checkable
class CountsIterations(Protocol):
    """A learner that tells how far it is, so that it can be saved amid its training."""

    iteration: int


@runtime_checkable
class CountsSteps(Protocol):
    """A learner that tells how many environment steps, or inner gradients, it has taken."""

    steps: int


@runtime_checkable
class TrainsSeeds(Protocol):
    """A learner that says which seeds it trains, one or several."""

    seeds: tuple[int, ...]


@runtime_checkable
class TrainsOn(Protocol):
    """A learner that says what it trains on."""

    distribution: Any


@runtime_checkable
class HasOwnParts(Protocol):
    """A learner that names what it was made with beside settings and distribution, such as a
    user's network: whoever loads it must give that again.
    """

    own_parts: tuple[str, ...]


@runtime_checkable
class Labelled(Protocol):
    """A learner's class that says under which name its scores are shown."""

    label: str


@runtime_checkable
class SaysUsualBudget(Protocol):
    """A learner's class that says for how long its agents usually play."""

    def usual_budget(self, config: Any, distribution: Any) -> Budget:
        """Return it for settings and a distribution; a static method."""
        ...
