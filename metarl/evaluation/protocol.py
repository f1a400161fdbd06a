"""The one loop that scores every agent: the same tasks and the same environment noise for all, so that differences are paired."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from metarl.baselines.registry import as_agent
from metarl.envs.agent import Agent
from metarl.envs.budget import Budget, Episodes, as_budget
from metarl.envs.meta_episode import MetaEpisodeEnv, Outcome
from metarl.learners.contract import Learner
from metarl.tasks.contract import PlugInError, TaskDistribution, Tasks, check_split, where_rows
from metarl.tasks.devices import check_device
from metarl.tasks.registry import task_distribution
from metarl.tasks.seeding import torch_generator

__all__ = ["CHUNK", "Evaluation", "evaluate"]

CHUNK = 4096  # tasks played side by side; part of the protocol, since the environment's noise is drawn for a whole chunk


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Every episode that an agent played, one entry each, ordered by task and episode.

    Attributes:
        distribution: id of the task distribution, with its arguments in `config`.
        config, split, seed, budget, num_tasks: what was played.
        fingerprint: of the tasks.
        finite: train and test may overlap, because the family has few tasks by nature.
        task, episode, start_step, length: [episodes] int64.
        returns: [episodes] float64, undiscounted.
        terminated, truncated, success: [episodes] bool; an episode is a success if any of its steps was.
        actions: [num_tasks, steps, *act] where they were recorded, else None; zeros after a task's last step.
        horizon: most steps in one episode; tells an episode that a step budget cut from one that the horizon ended there.
    """

    distribution: str
    config: dict[str, Any]
    split: str
    seed: int
    budget: Budget
    num_tasks: int
    fingerprint: str
    finite: bool
    task: np.ndarray
    episode: np.ndarray
    start_step: np.ndarray
    length: np.ndarray
    returns: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    success: np.ndarray
    actions: np.ndarray | None = None
    horizon: int | None = None

    def rows(self) -> pd.DataFrame:
        """One row an episode: task, episode, start_step, length, return, terminated, truncated, success."""
        columns = {"task": self.task, "episode": self.episode, "start_step": self.start_step, "length": self.length, "return": self.returns}
        return pd.DataFrame({**columns, "terminated": self.terminated, "truncated": self.truncated, "success": self.success})

    def scores(self, score: str = "total") -> np.ndarray:
        """One number a task [num_tasks]: `total`, `after_k`, `budget_mean`, or `success` (share of scored episodes).

        An episode cut by a step budget counts in `budget_mean` and `success` only if it is the task's only one; in `total` always.

        Raises:
            ValueError: unknown score, or `after_k` of a budget without episodes after K.
        """
        if score == "total":
            return np.bincount(self.task, self.returns, self.num_tasks)
        if score == "budget_mean":
            scored, values = self.whole(), self.returns
        elif score == "after_k":
            if not isinstance(self.budget, Episodes) or self.budget.after < 1:
                raise ValueError("after_k needs a budget Episodes(K, after=M) with M of at least 1.")
            scored, values = self.episode >= self.budget.learning, self.returns
        elif score == "success":
            after = self.budget.learning if isinstance(self.budget, Episodes) and self.budget.after else 0
            scored, values = self.whole() & (self.episode >= after), self.success.astype(float)
        else:
            raise ValueError(f"There is no score {score!r}; choose total, after_k, budget_mean or success.")
        counts = np.bincount(self.task[scored], minlength=self.num_tasks)
        return np.bincount(self.task[scored], values[scored], self.num_tasks) / counts

    def whole(self) -> np.ndarray:
        """Which episodes [episodes] count in `budget_mean`: those not cut short by the step budget, and a task's only one."""
        if isinstance(self.budget, Episodes):
            return np.ones(len(self.task), bool)
        cut = self.truncated & (self.start_step + self.length == self.budget.total)
        if self.horizon is not None:
            cut &= self.length < self.horizon
        return ~cut | (np.bincount(self.task, minlength=self.num_tasks)[self.task] == 1)

    def matrix(self) -> np.ndarray:
        """Returns [num_tasks, episodes] for an Episodes budget, where every task has as many."""
        if not isinstance(self.budget, Episodes):
            raise ValueError("Only an Episodes budget gives every task equally many episodes; use rows().")
        return self.returns.reshape(self.num_tasks, self.budget.total)


