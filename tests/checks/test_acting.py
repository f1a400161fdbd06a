"""Checks of agents pass on sound ones and catch broken ones."""

import numpy as np
import pytest
import torch

from metarl.checks import check_agent
from metarl.checks.acting import (
    ACTING_CHECKS,
    check_any_batch_size,
    check_does_not_peek,
    check_evaluation_repeats,
    check_forgets_at_a_new_task,
    check_global_generators_while_acting,
    check_nothing_beats_the_bound,
    check_row_independence,
    check_same_inputs_same_actions,
    check_state_and_actions,
    check_steps_are_left_alone,
)
from metarl.core.budget import Episodes, Steps
from metarl.core.errors import PlugInError
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.checks.families import Counter, Walk

BANDIT = BernoulliBandit(3)
BUDGET = Episodes(6, 0)


class NotAnAgent:
    def __init__(self, distribution, budget):
        pass


class OnlyActions(Counter):
    def act(self, step, state, rng):
        return super().act(step, state, rng)[0]


class AnArmTooMany(Counter):
    def act(self, step, state, rng):
        action, state = super().act(step, state, rng)
        return action + 1, state


class ActionsAsFloats(Counter):
    def act(self, step, state, rng):
        action, state = super().act(step, state, rng)
        return action.float(), state


class OneActionForAll(Counter):
    def act(self, step, state, rng):
        action, state = super().act(step, state, rng)
        return action[:1], state


class StateWithoutRows(Counter):
    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.arms), torch.zeros(self.arms)


class FixedBatch(Counter):
    def luck(self, counts, rng):
        return torch.rand(6, self.arms, generator=rng)


class KeepsCountsItself(Counter):
    """Hidden state: what was learnt lives in the agent."""

    def act(self, step, state, rng):
        if bool(step.meta_episode_start.all()):
            self.kept = state
        action, self.kept = super().act(step, self.kept, rng)
        return action, state


class StreamOfItsOwn(Counter):
    def __init__(self, distribution, budget):
        super().__init__(distribution)
        self.rng = torch.Generator().manual_seed(0)

    def luck(self, counts, rng):
        return super().luck(counts, self.rng)


class GlobalTorch(Counter):
    def luck(self, counts, rng):
        return torch.rand(counts.shape)


class GlobalNumPyWhenBuilt(Counter):
    def __init__(self, distribution, budget):
        super().__init__(distribution)
        self.prior = np.random.random()  # noqa: NPY002


class ScalesRewardsInPlace(Counter):
    def act(self, step, state, rng):
        step.prev_reward.mul_(0.9)
        return super().act(step, state, rng)


class NeverForgets(Counter):
    def forget(self, step, state):
        return state


class ForgetsOnlyTogether(Counter):
    def forget(self, step, state):
        return super().forget(step, state) if bool(step.meta_episode_start.all()) else state


class OneNewTaskForgetsAll(Counter):
    def forget(self, step, state):
        fresh = step.meta_episode_start.any()
        return tuple(torch.where(fresh, 0.0, part) for part in state)


class SharesItsCounts(Counter):
    def luck(self, counts, rng):
        return super().luck(counts, rng) + 0.5 * counts.mean(0)


class DrawsForUntriedArms(Counter):
    """Noise whose shape depends on the counts."""

    def luck(self, counts, rng):
        luck = torch.zeros_like(counts)
        untried = counts < 2
        luck[untried] = 9 * torch.rand(int(untried.sum()), generator=rng)
        return luck


class DeclaresItsRejections(DrawsForUntriedArms):
    shares_stream = True


class DeclaresButReadsOthers(SharesItsCounts):
    shares_stream = True

    def luck(self, counts, rng):
        return torch.rand(counts.shape, generator=rng) + 3 * counts.mean(0)


class TellsWhatIsPlayed(BernoulliBandit):
    """A family that lets the tasks being played slip out."""

    def step(self, tasks, state, action, rng):
        BernoulliBandit.playing = tasks
        return super().step(tasks, state, action, rng)


class ReadsWhatIsPlayed(Counter):
    def __init__(self, distribution, budget):
        super().__init__(distribution)
        self.distribution = distribution

    def act(self, step, state, rng):
        action, state = super().act(step, state, rng)
        playing = getattr(self.distribution, "playing", None)
        return (
            action if playing is None or len(playing) != len(action) else playing.means.argmax(1)
        ), state


class TunesOnTest(Counter):
    def __init__(self, distribution, budget):
        super().__init__(distribution)
        self.scale = distribution.sample(100, "test", 0).means.mean()


