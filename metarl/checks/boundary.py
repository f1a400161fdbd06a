"""Checks of a distribution as agents meet it.

Through MetaEpisodeEnv, across the ends of episodes and meta-episodes.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from metarl.checks.nested import difference
from metarl.checks.playing import Play, actions_for, play
from metarl.checks.require import require
from metarl.checks.spaces import outside
from metarl.core.budget import Budget, Episodes, Steps
from metarl.core.seeding import torch_generator
from metarl.core.spaces import action_dtype
from metarl.core.step import Outcome, Step
from metarl.core.task_distribution import TaskDistribution, TaskSource, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv

__all__ = [
    "BOUNDARY_CHECKS",
    "TENSOR_BOUNDARY_CHECKS",
    "Recording",
    "check_boundary",
    "check_meta_episodes",
    "check_no_reward_is_lost",
    "record",
]

Make = Callable[[], TaskDistribution]
OpenEnv = Callable[[TaskDistribution, Budget, int, Generator], MetaEpisodeEnv]
ROWS = 4
STEPS = 600  # most steps of one play


class Recording(NamedTuple):
    """What an agent saw and what each of its steps brought, T steps of B rows."""

    steps: list[Step]  # T + 1
    outcomes: list[Outcome]  # T


def record(env: MetaEpisodeEnv, source: TaskSource, actions: Tensor) -> Recording:
    """Play `actions` [T, B, *act] from a reset."""
    steps = [env.reset(source)]
    outcomes = []
    for action in actions:
        step, outcome = env.step(action)
        steps.append(step)
        outcomes.append(outcome)
    return Recording(steps, outcomes)


def check_no_reward_is_lost(make_distribution: Make, open_env: OpenEnv = MetaEpisodeEnv) -> None:
    """What agents get through the environment is exactly what `reset` and `step` give: every
    reward, an episode's last one too.

    Rows that a family's own `open` returns must draw from the generator as the plain ones do:
    `reset` for all rows after each `step`.
    """
    distribution = make_distribution()
    steps = _steps(distribution)
    tasks = distribution.sample(ROWS, "train", 0)
    actions = actions_for(distribution, steps, ROWS, 0)
    env = open_env(distribution, Steps(steps), ROWS, torch_generator(0, "checks", "noise"))
    try:
        seen = record(env, lambda rows, counts: tasks, actions)
    finally:
        env.close()
    plain = play(
        distribution, tasks.to("cpu", torch.float32), actions, torch_generator(0, "checks", "noise")
    )
    outcomes = [
        torch.stack(parts)
        for parts in zip(
            *((o.reward, o.terminated, o.truncated, o.final_observation) for o in seen.outcomes),
            strict=True,
        )
    ]
    given = Play(torch.stack([step.observation for step in seen.steps[:-1]]), *outcomes)
    ended = plain.terminated | plain.truncated
    told = torch.stack([step.prev_reward for step in seen.steps[1:]])
    for name, rewards in (("the outcome", given.reward), ("prev_reward", told)):
        lost = ended[:-1] & (rewards[:-1] != plain.reward[:-1].to(rewards.dtype))
        require(
            not bool(lost.any()),
            f"{distribution.id}: {int(lost.sum())} of {int(ended[:-1].sum())} rewards of an"
            f" episode's last step don't arrive in {name}.",
            "Hand on the reward of the step that ends an episode together with its end.",
        )
    # The budget cuts the last step
    truncated = torch.cat([plain.truncated[:-1], ~plain.terminated[-1:]])
    where = difference(
        given, plain._replace(reward=plain.reward.to(given.reward.dtype), truncated=truncated)
    )
    require(
        where is None,
        f"{distribution.id}: through the environment {where} differs from what reset and step"
        " give.",
        "Let open() play the same episodes.",
    )


def check_boundary(make_distribution: Make, open_env: OpenEnv = MetaEpisodeEnv) -> None:
    """After an episode's end the agent gets its last reward, its end, its last observation and the
    next episode's start, in one step.
    """
    distribution = make_distribution()
    steps = _steps(distribution)
    env = open_env(distribution, Episodes(2, 0), ROWS, torch_generator(0, "checks", "noise"))
    try:
        seen = record(
            env,
            fresh_tasks(distribution, "train", ROWS, 0),
            actions_for(distribution, steps, ROWS, 0),
        )
    finally:
        env.close()
    who = distribution.id
    for t, (step, outcome) in enumerate(zip(seen.steps[1:], seen.outcomes, strict=True)):
        what = f"{who}: after step {t + 1}"
        goes_on = ~outcome.meta_episode_end
        same = bool((step.prev_reward == outcome.reward)[goes_on].all())
        require(
            same,
            f"{what} prev_reward isn't the reward that the step brought.",
            "Tell the agent every reward, an episode's last one too.",
        )
        for name in ("terminated", "truncated"):
            told = getattr(step, f"prev_{name}")
            happened = getattr(outcome, name)
            same = told.dtype == torch.bool and bool((told == happened)[goes_on].all())
            require(
                same,
                f"{what} prev_{name} isn't what the step brought.",
                "Tell the agent every end of an episode, and which kind it was.",
            )
        require(
            not bool((outcome.terminated & outcome.truncated).any()),
            f"{what} an episode is both terminated and truncated.",
            "An end is one of the two.",
        )
        same = bool((step.meta_episode_start == outcome.meta_episode_end).all())
        require(
            same,
            f"{what} meta_episode_start isn't set in exactly the rows whose meta-episode ended.",
            "Set it once a task, at its first step.",
        )
        ended = (outcome.terminated | outcome.truncated) & goes_on
        final = difference(step.final_observation[ended], outcome.final_observation[ended]) is None
        require(
            final,
            f"{what} final_observation isn't what the ended episode showed last.",
            "Keep it when the row is reset.",
        )
        calm = ~(step.prev_terminated | step.prev_truncated | step.meta_episode_start)
        same = difference(step.final_observation[calm], step.observation[calm]) is None
        require(
            same,
            f"{what} final_observation differs from observation within an episode.",
            "They differ only after an episode's end.",
        )
        trouble = outside(distribution.observation_space, step.observation)
        require(
            trouble is None,
            f"{what} the observation doesn't lie in {distribution.observation_space}: {trouble}.",
            "Correct the space or the values.",
        )


def check_meta_episodes(make_distribution: Make, open_env: OpenEnv = MetaEpisodeEnv) -> None:
    """A meta-episode starts with a clean step, lasts as long as its budget says, and each row's
    tasks are counted.
    """
    distribution = make_distribution()
    who = distribution.id
    budgets: list[Budget] = [Steps(min(STEPS // 2, distribution.horizon + 1))]
    if 2 * distribution.horizon <= STEPS:
        budgets.append(Episodes(2, 0))
    for budget in budgets:
        env = open_env(distribution, budget, ROWS, torch_generator(0, "checks", "noise"))
        try:
            most = env.max_steps
            seen = record(
                env,
                fresh_tasks(distribution, "train", ROWS, 0),
                actions_for(distribution, 2 * most, ROWS, 0),
            )
        finally:
            env.close()
        first = seen.steps[0]
        require(
            bool(first.meta_episode_start.all()),
            f"{who}: meta_episode_start isn't set at the start.",
            "Set it in every row at reset.",
        )
        _check_clean(f"{who}: at the start", distribution, first, first.meta_episode_start)
        length, episodes, tasks = (torch.zeros(ROWS, dtype=torch.int64) for _ in range(3))
        for step, outcome in zip(seen.steps[1:], seen.outcomes, strict=True):
            require(
                bool((outcome.task == tasks).all() and (outcome.episode == episodes).all()),
                f"{who}: tasks or episodes are miscounted.",
                "Count ends of episodes and meta-episodes.",
            )
            length = length + 1
            episodes = episodes + (outcome.terminated | outcome.truncated)
            due = (
                episodes >= budget.total if isinstance(budget, Episodes) else length >= budget.total
            )
            same = bool((outcome.meta_episode_end == due).all())
            require(
                same,
                f"{who}: a meta-episode of {budget} ends at another step than its budget says.",
                "Episodes end by termination, their horizon or the budget only.",
            )
            _check_clean(f"{who}: at a new task", distribution, step, step.meta_episode_start)
            tasks = tasks + due
            length = torch.where(due, 0, length)
            episodes = torch.where(due, 0, episodes)
        require(
            bool((tasks >= 2).all()),
            f"{who}: {budget} didn't end within {most} steps.",
            "End episodes at the horizon at the latest: horizon= of the constructor.",
        )


BOUNDARY_CHECKS = (check_boundary, check_meta_episodes)
TENSOR_BOUNDARY_CHECKS = (check_no_reward_is_lost,)


def _steps(distribution: TaskDistribution) -> int:
    """Enough steps for some ends of episodes."""
    return min(STEPS, max(12, 2 * distribution.horizon + 2))


def _check_clean(what: str, distribution: TaskDistribution, step: Step, starts: Tensor) -> None:
    past = (step.prev_action, step.prev_reward, step.prev_terminated, step.prev_truncated)
    clean = all(not bool(part[starts].any()) for part in past)
    require(
        clean,
        f"{what} prev_action, prev_reward or an end flag isn't zero.",
        "Nothing of the last task may reach the next.",
    )
    same = difference(step.final_observation[starts], step.observation[starts]) is None
    require(
        same,
        f"{what} final_observation isn't the first observation.",
        "Nothing of the last task may reach the next.",
    )
    require(
        step.prev_action.dtype == action_dtype(distribution.action_space),
        f"{what} prev_action is {step.prev_action.dtype}.",
        f"Actions are {action_dtype(distribution.action_space)}.",
    )
