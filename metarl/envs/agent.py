"""What an agent is: adaptation is a state transition."""

from typing import Any, Protocol, runtime_checkable

from torch import Generator, Tensor

from metarl.envs.meta_episode import Step

__all__ = ["Agent"]


@runtime_checkable
class Agent(Protocol):
    """Acts, and adapts while acting. Built for a distribution and a budget, so it knows prior and horizon."""

    def initial_state(self, batch_size: int) -> Any:
        """The state of `batch_size` rows that know nothing: nested tuples of tensors [B, ...], or a list with an object for each row."""
        ...

    def act(self, step: Step, state: Any, rng: Generator) -> tuple[Tensor, Any]:
        """Choose an action for each row and take in what the last one brought.

        Rows that `step.meta_episode_start` flags forget first. The caller never reuses `state`.

        Returns:
            (action [B, *act], new state).
        """
        ...
