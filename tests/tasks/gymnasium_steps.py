"""Single steps of Gymnasium's own environments, from states met under random actions or spread over
the state space.
"""

from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from torch import Tensor

from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition


class Steps(NamedTuple):
    """n steps, each from a state of its own."""

    state: Tensor  # [n, S] float64, as is everything else
    action: Tensor  # [n, *act]
    following: Tensor  # [n, S] the state after the step
    observation: Tensor  # [n, *obs] rounded to float32 by Gymnasium
    reward: Tensor  # [n]
    terminated: Tensor  # [n] bool


def met_under_random_actions(
    id: str, n: int, seed: int = 0, episode: int = 200, torque: float = 3.0
) -> Steps:
    """n successive steps under random actions, starting anew after an end or `episode` steps.

    Boxes get up to ±torque, beyond bounds.
    """
    env = gymnasium.make(id).unwrapped
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    clock = episode
    for _ in range(n):
        if clock == episode or rows[-1][-1]:
            env.reset(seed=int(rng.integers(2**31)))
            env.state = np.array(env.state, np.float64)
            clock = 0
        rows.append(_step(env, np.array(env.state), _action(env, rng, torque)))
        clock += 1
    return _stacked(rows)


def from_states(id: str, states: np.ndarray, seed: int = 0, torque: float = 3.0) -> Steps:
    """Return one step with a random action from each of `states` [n, S]."""
    env = gymnasium.make(id).unwrapped
    rng = np.random.default_rng(seed)
    env.reset(seed=0)
    rows = []
    for state in states:
        env.steps_beyond_terminated = None  # cart-pole's memory of an episode's end
        rows.append(_step(env, state, _action(env, rng, torque)))
    return _stacked(rows)


def as_gymnasium(distribution: TaskDistribution, steps: Steps, dtype: torch.dtype) -> Transition:
    """Return the distribution's own step from `steps`' states, in its one task (it must have usual
    physics only).
    """
    tasks: Tasks = distribution.sample(1, "train", 0)[[0] * len(steps.state)].to("cpu", dtype)
    action = steps.action.to(dtype) if steps.action.is_floating_point() else steps.action
    return distribution.step(tasks, steps.state.to(dtype), action, torch_generator(0, "noise"))


def _action(env: Any, rng: np.random.Generator, torque: float) -> Any:
    if isinstance(env.action_space, gymnasium.spaces.Discrete):
        return int(rng.integers(env.action_space.n))
    return rng.uniform(-torque, torque, env.action_space.shape)


def _step(env: Any, state: np.ndarray, action: Any) -> tuple[Any, ...]:
    env.state = state.copy()
    observation, reward, terminated, _, _ = env.step(action)
    return (
        state,
        action,
        np.array(env.state, np.float64),
        np.asarray(observation, np.float64),
        float(reward),
        terminated,
    )


def _stacked(rows: list[tuple[Any, ...]]) -> Steps:
    return Steps(*(torch.from_numpy(np.array(column)) for column in zip(*rows, strict=True)))