def evaluate(
    agent: Agent | Learner | str,
    distribution: TaskDistribution | str,
    split: str,
    num_tasks: int,
    seed: int,
    budget: Budget | int = Episodes(10),
    *,
    device: str | torch.device = "cpu",
    record_actions: bool = False,
) -> Evaluation:
    """Play `budget` in each of `num_tasks` tasks of `split`.

    Tasks and the environment's noise depend on (split, num_tasks, seed) alone; the agent draws from a stream of its own.
    Each task has a row of its own, never refilled.

    Args:
        agent: who plays; or a learner, whose agent does, or the id of an agent such as "thompson".
        distribution: what is played, or its id.
        split: of the tasks. num_tasks: how many. seed: names tasks and noise.
        budget: how long a task is played; a number is one of episodes.
        device: where it is played.
        record_actions: keep every action.

    Raises:
        ValueError: unknown split or device, no tasks, or no budget. PlugInError: the agent or the distribution broke its contract.
    """
    distribution, budget = task_distribution(distribution), as_budget(budget)
    check_split(distribution, split)
    check_device(device)
    if not isinstance(num_tasks, Integral):
        raise ValueError(f"num_tasks must be a whole number, not {num_tasks!r}.")
    if num_tasks < 1:
        raise ValueError(f"num_tasks must be at least 1, not {num_tasks}.")
    if not isinstance(seed, Integral):
        raise ValueError(f"seed must be a whole number, not {seed!r}.")
    agent = as_agent(agent, distribution, budget)
    _check_fits(agent, distribution)
    tasks = distribution.sample(num_tasks, split, seed)
    chunks = []
    for first in range(0, num_tasks, CHUNK):
        chunk = tasks[first : first + CHUNK]
        noise = torch_generator(seed, "environment", split, first, device=device)
        env = MetaEpisodeEnv(distribution, budget, len(chunk), noise, refill=False)
        try:
            outcomes, actions = _play(agent, env, chunk, torch_generator(seed, "agent", split, first, device=device), record_actions)
        except PlugInError as error:
            if first == 0:
                raise
            raise PlugInError(f"{error} (Row 0 is task {first} of the {num_tasks} evaluated.)") from error
        finally:
            env.close()
        chunks.append((first, _episodes(outcomes), actions))
    for first, episodes, _ in chunks:
        episodes["task"] += first
    columns = {name: np.concatenate([episodes[name] for _, episodes, _ in chunks]) for name in chunks[0][1]}
    recorded = np.concatenate([actions for _, _, actions in chunks]) if record_actions else None
    return Evaluation(
        distribution.id,
        distribution.config(),
        split,
        seed,
        budget,
        num_tasks,
        tasks.fingerprint,
        distribution.finite,
        **columns,
        actions=recorded,
        horizon=distribution.horizon,
    )


def _check_fits(agent: Agent, distribution: TaskDistribution) -> None:
    """Raise ValueError if the agent says for which spaces it was made, and these are others."""
    for name in ("observation_space", "action_space"):
        made_for, played = getattr(agent, name, None), getattr(distribution, name)
        if made_for is not None and made_for != played:
            raise ValueError(
                f"This {type(agent).__name__} was made for the {name} {made_for}; {distribution.id} has {played}. "
                "Score it on the distribution it was trained on, or train one for this."
            )


@torch.no_grad()
def _play(
    agent: Agent, env: MetaEpisodeEnv, tasks: Tasks, rng: torch.Generator, record_actions: bool
) -> tuple[list[Outcome], np.ndarray | None]:
    step = env.reset(lambda rows, counts: tasks)
    state = agent.initial_state(env.num_envs)
    outcomes, actions = [], []
    for t in range(env.max_steps):
        action, state = agent.act(step, state, rng)
        if not isinstance(action, Tensor):
            raise PlugInError(
                f"{type(agent).__name__}.act must return (action tensor, state); at step {t + 1} the action is a {type(action).__name__}."
            )
        step, outcome = env.step(action)
        outcomes.append(outcome._replace(final_observation=outcome.reward))  # observations are not scored: let them go
        if record_actions:
            actions.append(where_rows(outcome.valid, action, torch.zeros_like(action)).cpu())
        if t % 16 == 15 and not bool((outcome.valid & ~outcome.meta_episode_end).any()):
            break
    env.check()
    if not record_actions:
        return outcomes, None
    actions += [torch.zeros_like(actions[0])] * (env.max_steps - len(actions))  # chunks may end early, each after its own longest task
    return outcomes, torch.stack(actions, 1).numpy()


def _episodes(outcomes: list[Outcome]) -> dict[str, np.ndarray]:
    """Fold steps [T, B] into episodes, ordered by row and episode."""
    reward, terminated, truncated, success, episode, valid = (
        torch.stack([getattr(outcome, name) for outcome in outcomes], 1).cpu().numpy()
        for name in ("reward", "terminated", "truncated", "success", "episode", "valid")
    )  # each [B, T]
    num_rows, most = len(episode), int(episode[valid].max()) + 1
    index = (np.arange(num_rows)[:, None] * most + episode)[valid]  # one bin for each row and episode
    size = num_rows * most
    length = np.bincount(index, minlength=size)
    played = length > 0
    start = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(start, index, np.broadcast_to(np.arange(valid.shape[1]), valid.shape)[valid])
    bins = np.arange(size)[played]
    flags = {
        name: np.bincount(index, values[valid], size)[played] > 0
        for name, values in (("terminated", terminated), ("truncated", truncated), ("success", success))
    }
    returns = np.bincount(index, reward[valid].astype(np.float64), size)[played]
    return {
        "task": bins // most,
        "episode": bins % most,
        "start_step": start[played],
        "length": length[played],
        "returns": returns,
        **flags,
    }
