"""Checks of adapted Gymnasium environments pass on a sound one and catch broken ones."""

from functools import cache

import gymnasium as gym
import pytest
import torch

from metarl.checks import check_distribution
from metarl.checks.adapted import (
    check_environments_are_new,
    check_episodes_repeat_in_a_fresh_environment,
    check_global_generators_while_playing,
    check_own_limits_hold,
    check_rewards_of_environments_arrive,
    check_rows_have_streams_of_their_own,
    check_workers_change_nothing,
)
from metarl.checks.information import check_first_observation_hides_the_task
from metarl.core.errors import PlugInError
from metarl.envs.gymnasium_adapter import GymnasiumDistribution, GymnasiumRows
from tests.checks.line import (
    DependsOnTheProcess,
    DrawsFromNumPy,
    Line,
    Remembers,
    ShowsTheGoal,
    Unseeded,
)


def lines(env=Line, kind=GymnasiumDistribution):
    return lambda: kind(
        "Line-v0",
        env,
        {"train": [-3.0, -2.0, -1.5, 1.0, 2.0, 3.0, 4.0, 5.0], "test": [-2.5, 2.5]},
        horizon=12,
    )


def limited():
    return GymnasiumDistribution(
        "Line-v0",
        lambda goal: gym.wrappers.TimeLimit(Line(goal), goal),
        {"train": [5, 4], "test": [3, 6]},
    )


class ChangedRows(GymnasiumDistribution):
    """Rows whose `reset` and `step` are broken below."""

    def open(self, num_rows, rng):
        return self.Rows(self, num_rows, [rng])


class LosesTheLastReward(ChangedRows):
    class Rows(GymnasiumRows):
        def step(self, action):
            transition = super().step(action)
            return transition._replace(
                reward=torch.where(
                    transition.terminated | transition.truncated, 0, transition.reward
                )
            )


class RoundsRewards(ChangedRows):
    class Rows(GymnasiumRows):
        def step(self, action):
            transition = super().step(action)
            return transition._replace(reward=transition.reward.to(torch.float32))


class CallsTruncationTermination(ChangedRows):
    class Rows(GymnasiumRows):
        def step(self, action):
            transition = super().step(action)
            return transition._replace(terminated=transition.terminated | transition.truncated)


class SeedsAllRowsAlike(GymnasiumDistribution):
    def open(self, num_rows, rng):
        return GymnasiumRows(
            self,
            num_rows,
            [torch.Generator().manual_seed(rng.initial_seed()) for _ in range(num_rows)],
        )


def test_a_sound_environment_passes_everything():
    check_distribution(lines())


@pytest.mark.parametrize(
    ("broken", "check", "words"),
    [
        (
            lines(kind=LosesTheLastReward),
            check_rewards_of_environments_arrive,
            r"gave the reward \S+, but 0.0 arrived",
        ),
        (
            lines(kind=RoundsRewards),
            check_rewards_of_environments_arrive,
            "gave the reward -0.1, but -0.1000000014.* is what scores",
        ),
        (
            lines(cache(Line)),
            check_environments_are_new,
            r"make_env returned the same Line again \(for train task 0\)",
        ),
        (
            lines(lambda goal, one=Line(1.0): gym.Wrapper(one)),
            check_environments_are_new,
            "the same Line again",
        ),
        (
            limited,
            check_own_limits_hold,
            "test task 1 has a limit of its own of 6 steps, and the horizon is 5",
        ),
        (
            lines(kind=CallsTruncationTermination),
            check_rewards_of_environments_arrive,
            "said terminated = False, but True arrived",
        ),
        (
            lines(Unseeded),
            check_episodes_repeat_in_a_fresh_environment,
            "an episode differs at step 0 in a new environment",
        ),
        (
            lines(Remembers),
            check_episodes_repeat_in_a_fresh_environment,
            "an episode differs at step 0 in a new environment",
        ),
        (
            lines(DrawsFromNumPy),
            check_global_generators_while_playing,
            "touched the global generator of NumPy",
        ),
        (
            lines(DrawsFromNumPy),
            check_episodes_repeat_in_a_fresh_environment,
            "an episode differs at step 1",
        ),
        (
            lines(DependsOnTheProcess),
            check_workers_change_nothing,
            "a play with 2 workers differs from one with 0",
        ),
        (
            lines(kind=SeedsAllRowsAlike),
            check_rows_have_streams_of_their_own,
            "4 rows of one task that act alike show 1 different plays, 4 seeds",
        ),
        (
            lines(ShowsTheGoal),
            check_first_observation_hides_the_task,
            "first observation tells which task it is",
        ),
    ],
)
def test_a_broken_environment_is_caught(broken, check, words):
    with pytest.raises(PlugInError, match=words):
        check(broken)
