"""The one loop that scores every agent.

The same tasks and the same environment noise for all, so that differences are paired.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from metarl.agents.registry import as_agent
from metarl.core.agent import Agent, check_made_for
from metarl.core.arguments import check_device, check_seed, check_whole
from metarl.core.budget import Budget, Episodes, as_budget
from metarl.core.capabilities import every_task, task_count_of
from metarl.core.errors import ActionError, PlugInError
from metarl.core.learner import Learner
from metarl.core.registry import task_distribution
from metarl.core.seeding import torch_generator
from metarl.core.step import Outcome
from metarl.core.task_distribution import TaskDistribution, Tasks, check_split, where_rows
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.evaluation.scores import Scores, scores_of
from metarl.evaluation.statistics import mean

__all__ = ["CHUNK", "MOST_TASKS", "Evaluation", "evaluate", "tasks_to_play"]

MOST_TASKS = 10_000  # played where the caller doesn't say how many
SUMMARISED = 10  # episodes whose returns a summary shows
# Tasks played side by side; part of the protocol, since the environment's noise is drawn for a
# whole chunk
CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Every episode that an agent played, one entry each, ordered by task and episode.

    Attributes:
        distribution: id of the task distribution, with its arguments in `config`.
        config, split, seed, budget, num_tasks: what was played.
        fingerprint: of the tasks.
        finite: train and test may overlap, because the family has few tasks by nature.
        task, episode, start_step, length: [episodes] int64.
        returns: [episodes] float64, undiscounted: the sum of the rewards as the environment gave
            them, before agents see them in float32.
        terminated, truncated, success: [episodes] bool; an episode is a success if any of its steps
            was.
        actions: [num_tasks, steps, *act] where they were recorded, else None; zeros after a task's
            last step.
        horizon: most steps in one episode; tells an episode that a step budget cut from one that
            the horizon ended there.
        task_keys: [num_tasks] uint64; those with equal keys are the same task, which was played
            more than once.
        tells_success: the family has a notion of success, and told of it.
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
    task_keys: np.ndarray | None = None
    tells_success: bool = True

    @property
    def distinct_tasks(self) -> int:
        """How many different tasks were played; the others of `num_tasks` are repeats."""
        return self.num_tasks if self.task_keys is None else len(np.unique(self.task_keys))

    def __repr__(self) -> str:
        repeats = f"{self.num_tasks:,} plays of " if self.distinct_tasks < self.num_tasks else ""
        return (
            f"Evaluation({self.distribution}, {self.split}, {repeats}{self.distinct_tasks:,} tasks,"
            f" seed {self.seed}, {self.budget}: total {mean(self.scores())})"
        )

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Return each score that applies, then the return of each of the first episodes, with
        intervals over distinct tasks.

        Columns: mean, ci_low, ci_high (NaN where there is one task, which says nothing of others),
            tasks (distinct ones), plays.
        """
        lines = {score: mean(self.scores(score), level) for score in self.applicable()}
        if isinstance(self.budget, Episodes) and self.budget.total > 1:
            returns = self.matrix()
            for k in range(min(self.budget.total, SUMMARISED)):
                lines[f"return of episode {k + 1}"] = mean(returns[:, k], level)
        table = pd.DataFrame(
            [
                (
                    line.value,
                    *((line.low, line.high) if line.known else (np.nan,) * 2),
                    line.n,
                    self.num_tasks,
                )
                for line in lines.values()
            ],
            index=pd.Index(lines, name="score"),
            columns=["mean", "ci_low", "ci_high", "tasks", "plays"],
        )
        table.attrs = {
            "distribution": self.distribution,
            "split": self.split,
            "seed": self.seed,
            "budget": str(self.budget),
        }
        return table

    def applicable(self) -> list[str]:
        """Return the scores that what was played has."""
        counts = isinstance(self.budget, Episodes)
        last = (
            ["after_k"]
            if isinstance(self.budget, Episodes) and self.budget.after
            else []
            if counts
            else ["budget_mean"]
        )
        return ["total", *last, *(["success"] if self.tells_success else [])]

    def rows(self) -> pd.DataFrame:
        """Return one row an episode.

        Task, episode, start_step, length, return, terminated, truncated, success.
        """
        columns = {
            "task": self.task,
            "episode": self.episode,
            "start_step": self.start_step,
            "length": self.length,
            "return": self.returns,
        }
        return pd.DataFrame(
            {
                **columns,
                "terminated": self.terminated,
                "truncated": self.truncated,
                "success": self.success,
            }
        )

    def scores(self, score: str = "total") -> Scores:
        """Return one number a task [num_tasks]: `total`, `after_k`, `budget_mean`, or `success`
        (share of scored episodes).

        An episode cut by a step budget counts in `budget_mean` and `success` only if it is the
        task's only one; in `total` always. The numbers know which of them are of the same task, so
        that intervals count distinct tasks.

        Raises:
            ValueError: unknown score, `after_k` of a budget without episodes after K, or `success`
                where nothing says what that is.
        """
        return scores_of(self._scores(score), self.task_keys)

    def _scores(self, score: str) -> np.ndarray:
        if score == "total":
            return np.bincount(self.task, self.returns, self.num_tasks)
        if score == "budget_mean":
            scored = self.whole()
            values = self.returns
        elif score == "after_k":
            if not isinstance(self.budget, Episodes) or self.budget.after < 1:
                raise ValueError(
                    "after_k needs a budget Episodes(K, after=M) with M of at least 1."
                )
            scored = self.episode >= self.budget.learning
            values = self.returns
        elif score == "success":
            if not self.tells_success:
                raise ValueError(
                    f"{self.distribution} has no notion of success, or no step told of one (as"
                    " info['success'] of an environment does, or `has_success = True` in the class"
                    " of a family); choose total, or another score."
                )
            after = (
                self.budget.learning
                if isinstance(self.budget, Episodes) and self.budget.after
                else 0
            )
            scored = self.whole() & (self.episode >= after)
            values = self.success.astype(float)
        else:
            raise ValueError(
                f"There is no score {score!r}; choose total, after_k, budget_mean or success."
            )
        counts = np.bincount(self.task[scored], minlength=self.num_tasks)
        return np.bincount(self.task[scored], values[scored], self.num_tasks) / counts

    def whole(self) -> np.ndarray:
        """Return which episodes [episodes] count in `budget_mean`.

        Those not cut short by the step budget, and a task's only one.
        """
        if isinstance(self.budget, Episodes):
            return np.ones(len(self.task), bool)
        cut = self.truncated & (self.start_step + self.length == self.budget.total)
        if self.horizon is not None:
            cut &= self.length < self.horizon
        return ~cut | (np.bincount(self.task, minlength=self.num_tasks)[self.task] == 1)

    def matrix(self) -> Scores:
        """Returns [num_tasks, episodes], which know their tasks as `scores` do, for an Episodes
        budget, where every task has as many.
        """
        if not isinstance(self.budget, Episodes):
            raise ValueError(
                "Only an Episodes budget gives every task equally many episodes; use rows()."
            )
        return scores_of(self.returns.reshape(self.num_tasks, self.budget.total), self.task_keys)


