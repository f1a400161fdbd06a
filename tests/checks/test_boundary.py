"""Checks of the boundary between episodes pass on a sound family and catch environments and rows
that lose something there.
"""

import pytest
import torch

from metarl.checks.boundary import (
    BOUNDARY_CHECKS,
    TENSOR_BOUNDARY_CHECKS,
    check_boundary,
    check_meta_episodes,
    check_no_reward_is_lost,
)
from metarl.core.errors import PlugInError
from metarl.core.task_distribution import TensorRows
from metarl.envs.meta_episode import MetaEpisodeEnv
from tests.checks.families import Walk


class LosesTheLastReward(TensorRows):
    def step(self, action):
        transition = super().step(action)
        return transition._replace(reward=torch.where(transition.terminated, 0, transition.reward))


class LossyRows(Walk):
    def open(self, num_rows, rng):
        return LosesTheLastReward(self, num_rows, rng)


class SkipsASecond(TensorRows):
    """An invented step: the first action of an episode is thrown away."""

    def step(self, action):
        super().step(action)
        return super().step(action)


class HastyRows(Walk):
    def open(self, num_rows, rng):
        return SkipsASecond(self, num_rows, rng)


class Env(MetaEpisodeEnv):
    """An environment whose steps go through `change`."""

    def step(self, action):
        return self.change(*super().step(action))


class NoRewardAtTheEnd(Env):
    def change(self, step, outcome):
        return (
            step._replace(prev_reward=torch.where(step.episode_start, 0, step.prev_reward)),
            outcome,
        )


class NoRewardAtTheEndForLearners(Env):
    def change(self, step, outcome):
        return step, outcome._replace(
            reward=torch.where(outcome.terminated | outcome.truncated, 0, outcome.reward)
        )


class NeverTellsTruncation(Env):
    def change(self, step, outcome):
        return step._replace(prev_truncated=torch.zeros_like(step.prev_truncated)), outcome


class CallsEveryEndTermination(Env):
    def change(self, step, outcome):
        ended = outcome.terminated | outcome.truncated
        return step._replace(prev_terminated=ended & ~step.meta_episode_start), outcome._replace(
            terminated=ended
        )


class ForgetsWhatWasShownLast(Env):
    def change(self, step, outcome):
        return step._replace(final_observation=step.observation), outcome


class ShowsTheEndInsteadOfTheStart(Env):
    def change(self, step, outcome):
        return step._replace(observation=outcome.final_observation), outcome


class EveryEpisodeIsATask(Env):
    def change(self, step, outcome):
        return step._replace(meta_episode_start=step.episode_start), outcome


class CarriesTheLastReward(Env):
    def change(self, step, outcome):
        return step._replace(prev_reward=outcome.reward), outcome


@pytest.mark.parametrize("check", [*BOUNDARY_CHECKS, *TENSOR_BOUNDARY_CHECKS])
def test_a_sound_family_passes(check):
    check(Walk)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (LossyRows, r"rewards of an episode's last step don't arrive in the outcome"),
        (HastyRows, "differs from what reset and step give|don't arrive"),
    ],
)
def test_rows_that_lose_something_are_caught(broken, words):
    with pytest.raises(PlugInError, match=words):
        check_no_reward_is_lost(broken)


@pytest.mark.parametrize(
    ("env", "check", "words"),
    [
        (
            NoRewardAtTheEnd,
            check_no_reward_is_lost,
            "of an episode's last step don't arrive in prev_reward",
        ),
        (
            NoRewardAtTheEndForLearners,
            check_no_reward_is_lost,
            "of an episode's last step don't arrive in the outcome",
        ),
        (NoRewardAtTheEnd, check_boundary, "prev_reward isn't the reward that the step brought"),
        (NeverTellsTruncation, check_boundary, "prev_truncated isn't what the step brought"),
        (CallsEveryEndTermination, check_boundary, "both terminated and truncated"),
        (
            ForgetsWhatWasShownLast,
            check_boundary,
            "final_observation isn't what the ended episode showed last",
        ),
        (
            ShowsTheEndInsteadOfTheStart,
            check_no_reward_is_lost,
            "observation differs from what reset and step give",
        ),
        (EveryEpisodeIsATask, check_boundary, "meta_episode_start isn't set in exactly the rows"),
        (
            CarriesTheLastReward,
            check_meta_episodes,
            "at a new task prev_action, prev_reward or an end flag isn't zero",
        ),
    ],
)
def test_environments_that_lose_something_are_caught(env, check, words):
    with pytest.raises(PlugInError, match=words):
        check(Walk, env)
