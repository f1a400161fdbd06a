"""What a memory knows of its task: a linear probe that reads a task's parameters out of hidden states (Alain and Bengio 2017)."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metarl.envs.budget import Budget
from metarl.envs.meta_episode import MetaEpisodeEnv, Step
from metarl.networks.policy import Policy
from metarl.tasks.contract import TaskDistribution, Tasks
from metarl.tasks.seeding import torch_generator

__all__ = ["hidden_states", "parameters_of", "played_steps", "probe"]

RIDGE = 1e-2  # times the number of tasks, on inputs of unit variance


@torch.no_grad()
def played_steps(agent: Any, distribution: TaskDistribution, tasks: Tasks, budget: Budget, seed: int) -> list[Step]:
    """What `agent` saw along one meta-episode in each of `tasks`."""
    env = MetaEpisodeEnv(distribution, budget, len(tasks), torch_generator(seed, "probe noise"), refill=False)
    step, state, rng, steps = (
        env.reset(lambda rows, counts: tasks[rows]),
        agent.initial_state(len(tasks)),
        torch_generator(seed, "probe"),
        [],
    )
    for _ in range(env.max_steps):
        steps.append(step)
        action, state = agent.act(step, state, rng)
        step, _ = env.step(action)
    env.close()
    return steps


@torch.no_grad()
def hidden_states(policy: Policy, steps: list[Step], times: Sequence[int]) -> dict[int, Tensor]:
    """Hidden vectors [tasks, H] of a recurrent policy after it has read the step at each of `times`."""
    state, found = policy.initial_state(len(steps[0].prev_reward)), {}
    for t in range(max(times) + 1):
        _, state = policy(steps[t], state)
        if t in times:
            found[t] = torch.as_tensor(state.core if isinstance(state.core, Tensor) else torch.cat(list(state.core), -1)).clone()
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


def probe(hidden: np.ndarray, targets: dict[str, np.ndarray]) -> dict[str, float]:
    """By parameter, R² of a ridge regression from hidden vectors, fitted on the first half of the tasks and scored on the other.

    Args:
        hidden: [tasks, H]. targets: by name [tasks].

    Raises:
        ValueError: fewer than 4 tasks.
    """
    half = len(hidden) // 2
    if half < 2:
        raise ValueError(f"A probe is fitted on one half of the tasks and scored on the other; {len(hidden)} are too few.")
    mean, scale = hidden[:half].mean(0), hidden[:half].std(0)
    inputs = np.where(scale > 1e-8, (hidden - mean) / np.maximum(scale, 1e-8), 0.0)
    fitted, scored = inputs[:half], inputs[half:]
    gram = fitted.T @ fitted + RIDGE * half * np.eye(hidden.shape[1])
    result = {}
    for name, values in targets.items():
        centre = values[:half].mean()
        guess = centre + scored @ np.linalg.solve(gram, fitted.T @ (values[:half] - centre))
        error, spread = ((values[half:] - guess) ** 2).sum(), ((values[half:] - values[half:].mean()) ** 2).sum()
        result[name] = float(1 - error / spread)
    return result
