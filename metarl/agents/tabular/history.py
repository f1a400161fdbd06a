"""What an agent remembers of a tabular MDP: every transition, and sums of rewards, from which
posteriors and estimates are made.

A transition (state s, action a, next state s') is kept as its cell, the flat index of (s', s, a):
next state first, which is the layout that `metarl.agents.tabular.planning` multiplies fastest.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from metarl.core.step import Step

__all__ = ["History", "no_history", "remember", "transition_sums"]

BLOCK = 128  # transitions summed at once


class History(NamedTuple):
    """What B tasks have shown so far."""

    cells: Tensor  # [B, capacity] int64: (s' * S + s) * A + a of each transition, in the order in which they came
    length: Tensor  # [B] int64: how many cells count; those behind are stale
    visits: Tensor  # [B, S * A] how often each state and action was tried
    reward_sum: Tensor  # [B, S * A] what it paid in all


def no_history(batch_size: int, capacity: int, states: int, actions: int) -> History:
    """Nothing seen yet, with room for `capacity` transitions a row."""
    cells = torch.zeros(batch_size, capacity, dtype=torch.int64)
    length = torch.zeros(batch_size, dtype=torch.int64)
    return History(
        cells,
        length,
        torch.zeros(batch_size, states * actions),
        torch.zeros(batch_size, states * actions),
    )


def remember(
    history: History, step: Step, previous_state: Tensor, states: int, actions: int
) -> History:
    """Take in the transition that `step` reports, in place; rows that start a meta-episode forget
    instead.

    Args:
        history: what was seen before.
        step: an episode's last transition leads to its `final_observation`, not to the next
            episode's start.
        previous_state: [B] the state in which `step.prev_action` was taken.
        states: S. actions: A.

    Raises:
        ValueError: a row has more transitions than the history has room for.
    """
    cells, length, visits, reward_sum = history
    capacity = cells.shape[1]
    fresh = ~step.meta_episode_start
    length = torch.where(fresh, length, 0)
    if bool((fresh & (length >= capacity)).any()):
        raise ValueError(
            f"This agent was built for meta-episodes of at most {capacity} steps; build it with the"
            " budget that it is to play."
        )
    pair = (previous_state * actions + step.prev_action)[:, None]  # [B, 1]
    slot = length.clamp_max(capacity - 1)[:, None]  # a row that forgets writes a stale entry
    cells.scatter_(1, slot, step.final_observation[:, None] * (states * actions) + pair)
    counted = fresh[:, None].to(visits.dtype)
    visits.mul_(counted).scatter_add_(1, pair, counted)
    reward_sum.mul_(counted).scatter_add_(
        1, pair, counted * step.prev_reward[:, None].to(visits.dtype)
    )
    return History(cells, length + fresh, visits, reward_sum)


def transition_sums(
    history: History,
    states: int,
    actions: int,
    weights: Callable[[tuple[int, int]], Tensor] | None = None,
) -> Tensor:
    """For every (s', s, a) the sum of the weights of its transitions: their number where each
    weighs 1.

    Args:
        history: what was seen.
        states: S. actions: A.
        weights: gives weights of a shape (B, block). It is asked once a block, first block first,
            so a row's weights don't depend on how long other rows' histories are.

    Returns:
        [B, S, S * A], next state first.
    """
    batch_size = len(history.length)
    sums = history.visits.new_zeros(batch_size, states * states * actions)
    longest = int(history.length.max()) if batch_size else 0
    for first in range(0, longest, BLOCK):
        cells = history.cells[:, first : first + BLOCK]
        counted = (
            torch.arange(first, first + cells.shape[1], device=cells.device)
            < history.length[:, None]
        ).to(sums.dtype)
        sums.scatter_add_(
            1,
            cells,
            counted if weights is None else counted.mul_(weights((batch_size, cells.shape[1]))),
        )
    return sums.view(batch_size, states, states * actions)
