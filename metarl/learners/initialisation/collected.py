"""The episodes that an agent has played in each of B tasks since it last learned, filled as they are played.

An agent that acts at every step notes every step; one that chooses every N steps what to do for as long notes its choices, each with the
sum of the rewards until the next.
"""

from collections.abc import Callable
from typing import NamedTuple

import gymnasium as gym
import torch
from torch import Tensor

from metarl.core.spaces import action_dtype
from metarl.core.step import Step
from metarl.learners.policy_gradient.policy_episodes import TaskEpisodes

__all__ = ["Collected", "nothing_collected"]


class Collected(NamedTuple):
    """E episodes, of up to H choices each, of each of B tasks; see `TaskEpisodes`. Its methods write into its tensors."""

    features: Tensor  # [B, H, E, F]
    action: Tensor  # [B, H, E, *act]
    log_prob: Tensor  # [B, H, E]
    reward: Tensor  # [B, H, E]
    valid: Tensor  # [B, H, E] bool
    terminated: Tensor  # [B, E] bool
    final: Tensor  # [B, E, F]

    def of(self, rows: Tensor) -> TaskEpisodes:
        """Those of some rows, as they are judged: time first."""
        return TaskEpisodes(*(part[rows].transpose(0, 1) for part in self[:5]), *(part[rows] for part in self[5:]))

    def note_choice(self, time: Tensor, episode: Tensor, features: Tensor, action: Tensor, log_prob: Tensor, now: Tensor) -> None:
        """Enter rows' choices at places `time` of their episodes [B], in rows where `now` [B] is true."""
        rows = torch.nonzero(now).flatten()
        place = (rows, time[rows].clamp_max(self.reward.shape[1] - 1), episode[rows])
        self.features[place], self.action[place], self.log_prob[place] = features[rows], action[rows], log_prob[rows]
        self.reward[place] = 0
        self.valid[place] = True

    def note_outcome(self, step: Step, time: Tensor, episode: Tensor, acted: Tensor, encode: Callable[[Tensor], Tensor]) -> Tensor:
        """Add the last step's rewards to the choices at places `time` [B], and note how episodes ended. Returns which did [B] bool.

        Args:
            step: what followed. time, episode: [B] places of the choices. acted: [B] bool, whether a row has made one in this episode.
            encode: features of observations.
        """
        rows = torch.nonzero(acted).flatten()
        self.reward[rows, time[rows].clamp(0, self.reward.shape[1] - 1), episode[rows]] += step.prev_reward[rows].to(self.reward.dtype)
        over = acted & (step.prev_terminated | step.prev_truncated)
        if bool(over.any()):
            ended = torch.nonzero(over).flatten()
            self.terminated[ended, episode[ended]] = step.prev_terminated[ended]
            self.final[ended, episode[ended]] = encode(step.final_observation[ended])
        return over


def nothing_collected(rows: int, times: int, episodes: int, features: int, space: gym.Space, device: torch.device) -> Collected:
    """Room for E = `episodes` episodes of up to H = `times` choices from `space`, in B = `rows` rows."""
    grid = (rows, times, episodes)
    return Collected(
        torch.zeros(*grid, features, device=device),
        torch.zeros(*grid, *(space.shape or ()), dtype=action_dtype(space), device=device),
        torch.zeros(grid, device=device),
        torch.zeros(grid, device=device),
        torch.zeros(grid, dtype=torch.bool, device=device),
        torch.zeros(rows, episodes, dtype=torch.bool, device=device),
        torch.zeros(rows, episodes, features, device=device),
    )
