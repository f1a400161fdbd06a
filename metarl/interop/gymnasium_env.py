"""The way out: a meta-episode of any distribution as one episode of a Gymnasium environment, single
or vector.

`gymnasium.make("metarl/BernoulliBandit-v0", arms=5, episodes=10)` plays 10 episodes in one task and
calls that an episode.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from torch import Tensor

from metarl.core.arguments import check_seed, check_whole
from metarl.core.budget import Budget, Episodes, Steps, as_budget
from metarl.core.capabilities import draws_rows
from metarl.core.registry import make, task_distribution
from metarl.core.seeding import torch_generator
from metarl.core.spaces import action_tensor
from metarl.core.step import Outcome, Step
from metarl.core.task_distribution import (
    TaskDistribution,
    Tasks,
    TaskSource,
    check_split,
    fresh_tasks,
    join_tasks,
)
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.interop.step_features import StepFeatures

__all__ = [
    "MetaEpisodeGymnasium",
    "MetaEpisodeVector",
    "make_single",
    "make_vector",
    "meta_episode_budget",
]

FRAMES_A_SECOND = 30  # of videos; steps have no length in seconds that all families share


class MetaEpisodeGymnasium(gym.Env[np.ndarray, Any]):
    """One episode here is one meta-episode there: all episodes of the budget in one task.

    | part | value |
    |---|---|
    | observation | Box, float32, flat: observation, previous action, previous reward, episode start (see StepFeatures) |
    | action | the distribution's |
    | reward | the distribution's |
    | start | `reset(seed=s)` takes the first task of stream s; each later `reset()` takes the stream's next |
    | end | terminated after the last episode of an Episodes budget, truncated after the last step of a Steps budget |
    | info | task (its number in the stream); of the step: inner_episode, inner_reward, inner_terminated, inner_truncated, inner_success |
    | render | the present moment, as "rgb_array", of families that draw; after a meta-episode's end, how the next one begins |

    The observation that ends a meta-episode holds what its last step showed, its action and its
    reward; its episode start is 0.

    Args:
        distribution: what to play, or its id.
        budget: how long a meta-episode lasts; a number is one of episodes.
        split: which split of tasks.
        render_mode: None or "rgb_array". Families that draw nothing take both, since
            Stable-Baselines3 asks every environment for pictures, and stay without a render mode.

    Attributes:
        distribution, budget, split: what is played.
    """

    # as Gymnasium has it
    metadata = {"render_modes": ["rgb_array"], "render_fps": FRAMES_A_SECOND}  # noqa: RUF012

    def __init__(
        self,
        distribution: TaskDistribution | str,
        budget: Budget | int,
        split: str = "train",
        render_mode: str | None = None,
    ):
        self._rows = _Rows(distribution, budget, split, 1, batched=False)
        self.distribution = self._rows.distribution
        self.budget = self._rows.budget
        self.split = split
        self.observation_space = self._rows.features.space
        self.action_space = self.distribution.action_space
        self.metadata, self.render_mode = _rendering(
            type(self).metadata, self.distribution, render_mode
        )
        # The start of a meta-episode that `reset` hasn't shown yet
        self._next: np.ndarray | None = None
        self._playing = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start the first meta-episode of stream `seed`, or the next one of the current stream."""
        seed = None if seed is None else check_seed(seed)
        super().reset(seed=seed)
        if seed is None and self._next is not None:
            observation = self._next
        else:
            if seed is None and not self._rows.seeded:
                seed = int(self.np_random.integers(2**31))
            observation = self._rows.start([seed])[0]
        self._next = None
        self._playing = True
        return observation, {"task": int(self._rows.task_numbers()[0])}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Take one step of the inner episode."""
        if not self._playing:
            raise gym.error.ResetNeeded(
                "This meta-episode is over, or none has begun: call reset() before step()."
            )
        number = int(self._rows.task_numbers()[0])
        observation, final, terminated, truncated, info = self._rows.step(np.asarray(action)[None])
        over = bool(terminated[0] or truncated[0])
        if over:
            self._next = observation[0]
            self._playing = False
        single = {"task": number, **{name: values[0].item() for name, values in info.items()}}
        return (
            (final if over else observation)[0],
            single["inner_reward"],
            bool(terminated[0]),
            bool(truncated[0]),
            single,
        )

    def render(self) -> Any:
        """Return a picture [H, W, 3] uint8 of how the task stands."""
        return self._rows.picture(0, self.render_mode)

    def close(self) -> None:
        """Release worker processes and emulators."""
        self._rows.close()


class MetaEpisodeVector(gym.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """`num_envs` meta-episodes side by side, each on its own clock; a row whose meta-episode ends
    starts its next in the same step.

    Row i, seeded s + i, gives exactly what a single environment seeded s + i gives, in the form
    that Gymnasium's SyncVectorEnv gives it with `AutoresetMode.SAME_STEP`, final_obs and final_info
    included. That takes noise of its own for each row, drawn row by row. With `batched`, tasks and
    noise are drawn for all rows at once, much faster for many rows: the same distribution from
    other draws, equal to a single environment's only where num_envs = 1. The first row's seed then
    names all streams.

    Args:
        distribution, budget, split, render_mode: as for MetaEpisodeGymnasium.
        num_envs: rows.
        batched: draw for all rows at once.

    Attributes:
        distribution, budget, split: what is played.
    """

    metadata = {  # noqa: RUF012 - as Gymnasium has it
        "render_modes": ["rgb_array"],
        "render_fps": FRAMES_A_SECOND,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        distribution: TaskDistribution | str,
        budget: Budget | int,
        split: str = "train",
        num_envs: int = 1,
        batched: bool = False,
        render_mode: str | None = None,
    ):
        num_envs = check_whole("num_envs", num_envs)
        self._rows = _Rows(distribution, budget, split, num_envs, batched)
        self.distribution = self._rows.distribution
        self.budget = self._rows.budget
        self.split = split
        self.num_envs = num_envs
        self.single_observation_space = self._rows.features.space
        self.single_action_space = self.distribution.action_space
        self.metadata, self.render_mode = _rendering(
            type(self).metadata, self.distribution, render_mode
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a meta-episode in every row.

        Seeds s, s + 1, ... for an integer s; rows without a seed go on to their next task.
        """
        if options is not None and "reset_mask" in options:
            raise ValueError(
                "Rows of this environment start again by themselves (AutoresetMode.SAME_STEP);"
                " leave reset_mask out."
            )
        seeds = self._seeds(seed)
        super().reset(seed=None if isinstance(seed, Sequence | np.ndarray) else seeds[0])
        if not self._rows.seeded:
            seeds = [int(self.np_random.integers(2**31)) if s is None else s for s in seeds]
        observation = self._rows.start(seeds)
        everywhere = np.ones(self.num_envs, bool)
        return observation, _masked({"task": self._rows.task_numbers()}, everywhere)

    def _seeds(self, seed: Any) -> list[int | None]:
        """Return a seed a row, or None."""
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, str) or not isinstance(seed, Sequence | np.ndarray):
            first = check_seed(seed)
            return [check_seed(first + i) for i in range(self.num_envs)]
        seeds = [None if each is None else check_seed(each) for each in seed]
        if len(seeds) != self.num_envs:
            raise ValueError(
                f"Give one seed, or one for each of the {self.num_envs} rows, not {len(seeds)}."
            )
        return seeds

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Take one step in every row."""
        if not self._rows.seeded:
            raise gym.error.ResetNeeded("No meta-episode has begun: call reset() before step().")
        numbers = self._rows.task_numbers()
        observation, final, terminated, truncated, info = self._rows.step(np.asarray(actions))
        over = terminated | truncated
        infos = _masked(info, ~over)
        infos.update(_masked({"task": self._rows.task_numbers()}, np.ones(self.num_envs, bool)))
        if over.any():
            final_observations = np.full(self.num_envs, None, object)
            for row in np.flatnonzero(over):
                final_observations[row] = final[row].copy()
            final_info = _masked({"task": numbers, **info}, over)
            infos.update(
                final_obs=final_observations,
                _final_obs=over.copy(),
                final_info=final_info,
                _final_info=over.copy(),
            )
        return observation, info["inner_reward"].copy(), terminated, truncated, infos

    def render(self) -> Any:
        """Return a picture [H, W, 3] uint8 of each row."""
        return tuple(self._rows.picture(row, self.render_mode) for row in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Release worker processes and emulators."""
        self._rows.close()


