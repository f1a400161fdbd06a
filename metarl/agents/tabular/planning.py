"""Finite-horizon planning in batches of tabular models, plain and optimistic.

Models are laid out for speed: transitions [B, S, S * A] with the next state first, rewards [B, S *
A]. Transition weights needn't be normalised: they are divided by their sum over next states as they
are used.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Backup", "action_values", "expected_values", "optimistic_values"]

# From values of the next states [B, S] to what each state and action can expect of them [B, S * A].
Backup = Callable[[Tensor], Tensor]


def action_values(rewards: Tensor, backup: Backup, states: int, horizon: int) -> Tensor:
    """Backward induction: the value of each state and action with t steps gone.

    Args:
        rewards: [B, S * A] expected or optimistic rewards.
        backup: what to expect of the next states' values.
        states: S. horizon: H.

    Returns:
        [B, H, S, A].
    """
    batch_size, pairs = rewards.shape
    values = rewards.new_empty(batch_size, horizon, states, pairs // states)
    values[:, -1] = rewards.view(batch_size, states, -1)
    for t in reversed(range(horizon - 1)):
        values[:, t] = (rewards + backup(values[:, t + 1].amax(-1))).view(batch_size, states, -1)
    return values


def expected_values(transitions: Tensor) -> Backup:
    """Return the mean of the next state's value under `transitions` [B, S, S * A]."""
    scale = 1 / transitions.sum(1)  # [B, S * A]
    return lambda values: torch.bmm(values[:, None], transitions)[:, 0] * scale


def optimistic_values(transitions: Tensor, radius: Tensor) -> Backup:
    """Return the highest mean of the next state's value over all distributions within an L1
    distance: extended value iteration.

    The best next state gains half the radius (or what is missing to 1), and the worst ones lose as
    much, worst first (Jaksch, Ortner & Auer 2010, figure 2).

    Args:
        transitions: [B, S, S * A] the balls' centres, as weights.
        radius: [B, S * A] L1 radius; 2 and more allows every distribution.
    """
    centres = transitions / transitions.sum(1, keepdim=True)  # [B, S, S * A]
    zeros = centres.new_zeros(*centres.shape[:2], centres.shape[1])  # [B, S, S]

    def backup(values: Tensor) -> Tensor:
        ascending, order = values.sort(1)  # [B, S]
        # Worst next state first, by a permutation matrix
        ranked = torch.bmm(zeros.scatter(2, order[:, :, None], 1.0), centres)
        gain = torch.minimum(radius / 2, 1 - ranked[:, -1])  # [B, S * A] mass that moves
        result = torch.bmm(ascending[:, None], ranked)[:, 0] + gain * ascending[:, -1:]
        for i in range(values.shape[1] - 1):
            loss = torch.minimum(gain, ranked[:, i])
            result.sub_(loss * ascending[:, i, None])
            gain = gain - loss
        return result

    return backup