class KnowsTheTasks(Counter):
    """Beats the optimum, because it draws the tasks of the evaluation itself."""

    def __init__(self, distribution, budget):
        super().__init__(distribution)
        self.tasks = distribution.sample(1024, "test", 17)

    def act(self, step, state, rng):
        return self.tasks.means[: len(step.prev_reward)].argmax(1), state


@pytest.mark.parametrize("check", ACTING_CHECKS)
@pytest.mark.parametrize("sound", [Counter, DeclaresItsRejections])
def test_a_sound_agent_passes(check, sound):
    check(sound, BANDIT, BUDGET)


def test_agents_of_longer_and_unequal_episodes_pass():
    check_agent(Counter, RandomMDP(states=3, actions=2, horizon=3), Episodes(2, 0))
    check_agent(Still, Walk(), Steps(9))


class Still:
    """Goes nowhere, in a box of actions."""

    def __init__(self, distribution, budget):
        pass

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        return torch.zeros_like(step.prev_action), state


@pytest.mark.parametrize(
    ("broken", "check", "words"),
    [
        (NotAnAgent, check_state_and_actions, "isn't an agent"),
        (AnArmTooMany, check_state_and_actions, "don't lie in Discrete"),
        (ActionsAsFloats, check_state_and_actions, "they are torch.float32 instead of torch.int64"),
        (
            StateWithoutRows,
            check_state_and_actions,
            r"initial_state\(6\): the state at 1 is shape \(3,\)",
        ),
        (
            OneActionForAll,
            check_state_and_actions,
            r"actions have shape \(1,\). Give one a row, 6 in all",
        ),
        (OnlyActions, check_state_and_actions, r"Return \(action tensor, state\)"),
        (FixedBatch, check_any_batch_size, "fails with 1 rows"),
        (
            KeepsCountsItself,
            check_same_inputs_same_actions,
            "acts differently at step . when it plays other tasks in between",
        ),
        (
            StreamOfItsOwn,
            check_same_inputs_same_actions,
            "acts differently when it is shown the same steps again",
        ),
        (
            GlobalTorch,
            check_global_generators_while_acting,
            "GlobalTorch.act touched the global generator of PyTorch",
        ),
        (
            GlobalNumPyWhenBuilt,
            check_global_generators_while_acting,
            "Building the agent touched the global generator of NumPy",
        ),
        (
            ScalesRewardsInPlace,
            check_steps_are_left_alone,
            "changes prev_reward of its step at step",
        ),
        (
            NeverForgets,
            check_forgets_at_a_new_task,
            "its second meta-episode differs from a first one",
        ),
        (
            ForgetsOnlyTogether,
            check_forgets_at_a_new_task,
            "in rows whose task changes while others play on",
        ),
        (
            OneNewTaskForgetsAll,
            check_forgets_at_a_new_task,
            "in rows that play on when the task of another row changes",
        ),
        (
            SharesItsCounts,
            check_row_independence,
            r"rows \[0\] of 6 act differently when the other rows see other things",
        ),
        (DrawsForUntriedArms, check_row_independence, "declares shares_stream = True"),
        (
            DeclaresButReadsOthers,
            check_row_independence,
            "rows of one history act differently beside other rows",
        ),
        (TunesOnTest, check_does_not_peek, "The agent drew tasks of split 'test'"),
        (KnowsTheTasks, check_nothing_beats_the_bound, "standard errors above the optimum"),
        (
            StreamOfItsOwn,
            check_evaluation_repeats,
            "plays the same evaluation differently a second time",
        ),
    ],
)
def test_a_broken_agent_is_caught(broken, check, words):
    with pytest.raises(PlugInError, match=words):
        check(broken, BANDIT, BUDGET)


def test_an_agent_that_reads_the_tasks_being_played_is_caught():
    try:
        with pytest.raises(
            PlugInError,
            match="acts differently on the same steps when other tasks are being played",
        ):
            check_does_not_peek(ReadsWhatIsPlayed, TellsWhatIsPlayed(3), BUDGET)
    finally:
        del BernoulliBandit.playing


def test_the_upper_bound_serves_where_there_is_no_optimum():
    class NoOptimum(BernoulliBandit):
        def optimum(self, episodes):
            return None

        def upper_bound(self, tasks, episodes):
            return super().upper_bound(tasks, episodes) * 0.8

    with pytest.raises(PlugInError, match="standard errors above the upper bound"):
        check_nothing_beats_the_bound(KnowsTheTasks, NoOptimum(3), BUDGET)