def make_single(
    distribution: str,
    episodes: int | None = None,
    steps: int | None = None,
    split: str = "train",
    render_mode: str | None = None,
    budget: Budget | int | None = None,
    **arguments: Any,
) -> MetaEpisodeGymnasium:
    """Return what `gymnasium.make("metarl/<id>", ...)` calls.

    Args:
        distribution: its id.
        episodes: episodes in a meta-episode; 10 if neither it nor `steps` nor `budget` is given.
        steps: or how many steps it lasts.
        split: which split of tasks.
        render_mode: None or "rgb_array".
        budget: how long a meta-episode lasts, in place of `episodes` and `steps`, such as
            Episodes(10) or 10.
        arguments: of the distribution, such as arms=5.

    Raises:
        ValueError: arguments that the distribution refuses, an unknown split, or more than one of
            episodes, steps and budget.
    """
    return MetaEpisodeGymnasium(
        make(distribution, **arguments),
        meta_episode_budget(budget, episodes, steps),
        split,
        render_mode,
    )


def make_vector(
    distribution: str,
    num_envs: int = 1,
    episodes: int | None = None,
    steps: int | None = None,
    split: str = "train",
    batched: bool = False,
    render_mode: str | None = None,
    budget: Budget | int | None = None,
    **arguments: Any,
) -> MetaEpisodeVector:
    """Return what `gymnasium.make_vec("metarl/<id>", num_envs, ...)` calls.

    `batched` as in MetaEpisodeVector, all else as in `make_single`.
    """
    return MetaEpisodeVector(
        make(distribution, **arguments),
        meta_episode_budget(budget, episodes, steps),
        split,
        num_envs,
        batched,
        render_mode,
    )


