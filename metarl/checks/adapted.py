"""Checks of Gymnasium environments that were made a distribution.

No reward lost, streams of their own, any number of workers.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.checks.boundary import Recording, record
from metarl.checks.global_generators import global_generators_untouched
from metarl.checks.nested import difference, floats
from metarl.checks.playing import actions_for
from metarl.checks.require import require
from metarl.core.budget import Steps
from metarl.core.new_environment import own_limit
from metarl.core.seeding import torch_generator
from metarl.core.space_values import as_number, as_truth
from metarl.core.task_distribution import TaskDistribution, Tasks
from metarl.envs.flattened import flattened
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv

__all__ = [
    "ADAPTED_CHECKS",
    "check_environments_are_new",
    "check_episodes_repeat_in_a_fresh_environment",
    "check_global_generators_while_playing",
    "check_own_limits_hold",
    "check_rewards_of_environments_arrive",
    "check_rows_have_streams_of_their_own",
    "check_workers_change_nothing",
]

Make = Callable[[], TaskDistribution]
ROWS = 4
STEPS = 60  # most steps of one play
MOST_STEPS = 400  # where an episode's end has to be reached
TASKS = 5  # of each split, whose environments are looked at


def check_environments_are_new(make_distribution: Make) -> None:
    """`make_env` makes another environment in each call, also inside its wrappers, and after the
    one before was closed.
    """
    distribution = _own(make_distribution)
    before: list[gym.Env] = []
    for split in distribution.splits:
        for i, task in enumerate(
            [*distribution.first_tasks(split, TASKS), *distribution.first_tasks(split, 1)]
        ):
            env = distribution.make_env(task)
            env.close()
            require(
                all(env.unwrapped is not other for other in before),
                f"{distribution.id}: make_env returned the same {type(env.unwrapped).__name__}"
                f" again (for {split} task {i % TASKS}).",
                "Make a new environment in each call: rows that share one play into each other.",
            )
            before.append(env.unwrapped)


def check_own_limits_hold(make_distribution: Make) -> None:
    """Where the horizon is the first environment's own limit, no other environment's is longer."""
    distribution = _own(make_distribution)
    if distribution.horizon_given:
        return
    for split in distribution.splits:
        for i, task in enumerate(distribution.first_tasks(split, TASKS)):
            env = distribution.make_env(task)
            limit = own_limit(env)
            env.close()
            require(
                limit is None or limit <= distribution.horizon,
                f"{distribution.id}: {split} task {i} has a limit of its own of {limit} steps, and"
                f" the horizon is {distribution.horizon}.",
                "Give horizon= the most steps that any task may take.",
            )


def check_rewards_of_environments_arrive(make_distribution: Make) -> None:
    """Every reward, end and success that an environment gives arrives in the outcomes of its row,
    an episode's last one too.
    """
    distribution = _own(make_distribution)
    logs: list[Log] = []
    steps = _until_an_end(distribution)
    seen = _play(_logged(distribution, logs), 1, steps, 0)
    given = [
        entry
        for log in sorted(logs, key=lambda log: log.born)
        for entry in log.entries
        if entry.action is not None
    ]
    require(
        len(given) == steps,
        f"{distribution.id}: {steps} actions became {len(given)} steps of the environment.",
        "Step it once an action.",
    )
    for t, (entry, outcome) in enumerate(zip(given, seen.outcomes, strict=True)):
        what = f"{distribution.id}: at step {t + 1} the environment"
        reward = float(outcome.reward[0])
        same = reward == float(np.float32(entry.reward))
        require(
            same,
            f"{what} gave the reward {entry.reward}, but {reward} arrived.",
            "Hand every reward on, that of an episode's last step too.",
        )
        exact = float(outcome.exact_reward[0])
        require(
            exact == entry.reward,
            f"{what} gave the reward {entry.reward}, but {exact} is what scores would sum.",
            "Hand rewards on in float64.",
        )
        same = bool(outcome.terminated[0]) == entry.terminated
        require(
            same,
            f"{what} said terminated = {entry.terminated}, but {not entry.terminated} arrived.",
            "Hand the ends on as they are.",
        )
        same = bool(outcome.truncated[0]) or entry.terminated or not entry.truncated
        require(
            same,
            f"{what} truncated the episode, but that didn't arrive.",
            "Hand the ends on as they are.",
        )


def check_episodes_repeat_in_a_fresh_environment(make_distribution: Make) -> None:
    """An episode played in an environment that was used before repeats in a new one with the same
    seed and actions.
    """
    distribution = _own(make_distribution)
    logs: list[Log] = []
    _play(_logged(distribution, logs), 1, _until_an_end(distribution), 0)
    for log in logs:
        for episode in log.episodes()[:3]:
            env = flattened(distribution.make_env(log.task))
            try:
                again = [Entry.of_reset(env.reset(seed=episode[0].seed), episode[0].seed)]
                again += [
                    Entry.of_step(env.step(entry.action), entry.action) for entry in episode[1:]
                ]
            finally:
                env.close()
            for t, (first, second) in enumerate(zip(episode, again, strict=True)):
                require(
                    first.same_as(second),
                    f"{distribution.id}: with the same seed and actions, an episode differs at step"
                    f" {t} in a new environment.",
                    "Let reset(seed=...) set everything that the episode depends on: draw from"
                    " self.np_random, keep nothing of the last.",
                )


def check_rows_have_streams_of_their_own(make_distribution: Make) -> None:
    """Rows that play one task with the same actions differ as much as plays with different seeds
    do.
    """
    distribution = _own(make_distribution)
    traces = [
        _traces(_play(distribution, ROWS, min(STEPS, 3 * distribution.horizon), seed, alike=True))
        for seed in range(ROWS)
    ]
    across_rows = len(set(traces[0]))
    across_seeds = len({rows[0] for rows in traces})
    require(
        2 * across_rows > across_seeds,
        f"{distribution.id}: {ROWS} rows of one task that act alike show {across_rows} different"
        f" plays, {ROWS} seeds show {across_seeds}.",
        "Seed each environment by the seed that its reset gets, and draw from self.np_random only.",
    )


def check_workers_change_nothing(make_distribution: Make) -> None:
    """The same play comes out of any number of worker processes, bit for bit, so that their streams
    differ too.
    """
    distribution = _own(make_distribution)
    steps = min(STEPS, 2 * distribution.horizon + 1)
    few = distribution.workers  # environments that need processes of their own get one a row
    many = 2 if few == 0 else max(ROWS, few)
    wanted = _play(distribution, ROWS, steps, 0)
    where = difference(wanted, _play(_with_workers(distribution, many), ROWS, steps, 0))
    require(
        where is None,
        f"{distribution.id}: a play with {many} workers differs from one with {few} (first at"
        f" {where}).",
        "Let environments depend on their task, the seed and the actions alone, not on the process"
        " or on what else it holds; until then play with workers=0.",
    )


def check_global_generators_while_playing(make_distribution: Make) -> None:
    """Environments leave the global random generators alone (looked at in this process)."""
    distribution = _own(make_distribution)
    if distribution.workers:
        return
    with global_generators_untouched(f"{distribution.id}: an environment's making, reset or step"):
        _play(distribution, 2, min(STEPS, 2 * distribution.horizon + 1), 0)


ADAPTED_CHECKS = (
    check_environments_are_new,
    check_own_limits_hold,
    check_rewards_of_environments_arrive,
    check_episodes_repeat_in_a_fresh_environment,
    check_rows_have_streams_of_their_own,
    check_workers_change_nothing,
    check_global_generators_while_playing,
)


class Entry(NamedTuple):
    """One reset or step of a Gymnasium environment."""

    observation: np.ndarray
    reward: float
    terminated: bool
    truncated: bool
    action: Any = None  # None for a reset
    seed: int | None = None

    @classmethod
    def of_reset(cls, answer: Any, seed: int | None) -> "Entry":
        """From what `env.reset(seed=seed)` returned."""
        return cls(np.array(answer[0]), 0.0, False, False, None, seed)

    @classmethod
    def of_step(cls, answer: Any, action: Any) -> "Entry":
        """From what `env.step(action)` returned."""
        reward = as_number(answer[1])
        assert reward is not None, "rows have refused it"
        return cls(
            np.array(answer[0]),
            reward,
            bool(as_truth(answer[2])),
            bool(as_truth(answer[3])),
            action,
        )

    def same_as(self, other: "Entry") -> bool:
        """Return whether the environment answered the same."""
        return np.array_equal(self.observation, other.observation) and self[1:4] == other[1:4]


class Log(gym.Wrapper):
    """Writes down every reset and step of an environment."""

    def __init__(self, env: gym.Env, task: Any, logs: list["Log"]):
        super().__init__(env)
        self.task = task
        self.born = len(logs)
        self.entries = list[Entry]()
        logs.append(self)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Reset, written down."""
        answer = self.env.reset(seed=seed, options=options)
        self.entries.append(Entry.of_reset(answer, seed))
        return answer

    def step(self, action: Any) -> Any:
        """Step, written down."""
        answer = self.env.step(action)
        self.entries.append(Entry.of_step(answer, copy.copy(action)))
        return answer

    def episodes(self) -> list[list[Entry]]:
        """Return the entries from each reset up to the next."""
        starts = [i for i, entry in enumerate(self.entries) if entry.action is None]
        return [
            self.entries[i:j] for i, j in zip(starts, [*starts[1:], len(self.entries)], strict=True)
        ]


