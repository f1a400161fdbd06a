"""MLSH in several ranks.

Each plays its part of the tasks and improves some sub-policies, and all go on with the same ones.
"""

import os
import signal
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.errors import PlugInError
from metarl.core.task_distribution import TaskDistribution, Transition
from metarl.learners.hierarchy import mlsh as mlsh_module
from metarl.learners.hierarchy.mlsh import MLSH, MLSHConfig
from metarl.learners.policy_gradient.stacked_ppo import Stack, StackedPPO, all_gather_stack
from metarl.learners.policy_gradient.trajectory import Trajectory, all_gather_trajectory
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.mdps.identity import Identity
from tests.learners.ranks import in_ranks
from tests.learners.small_rl2 import same, updates

FAST = StackedPPO(epochs=2, minibatches=2)
SMALL = MLSHConfig(
    option_length=2,
    warmup_updates=2,
    steps=24,
    tasks=6,
    processes=2,
    network=PerceptronConfig((8,)),
    master=FAST,
    sub_policy=FAST,
)
TASKS = Identity(4, 8)


def what_two_get(function, first, second):
    """Return what `function(group, ...)` gives in two ranks, which give `first` and `second`."""
    return in_ranks(2, lambda group: function(group, *(first, second)[group.rank()]))


def some_episodes(length, tasks):
    """Return [length, tasks, 2] steps, each of them known by its numbers."""
    number = 1.0 + torch.arange(length * tasks * 2).view(length, tasks, 2)
    return Trajectory(
        observation=number[..., None].expand(-1, -1, -1, 3),
        action=number.long(),
        log_prob=-number,
        reward=number,
        terminated=number > 1,
        valid=number > 0,
        final_observation=torch.full((tasks, 2, 3), float(length)),
    )


def test_episodes_of_all_ranks_are_joined_and_shorter_ones_filled_up():
    long = some_episodes(4, 1)
    short = some_episodes(3, 2)
    for joined in what_two_get(all_gather_trajectory, (long,), (short,)):
        assert joined.reward.shape == (4, 3, 2)
        first = joined.columns(torch.tensor([0]))
        for name in ("observation", "action", "log_prob", "reward", "terminated", "valid"):
            assert torch.equal(getattr(first, name), getattr(long, name))
            assert torch.equal(getattr(joined, name)[:3, 1:], getattr(short, name))
        assert not joined.valid[3, 1:].any()
        assert torch.equal(joined.final_observation[:, 0, 0], torch.tensor([4.0, 3.0, 3.0]))
        assert joined.value is joined.steps is None


def test_a_rank_whose_tasks_all_warm_up_gives_nothing():
    own = some_episodes(4, 2)
    joined, _ = what_two_get(all_gather_trajectory, (own,), (some_episodes(2, 0),))
    for one, other in zip(joined, own, strict=True):
        assert (one is other is None) or torch.equal(one, other)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_sub_policies_of_all_ranks_come_into_their_order(number):
    whole = Stack.of([torch.rand(number, 3, 2), torch.rand(number, 2)])
    whole.taken.copy_(torch.arange(number))
    first, second = (whole.of_rows(torch.arange(rank, number, 2)) for rank in (0, 1))
    for joined in what_two_get(all_gather_stack, (first,), (second,)):
        assert same(joined.state_dict(), whole.state_dict())


@pytest.mark.parametrize(("processes", "sub_policies"), [(2, 1), (2, 2), (3, 1), (3, 2), (2, 3)])
def test_all_ranks_have_the_same_sub_policies_and_masters_of_their_own(processes, sub_policies):
    config = replace(SMALL, processes=processes, sub_policies=sub_policies)
    before = MLSH(replace(config, processes=1), TASKS).weights()["sub_policies"]

    def run(group):
        learner = MLSH(config, TASKS, group=group)
        return updates(learner, 4), learner.state_dict()

    (metrics, here), *others = in_ranks(processes, run)
    assert metrics[-1]["steps"] == 4 * 6 * 24
    for _, there in others:
        for name in (
            "sub_policies",
            "sub_policies_and_adam",
            "updates",
            "tasks_before",
            "iteration",
            "steps",
            "latest",
        ):
            assert same({name: here[name]}, {name: there[name]})
        assert not same(here["masters"], there["masters"])
        assert not same(here["streams"]["actions"], there["streams"]["actions"])
        assert same(here["streams"]["minibatches"], there["streams"]["minibatches"])
    changed = [
        (weight[k] != before[name][k]).any()
        for name, weight in here["sub_policies"].items()
        for k in range(sub_policies)
    ]
    assert all(changed), "every sub-policy is some rank's to improve"
    assert [len(own["masters"]["weights"][0]) for own in (here, *here["ranks"].values())] == [
        6 // processes
    ] * processes