class _Rows:
    """Meta-episodes with a stream of tasks and of noise for each row, or with one for all."""

    def __init__(
        self,
        distribution: TaskDistribution | str,
        budget: Budget | int,
        split: str,
        num_envs: int,
        batched: bool,
    ):
        distribution = task_distribution(distribution)
        budget = as_budget(budget)
        check_split(distribution, split)
        if not isinstance(num_envs, int | Integral) or num_envs < 1:
            raise ValueError(f"num_envs must be a whole number of at least 1, not {num_envs!r}.")
        self.distribution = distribution
        self.budget = budget
        self.split = split
        self.num_envs = num_envs
        self.batched = batched
        self.generators = [torch.Generator() for _ in range(1 if batched else num_envs)]
        self.env = MetaEpisodeEnv(
            distribution, budget, num_envs, self.generators[0] if batched else self.generators
        )
        self.features = StepFeatures(distribution.observation_space, distribution.action_space)
        self.sources: list[TaskSource] = []
        # Number of the task that a row's MetaEpisodeEnv calls its task 0
        self.first = torch.zeros(num_envs, dtype=torch.int64)

    @property
    def seeded(self) -> bool:
        return bool(self.sources)

    def start(self, seeds: Sequence[int | None]) -> np.ndarray:
        """Start a meta-episode in every row.

        The first of a row's stream where it has a seed, else its stream's next. [B, F]
        """
        if self.batched:
            seeds = seeds[:1]
        if self.sources:
            self.first += self.env.task + 1
        else:
            self.sources = [
                fresh_tasks(self.distribution, self.split, self.num_envs if self.batched else 1, 0)
                for _ in seeds
            ]
        for i, seed in enumerate(seeds):
            if seed is not None:
                self.sources[i] = fresh_tasks(
                    self.distribution, self.split, self.num_envs if self.batched else 1, seed
                )
                self.generators[i].set_state(torch_generator(seed, "environment").get_state())
                self.first[slice(None) if self.batched else i] = 0
        step = self.env.reset(self._tasks)
        return self._encode(step)

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """(features [B, F], features at a meta-episode's end [B, F], terminated [B], truncated [B],
        what the inner step brought).
        """
        action = self._actions(actions)
        step, outcome = self.env.step(action)
        over = outcome.meta_episode_end.numpy()
        if over.any():
            no = torch.zeros_like(outcome.valid)
            final = self.features(outcome.final_observation, action, outcome.reward, no, no)
        else:
            final = np.zeros((0, 0), np.float32)
        never = np.zeros_like(over)
        terminated, truncated = (
            (over.copy(), never) if isinstance(self.budget, Episodes) else (never, over.copy())
        )
        return self._encode(step), final, terminated, truncated, _inner(outcome)

    def task_numbers(self) -> np.ndarray:
        """Number of each row's task in its stream [B]."""
        return (self.first + self.env.task).numpy()

    def picture(self, row: int, render_mode: str | None) -> np.ndarray:
        """Return how `row` stands [H, W, 3] uint8."""
        if render_mode is None:
            why = (
                'make it with render_mode="rgb_array"'
                if draws_rows(self.distribution)
                else "this family draws nothing"
            )
            raise ValueError(f"There is no picture of {self.distribution.id}: {why}.")
        if not self.seeded:
            raise gym.error.ResetNeeded("No meta-episode has begun: call reset() before render().")
        picture = self.env.render(row)
        assert picture is not None, f"{self.distribution.id} says that it draws"
        return np.ascontiguousarray(picture.numpy())

    def close(self) -> None:
        self.env.close()

    def _encode(self, step: Step) -> np.ndarray:
        return self.features(
            step.observation,
            step.prev_action,
            step.prev_reward,
            step.episode_start,
            step.meta_episode_start,
        )

    def _tasks(self, rows: Tensor, counts: Tensor) -> Tasks:
        numbers = counts + self.first[rows]
        if self.batched:
            return self.sources[0](rows, numbers)
        zero = torch.zeros(1, dtype=torch.int64)
        return join_tasks(
            [
                self.sources[i](zero, number[None])
                for i, number in zip(rows.tolist(), numbers, strict=True)
            ]
        )

    def _actions(self, actions: np.ndarray) -> Tensor:
        space = self.distribution.action_space
        wanted = (self.num_envs, *(space.shape or ()))
        if actions.shape != wanted:
            raise ValueError(
                f"Actions of {space} for {self.num_envs} rows have shape {wanted}, not"
                f" {actions.shape}."
            )
        return action_tensor(space, actions)


