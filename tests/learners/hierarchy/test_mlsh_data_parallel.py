"""MLSH in several processes: each plays its part of the tasks and improves some sub-policies, and all go on with the same ones."""

import os
import signal
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.errors import PlugInError
from metarl.core.task_distribution import TaskDistribution, Transition
from metarl.learners.hierarchy.mlsh import MLSH, MLSHConfig
from metarl.learners.policy_gradient.policy_episodes import TaskEpisodes, everyones_episodes
from metarl.learners.policy_gradient.stacked_ppo import Stack, StackedPPO, everyones_stack
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.mdps.identity import Identity
from tests.learners.small_rl2 import same, updates

FAST = StackedPPO(epochs=2, minibatches=2)
SMALL = MLSHConfig(
    option_length=2, warmup_updates=2, steps=24, tasks=6, processes=2, network=PerceptronConfig((8,)), master=FAST, sub_policy=FAST
)
TASKS = Identity(4, 8)


class Given:
    """A crew of two whose other process gives what it is told to."""

    size = 2

    def __init__(self, rank):
        self.rank, self.said, self.other = rank, b"", b""

    def everyones(self, data):
        self.said = data
        return [data, self.other] if self.rank == 0 else [self.other, data]


def what_two_get(function, first, second):
    """What `function(share, ...)` gives in both processes, which give `first` and `second`."""
    shares = Given(0), Given(1)
    shares[0].other = shares[1].other = b""
    for share, arguments in zip(shares, (first, second), strict=True):
        with pytest.raises(EOFError):  # the other has said nothing yet
            function(share, *arguments)
    shares[0].other, shares[1].other = shares[1].said, shares[0].said
    return [function(share, *arguments) for share, arguments in zip(shares, (first, second), strict=True)]


def some_episodes(length, tasks):
    """[length, tasks, 2] steps, each of them known by its numbers."""
    number = 1.0 + torch.arange(length * tasks * 2).view(length, tasks, 2)
    ends = torch.ones(tasks, 2, dtype=torch.bool), torch.full((tasks, 2, 3), float(length))
    return TaskEpisodes(number[..., None].expand(-1, -1, -1, 3), number.long(), -number, number, number > 0, *ends), number.long() % 2


def test_everyones_episodes_are_joined_and_shorter_ones_filled_up():
    (long, long_options), (short, short_options) = some_episodes(4, 1), some_episodes(3, 2)
    both = what_two_get(everyones_episodes, (long, long_options), (short, short_options))
    for joined, options in both:
        assert options.shape == joined.reward.shape == (4, 3, 2)
        assert torch.equal(joined.of(torch.tensor([0])).features, long.features)
        assert torch.equal(options[:, :1], long_options)
        for name in ("features", "action", "log_prob", "reward", "valid"):
            assert torch.equal(getattr(joined, name)[:3, 1:], getattr(short, name))
        assert not joined.valid[3, 1:].any()
        assert torch.equal(joined.final[:, 0, 0], torch.tensor([4.0, 3.0, 3.0]))
        assert joined.terminated.all()


def test_a_process_whose_tasks_all_warm_up_gives_nothing():
    own = some_episodes(4, 2)
    (joined, options), _ = what_two_get(everyones_episodes, own, some_episodes(2, 0))
    assert all(torch.equal(one, other) for one, other in zip((*joined, options), (*own[0], own[1]), strict=True))


@pytest.mark.parametrize("number", [1, 2, 5])
def test_everyones_sub_policies_come_into_their_order(number):
    whole = Stack.of([torch.rand(number, 3, 2), torch.rand(number, 2)])
    whole.taken.copy_(torch.arange(number))
    first, second = (whole.of_rows(torch.arange(rank, number, 2)) for rank in (0, 1))
    for joined in what_two_get(everyones_stack, (first,), (second,)):
        assert same(joined.state_dict(), whole.state_dict())


@pytest.mark.parametrize(("processes", "sub_policies"), [(2, 1), (2, 2), (3, 1), (3, 2), (2, 3)])
def test_all_processes_have_the_same_sub_policies_and_masters_of_their_own(processes, sub_policies):
    learner = MLSH(replace(SMALL, processes=processes, sub_policies=sub_policies), TASKS)
    before = learner.weights()["sub_policies"]
    metrics = updates(learner, 4)
    assert metrics[-1]["steps"] == 4 * 6 * 24
    here = learner.state_dict()
    learner._captain.order("state_dict")
    for there in learner._captain.answers():
        for name in ("sub_policies", "sub_policies_and_adam", "updates", "tasks_before", "iteration", "steps", "latest"):
            assert same({name: here[name]}, {name: there[name]})
        assert not same(here["masters"], there["masters"])
        assert not same(here["streams"], there["streams"])
    changed = [(weight[k] != before[name][k]).any() for name, weight in here["sub_policies"].items() for k in range(sub_policies)]
    assert all(changed), "every sub-policy is some process's to improve"
    assert [len(own["masters"]["weights"][0]) for own in (here, *here["crew"].values())] == [6 // processes] * processes
    learner.close()


def test_processes_play_the_tasks_that_one_would():
    alone, together = (MLSH(replace(SMALL, processes=processes), TASKS) for processes in (1, 2))
    whole = alone.play()[0].features
    together._captain.order("play")
    here, ((there, _),) = together.play()[0], together._captain.answers()
    assert torch.equal(torch.cat([here.features, there.features], 1), whole)  # a task shows the same numbers to any policy
    together.close()


def test_moments_are_those_of_all_that_was_seen():
    learner = MLSH(replace(SMALL, option_length=10), MovingBandits())
    learner._captain.order("play")
    learner.play()
    learner._captain.answers()
    learner._captain.order("weights")
    (there,) = learner._captain.answers()
    here = learner.weights()
    assert same(here["inputs"], there["inputs"])
    assert int(here["inputs"]["observation_moments.count"]) == 6 * 50
    learner.close()


def test_moments_of_two_processes_are_those_of_all_observations():
    def moments(share, observations):
        learner = MLSH(replace(SMALL, option_length=10, processes=1), MovingBandits())
        learner.share = share
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


@pytest.mark.parametrize("reopened", [False, True], ids=["into an open crew", "into a new learner"])
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
    worker = learner._captain._workers.processes[0]
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
    learner, other = MLSH(SMALL, TASKS), MLSH(replace(SMALL, processes=1), TASKS, 3)
    updates(learner, 1)
    learner.load_weights(other.weights())
    learner._captain.order("weights")
    (there,) = learner._captain.answers()
    assert same(there, other.weights())
    updates(learner, 1)
    learner.close()


class Numbered(TaskDistribution):
    """Shows numbers that aren't floats."""

    id, horizon = "Numbered", 4
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
    learner = MLSH(replace(SMALL, steps=8), Numbered())
    assert updates(learner, 2)[-1]["steps"] == 2 * 6 * 8
    learner.close()


def test_three_processes_learn():
    config = replace(SMALL, processes=3, sub_policies=2, warmup_updates=1, sub_policy=replace(FAST, lr=1e-2))
    learner = MLSH(config, TASKS)
    last = [metrics["return"] for metrics in updates(learner, 60)[-10:]]
    assert sum(last) / 10 > 5  # 2 by chance, 8 at most
    learner.close()


def test_bad_settings_get_a_sentence():
    with pytest.raises(ValueError, match=r"tasks \(6\) must be a multiple of processes \(4\)"):
        replace(SMALL, processes=4)
    with pytest.raises(ValueError, match="processes must be at least 1"):
        replace(SMALL, processes=0)
