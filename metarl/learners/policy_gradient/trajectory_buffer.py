"""Trajectories that are filled while an agent plays, in the tensors that they hold from the start.

An agent that acts at every step notes every step; one that chooses every N steps what to do for as
long notes its choices, each with the sum of the rewards until the next.
"""

from collections.abc import Callable

import gymnasium as gym
import torch
from torch import Tensor

from metarl.core.spaces import action_dtype
from metarl.core.step import Step
from metarl.learners.policy_gradient.trajectory import Trajectory

__all__ = ["empty_episodes", "empty_trajectory", "note_choice", "note_outcome", "time_first"]


def empty_trajectory(
    grid: tuple[int, ...],
    observation_shape: tuple[int, ...],
    dtype: torch.dtype,
    action_space: gym.Space,
    device: torch.device,
) -> Trajectory:
    """Return room for `grid` = (T, B ...) steps, none of which is valid yet.

    Args:
        grid: how many. observation_shape, dtype: of one observation, or of its features.
        action_space: of one task. device: where the tensors lie.
    """
    action_shape = action_space.shape or ()
    return Trajectory(
        observation=torch.zeros(*grid, *observation_shape, dtype=dtype, device=device),
        action=torch.zeros(*grid, *action_shape, dtype=action_dtype(action_space), device=device),
        log_prob=torch.zeros(grid, device=device),
        reward=torch.zeros(grid, device=device),
        terminated=torch.zeros(grid, dtype=torch.bool, device=device),
        valid=torch.zeros(grid, dtype=torch.bool, device=device),
    )


def empty_episodes(
    rows: int, times: int, episodes: int, features: int, space: gym.Space, device: torch.device
) -> Trajectory:
    """Return room for E = `episodes` episodes of up to T = `times` choices from `space`, in `rows`
    rows: [rows, T, E], rows first as in everything that an agent's state holds; see `time_first`.
    """
    empty = empty_trajectory((rows, times, episodes), (features,), torch.float32, space, device)
    return empty._replace(final_observation=torch.zeros(rows, episodes, features, device=device))


def time_first(played: Trajectory) -> Trajectory:
    """Return views [T, B, E] of an agent's episodes [B, T, E], as learners read them."""
    final = played.final_observation
    swapped = [None if part is None else part.transpose(0, 1) for part in played[:-2]]
    return Trajectory._make([*swapped, final, None])


def note_choice(
    played: Trajectory,
    time: Tensor,
    episode: Tensor,
    features: Tensor,
    action: Tensor,
    log_prob: Tensor,
    now: Tensor,
) -> None:
    """Enter rows' choices into `played` [B, T, E], at places `time` of their episodes [B], where
    `now` [B] is true.
    """
    played = time_first(played)
    rows = torch.nonzero(now).flatten()
    place = (time[rows].clamp_max(len(played.reward) - 1), rows, episode[rows])
    played.observation[place] = features[rows]
    played.action[place] = action[rows]
    played.log_prob[place] = log_prob[rows]
    played.reward[place] = 0
    played.terminated[place] = False
    played.valid[place] = True


def note_outcome(
    played: Trajectory,
    step: Step,
    time: Tensor,
    episode: Tensor,
    acted: Tensor,
    encode: Callable[[Tensor], Tensor],
) -> Tensor:
    """Add the last step's rewards to the choices at places `time` [B], note how episodes ended, and
    return which did [B] bool.

    Args:
        played: [B, T, E]. step: what followed. time, episode: [B] places of the choices.
        acted: [B] bool, whether a row has made one in this episode.
        encode: features of observations.
    """
    played = time_first(played)
    assert played.final_observation is not None
    latest = time.clamp(0, len(played.reward) - 1)
    rows = torch.nonzero(acted).flatten()
    played.reward[latest[rows], rows, episode[rows]] += step.prev_reward[rows].to(
        played.reward.dtype
    )
    over = acted & (step.prev_terminated | step.prev_truncated)
    if bool(over.any()):
        ended = torch.nonzero(over).flatten()
        played.terminated[latest[ended], ended, episode[ended]] = step.prev_terminated[ended]
        played.final_observation[ended, episode[ended]] = encode(step.final_observation[ended])
    return over
