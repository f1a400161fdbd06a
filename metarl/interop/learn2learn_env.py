"""The way out to learn2learn, reinforcement learning.

A distribution as one of its meta-environments, which change task when told to.
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import torch

from metarl.core.budget import Episodes
from metarl.core.registry import as_distribution
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.spaces import action_tensor
from metarl.core.task_distribution import TaskDistribution, Tasks, check_split
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.interop.learn2learn import import_learn2learn

__all__ = ["meta_env"]


def meta_env(distribution: TaskDistribution, split: str = "train", seed: int = 0) -> Any:
    """`distribution` as a `learn2learn.gym.MetaEnv`, in the Gym API that learn2learn has: four
    results a step, spaces of `gym`.

    | part | value |
    |---|---|
    | task | a dictionary: the fields of the distribution's `Tasks`, each as the array of one task |
    | sample_tasks(n) | n tasks of the split; each call goes on in the stream of `seed` |
    | set_task(task) | ends the episode under way; get_task() tells it again. The first task is drawn at once |
    | observation | the distribution's: float32, uint8 or int64 |
    | action, reward | the distribution's |
    | end | done: terminated, or truncated at the horizon or by the environment; the caller resets |
    | info | terminated, truncated (also under Gym's name, "TimeLimit.truncated"), success |

    Tensor families and adapted environments alike. For `learn2learn.gym.AsyncVectorEnv`, give each
    row a seed of its own: `[partial(meta_env, distribution, seed=i) for i in range(rows)]`; its
    rows are processes, so make the distribution with workers=0.

    Args:
        distribution: what is played, an episode at a time.
        split: what `sample_tasks` draws from.
        seed: names the streams of tasks and of noise.

    Raises:
        ValueError: an unknown split, a supervised family, a space that Gym doesn't have, or
            learn2learn isn't installed.
    """
    return _kind()(distribution, split, seed)


@cache
def _kind() -> Any:
    """Return the class, made when learn2learn is first needed."""
    return type(
        "DistributionMetaEnv",
        (_OneTask, import_learn2learn("A MetaEnv").gym.MetaEnv),
        {"__doc__": _OneTask.__doc__},
    )


class _OneTask:
    """Plays episodes of one task until another is set.

    The methods that learn2learn's MetaEnv leaves open.
    """

    def __init__(self, distribution: TaskDistribution, split: str, seed: int):
        distribution = as_distribution(distribution)
        if not isinstance(distribution, TaskDistribution):
            raise ValueError(
                f"{distribution!r} has no episodes; a supervised family becomes"
                " metarl.interop.learn2learn_tasks.TaskSet."
            )
        check_split(distribution, split)
        self.distribution = distribution
        self.split = split
        self.observation_space = _gym_space(distribution, distribution.observation_space)
        self.action_space = _gym_space(distribution, distribution.action_space)
        self._noise = torch.Generator()
        self.seed(seed)
        self._like = distribution.sample(1, split, 0)
        self._episode = MetaEpisodeEnv(
            distribution, Episodes(0, after=1), 1, self._noise, refill=False
        )
        self._playing = False
        super().__init__()  # MetaEnv draws a task and sets it

    def seed(self, seed: int = 0) -> list[int]:
        """Begin the streams of tasks and noise anew."""
        self._seed = seed
        self._calls = 0
        self._noise.set_state(torch_generator(seed, "environment").get_state())
        return [seed]

    def sample_tasks(self, num_tasks: int) -> list[dict[str, np.ndarray]]:
        """`num_tasks` tasks, none of which is set."""
        tasks = self.distribution.sample(
            num_tasks, self.split, derive_seed(self._seed, "tasks", self._calls)
        )
        self._calls += 1
        arrays = {field.name: getattr(tasks, field.name).numpy() for field in fields(tasks)}
        return [{name: array[i].copy() for name, array in arrays.items()} for i in range(num_tasks)]

    def set_task(self, task: Mapping[str, Any]) -> None:
        """Play `task` from the next reset on."""
        parts, names = {}, [field.name for field in fields(self._like)]
        if not isinstance(task, Mapping) or set(task) != set(names):
            raise ValueError(
                f"A task of {self.distribution.id} is a dictionary of {', '.join(names)}, as"
                f" sample_tasks gives it; not {task!r}."
            )
        for name in names:
            like = getattr(self._like, name)
            parts[name] = torch.as_tensor(np.asarray(task[name])).to(like.dtype)[None]
            if parts[name].shape != like.shape:
                raise ValueError(
                    f"{name} of a task of {self.distribution.id} has shape {tuple(like.shape[1:])},"
                    f" not {tuple(parts[name].shape[1:])}."
                )
        self._tasks: Tasks = type(self._like)(**parts)
        self._task = dict(task)
        self._playing = False

    def reset(self) -> Any:
        """Return the first observation of an episode."""
        step = self._episode.reset(lambda rows, counts: self._tasks)
        self._playing = True
        return step.observation[0].numpy()[()]  # a number where the space is discrete

    def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
        """(observation, reward, done, info)."""
        if not self._playing:
            raise gymnasium.error.ResetNeeded(
                "This episode is over, or none has begun in this task: call reset() before step()."
            )
        space = self.distribution.action_space
        given = np.asarray(action)
        if given.size != int(np.prod(space.shape or ())):
            raise ValueError(f"An action of {space} has shape {space.shape}, not {given.shape}.")
        if (
            isinstance(space, gymnasium.spaces.Discrete)
            and not space.start <= given.item() < space.start + space.n
        ):
            raise ValueError(f"There is no action {given.item()} in {space}.")
        _, outcome = self._episode.step(
            action_tensor(space, given.reshape(1, *(space.shape or ())))
        )
        terminated = bool(outcome.terminated)
        truncated = bool(outcome.truncated)
        self._playing = not (terminated or truncated)
        info = {
            "terminated": terminated,
            "truncated": truncated,
            "TimeLimit.truncated": truncated,
            "success": bool(outcome.success),
        }
        return (
            outcome.final_observation[0].numpy()[()],
            float(outcome.exact_reward),
            terminated or truncated,
            info,
        )

    def close(self) -> None:
        """Release worker processes and emulators."""
        self._episode.close()


def _gym_space(distribution: TaskDistribution, space: gymnasium.Space) -> Any:
    """Return the same space in Gym's classes, of the types that observations and actions come in."""
    import_learn2learn("A MetaEnv")  # which imports Gym, without its notice
    import gym.spaces as old

    if isinstance(space, gymnasium.spaces.Discrete):
        return old.Discrete(int(space.n), start=int(space.start))
    if isinstance(space, gymnasium.spaces.MultiBinary):
        return old.MultiBinary(space.n)
    if isinstance(space, gymnasium.spaces.MultiDiscrete) and not space.start.any():
        return old.MultiDiscrete(space.nvec)
    if isinstance(space, gymnasium.spaces.Box):
        dtype = np.uint8 if space.dtype == np.uint8 else np.float32
        return old.Box(space.low.astype(dtype), space.high.astype(dtype), space.shape, dtype)
    raise ValueError(f"{distribution.id}: Gym, and so learn2learn, has no space {space}.")