@pytest.mark.parametrize(("processes", "sub_policies"), [(2, 2), (3, 2), (2, 1)])
def test_given_the_same_episodes_ranks_give_the_update_of_one(processes, sub_policies, monkeypatch):
    # to numbers this small, rounding is within 1e-6
    small = replace(FAST, lr=1e-3)
    config = replace(
        SMALL,
        sub_policies=sub_policies,
        warmup_updates=1,
        option_length=10,
        master=small,
        sub_policy=small,
    )
    collect = mlsh_module.collect
    played = []

    def noted(env, player, *rest):
        rollout = collect(env, player, *rest)
        played.append((rollout, player.chosen, player.log_prob))
        return rollout

    monkeypatch.setattr(mlsh_module, "collect", noted)
    alone = MLSH(replace(config, processes=1), MovingBandits())
    updates(alone, 3)

    def given(env, player, *rest):
        learner = next(each for each in learners if each.env is env)
        rollout, chosen, log_prob = played[learner.iteration]
        columns = slice(
            int(learner.mine[0]) * learner.episodes, (int(learner.mine[-1]) + 1) * learner.episodes
        )
        player.chosen = [part[columns] for part in chosen]
        player.log_prob = [part[columns] for part in log_prob]
        return rollout.columns(columns)

    monkeypatch.setattr(mlsh_module, "collect", given)
    learners = []

    def run(group):
        learner = MLSH(replace(config, processes=processes), MovingBandits(), group=group)
        learners.append(learner)
        updates(learner, 3)
        return learner

    ranks = in_ranks(processes, run)
    for learner in ranks:
        for one, other in zip(
            learner.sub_policies.weights, alone.sub_policies.weights, strict=True
        ):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    for masters, wanted in zip(
        zip(*(learner.masters.weights for learner in ranks), strict=True),
        alone.masters.weights,
        strict=True,
    ):
        torch.testing.assert_close(torch.cat(masters), wanted, rtol=0, atol=1e-6)
    assert ranks[0].latest == pytest.approx(alone.latest)


def test_ranks_play_the_tasks_that_one_would():
    whole = MLSH(replace(SMALL, processes=1), TASKS).play()[0].observation
    here, there = in_ranks(2, lambda group: MLSH(SMALL, TASKS, group=group).play()[0].observation)
    # A task shows the same numbers to any policy
    assert torch.equal(torch.cat([here, there], 1), whole)


def test_moments_are_those_of_all_that_was_seen():
    def moments(group):
        learner = MLSH(replace(SMALL, option_length=10), MovingBandits(), group=group)
        learner.play()
        return learner.weights()["inputs"]

    here, there = in_ranks(2, moments)
    assert same(here, there)
    assert int(here["observation_moments.count"]) == 6 * 50


def test_moments_of_two_ranks_are_those_of_all_observations():
    def moments(group, observations):
        learner = MLSH(replace(SMALL, option_length=10), MovingBandits(), group=group)
        learner.learn_moments(observations)
        return learner.hierarchy.inputs.observation_moments

    seen = 3 * torch.randn(7, 6) + torch.arange(6), torch.randn(4, 6) - 2
    for own in what_two_get(moments, *([each] for each in seen)):
        assert int(own.count) == 11
        torch.testing.assert_close(own.mean, torch.cat(seen).mean(0))
        torch.testing.assert_close(own.variance, torch.cat(seen).var(0, unbiased=False))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_warning_names_the_line_that_called_update(processes):
    learner = MLSH(replace(SMALL, warmup_updates=0, processes=processes), TASKS)
    with pytest.warns(UserWarning, match="without a warm-up") as caught:
        learner.update()
    assert caught[0].filename == __file__
    learner.close()


