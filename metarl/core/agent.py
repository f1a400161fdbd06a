"""What an agent is.

Adaptation is a state transition. And for what it was made, so that it is asked for nothing else.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Generator, Tensor

from metarl.core.budget import Budget, Steps, max_steps
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution

__all__ = [
    "Agent",
    "HoldsOption",
    "MadeFor",
    "SaysMadeFor",
    "SharesStream",
    "agent_repr",
    "check_made_for",
    "made_for_of",
]


@runtime_checkable
class Agent(Protocol):
    """Acts, and adapts while acting.

    Built for a distribution and a budget, so it knows prior and horizon.
    """

    def initial_state(self, batch_size: int) -> Any:
        """Return the state of `batch_size` rows that know nothing.

        Nested tuples of tensors [B, ...], or a list with an object for each row.
        """
        ...

    def act(self, step: Step, state: Any, rng: Generator) -> tuple[Tensor, Any]:
        """Choose an action for each row and take in what the last one brought.

        Rows that `step.meta_episode_start` flags forget first. The caller never reuses `state`.

        Returns:
            (action [B, *act], new state).
        """
        ...


@dataclass(frozen=True)
class MadeFor:
    """For what an agent was made; agents carry it as the attribute `made_for`.

    Attributes:
        distribution: what it plays. budget: for how long.
        tasks: it can play the "same" distribution alone, since it knows the prior or sizes; or any
            of the same "spaces".
        length: it can play "any" budget, one of "at most" as many steps, or "exactly" as many,
            since what is best, or what it was prepared for, depends on how long is left; "kind" is
            any of the same kind, episodes or steps.
        horizon: episodes may be of "any" length, or of "at most" the distribution's horizon, since
            it keeps whole ones.
    """

    distribution: TaskDistribution
    budget: Budget
    tasks: Literal["same", "spaces"] = "same"
    length: Literal["any", "kind", "at most", "exactly"] = "any"
    horizon: Literal["any", "at most"] = "any"

    def objection(self, distribution: TaskDistribution, budget: Budget) -> str | None:
        """Return what is wrong with playing `budget` of `distribution`; None where nothing is."""
        own = self.distribution
        for name in ("observation_space", "action_space"):
            if getattr(own, name) != getattr(distribution, name):
                return (
                    f"was made for the {name} {getattr(own, name)}; {distribution.id} has"
                    f" {getattr(distribution, name)}"
                )
        if self.tasks == "same" and (own.id, own.horizon, own.config()) != (
            distribution.id,
            distribution.horizon,
            distribution.config(),
        ):
            return f"was made for {own!r}, and knows nothing of {distribution!r}"
        if self.horizon == "at most" and distribution.horizon > own.horizon:
            return (
                f"keeps episodes of at most {own.horizon} steps; {distribution.id} has"
                f" {distribution.horizon}"
            )
        steps = max_steps(self.budget, own)
        asked = max_steps(budget, distribution)
        if (self.length == "at most" and asked > steps) or (
            self.length == "exactly" and asked != steps
        ):
            only = "at most" if self.length == "at most" else "exactly"
            return f"was made for {only} {steps} steps ({self.budget}), not for {asked} ({budget})"
        if self.length == "kind" and isinstance(budget, Steps) != isinstance(self.budget, Steps):
            return f"was made for {self.budget}, and acts otherwise within {budget}"
        return None


@runtime_checkable
class SaysMadeFor(Protocol):
    """An agent that says for what it was made; None leaves it open."""

    made_for: MadeFor | None


@runtime_checkable
class SharesStream(Protocol):
    """An agent of whose rows one may draw more numbers for what another holds, as where samples are
    rejected: rows then depend on each other by chance alone.
    """

    shares_stream: bool


@runtime_checkable
class HoldsOption(Protocol):
    """A state of an agent that acts by one of several sub-policies."""

    option: Tensor  # [B] int64: which of them acts


def made_for_of(agent: object) -> MadeFor | None:
    """Return for what `agent` was made; None where it doesn't say."""
    return agent.made_for if isinstance(agent, SaysMadeFor) else None


def agent_repr(agent: Any) -> str:
    """Return what an agent is, and what it was made for, in a line: the `__repr__` of agents."""
    name = type(agent).__name__
    made_for = made_for_of(agent)
    if made_for is None:
        return f"<{name}>"
    return f"<{name} made for {made_for.budget} of {made_for.distribution!r}>"


def check_made_for(agent: Agent, distribution: TaskDistribution, budget: Budget) -> None:
    """Raise ValueError if the agent says for what it was made, and this is something else.

    An agent that has no `made_for` may say for which spaces it was made, as `observation_space` and
    `action_space`.
    """
    made_for = made_for_of(agent)
    if made_for is not None:
        if objection := made_for.objection(distribution, budget):
            raise ValueError(
                f"This {type(agent).__name__} {objection}. Build one for what it is to play:"
                " make_agent, or learner.agent."
            )
        return
    for name in ("observation_space", "action_space"):
        space = getattr(agent, name, None)
        played = getattr(distribution, name)
        if space is not None and space != played:
            raise ValueError(
                f"This {type(agent).__name__} was made for the {name} {space}; {distribution.id}"
                f" has {played}. Score it on the distribution it was trained on, or train one for"
                " this."
            )
