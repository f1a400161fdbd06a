"""Does an agent use its memory? See what is lost with one that was emptied, swapped, or fed with
another task's rewards.
"""

from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor
from torch.utils._pytree import tree_map

from metarl.core.agent import Agent, agent_repr, made_for_of
from metarl.core.step import Step

__all__ = ["DISTURBANCES", "Disturbance", "DisturbedAgent", "ForgetfulAgent"]

Disturbance = Literal["emptied", "swapped", "misled"]
DISTURBANCES: dict[Disturbance, str] = {
    "emptied": (
        "the agent starts anew, as if the task had just changed; it also forgets how many steps are"
        " left"
    ),
    "swapped": "the memory is that of the agent in the next row, which learned about another task",
    "misled": "until then, the agent was shown the rewards of the next row",
}


class DisturbedState(NamedTuple):
    """The agent's own state, and steps of the meta-episode."""

    own: Any
    played: Tensor  # [B] int64


class DisturbedAgent:
    """Another agent whose memory is disturbed before step `at` of every meta-episode; all its
    tensors must lead with the rows.

    Rows must play in step with each other, as in `evaluate` with an `Episodes` budget of episodes
    of one length.

    Args:
        agent: the agent. disturbance: a key of `DISTURBANCES`. at: the first step, from 0, that
            acts on the disturbed memory.
    """

    __repr__ = agent_repr

    def __init__(self, agent: Agent, disturbance: Disturbance, at: int):
        if disturbance not in DISTURBANCES:
            raise ValueError(
                f"There is no disturbance {disturbance!r}; choose one of {', '.join(DISTURBANCES)}."
            )
        if at < 1:
            raise ValueError(f"A memory can be disturbed from step 1 on, not {at}.")
        self.agent = agent
        self.disturbance = disturbance
        self.at = at
        self.made_for = made_for_of(agent)

    def initial_state(self, batch_size: int) -> DisturbedState:
        """Return the agent's own, and a clock."""
        return DisturbedState(
            self.agent.initial_state(batch_size), torch.zeros(batch_size, dtype=torch.int64)
        )

    def act(
        self, step: Step, state: DisturbedState, rng: Generator
    ) -> tuple[Tensor, DisturbedState]:
        """Return one step of B rows, through the disturbance."""
        own, played = state
        played = torch.where(step.meta_episode_start, 0, played.to(step.prev_reward.device))
        now = played == self.at
        if self.disturbance == "misled":
            others = torch.where(
                (played > 0) & (played <= self.at), step.prev_reward.roll(-1, 0), step.prev_reward
            )
            step = step._replace(prev_reward=others)
        elif self.disturbance == "emptied":
            step = first_step(step, now)
        else:
            own = tree_map(
                lambda tensor: torch.where(
                    now.reshape(-1, *[1] * (tensor.dim() - 1)), tensor.roll(-1, 0), tensor
                ),
                own,
            )
        action, own = self.agent.act(step, own, rng)
        return action, DisturbedState(own, played + 1)


class ForgetfulAgent:
    """Another agent whose memory is emptied before every episode, however long the one before it
    was: each time, its task seems new.

    It also forgets how many steps are left. If neither it nor the task's episodes are random, all
    its episodes in a task are the same.

    Args:
        agent: the agent.
    """

    __repr__ = agent_repr

    def __init__(self, agent: Agent):
        self.agent = agent
        self.made_for = made_for_of(agent)

    def initial_state(self, batch_size: int) -> Any:
        """Return the agent's own."""
        return self.agent.initial_state(batch_size)

    def act(self, step: Step, state: Any, rng: Generator) -> tuple[Tensor, Any]:
        """Return one step of B rows; the first of an episode as if it were the meta-episode's."""
        return self.agent.act(first_step(step, step.episode_start), state, rng)


def first_step(step: Step, rows: Tensor) -> Step:
    """`step` with `rows` [B] as if their meta-episode began."""

    def blank(part: Tensor) -> Tensor:
        return torch.where(rows.reshape(-1, *[1] * (part.dim() - 1)), torch.zeros_like(part), part)

    return step._replace(
        prev_action=blank(step.prev_action),
        prev_reward=blank(step.prev_reward),
        prev_terminated=step.prev_terminated & ~rows,
        prev_truncated=step.prev_truncated & ~rows,
        meta_episode_start=step.meta_episode_start | rows,
    )