@pytest.mark.parametrize(
    "reopened", [False, True], ids=["into open processes", "into a new learner"]
)
@pytest.mark.parametrize("before", [1, 2])  # all are warming up, or the first is about to join
def test_training_resumes_bit_for_bit(reopened, before):
    learner = MLSH(SMALL, TASKS)
    updates(learner, before)
    state = learner.state_dict()
    after = updates(learner, 3)
    last = learner.state_dict()
    if reopened:
        learner.close()
        learner = MLSH(SMALL, TASKS)
    learner.load_state_dict(state)
    assert updates(learner, 3) == after
    assert same(learner.state_dict(), last)
    learner.close()


def kill_a_worker(learner):
    worker = learner.ranks._meeting.processes[0]
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()


def interrupt(learner, monkeypatch):
    def stop(choices):
        raise KeyboardInterrupt

    monkeypatch.setattr(learner, "improve_masters", stop)


@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_after_an_update_that_broke_off_it_goes_on_from_a_checkpoint_only(how, monkeypatch):
    learner = MLSH(SMALL, TASKS)
    updates(learner, 2)
    state = learner.state_dict()
    after = updates(learner, 2)
    learner.load_state_dict(state)
    if how == "killed":
        kill_a_worker(learner)
    else:
        interrupt(learner, monkeypatch)
    with pytest.raises(PlugInError if how == "killed" else KeyboardInterrupt):
        learner.update()
    monkeypatch.undo()
    for touch in (learner.update, learner.state_dict):
        with pytest.raises(PlugInError, match="load the last checkpoint, or make a new learner"):
            touch()
    learner.load_state_dict(state)
    assert updates(learner, 2) == after
    learner.close()


def test_closing_is_quiet_even_if_a_worker_died():
    learner = MLSH(SMALL, TASKS)
    updates(learner, 1)
    kill_a_worker(learner)
    learner.close()
    learner.close()
    with pytest.raises(PlugInError, match="load the last checkpoint"):
        learner.update()


def test_weights_that_are_taken_over_reach_all_processes():
    learner = MLSH(SMALL, TASKS)
    other = MLSH(replace(SMALL, processes=1), TASKS, 3)
    updates(learner, 1)
    learner.load_weights(other.weights())
    assert same(learner.weights(), other.weights())
    told = MLSH(SMALL, TASKS)
    told.load_state_dict(learner.state_dict())
    assert updates(learner, 1) == updates(told, 1)
    assert same(learner.weights(), told.weights())
    learner.close()
    told.close()


class Numbered(TaskDistribution):
    """Shows numbers that aren't floats."""

    id = "Numbered"
    horizon = 4
    observation_space = gym.spaces.Box(0, 9, (2,), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def sample(self, n, split, seed):
        return TASKS.sample(n, split, seed)

    def reset(self, tasks, rng):
        seen = torch.full((len(tasks), 2), 3, dtype=torch.uint8)
        return seen, seen

    def step(self, tasks, state, action, rng):
        over = torch.zeros(len(action), dtype=torch.bool)
        return Transition(state, state, action.float(), over, over)


def test_observations_may_be_whole_numbers():
    def run(group):
        return updates(MLSH(replace(SMALL, steps=8), Numbered(), group=group), 2)

    assert in_ranks(2, run)[0][-1]["steps"] == 2 * 6 * 8


def test_three_ranks_learn():
    config = replace(
        SMALL, processes=3, sub_policies=2, warmup_updates=1, sub_policy=replace(FAST, lr=1e-2)
    )
    metrics = in_ranks(3, lambda group: updates(MLSH(config, TASKS, group=group), 60))[0]
    last = [each["return"] for each in metrics[-10:]]
    assert sum(last) / 10 > 5  # 2 by chance, 8 at most


def test_bad_settings_get_a_sentence():
    with pytest.raises(ValueError, match=r"tasks \(6\) must be a multiple of processes \(4\)"):
        replace(SMALL, processes=4)
    with pytest.raises(ValueError, match="processes must be at least 1"):
        replace(SMALL, processes=0)