def evaluate(
    agent: Agent | Learner | str,
    distribution: TaskDistribution | str,
    split: str = "test",
    num_tasks: int | None = None,
    seed: int = 0,
    budget: Budget | int = Episodes(10),
    *,
    device: str | torch.device = "cpu",
    record_actions: bool = False,
) -> Evaluation:
    """Play `budget` in each of `num_tasks` tasks of `split`.

    Tasks and the environment's noise depend on (split, num_tasks, seed) alone; the agent draws from
    a stream of its own. Each task has a row of its own, never refilled.

    Args:
        agent: who plays; or a learner, whose agent does, or the id of an agent such as "thompson".
        distribution: what is played, or its id.
        split: of the tasks.
        num_tasks: how many; left out, each task of the split once where it has a list of at most
            10,000, else 10,000 draws. Where it is more than there are, tasks repeat, and scores
            know which are the same.
        seed: names tasks and noise.
        budget: how long a task is played; a number is one of episodes.
        device: where it is played.
        record_actions: keep every action.

    Raises:
        ValueError: unknown split or device, no tasks, no budget, or an agent that was made for
            something else.
        PlugInError: the agent or the distribution broke its contract.
    """
    distribution = task_distribution(distribution)
    budget = as_budget(budget)
    check_split(distribution, split)
    check_device(device)
    num_tasks = None if num_tasks is None else check_whole("num_tasks", num_tasks)
    seed = check_seed(seed)
    agent = as_agent(agent, distribution, budget)
    check_made_for(agent, distribution, budget)
    tasks = tasks_to_play(distribution, split, num_tasks, seed)
    num_tasks = len(tasks)
    chunks = []
    tells_success = False
    for first in range(0, num_tasks, CHUNK):
        chunk = tasks[first : first + CHUNK]
        noise = torch_generator(seed, "environment", split, first, device=device)
        env = MetaEpisodeEnv(distribution, budget, len(chunk), noise, refill=False)
        try:
            outcomes, actions = _play(
                agent,
                env,
                chunk,
                torch_generator(seed, "agent", split, first, device=device),
                record_actions,
            )
            told = env.tells_success
            tells_success |= (
                any(bool(outcome.success.any()) for outcome in outcomes) if told is None else told
            )
        except ActionError as error:
            which = f" (Row 0 is task {first} of the {num_tasks} evaluated.)" if first else ""
            raise PlugInError(f"{type(agent).__name__}: {error}{which}") from error
        except PlugInError as error:
            if first == 0:
                raise
            raise PlugInError(
                f"{error} (Row 0 is task {first} of the {num_tasks} evaluated.)"
            ) from error
        finally:
            env.close()
        chunks.append((first, _episodes(outcomes), actions))
    for first, episodes, _ in chunks:
        episodes["task"] += first
    columns = {
        name: np.concatenate([episodes[name] for _, episodes, _ in chunks]) for name in chunks[0][1]
    }
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
        task_keys=distribution.task_keys(tasks),
        tells_success=tells_success,
    )


