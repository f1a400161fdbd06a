"""What an agent sees at each step, and what a step brought."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

__all__ = ["Outcome", "Step"]


class Step(NamedTuple):
    """All that an agent may see, for B parallel tasks."""

    observation: Tensor  # [B, *obs]  act on this one
    prev_action: Tensor  # [B, *act]  zero at a meta-episode's start, like every prev_*
    prev_reward: Tensor  # [B]        an episode's last reward arrives here too
    prev_terminated: Tensor  # [B] bool   the previous step ended its episode in the MDP
    prev_truncated: (
        Tensor  # [B] bool   ... by the horizon, the budget or the environment's own limit
    )
    final_observation: (
        Tensor  # [B, *obs]  after an episode's end: what its last step showed; else = observation
    )
    meta_episode_start: Tensor  # [B] bool   the task changed: forget

    @property
    def episode_start(self) -> Tensor:
        """[B] bool: `observation` is an episode's first."""
        return self.prev_terminated | self.prev_truncated | self.meta_episode_start

    def apply(self, function: Callable[[Tensor], Tensor]) -> "Step":
        """Return the Step of what `function` makes of each field.

        Fields that were left out stay so: a Step of whole trajectories has None for
        `final_observation`, which no policy reads.
        """
        fields: Any = [None if field is None else function(field) for field in self]
        return Step(*fields)


class Outcome(NamedTuple):
    """What the step just taken brought; learners and scores read it, agents don't."""

    reward: Tensor  # [B] rounded to the environment's dtype, as the agent sees it
    terminated: Tensor  # [B] bool
    truncated: Tensor  # [B] bool
    final_observation: Tensor  # [B, *obs]  what the step showed, before any reset
    success: Tensor  # [B] bool
    task: Tensor  # [B] int64: j of the row's j-th task
    episode: Tensor  # [B] int64: index of the episode within the meta-episode
    meta_episode_end: Tensor  # [B] bool: the meta-episode ended with this step
    valid: Tensor  # [B] bool: false for rows whose only meta-episode was over before this step
    # [B] as the distribution gave it, before rounding: float64 of Gymnasium environments; scores
    # sum these
    exact_reward: Tensor
