"""Checks of reset and step pass on a sound family and catch what breaks the contract."""

import pytest
import torch

from metarl.checks.stepping import (
    STEPPING_CHECKS,
    check_global_generators_while_stepping,
    check_inputs_are_left_alone,
    check_no_hidden_state,
    check_noise_has_a_fixed_shape,
    check_reset_and_step,
    check_rows_are_independent,
    check_rows_have_noise_of_their_own,
)
from metarl.core.errors import PlugInError
from tests.checks.families import Walk


class Changed(Walk):
    """A walk whose transition goes through `change`."""

    def step(self, tasks, state, action, rng):
        return self.change(super().step(tasks, state, action, rng), tasks)


class RewardAsAColumn(Changed):
    def change(self, transition, tasks):
        return transition._replace(reward=transition.reward[:, None])


class WholeRewards(Changed):
    def change(self, transition, tasks):
        return transition._replace(reward=transition.reward.long())


class NotANumber(Changed):
    def change(self, transition, tasks):
        return transition._replace(
            reward=torch.where(transition.reward > -2, transition.reward, torch.nan)
        )


class ObservationTooLong(Changed):
    def change(self, transition, tasks):
        return transition._replace(observation=torch.cat([transition.observation] * 2, 1))


class ObservationIsCounted(Changed):
    def change(self, transition, tasks):
        return transition._replace(observation=transition.observation.long())


class EndsAsNumbers(Changed):
    def change(self, transition, tasks):
        return transition._replace(terminated=transition.terminated.float())


class OneSuccessForAll(Changed):
    def change(self, transition, tasks):
        return transition._replace(success=transition.success.any())


class StateIsAnArray(Changed):
    def change(self, transition, tasks):
        return transition._replace(state=(transition.state[0].numpy(),))


class GivesATuple(Changed):
    def change(self, transition, tasks):
        return tuple(transition)


class MovesItsState(Walk):
    def step(self, tasks, state, action, rng):
        state[0].add_(action)
        return super().step(tasks, state, torch.zeros_like(action), rng)


class MovesTheGoal(Walk):
    def step(self, tasks, state, action, rng):
        tasks.goal.add_(0.1)
        return super().step(tasks, state, action, rng)


class ClipsActionsInPlace(Walk):
    def step(self, tasks, state, action, rng):
        return super().step(tasks, state, action.clamp_(-0.5, 0.5), rng)


class KeepsThePosition(Walk):
    """Hidden state: the position lives in the instance."""

    def reset(self, tasks, rng):
        state, observation = super().reset(tasks, rng)
        self.position = state[0]
        return state, observation

    def step(self, tasks, state, action, rng):
        position = self.position if self.position.shape == state[0].shape else state[0]
        transition = super().step(tasks, (position,), action, rng)
        self.position = transition.state[0]
        return transition


class GetsTired(Walk):
    """Hidden state: every step of the instance is slower than the one before."""

    steps = 0

    def step(self, tasks, state, action, rng):
        self.steps += 1
        return super().step(tasks, state, action / self.steps, rng)


class ReadsItsNeighbour(Changed):
    def change(self, transition, tasks):
        return transition._replace(reward=transition.reward + 0.01 * transition.reward.roll(1))


class ComparesWithTheBatch(Changed):
    def change(self, transition, tasks):
        return transition._replace(reward=transition.reward - transition.reward.mean())


class DrawsWhenClose(Walk):
    """Noise whose shape depends on values."""

    def step(self, tasks, state, action, rng):
        transition = super().step(tasks, state, action, rng)
        close = transition.success
        extra = torch.zeros_like(transition.reward)
        extra[close] = torch.randn(int(close.sum()), generator=rng, dtype=extra.dtype)
        return transition._replace(reward=transition.reward + extra)


class OneNoiseForAll(Walk):
    """Shared random stream: all rows move by the same noise."""

    def draw(self, n, dtype, rng):
        return super().draw(1, dtype, rng).expand(n, -1)


class PairsShareNoise(Walk):
    def draw(self, n, dtype, rng):
        return super().draw((n + 1) // 2, dtype, rng).repeat_interleave(2, 0)[:n]


class StartsItsOwnGenerator(Walk):
    """Every episode has the same noise, because the generator that it gets is only asked for its
    seed.
    """

    def draw(self, n, dtype, rng):
        return super().draw(n, dtype, torch.Generator().manual_seed(rng.initial_seed()))


class GlobalTorch(Walk):
    def step(self, tasks, state, action, rng):
        return super().step(tasks, state, action + 0.1 * torch.randn(action.shape), rng)


@pytest.mark.parametrize("check", STEPPING_CHECKS)
def test_a_sound_family_passes(check):
    check(Walk)


@pytest.mark.parametrize(
    ("broken", "check", "words"),
    [
        (
            RewardAsAColumn,
            check_reset_and_step,
            r"step 1 of 1 tasks: the reward has shape \(1, 1\)",
        ),
        (WholeRewards, check_reset_and_step, "the reward is torch.int64"),
        (NotANumber, check_reset_and_step, "a reward is not finite"),
        (ObservationTooLong, check_reset_and_step, r"observations have shape \(1, 4\)"),
        (ObservationIsCounted, check_reset_and_step, "they are torch.int64 instead of floating"),
        (EndsAsNumbers, check_reset_and_step, "terminated is torch.float32"),
        (OneSuccessForAll, check_reset_and_step, r"success is torch.bool \(\)"),
        (StateIsAnArray, check_reset_and_step, "nested tuples of tensors"),
        (GivesATuple, check_reset_and_step, "gave a tuple. Return metarl.Transition"),
        (MovesItsState, check_inputs_are_left_alone, "step changes its state in place"),
        (MovesTheGoal, check_inputs_are_left_alone, r"step changes its tasks in place \(goal\)"),
        (ClipsActionsInPlace, check_inputs_are_left_alone, "step changes its action in place"),
        (KeepsThePosition, check_no_hidden_state, "Keep nothing in the instance"),
        (GetsTired, check_no_hidden_state, "the same play comes out differently a second time"),
        (
            ReadsItsNeighbour,
            check_rows_are_independent,
            r"rows \[0\] of 6 change when the tasks and actions of the other rows do",
        ),
        (
            ComparesWithTheBatch,
            check_rows_are_independent,
            "Let each row use its own task, state and action only",
        ),
        (
            DrawsWhenClose,
            check_noise_has_a_fixed_shape,
            "draws more or less noise depending on tasks or actions",
        ),
        (DrawsWhenClose, check_rows_are_independent, "draw noise in a shape that no value changes"),
        (
            OneNoiseForAll,
            check_rows_have_noise_of_their_own,
            "8 rows of one task that act alike show 1 different plays, 8 seeds show 8",
        ),
        (
            PairsShareNoise,
            check_rows_have_noise_of_their_own,
            "show 4 different plays, 8 seeds show 8",
        ),
        (
            StartsItsOwnGenerator,
            check_rows_have_noise_of_their_own,
            "8 successive plays of one task show 1 different ones",
        ),
        (
            GlobalTorch,
            check_global_generators_while_stepping,
            "reset or step touched the global generator of PyTorch",
        ),
    ],
)
def test_a_broken_family_is_caught(broken, check, words):
    with pytest.raises(PlugInError, match=words):
        check(broken)
