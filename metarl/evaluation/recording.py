"""An evaluation that is kept step by step, so that it can be watched.

The evaluation itself is `evaluate`'s: a distribution that passes everything on to the recorded one
stands in for it, and its rows remember what they pass on. So what is watched is what is scored, for
the same split, number of tasks and seed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils._pytree import tree_map

from metarl.core.agent import Agent, HoldsOption, made_for_of
from metarl.core.arguments import check_whole
from metarl.core.budget import Budget
from metarl.core.capabilities import (
    CountsTasks,
    ListsTasks,
    pass_on,
    picture_of_path,
    pictures_of,
)
from metarl.core.errors import PlugInError
from metarl.core.step import Step
from metarl.core.task_distribution import (
    EpisodeRows,
    TaskDistribution,
    Tasks,
    TensorRows,
    Transition,
)
from metarl.evaluation.protocol import CHUNK, Evaluation, evaluate

__all__ = [
    "MOST_PICTURES",
    "NotingOptions",
    "RecordedEpisode",
    "Recording",
    "record",
    "shows_images",
]

# Kept of one episode where an environment draws itself; states are kept of every step
MOST_PICTURES = 100


ABOUT_DISPLAYS = re.compile(r"display|opengl|\bE?GL\b|osmesa|glfw|glx", re.IGNORECASE)
NO_DISPLAY = (
    " On a machine without a display, MuJoCo draws with the environment variable MUJOCO_GL=egl"
    " (EGL, of a GPU's driver or of Mesa) or MUJOCO_GL=osmesa (the library OSMesa), set before"
    " Python starts."
)


@dataclass(frozen=True, eq=False)
class RecordedEpisode:
    """One episode of T steps.

    Attributes:
        task, episode: which one, counted from 0.
        states: nested tuples of tensors [T + 1, ...], the start's first; None where the family
            isn't one of tensors.
        pictures: by moment, from 0 to T, what the environment drew [H, W, 3] uint8; empty where
            pictures come from states.
        observations: by moment, what the agent was shown, where that is an image; else empty.
        actions: [T, *act]. rewards: [T] float64.
        terminated, truncated, success: how it ended.
        options: [T] int64, which sub-policy acted at each step; None of agents that have none.
    """

    task: int
    episode: int
    states: Any
    pictures: dict[int, Tensor]
    observations: dict[int, Tensor]
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool
    truncated: bool
    success: bool
    options: np.ndarray | None = None

    @property
    def length(self) -> int:
        """T."""
        return len(self.rewards)

    @property
    def total(self) -> float:
        """The return, undiscounted."""
        return float(self.rewards.sum())


@dataclass(frozen=True, eq=False)
class Recording:
    """What an agent did in each of a few tasks.

    Attributes:
        distribution: where the tasks come from. tasks: those played.
        evaluation: their scores, as `evaluate` gives them.
        episodes: for each task, its episodes in order.
    """

    distribution: TaskDistribution
    tasks: Tasks
    evaluation: Evaluation
    episodes: list[list[RecordedEpisode]]


def record(
    agent: Agent,
    distribution: TaskDistribution,
    split: str,
    num_tasks: int,
    seed: int,
    budget: Budget,
    *,
    device: str = "cpu",
) -> Recording:
    """Play as `evaluate` does, and keep every step's state, action and reward.

    Raises:
        ValueError: as `evaluate`; or there is nothing to show of this distribution, which is said
            before the first step.
    """
    if check_whole("num_tasks", num_tasks) > CHUNK:
        raise ValueError(f"At most {CHUNK} tasks can be recorded at once, not {num_tasks}.")
    watched = _Watched(distribution)
    noting = NotingOptions(agent)
    evaluation = evaluate(
        noting, watched, split, num_tasks, seed, budget, device=device, record_actions=True
    )
    rows = watched.rows[-1]
    episodes: list[list[RecordedEpisode]] = [[] for _ in range(num_tasks)]
    actions = evaluation.actions
    assert actions is not None
    assert rows.tasks is not None
    for i in range(len(evaluation.task)):
        task, number, start, length = (
            int(part[i])
            for part in (
                evaluation.task,
                evaluation.episode,
                evaluation.start_step,
                evaluation.length,
            )
        )
        tape = rows.tapes[task][number]
        assert len(tape.rewards) == length
        ends = (
            bool(evaluation.terminated[i]),
            bool(evaluation.truncated[i]),
            bool(evaluation.success[i]),
        )
        states = _stacked(tape.states) if tape.states else None
        steps = actions[task, start : start + length]
        options = np.stack(noting.options)[start : start + length, task] if noting.options else None
        rewards = np.array(tape.rewards)
        episodes[task].append(
            RecordedEpisode(
                task,
                number,
                states,
                tape.pictures,
                tape.observations,
                steps,
                rewards,
                *ends,
                options,
            )
        )
    return Recording(distribution, rows.tasks, replace(evaluation, actions=None), episodes)


def shows_images(distribution: TaskDistribution) -> bool:
    """Return whether observations are colour images [H, W, 3] uint8."""
    space = distribution.observation_space
    return (
        isinstance(space, gym.spaces.Box)
        and space.dtype == np.uint8
        and len(space.shape) == 3
        and space.shape[2] == 3
    )


class NotingOptions:
    """The agent itself, but for a note of the options that its state holds, if it holds any in a
    field of that name.

    Attributes:
        options: at each step that was played, the option [n] of every row.
    """

    def __init__(self, agent: Agent):
        self.agent = agent
        self.made_for = made_for_of(agent)
        self.options: list[np.ndarray] = []

    def initial_state(self, batch_size: int) -> Any:
        return self.agent.initial_state(batch_size)

    def act(self, step: Step, state: Any, rng: Generator) -> tuple[Tensor, Any]:
        action, state = self.agent.act(step, state, rng)
        if isinstance(state, HoldsOption):
            self.options.append(state.option.cpu().numpy().copy())
        return action, state

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agent, name)


@dataclass
class _Tape:
    """What is kept of an episode in progress."""

    states: list[Any] = field(default_factory=list)
    pictures: dict[int, Tensor] = field(default_factory=dict)
    observations: dict[int, Tensor] = field(default_factory=dict)
    rewards: list[float] = field(default_factory=list)


class _Watched(TaskDistribution):
    """The distribution itself, but for rows that remember."""

    def __init__(self, wrapped: TaskDistribution):
        self.wrapped = wrapped
        self.id = wrapped.id
        self.horizon = wrapped.horizon
        self.finite = wrapped.finite
        self.splits = wrapped.splits
        self.observation_space = wrapped.observation_space
        self.action_space = wrapped.action_space
        self.has_success = wrapped.has_success
        self.rows: list[_WatchedRows] = []
        pass_on(wrapped, self, (CountsTasks, ListsTasks))

    def sample(self, n: int, split: str, seed: int) -> Tasks:
        return self.wrapped.sample(n, split, seed)

    def task_keys(self, tasks: Tasks) -> np.ndarray:
        return self.wrapped.task_keys(tasks)

    def config(self) -> dict[str, Any]:
        return self.wrapped.config()

    def open(self, num_rows: int, rng: Generator) -> EpisodeRows:
        self.rows.append(_WatchedRows(self.wrapped, self.wrapped.open(num_rows, rng), num_rows))
        return self.rows[-1]


class _WatchedRows(EpisodeRows):
    """Passes everything on to `inner`, and keeps a tape of each row's episodes."""

    def __init__(self, distribution: TaskDistribution, inner: EpisodeRows, num_rows: int):
        self.distribution = distribution
        self.inner = inner
        self.num_rows = num_rows
        self.playing = torch.ones(num_rows, dtype=torch.bool)
        self.tapes: list[list[_Tape]] = [[] for _ in range(num_rows)]
        self.tasks: Tasks | None = None
        self.images = shows_images(distribution)
        self.draws_itself = False  # pictures come from the rows, not from states
        self.every = -(-distribution.horizon // MOST_PICTURES)

    def reset(self, mask: Tensor, tasks: Tasks) -> Tensor:
        observation = self.inner.reset(mask, tasks)
        if self.tasks is None:
            self.tasks = tasks.to("cpu")
            self._check_shows(tasks)
        for row in torch.nonzero(mask.cpu() & self.playing).flatten().tolist():
            self.tapes[row].append(_Tape())
            self._keep(row, observation, ended=False)
        return observation

    def step(self, action: Tensor) -> Transition:
        transition = self.inner.step(action)
        ended = (
            transition.terminated
            if transition.truncated is None
            else transition.terminated | transition.truncated
        )
        for row in torch.nonzero(self.playing).flatten().tolist():
            self.tapes[row][-1].rewards.append(float(transition.reward[row]))
            self._keep(row, transition.observation, bool(ended[row]))
        return transition

    def play_only(self, mask: Tensor) -> None:
        self.playing = mask.cpu().clone()
        self.inner.play_only(mask)

    def describe(self, row: int) -> str:
        return self.inner.describe(row)

    @property
    def tells_success(self) -> bool | None:
        return self.inner.tells_success

    def close(self) -> None:
        self.inner.close()

    def _keep(self, row: int, observation: Tensor, ended: bool) -> None:
        """Add the present moment to the tape of `row`.

        States of every moment, pictures of some and of the last.
        """
        tape = self.tapes[row][-1]
        moment = len(tape.rewards)
        if isinstance(self.inner, TensorRows):
            tape.states.append(_row_of(self.inner.state, row))
        elif moment % self.every and not ended and moment < self.distribution.horizon:
            return
        picture = _picture(self.distribution, self.inner, row) if self.draws_itself else None
        if picture is not None:
            tape.pictures[moment] = picture
        if self.images:
            tape.observations[moment] = observation[row].cpu()

    def _check_shows(self, tasks: Tasks) -> None:
        """Raise ValueError unless something can be drawn of these rows; find out what."""
        if isinstance(self.inner, TensorRows):
            one, state = tasks[:1].to("cpu"), _stacked([_row_of(self.inner.state, 0)])
            drawn = (
                picture_of_path(self.distribution, one, state, 0),
                pictures_of(self.distribution, one, state),
            )
            shows = any(picture is not None for picture in drawn)
            why = "it defines neither render nor render_path, and its observations aren't images."
        else:
            shows = self.draws_itself = _picture(self.distribution, self.inner, 0) is not None
            why = (
                'its environments draw no pictures. Make them with render_mode="rgb_array", such as'
                ' gymnasium.make(id, render_mode="rgb_array").'
            )
        if not (shows or self.images):
            raise ValueError(f"{self.distribution.id} has nothing to show: {why}")


def _picture(distribution: TaskDistribution, rows: EpisodeRows, row: int) -> Tensor | None:
    """Return what `row` draws of itself; a failing renderer's error becomes a sentence."""
    try:
        return rows.render(row)
    except ValueError as error:
        if error.__cause__ is None:  # not an environment's own trouble
            raise
        raise PlugInError(f"{error}{_advice(error)}") from error
    except Exception as error:
        raise PlugInError(
            f"{distribution.id} can't be drawn ({type(error).__name__}: {error}).{_advice(error)}"
        ) from error


def _advice(error: Exception) -> str:
    """Return what to do about a display that is missing, where that is what the error is about and
    it doesn't say so itself.
    """
    said = str(error)
    return NO_DISPLAY if ABOUT_DISPLAYS.search(said) and "EGL gave" not in said else ""


def _row_of(state: Any, row: int) -> Any:
    """Return a copy of one row of nested tuples of tensors [n, ...]."""
    return tree_map(lambda tensor: tensor[row].detach().cpu().clone(), state)


def _stacked(states: Sequence[Any]) -> Any:
    """Return one nested tuple of tensors [T + 1, ...] from a list of them."""
    return tree_map(lambda *moments: torch.stack(moments), *states)
