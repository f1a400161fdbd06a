"""A distribution whose tasks are told to the agent.

For reference agents that know the task, and for nothing else.
"""

from dataclasses import fields
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.capabilities import (
    CountsTasks,
    DrawsRows,
    HasUpperBound,
    ListsTasks,
    Renderable,
    RendersPaths,
    pass_on,
)
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition

__all__ = ["Revealed", "reveal"]

# What the wrapped distribution can do for agents that know the task as for those that don't
KEPT = (HasUpperBound, Renderable, RendersPaths, DrawsRows, CountsTasks, ListsTasks)


class Revealed(TaskDistribution):
    """The wrapped distribution with each task's parameters appended to every observation.

    Tasks, rewards, ends and noise are the wrapped distribution's own, so scores on both are paired.
    An observation holds the wrapped one as numbers (a discrete one as its index, others flattened),
    then every tensor of the task, flattened, in the order of its fields.

    | part | value |
    |---|---|
    | observation | Box: the wrapped observation, then the task's parameters |
    | action, reward, start, end, splits | as wrapped |
    | optimum, relaxation | none: the wrapped one's are for agents that start ignorant |
    | upper bound, pictures, list of tasks | as wrapped, where it has them |
    | odometry | none: the wrapped one's reads other observations |

    Attributes:
        wrapped: the distribution whose tasks are told.
        observation_size: how many numbers the wrapped observation takes.
        parameter_shapes: field of the tasks -> shape of one task's parameter, in the order in which
            they're appended.
    """

    reveals = True

    def __init__(self, wrapped: TaskDistribution):
        if isinstance(wrapped, Revealed):
            raise ValueError(
                f"{wrapped.id} tells its tasks already; reveal the distribution that it wraps only"
                " once."
            )
        if type(wrapped).step is TaskDistribution.step:
            raise ValueError(
                f"{wrapped.id} has no tensor reset and step, so its tasks can't be revealed; wrap a"
                " tensor family instead."
            )
        self.wrapped = wrapped
        self.id = f"{wrapped.id}/revealed"
        self.horizon = wrapped.horizon
        self.finite = wrapped.finite
        self.has_success = wrapped.has_success
        self.splits = wrapped.splits
        task = wrapped.sample(1, wrapped.splits[0], 0)
        self.parameter_shapes = {
            field.name: tuple(getattr(task, field.name).shape[1:]) for field in fields(task)
        }
        self.observation_size = int(np.prod(wrapped.observation_space.shape or (), dtype=int))
        size = self.observation_size + sum(
            int(np.prod(shape, dtype=int)) for shape in self.parameter_shapes.values()
        )
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = wrapped.action_space
        pass_on(wrapped, self, KEPT)

    def config(self) -> dict[str, Any]:
        """Return the arguments of the wrapped distribution."""
        return self.wrapped.config()

    def sample(self, n: int, split: str, seed: int) -> Tasks:
        """Return the tasks that the wrapped distribution draws."""
        return self.wrapped.sample(n, split, seed)

    def task_keys(self, tasks: Tasks) -> np.ndarray:
        return self.wrapped.task_keys(tasks)

    def reset(self, tasks: Tasks, rng: Generator) -> tuple[Any, Tensor]:
        state, observation = self.wrapped.reset(tasks, rng)
        return state, self._append(observation, tasks)

    def step(self, tasks: Tasks, state: Any, action: Tensor, rng: Generator) -> Transition:
        transition = self.wrapped.step(tasks, state, action, rng)
        return transition._replace(observation=self._append(transition.observation, tasks))

    def observation_of(self, revealed: Tensor) -> Tensor:
        """Return the wrapped observation within `revealed` [n, size], as numbers [n,
        observation_size].
        """
        return revealed[:, : self.observation_size]

    def parameters_of(self, revealed: Tensor) -> dict[str, Tensor]:
        """Return the tasks' parameters within `revealed` [n, size]: field -> floats [n, ...]."""
        sizes = [int(np.prod(shape, dtype=int)) for shape in self.parameter_shapes.values()]
        parts = revealed[:, self.observation_size :].split(sizes, 1)
        return {
            name: part.reshape(-1, *shape)
            for part, (name, shape) in zip(parts, self.parameter_shapes.items(), strict=True)
        }

    def _append(self, observation: Tensor, tasks: Tasks) -> Tensor:
        n = len(tasks)
        parameters = [
            getattr(tasks, name).reshape(n, -1).to(torch.float32) for name in self.parameter_shapes
        ]
        return torch.cat(
            [observation.reshape(n, -1).to(torch.float32), *parameters], 1
        )  # [n, size]

    def __repr__(self) -> str:
        return f"reveal({self.wrapped!r})"


def reveal(distribution: TaskDistribution) -> Revealed:
    """Append each task's parameters to its observations, for reference agents that are told the
    task.

    Raises:
        ValueError: the distribution isn't a tensor family, or reveals its tasks already.
    """
    if not isinstance(distribution, TaskDistribution):
        made = (
            f'metarl.make("{distribution}/revealed") makes it of an id'
            if isinstance(distribution, str)
            else "make one by metarl.make"
        )
        raise ValueError(f"A distribution of episodes is needed, not {distribution!r:.80}; {made}.")
    return Revealed(distribution)
