"""What a memory knows of its task.

A linear probe that reads a task's parameters out of hidden states (Alain and Bengio 2017).
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from metarl.core.budget import Budget
from metarl.core.seeding import torch_generator
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, Tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.networks.policies.policy import Policy

__all__ = ["Played", "hidden_states", "parameters_of", "played_steps", "probe", "signs_apart"]

RIDGE = 1e-2  # times the number of tasks, on inputs of unit variance


class Played(NamedTuple):
    """What an agent saw along one meta-episode in each of n tasks."""

    steps: list[Step]  # T, of n rows each
    playing: Tensor  # [T, n] bool: the row's meta-episode wasn't over; what other rows show is no part of any episode


@torch.no_grad()
def played_steps(
    agent: Any, distribution: TaskDistribution, tasks: Tasks, budget: Budget, seed: int
) -> Played:
    """Return what `agent` saw along one meta-episode in each of `tasks`, and until when each
    lasted.
    """
    env = MetaEpisodeEnv(
        distribution, budget, len(tasks), torch_generator(seed, "probe noise"), refill=False
    )
    step = env.reset(lambda rows, counts: tasks[rows])
    state = agent.initial_state(len(tasks))
    rng = torch_generator(seed, "probe")
    steps = []
    playing = []
    for _ in range(env.max_steps):
        steps.append(step)
        action, state = agent.act(step, state, rng)
        step, outcome = env.step(action)
        playing.append(outcome.valid)
    env.close()
    return Played(steps, torch.stack(playing))


@torch.no_grad()
def hidden_states(policy: Policy, steps: list[Step], times: Sequence[int]) -> dict[int, Tensor]:
    """Hidden vectors [tasks, H] of a recurrent policy after it has read the step at each of
    `times`.
    """
    state = policy.initial_state(len(steps[0].prev_reward))
    found = {}
    for t in range(max(times) + 1):
        _, state = policy(steps[t], state)
        if t in times:
            found[t] = torch.as_tensor(
                state.core if isinstance(state.core, Tensor) else torch.cat(list(state.core), -1)
            ).clone()
    return found


def parameters_of(tasks: Tasks) -> dict[str, np.ndarray]:
    """By name, each parameter [tasks] of the tasks that isn't the same in all of them."""
    found = {}
    for each in fields(tasks):
        columns = getattr(tasks, each.name).to(torch.float64).reshape(len(tasks), -1).numpy()
        for i, column in enumerate(columns.T):
            if column.std() > 0:
                found[each.name if columns.shape[1] == 1 else f"{each.name} {i}"] = column
    return found


def signs_apart(targets: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`targets` with every parameter of both signs as two, its direction (-1 or 1) and its strength
    (without the sign).

    A guess of the direction alone explains most of the variance of a signed parameter (three
    quarters, of a push between a third and three times the usual one), so R² of the signed one
    would say little about its strength.
    """
    found: dict[str, np.ndarray] = {}
    for name, values in targets.items():
        both = values.min() < 0 < values.max()
        found |= (
            {f"{name}, direction": np.sign(values), f"{name}, strength": np.abs(values)}
            if both
            else {name: values}
        )
    return found


def probe(hidden: np.ndarray, targets: dict[str, np.ndarray]) -> dict[str, float]:
    """By parameter, R² of a ridge regression from hidden vectors, fitted on the first half of the
    tasks and scored on the other.

    Args:
        hidden: [tasks, H], of tasks that are being played at that moment. targets: by name [tasks].

    Returns:
        R² by name; NaN where the scored tasks don't differ.

    Raises:
        ValueError: fewer than 4 tasks.
    """
    half = len(hidden) // 2
    if half < 2:
        raise ValueError(
            f"A probe is fitted on one half of the tasks and scored on the other; {len(hidden)} are"
            " too few."
        )
    mean = hidden[:half].mean(0)
    scale = hidden[:half].std(0)
    inputs = np.where(scale > 1e-8, (hidden - mean) / np.maximum(scale, 1e-8), 0.0)
    fitted = inputs[:half]
    scored = inputs[half:]
    gram = fitted.T @ fitted + RIDGE * half * np.eye(hidden.shape[1])
    result = {}
    for name, values in targets.items():
        centre = values[:half].mean()
        guess = centre + scored @ np.linalg.solve(gram, fitted.T @ (values[:half] - centre))
        error = ((values[half:] - guess) ** 2).sum()
        spread = ((values[half:] - values[half:].mean()) ** 2).sum()
        result[name] = float(1 - error / spread) if spread > 0 else float("nan")
    return result