def _inner(outcome: Outcome) -> dict[str, np.ndarray]:
    """Return what the inner step brought, [B] each."""
    return {
        "inner_episode": outcome.episode.numpy(),
        "inner_reward": outcome.exact_reward.numpy().astype(np.float64),
        "inner_terminated": outcome.terminated.numpy(),
        "inner_truncated": outcome.truncated.numpy(),
        "inner_success": outcome.success.numpy(),
    }


def _masked(values: dict[str, np.ndarray], mask: np.ndarray) -> dict[str, Any]:
    """Infos of the rows in `mask`, as Gymnasium's vector environments give them.

    Each with its own mask, zero elsewhere.
    """
    infos: dict[str, Any] = {}
    if mask.any():
        for name, value in values.items():
            infos[name] = np.where(mask, value, np.zeros_like(value))
            infos[f"_{name}"] = mask.copy()
    return infos


def _rendering(
    metadata: dict[str, Any], distribution: TaskDistribution, wanted: str | None
) -> tuple[dict[str, Any], str | None]:
    """Return (what an environment says of its pictures, its render mode).

    Families that draw nothing have none, whatever is wanted.
    """
    if wanted not in (None, "rgb_array"):
        raise ValueError(
            f'There is no render_mode {wanted!r}: pictures come as arrays, render_mode="rgb_array".'
        )
    return (
        ({**metadata}, wanted)
        if draws_rows(distribution)
        else ({**metadata, "render_modes": []}, None)
    )


def meta_episode_budget(
    budget: Budget | int | None, episodes: int | None, steps: int | None
) -> Budget:
    """Return the one that is given of a budget, a number of episodes and one of steps; else 10
    episodes.

    Raises:
        ValueError: more than one is given, or something that can't be a budget.
    """
    if sum(each is not None for each in (budget, episodes, steps)) > 1:
        raise ValueError("Give a meta-episode one of episodes, steps and budget, not more.")
    if budget is not None:
        return as_budget(budget)
    return Steps(steps) if steps is not None else Episodes(10 if episodes is None else episodes)