def tasks_to_play(
    distribution: TaskDistribution, split: str, num_tasks: int | None, seed: int
) -> Tasks:
    """Return the tasks that `evaluate` plays.

    `num_tasks` draws; or, left out, all of a split's list once, if that isn't too long.
    """
    if num_tasks is not None:
        return distribution.sample(int(num_tasks), split, seed)
    listed = task_count_of(distribution, split)
    if listed is None or listed > MOST_TASKS:
        return distribution.sample(MOST_TASKS, split, seed)
    tasks: Tasks = every_task(distribution, split, seed)
    return tasks


@torch.no_grad()
def _play(
    agent: Agent, env: MetaEpisodeEnv, tasks: Tasks, rng: torch.Generator, record_actions: bool
) -> tuple[list[Outcome], np.ndarray | None]:
    step = env.reset(lambda rows, counts: tasks)
    state = agent.initial_state(env.num_envs)
    outcomes = []
    actions = []
    for t in range(env.max_steps):
        action, state = agent.act(step, state, rng)
        if not isinstance(action, Tensor):
            raise PlugInError(
                f"{type(agent).__name__}.act must return (action tensor, state); at step {t + 1}"
                f" the action is a {type(action).__name__}."
            )
        step, outcome = env.step(action)
        # Observations are not scored: let them go
        outcomes.append(outcome._replace(final_observation=outcome.reward))
        if record_actions:
            actions.append(where_rows(outcome.valid, action, torch.zeros_like(action)).cpu())
        if t % 16 == 15 and not bool((outcome.valid & ~outcome.meta_episode_end).any()):
            break
    env.check()
    if not record_actions:
        return outcomes, None
    # Chunks may end early, each after its own longest task
    actions += [torch.zeros_like(actions[0])] * (env.max_steps - len(actions))
    return outcomes, torch.stack(actions, 1).numpy()


def _episodes(outcomes: list[Outcome]) -> dict[str, np.ndarray]:
    """Fold steps [T, B] into episodes, ordered by row and episode."""
    reward, terminated, truncated, success, episode, valid = (
        torch.stack([getattr(outcome, name) for outcome in outcomes], 1).cpu().numpy()
        for name in ("exact_reward", "terminated", "truncated", "success", "episode", "valid")
    )  # each [B, T]
    num_rows = len(episode)
    most = int(episode[valid].max()) + 1
    # One bin for each row and episode
    index = (np.arange(num_rows)[:, None] * most + episode)[valid]
    size = num_rows * most
    length = np.bincount(index, minlength=size)
    played = length > 0
    start = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(start, index, np.broadcast_to(np.arange(valid.shape[1]), valid.shape)[valid])
    bins = np.arange(size)[played]
    flags = {
        name: np.bincount(index, values[valid], size)[played] > 0
        for name, values in (
            ("terminated", terminated),
            ("truncated", truncated),
            ("success", success),
        )
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
