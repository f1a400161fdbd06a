"""Plain plays of a tensor family, written without MetaEpisodeEnv so that the two can be compared."""

from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.checks.spaces import random_actions
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, where_rows

__all__ = ["Play", "actions_for", "first_returns", "has_tensor_steps", "play"]


class Play(NamedTuple):
    """T steps of n rows; an episode's end is followed at once by the next one's start."""

    observation: Tensor  # [T, n, *obs]  acted on
    reward: Tensor  # [T, n]
    terminated: Tensor  # [T, n] bool
    truncated: Tensor  # [T, n] bool
    final_observation: Tensor  # [T, n, *obs]  what the step showed, before any reset


def has_tensor_steps(distribution: TaskDistribution) -> bool:
    """Return whether the family steps tensors itself (an adapted Gymnasium environment doesn't)."""
    return type(distribution).step is not TaskDistribution.step


def actions_for(distribution: TaskDistribution, steps: int, n: int, seed: int) -> Tensor:
    """Random actions [steps, n, *act]."""
    rng = torch_generator(seed, "checks", "actions")
    return torch.stack([random_actions(distribution.action_space, n, rng) for _ in range(steps)])


def play(distribution: TaskDistribution, tasks: Tasks, actions: Tensor, rng: Generator) -> Play:
    """Play `actions` [T, n, *act] in `tasks` [n].

    After every step all rows draw a reset, which those that ended take.
    """
    state: Any
    state, observation = distribution.reset(tasks, rng)
    clock = torch.zeros(len(tasks), dtype=torch.int64)
    steps = []
    for action in actions:
        transition = distribution.step(tasks, state, action, rng)
        clock = clock + 1
        truncated = (clock >= distribution.horizon) | (
            torch.zeros_like(transition.terminated)
            if transition.truncated is None
            else transition.truncated
        )
        truncated = truncated & ~transition.terminated
        ended = transition.terminated | truncated
        steps.append(
            Play(
                observation,
                transition.reward,
                transition.terminated,
                truncated,
                transition.observation,
            )
        )
        fresh_state, fresh_observation = distribution.reset(tasks, rng)
        state = where_rows(ended, fresh_state, transition.state)
        observation = where_rows(ended, fresh_observation, transition.observation)
        clock = torch.where(ended, 0, clock)
    return Play(*(torch.stack(parts) for parts in zip(*steps, strict=True)))


def first_returns(
    distribution: TaskDistribution, tasks: Tasks, actions: Tensor, rng: Generator
) -> Tensor:
    """Return [n] of each row's first episode under `actions` [T, n, *act].

    Keeps no observations, which may be large.
    """
    start, _ = distribution.reset(tasks, rng)
    state: Any = start
    playing = torch.ones(len(tasks), dtype=torch.bool)
    total = torch.zeros(len(tasks))
    for action in actions:
        transition = distribution.step(tasks, state, action, rng)
        total = total + torch.where(playing, transition.reward, 0)
        ended = (
            transition.terminated
            if transition.truncated is None
            else transition.terminated | transition.truncated
        )
        playing = playing & ~ended
        # Rows that are done aren't stepped past their end
        state = where_rows(playing, transition.state, start)
    return total
