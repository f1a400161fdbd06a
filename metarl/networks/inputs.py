"""What a recurrent policy reads at each step: observation, previous action, previous reward,
episode start.

See Duan et al. 2016, section 2.2.
"""

import math

import gymnasium as gym
import torch
from torch import Tensor, nn

from metarl.core.spaces import observation_dtype
from metarl.core.step import Step
from metarl.networks.actions import action_distribution, check_size, one_hot
from metarl.networks.normalisation import RunningMoments

__all__ = ["StepInputs", "is_image", "observation_features"]


def observation_features(space: gym.Space) -> int:
    """Size of the flat features of one observation: one-hot where discrete.

    Raises:
        ValueError: a kind of space that the networks here can't read, or one too large for them.
    """
    if isinstance(space, gym.spaces.Discrete):
        size = int(space.n) if space.n > 1 else 0  # an observation that never changes tells nothing
    elif isinstance(space, gym.spaces.MultiDiscrete):
        size = sum(int(n) for n in space.nvec.ravel())
    elif isinstance(space, gym.spaces.MultiBinary | gym.spaces.Box):
        size = math.prod(space.shape)
    else:
        raise ValueError(
            f"Observations of {space} aren't supported; flatten them to Discrete, MultiDiscrete,"
            " MultiBinary or Box."
        )
    check_size("Observations", space, size)
    return size


def is_image(space: gym.Space) -> bool:
    """Return whether observations are images of bytes: a Box of uint8 with three dimensions."""
    return isinstance(space, gym.spaces.Box) and space.dtype == "uint8" and len(space.shape) == 3


class StepInputs(nn.Module):
    """Turns a Step into features [..., F]; boxes and rewards are normalised by running moments that
    are saved with the policy.

    Args:
        observation_space, action_space: of one task.
        previous_observation: also read the observation before this one, so that one step holds a
            whole transition.
        encoded: leave the observation out, since an encoder reads it.
        observation_only: read nothing but the current observation, as a policy without memory does.
    """

    def __init__(
        self,
        observation_space: gym.Space,
        action_space: gym.Space,
        previous_observation: bool = False,
        encoded: bool = False,
        observation_only: bool = False,
    ):
        super().__init__()
        self.observation_only = observation_only
        self.space = observation_space
        self.observation_dtype = observation_dtype(observation_space)
        self.actions = action_distribution(action_space)
        self.previous_observation = previous_observation
        self.encoded = encoded
        self.observation_size = 0 if encoded else observation_features(observation_space)
        self.size = self.observation_size
        if not observation_only:
            self.size += (
                self.observation_size * previous_observation + self.actions.num_features + 2
            )
        self.reward_moments = RunningMoments(())
        self.normalises = (
            isinstance(observation_space, gym.spaces.Box) and self.observation_size > 0
        )
        if self.normalises:
            self.observation_moments = RunningMoments(tuple(observation_space.shape or ()))

    def forward(self, step: Step, previous: Tensor | None = None) -> Tensor:
        """Features [..., F] of `step`.

        `previous` [..., *obs] is the observation before it (ignored at a meta-episode's start).
        """
        if self.observation_only:
            return (
                step.prev_reward.new_zeros((*step.prev_reward.shape, 0))
                if self.encoded
                else self.encode(step.observation)
            )
        alive = ~step.meta_episode_start[..., None]
        parts = [] if self.encoded else [self.encode(step.observation)]
        if self.previous_observation:
            assert previous is not None, "this policy reads the previous observation too"
            parts.append(self.encode(previous) * alive)
        parts.append(self.actions.encode(step.prev_action) * alive)
        parts.append(self.reward_moments.normalise(step.prev_reward)[..., None] * alive)
        parts.append(step.episode_start[..., None].to(torch.float32))
        return torch.cat(parts, -1)

    def encode(self, observation: Tensor) -> Tensor:
        """Flat features [..., size] of observations [..., *obs]."""
        if isinstance(self.space, gym.spaces.Discrete):
            if self.observation_size == 0:
                return torch.zeros((*observation.shape, 0), device=observation.device)
            return one_hot(observation - int(self.space.start), self.observation_size)
        if isinstance(self.space, gym.spaces.MultiDiscrete):
            sizes = [int(n) for n in self.space.nvec.ravel()]
            starts = [int(start) for start in self.space.start.ravel()]
            columns = observation.flatten(-self.space.nvec.ndim).unbind(-1)
            return torch.cat(
                [
                    one_hot(column - start, n)
                    for column, start, n in zip(columns, starts, sizes, strict=True)
                ],
                -1,
            )
        if self.normalises:
            observation = self.observation_moments.normalise(observation.to(torch.float32))
        shape = self.space.shape or ()
        return (
            observation.to(torch.float32).flatten(-len(shape))
            if shape
            else observation.to(torch.float32)[..., None]
        )

    @torch.no_grad()
    def learn_moments(self, steps: Step, valid: Tensor) -> None:
        """Take a rollout [T, B] into the running moments.

        Call it between updates, never within one.
        """
        self.reward_moments.update(steps.prev_reward[valid & ~steps.meta_episode_start])
        if self.normalises:
            self.observation_moments.update(steps.observation[valid])
