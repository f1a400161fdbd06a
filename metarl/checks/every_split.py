"""Plays tasks of every split: what breaks in tests only is found before the tests."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from metarl.checks.playing import actions_for, has_tensor_steps
from metarl.checks.require import require
from metarl.checks.spaces import outside
from metarl.core.budget import Steps
from metarl.core.errors import PlugInError
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv

__all__ = ["EVERY_SPLIT_CHECKS", "SplitPlay", "check_every_split"]

TASKS = 32  # of a tensor family, or of a split that is drawn without end
MOST_TASKS = 64  # of a list ...
MOST_ENVIRONMENTS = 32  # ... where each is an environment of its own, which takes long to begin
MOST_STEPS = 120  # in each task
LONG = 30  # steps; of longer episodes, fewer steps are played
ADAPTED_STEPS = 1500  # of environments that may be slow simulators, all tasks of a split together
ROWS = 16
# Chance that a task which pays as often as the training tasks showed nothing, over all tasks of a
# split
CERTAIN = 1e-3


class SplitPlay(NamedTuple):
    """What random play of one split came to."""

    split: str
    tasks: int
    episodes: int  # finished ones
    steps: int
    paid: Tensor  # [tasks] int64: episodes with a reward other than 0, the unfinished one too
    played: Tensor  # [tasks] int64: episodes begun
    least: float  # of all rewards
    most: float

    def __str__(self) -> str:
        ends = f"{self.episodes:,} episodes ended" if self.episodes else "no episode ended"
        rewards = f"rewards from {self.least:.4g} to {self.most:.4g}"
        return f"{self.split}: {self.tasks:,} tasks, {self.steps:,} steps, {ends}, {rewards}"


def check_every_split(make_distribution: Callable[[], TaskDistribution]) -> list[SplitPlay]:
    """Tasks of every split can be played.

    Shapes, finite numbers, values in the spaces; and none can never pay where training tasks do.
    """
    distribution = make_distribution()
    plays = [_play(distribution, split) for split in distribution.splits]
    train = next((play for play in plays if play.split == "train"), None)
    for play in plays:
        if train is not None and play is not train:
            _check_pays(distribution.id, train, play)
    return plays


EVERY_SPLIT_CHECKS = (check_every_split,)


def _play(distribution: TaskDistribution, split: str) -> SplitPlay:
    """Give each of some tasks as many random steps, in rows that go from task to task."""
    adapted = not has_tensor_steps(distribution)
    listed = (
        distribution.task_lists.get(split)
        if isinstance(distribution, GymnasiumDistribution)
        else None
    )
    longest = MOST_ENVIRONMENTS if distribution.env_per_row else MOST_TASKS
    num_tasks = min(len(listed), longest) if isinstance(listed, tuple) else TASKS
    steps = MOST_STEPS if distribution.horizon <= LONG else MOST_STEPS // 3
    if adapted:
        steps = min(steps, max(2, ADAPTED_STEPS // num_tasks))
    rows = min(num_tasks, ROWS if adapted else TASKS)
    if isinstance(distribution, GymnasiumDistribution) and distribution.one_per_process:
        rows = min(rows, 2)  # each is a process
    tasks = distribution.sample(num_tasks, split, 0)
    turns = -(-num_tasks // rows)
    actions = actions_for(distribution, turns * steps, rows, 0)
    paid = torch.zeros(num_tasks, dtype=torch.int64)
    played = torch.zeros(num_tasks, dtype=torch.int64)
    pays = torch.zeros(rows, dtype=torch.bool)
    least = np.inf
    most = -np.inf
    ended = 0
    space = distribution.observation_space
    try:
        env = MetaEpisodeEnv(
            distribution, Steps(steps), rows, torch_generator(0, "checks", "noise")
        )
        try:
            step = env.reset(lambda at, count: tasks[(count * rows + at) % num_tasks])
            for action in actions:
                trouble = outside(space, step.observation)
                require(
                    trouble is None,
                    f"observations don't lie in {space}: {trouble}.",
                    "Correct the space or the values.",
                )
                step, outcome = env.step(action)
                pays = pays | (outcome.reward != 0)
                over = outcome.terminated | outcome.truncated
                index = (outcome.task * rows + torch.arange(rows)) % num_tasks
                paid.index_add_(0, index[over], pays[over].to(torch.int64))
                played.index_add_(0, index[over], torch.ones_like(index[over]))
                pays = pays & ~over
                ended += int((over & ~outcome.meta_episode_end).sum())
                least = min(least, float(outcome.reward.min()))
                most = max(most, float(outcome.reward.max()))
        finally:
            env.close()
    except PlugInError as error:
        raise PlugInError(f"{distribution.id}, played in its split {split!r}: {error}") from error
    return SplitPlay(split, num_tasks, ended, turns * steps * rows, paid, played, least, most)


def _check_pays(id: str, train: SplitPlay, play: SplitPlay) -> None:
    """Find tasks that never pay, where each training task pays often enough for that to be no
    chance.
    """
    if play.split == "extrapolate":
        return  # which may be harder than anything in training
    pooled = float(train.paid.sum() / (train.played.sum() + 1))
    require(
        bool(play.paid.any()) or (1 - pooled) ** int(play.played.sum()) >= CERTAIN,
        f"{id}: in its split {play.split!r} no step of random play in {play.tasks} tasks brings any"
        f" reward, while {pooled:.0%} of the training tasks' episodes do.",
        f"Look whether tasks of {play.split!r} can pay at all, and mend them.",
    )
    share = float((train.paid / (train.played + 1)).min())
    silent = (play.paid == 0) & (play.played > 0)
    chance = (1 - share) ** play.played[silent].to(torch.float64) * play.tasks
    certain = int((chance < CERTAIN).sum())
    require(
        certain == 0,
        f"{id}: in {certain} of {play.tasks} tasks of its split {play.split!r} no step of random"
        f" play brings any reward, while every training task pays in at least {share:.0%} of its"
        " episodes.",
        f"Look whether those tasks can pay at all: mend them in the list of {play.split!r}, or take"
        " them out of it.",
    )
