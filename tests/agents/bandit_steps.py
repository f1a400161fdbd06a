"""Bandits played without a simulator, for tests of bandit agents."""

from itertools import product

import torch

from metarl.core.seeding import torch_generator
from metarl.core.step import Step


def pulled(action, reward, start):
    """Return the step of rows that pulled `action` [B] and got `reward` [B].

    Rows of `start` [B] begin a new task.
    """
    nothing = torch.zeros_like(action)
    ended = ~start
    return Step(
        nothing,
        torch.where(start, 0, action),
        torch.where(start, 0.0, reward),
        ended,
        torch.zeros_like(start),
        nothing,
        start,
    )


def answer(agent, pulls, seed=0):
    """Return the action [B] of an agent that saw `pulls`.

    (arms [B], rewards [B]) each, as lists, from the start of a task.
    """
    rows = len(pulls[0][0]) if pulls else 1
    state = agent.initial_state(rows)
    rng = torch_generator(seed, "agent")
    start = torch.ones(rows, dtype=torch.bool)
    steps = [pulled(torch.zeros(rows, dtype=torch.int64), torch.zeros(rows), start)]
    steps += [
        pulled(torch.tensor(arms), torch.tensor(rewards, dtype=torch.float32), ~start)
        for arms, rewards in pulls
    ]
    for step in steps:
        action, state = agent.act(step, state, rng)
    return action


def exact_total(agent, arms, pulls):
    """Return the expected total of a deterministic agent over `pulls` Bernoulli pulls, p ~ U[0, 1],
    by playing every sequence of rewards.

    A sequence weighs as much as its rewards are likely: (1 + successes) / (2 + pulls) of the arm
    for each win.
    """
    rewards = torch.tensor(list(product((0.0, 1.0), repeat=pulls)))  # [2^pulls, pulls]
    rows = len(rewards)
    index = torch.arange(len(rewards))
    weight = torch.ones(rows, dtype=torch.float64)
    successes, failures = (torch.ones(rows, arms, dtype=torch.float64) for _ in range(2))
    state = agent.initial_state(rows)
    rng = torch_generator(0, "agent")
    action = torch.zeros(rows, dtype=torch.int64)
    reward = torch.zeros(rows)
    for t in range(pulls):
        action, state = agent.act(pulled(action, reward, torch.full((rows,), t == 0)), state, rng)
        reward = rewards[:, t]
        chance = successes[index, action] / (successes + failures)[index, action]
        weight *= torch.where(reward > 0, chance, 1 - chance)
        successes[index, action] += reward
        failures[index, action] += 1 - reward
    assert abs(weight.sum() - 1) < 1e-12
    return float((weight * rewards.sum(1)).sum())
