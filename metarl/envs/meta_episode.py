"""Meta-episodes: K episodes in one task, with the boundary between episodes told to the agent and
nothing lost.

No step is invented at an episode's end: the step that ends an episode returns the next episode's
first observation, the last reward, both end flags and the observation that the ended episode showed
last. See Duan et al. 2016, section 2.2.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import torch
from torch import Generator, Tensor
from torch.utils._pytree import tree_leaves, tree_map, tree_structure, tree_unflatten

from metarl.core.arguments import check_whole
from metarl.core.budget import Budget, Steps, as_budget, max_steps
from metarl.core.errors import ActionError, PlugInError
from metarl.core.registry import task_distribution
from metarl.core.spaces import action_dtype, spaces_of
from metarl.core.step import Outcome, Step
from metarl.core.task_distribution import (
    TaskDistribution,
    Tasks,
    TaskSource,
    TensorRows,
    Transition,
    where_rows,
)

__all__ = ["MetaEpisodeEnv"]

CLOCKS = ("task", "episode", "episode_step", "meta_step")


class MetaEpisodeEnv:
    """Plays meta-episodes of `num_envs` tasks side by side, each row on its own clock.

    Args:
        distribution: where tasks come from, or its id; tensor families and adapted Gymnasium
            environments alike.
        budget: how long a meta-episode lasts; a number is one of episodes.
        num_envs: B, parallel rows.
        rng: noise of reset and step; its device is the environment's. A sequence of num_envs
            generators gives each row its own: row i then plays exactly as it would alone, which is
            slower.
        refill: give a row its next task when its meta-episode ends; otherwise the row's `valid`
            turns false.
        dtype: floating type of rewards and task parameters.

    Raises:
        PlugInError: a distribution gave a wrong shape or a value that isn't finite, named by task
            and step. On a GPU the values are looked at in `check`, which `collect` and `evaluate`
            call once a rollout.
    """

    def __init__(
        self,
        distribution: TaskDistribution | str,
        budget: Budget | int,
        num_envs: int,
        rng: Generator | Sequence[Generator],
        *,
        refill: bool = True,
        dtype: torch.dtype = torch.float32,
    ):
        distribution = task_distribution(distribution)
        budget = as_budget(budget)
        num_envs = check_whole("num_envs", num_envs)
        rngs = [rng] if isinstance(rng, Generator) else rng
        if not all(
            isinstance(each, Generator) for each in (rngs if isinstance(rngs, Sequence) else [rngs])
        ):
            raise ValueError(
                "rng must be a torch.Generator, such as torch.Generator().manual_seed(0), or one a"
                f" row, not {rng!r}."
            )
        if not isinstance(rng, Generator) and len(rng) != num_envs:
            raise ValueError(
                f"Give one generator, or one a row: {num_envs} rows can't share {len(rng)}."
            )
        self.distribution = distribution
        self.budget = budget
        self.num_envs = num_envs
        self.refill = refill
        self.dtype = dtype
        self.device = rngs[0].device
        self._counts_steps = isinstance(budget, Steps)
        self._total = budget.total
        self.max_steps = max_steps(budget, distribution)
        observation_space, action_space = spaces_of(distribution)
        self._observation_shape = (num_envs, *(observation_space.shape or ()))
        self._action_shape = (num_envs, *(action_space.shape or ()))
        self._action_dtype = action_dtype(action_space)
        self._all = torch.ones(num_envs, dtype=torch.bool, device=self.device)
        self._none = torch.zeros_like(self._all)
        self._checks_now = self.device.type == "cpu"
        self._rows = (
            distribution.open(num_envs, rng)
            if isinstance(rng, Generator)
            else distribution.open_independent(rng)
        )

    def reset(self, task_source: TaskSource) -> Step:
        """Start a meta-episode in every row; row i's j-th task will be `task_source(i, j)`."""
        device = self.device
        none = self._none
        self._source = task_source
        self.task = torch.zeros(self.num_envs, dtype=torch.int64, device=device)
        self.episode, self.episode_step, self.meta_step = (
            torch.zeros_like(self.task) for _ in range(3)
        )
        self._valid, self._bad_step, self._bad_task = (
            self._all,
            torch.full_like(self.task, -1),
            self.task,
        )
        self._bad_action = torch.full_like(self.task, -1)
        self._rows.play_only(self._all)
        self._tasks = self._fetch(
            torch.arange(self.num_envs), torch.zeros(self.num_envs, dtype=torch.int64)
        )
        observation = self._rows.reset(self._all, self._tasks)
        if tuple(observation.shape) != self._observation_shape:
            raise PlugInError(
                f"{self.distribution.id}: reset gave observations of shape"
                f" {tuple(observation.shape)}; {self.num_envs} tasks of"
                f" {self.distribution.observation_space} need {self._observation_shape}."
            )
        self._note_bad(None, observation)
        zero_action = torch.zeros(self._action_shape, dtype=self._action_dtype, device=device)
        return Step(
            observation,
            zero_action,
            torch.zeros(self.num_envs, dtype=self.dtype, device=device),
            none,
            none,
            observation,
            self._all,
        )

    def step(self, action: Tensor) -> tuple[Step, Outcome]:
        """Take `action` [B, *act] in every row.

        Returns what the agent sees next and what the step brought.
        """
        if tuple(action.shape) != self._action_shape:
            raise ActionError(
                f"Actions for {self.num_envs} rows of {self.distribution.action_space} can't have"
                f" shape {tuple(action.shape)}."
            )
        if action.dtype != self._action_dtype:
            raise ActionError(
                f"Actions of {self.distribution.action_space} must be {self._action_dtype}, not"
                f" {action.dtype}."
            )
        self._note_bad_action(action)
        try:
            transition = self._rows.step(action)
        except (
            RuntimeError,
            IndexError,
        ) as error:  # looked at only now, since looking at every step's actions would take time
            self._check_actions(action, error)
            raise
        self.episode_step = self.episode_step + 1
        self.meta_step = self.meta_step + 1
        self._check_shapes(transition)
        exact = transition.reward
        final = transition.observation
        valid = self._valid
        episode = self.episode
        reward = exact.to(self.dtype)
        self._note_bad(reward, final)
        over = transition.terminated | (self.episode_step >= self.distribution.horizon)
        if transition.truncated is not None:
            over = over | transition.truncated
        if self._counts_steps:
            out_of_steps = self.meta_step >= self._total
            over = over | out_of_steps
        # Most steps end nothing, and on a CPU a look costs little
        if self._checks_now and not bool(over.any()):
            return self._go_on(action, transition, reward)
        terminated = transition.terminated & valid
        ended = over & valid
        truncated = ended & ~transition.terminated
        self.episode = episode + ended
        meta_episode_end = ended & (
            out_of_steps if self._counts_steps else self.episode >= self._total
        )
        told = torch.where(valid, reward, 0)
        outcome = Outcome(
            told,
            terminated,
            truncated,
            final,
            transition.success & valid,
            self.task,
            episode,
            meta_episode_end,
            valid,
            told if exact is reward else torch.where(valid, exact, 0),
        )
        if self.refill:
            self._refill(meta_episode_end)
        else:
            self._valid = valid & ~meta_episode_end
            self._rows.play_only(self._valid)
        self.episode_step = torch.where(over, 0, self.episode_step)
        # Rows that are finished too: no family is stepped past its end
        started = self._rows.reset(over, self._tasks)
        observation = where_rows(over if self.refill else over & self._valid, started, final)
        if observation.is_floating_point():
            self._note_bad(None, observation)
        if not self.refill:
            return (
                Step(
                    observation,
                    action,
                    outcome.reward,
                    terminated,
                    truncated,
                    final,
                    torch.zeros_like(ended),
                ),
                outcome,
            )
        fresh = meta_episode_end
        step = Step(
            observation,
            where_rows(fresh, torch.zeros_like(action), action),
            torch.where(fresh, 0, outcome.reward),
            terminated & ~fresh,
            truncated & ~fresh,
            where_rows(fresh, observation, final),
            fresh,
        )
        return step, outcome

    def _go_on(
        self, action: Tensor, transition: Transition, reward: Tensor
    ) -> tuple[Step, Outcome]:
        """Return what `step` returns where no episode is over, without looking for what to begin
        anew.
        """
        # Nothing begins, but noise is drawn as at every step
        self._rows.reset(self._none, self._tasks)
        final = transition.observation
        valid = self._valid
        none = self._none
        exact = transition.reward
        success = transition.success
        if not self.refill:
            told = torch.where(valid, reward, 0)
            success = success & valid
            exact = told if exact is reward else torch.where(valid, exact, 0)
            reward = told
        outcome = Outcome(
            reward, none, none, final, success, self.task, self.episode, none, valid, exact
        )
        return Step(final, action, reward, none, none, final, none), outcome

    def check(self) -> None:
        """Raise PlugInError if a reward or observation wasn't finite since `reset`, ActionError if
        an action wasn't.
        """
        if bool((self._bad_action >= 0).any()):
            row = int(torch.nonzero(self._bad_action >= 0)[0, 0])
            raise ActionError(
                f"at step {int(self._bad_action[row]) + 1} row {row} was given an action that isn't"
                " finite (NaN or infinite); the fault is the agent's, not that of"
                f" {self.distribution.id}: look at its weights and at what it computes."
            )
        if bool((self._bad_step >= 0).any()):
            row = int(torch.nonzero(self._bad_step >= 0)[0, 0])
            task, step = int(self._bad_task[row]), int(self._bad_step[row])
            which = (
                self._rows.describe(row)
                if task == int(self.task[row])
                else f"the task of row {row}"
            )
            raise PlugInError(
                f"{self.distribution.id}: a reward or observation is not finite (NaN, infinite or"
                f" beyond what {self.dtype} holds) in {which} (its task number {task}) at step"
                f" {step}."
            )

    def state_dict(self) -> dict[str, Any] | None:
        """Return where all rows stand, for `load_state_dict` after a `reset`; None where tasks are
        environments, which can't tell.

        The generator of noise isn't in it: whoever made it keeps it.
        """
        if not isinstance(self._rows, TensorRows):
            return None
        parts = {
            "clocks": {name: getattr(self, name) for name in CLOCKS},
            "tasks": vars(self._tasks),
            "state": tree_leaves(self._rows.state),
        }
        return dict(tree_map(torch.clone, parts))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let all rows stand where `state` was taken."""
        assert isinstance(self._rows, TensorRows)
        for name, clock in state["clocks"].items():
            setattr(self, name, clock.to(self.device))
        self._tasks = type(self._tasks)(**state["tasks"]).to(self.device)
        leaves = [leaf.to(self.device) for leaf in state["state"]]
        self._rows.tasks, self._rows.state = (
            self._tasks,
            tree_unflatten(leaves, tree_structure(self._rows.state)),
        )

    @property
    def tells_success(self) -> bool | None:
        """Whether successes mean something.

        The family says so, or some step so far did; None where nobody says.
        """
        declared = self.distribution.has_success
        return self._rows.tells_success if declared is None else declared

    def render(self, row: int) -> Tensor | None:
        """Return a picture [H, W, 3] uint8 of how `row` stands.

        None where there is nothing to show.
        """
        return self._rows.render(row)

    def close(self) -> None:
        """Release worker processes and emulators."""
        self._rows.close()

    def _fetch(self, rows: Tensor, counts: Tensor) -> Tasks:
        return self._source(rows, counts).to(self.device, self.dtype)

    def _refill(self, meta_episode_end: Tensor) -> None:
        self.task = self.task + meta_episode_end
        self.episode = torch.where(meta_episode_end, 0, self.episode)
        self.meta_step = torch.where(meta_episode_end, 0, self.meta_step)
        if bool(meta_episode_end.all()):
            self._tasks = self._fetch(torch.arange(self.num_envs), self.task.cpu())
        elif bool(meta_episode_end.any()):
            rows = torch.nonzero(meta_episode_end).flatten()
            fresh = self._fetch(rows.cpu(), self.task[rows].cpu())
            index = torch.zeros_like(self.task)
            index[rows] = torch.arange(len(rows), device=self.device)
            self._tasks = self._tasks.where(meta_episode_end, fresh[index])

    def _note_bad(self, reward: Tensor | None, observation: Tensor) -> None:
        """Remember each row's first step with a value that isn't finite.

        On a CPU, raise at once.
        """
        values = [
            value
            for value in (reward, observation)
            if value is not None and value.is_floating_point()
        ]
        if self._checks_now and all(bool(torch.isfinite(value.sum())) for value in values):
            return
        fine = self._all
        for value in values:
            fine = fine & torch.isfinite(value).reshape(self.num_envs, -1).all(1)
        bad = (self._bad_step < 0) & ~fine & self._valid
        self._bad_step = torch.where(bad, self.meta_step, self._bad_step)
        self._bad_task = torch.where(bad, self.task, self._bad_task)
        if self._checks_now:
            self.check()

    def _note_bad_action(self, action: Tensor) -> None:
        """Remember each row's first action that isn't finite, so that no environment is blamed for
        it; on a CPU, raise at once.
        """
        if not action.is_floating_point() or (
            self._checks_now and bool(torch.isfinite(action.sum()))
        ):
            return
        bad = (
            (~torch.isfinite(action)).reshape(self.num_envs, -1).any(1)
            & self._valid
            & (self._bad_action < 0)
        )
        self._bad_action = torch.where(bad, self.meta_step, self._bad_action)
        if self._checks_now:
            self.check()

    def _check_actions(self, action: Tensor, error: Exception) -> None:
        """Raise PlugInError if `error` comes of actions that a Discrete space doesn't have."""
        space = self.distribution.action_space
        if not isinstance(space, gym.spaces.Discrete):
            return
        first = int(space.start)
        last = int(space.start + space.n) - 1
        beyond = ((action < first) | (action > last)).nonzero()
        if len(beyond):
            row = int(beyond[0, 0])
            raise ActionError(
                f"{self.distribution.id}: row {row} was given the action {int(action[row])}; there"
                f" are actions {first} to {last}."
            ) from error

    def _check_shapes(self, transition: Transition) -> None:
        for name, value in zip(transition._fields[1:], transition[1:], strict=True):
            wanted = self._observation_shape if name == "observation" else (self.num_envs,)
            if value is not None and tuple(value.shape) != wanted:
                raise PlugInError(
                    f"{self.distribution.id}: step {int(self.meta_step.max())} gave {name} of shape"
                    f" {tuple(value.shape)}, not {wanted}."
                )