def _own(make_distribution: Make) -> GymnasiumDistribution:
    distribution = make_distribution()
    assert isinstance(distribution, GymnasiumDistribution)
    return distribution


def _logged(distribution: GymnasiumDistribution, logs: list[Log]) -> GymnasiumDistribution:
    """Return the distribution played in this process by environments that write into `logs`."""
    copied = _with_workers(distribution, 0)
    copied._make_env = lambda task: Log(flattened(distribution.make_env(task)), task, logs)
    return copied


def _with_workers(distribution: GymnasiumDistribution, workers: int) -> GymnasiumDistribution:
    copied = copy.copy(distribution)
    copied.workers = workers
    return copied


def _until_an_end(distribution: GymnasiumDistribution) -> int:
    return min(MOST_STEPS, max(12, 2 * distribution.horizon + 1))


def _play(
    distribution: GymnasiumDistribution, rows: int, steps: int, seed: int, alike: bool = False
) -> Recording:
    tasks: Tasks = distribution.sample(rows, "train", 0)
    actions: Tensor = actions_for(distribution, steps, rows, 0)
    if alike:
        tasks = tasks[torch.zeros(rows, dtype=torch.int64)]
        actions = actions[:, :1].expand(
            -1, rows, *[-1] * len(distribution.action_space.shape or ())
        )
    env = MetaEpisodeEnv(
        distribution, Steps(steps + 1), rows, torch_generator(seed, "checks", "noise")
    )
    try:
        return record(env, lambda row, count: tasks[row], actions)
    finally:
        env.close()


def _traces(seen: Recording) -> list[bytes]:
    """Everything that each row showed, as bytes."""
    parts = [floats(step.observation) for step in seen.steps] + [
        floats(outcome.reward) for outcome in seen.outcomes
    ]
    return [row.tobytes() for row in torch.cat(parts, 1).numpy()]
