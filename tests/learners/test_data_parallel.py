"""Several processes as one learner: the same steps in all of them, the same numbers again, and nothing left behind."""

import os
import signal
from dataclasses import dataclass, replace

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.core.errors import PlugInError
from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition
from metarl.learners.data_parallel import ALONE, Captain, added, gathered
from metarl.learners.memory import rl2 as rl2_module
from metarl.learners.memory.rl2 import RL2
from metarl.learners.policy_gradient.ppo import PPOConfig
from tests.learners.made_tasks import Ragged
from tests.learners.small_rl2 import same, small, updates

BANDITS = metarl.make("BernoulliBandit-v0", arms=2)


class Member:
    """Answers what it was asked, or fails."""

    def __init__(self, share):
        self.share = share

    def add(self, value):
        return added(self.share, torch.tensor([value + self.share.rank]))

    def gather(self):
        return gathered(self.share, parts(self.share.rank), 1)

    def fail(self):
        raise ValueError("on purpose")


def parts(rank):
    return [
        torch.full((2, 1, 3), rank, dtype=torch.int64),
        torch.tensor([[rank > 0], [True]]),
        torch.full((2, 1), rank / 2),
        torch.zeros(2, 1, 0),
    ]


@pytest.fixture(params=[2, 3])
def captain(request):
    captain = Captain(Member, request.param)
    yield captain
    captain.close()


def test_sums_are_the_same_everywhere(captain):
    captain.order("add", 10.0)
    here = added(captain, torch.tensor([10.0]))
    assert here.item() == sum(10.0 + rank for rank in range(captain.size))
    assert captain.answers() == [here] * (captain.size - 1)


def test_everyones_tensors_are_joined_by_rank(captain):
    captain.order("gather")
    here = gathered(captain, parts(0), 1)
    for i, whole in enumerate(here):
        assert torch.equal(whole, torch.cat([parts(rank)[i] for rank in range(captain.size)], 1))
    for there in captain.answers():
        assert all(torch.equal(one, other) for one, other in zip(here, there, strict=True))


def test_alone_nothing_is_sent():
    tensor = torch.rand(3)
    assert added(ALONE, tensor) is tensor
    assert gathered(ALONE, [tensor], 0)[0] is tensor


def test_a_failure_elsewhere_is_told_and_ends_the_crew(captain):
    processes = captain._workers.processes
    captain.order("fail")
    with pytest.raises(PlugInError, match=r"Process 1 of \d failed: on purpose"):
        captain.answers()
    assert all(process.poll() is not None for process in processes)


def test_a_process_that_dies_is_told_and_ends_the_crew(captain):
    processes = captain._workers.processes
    os.kill(processes[-1].pid, signal.SIGKILL)
    if captain.size == 3:
        captain._send([cloudpickle.dumps(("add", (1.0,)))])  # the first process is well
    with pytest.raises(PlugInError, match=rf"Process {captain.size - 1} of \d was killed by SIGKILL; start again from the last checkpoint"):
        added(captain, torch.tensor([1.0]))
    assert all(process.poll() is not None for process in processes)


def test_what_cannot_be_sent_gets_a_sentence():
    lock = __import__("threading").Lock()
    with pytest.raises(ValueError, match="can't be sent to other processes"):
        Captain(lambda share: lock, 2)


def learner_of(seed=0, processes=2, distribution=BANDITS, **settings):
    return RL2(small(processes=processes, **settings), distribution, seed)


@pytest.mark.parametrize("seed", [0, (0, 1)], ids=["alone", "together"])
@pytest.mark.parametrize("core", ["gru", "attention"])
def test_all_processes_take_the_same_steps(seed, core):
    learner = learner_of(seed, core=core)
    updates(learner, 3)
    learner._captain.order("state_dict")
    (there,) = learner._captain.answers()
    here = learner.state_dict()
    assert same(here["policy"], there["policy"])
    assert same(here["returns"], there["returns"])
    assert same(here["optimizer"], there["optimizer"])
    assert not same(here["streams"]["env_rng"], there["streams"]["env_rng"]), "processes draw noise of their own"
    learner.close()


def test_the_same_seed_gives_the_same_numbers_again():
    first, second = learner_of(), learner_of()
    assert updates(first, 3) == updates(second, 3)
    assert same(first.state_dict(), second.state_dict())
    first.close(), second.close()


@pytest.mark.parametrize("reopened", [False, True], ids=["into an open crew", "into a new learner"])
def test_a_resumed_crew_goes_on_bit_for_bit(reopened):
    learner = learner_of()
    updates(learner, 2)
    state = learner.state_dict()
    after = updates(learner, 2)
    if reopened:
        learner.close()
        learner = learner_of()
    learner.load_state_dict(state)
    assert updates(learner, 2) == after
    learner.close()


def test_a_closed_crew_goes_on_where_it_was():
    learner, undisturbed = learner_of(), learner_of()
    updates(learner, 2)
    learner.close()
    updates(undisturbed, 2)
    assert updates(learner, 2) == updates(undisturbed, 2)
    learner.close(), undisturbed.close()


class Betrays(TaskDistribution):
    """Each step's reward is the task's number, so that a rollout tells which tasks it played."""

    id, horizon = "Betrays", 1
    observation_space = action_space = gym.spaces.Discrete(2)

    def sample(self, n, split, seed):
        return BetrayedTasks(torch.from_numpy(numpy_generator(seed, split).random(n)))

    def reset(self, tasks, rng):
        none = torch.zeros(len(tasks), dtype=torch.int64)
        return none, none

    def step(self, tasks, state, action, rng):
        over = torch.ones(len(action), dtype=torch.bool)
        return Transition(state, state, tasks.number, over, over)


@dataclass(frozen=True, eq=False)
class BetrayedTasks(Tasks):
    number: torch.Tensor


@pytest.mark.parametrize("seed", [0, (0, 1)], ids=["alone", "together"])
@pytest.mark.parametrize("processes", [2, 3])
def test_it_plays_the_tasks_that_one_process_would_in_the_same_columns(seed, processes):
    together, alone = (learner_of(seed, processes=n, num_envs=12, distribution=Betrays()) for n in (processes, 1))
    together._captain.order("_play")
    rollout, single = together._play(), alone._play()
    there = together._captain.answers()
    assert rollout.reward.shape == single.reward.shape == (3, 12 * together.num_seeds)
    assert torch.equal(rollout.reward, single.reward)
    for other in there:
        assert same(rollout._asdict() | {"steps": rollout.steps._asdict()}, other._asdict() | {"steps": other.steps._asdict()})
    together.close()


def test_a_failure_amid_an_update_is_told_and_closing_works(monkeypatch):
    learner = learner_of()
    updates(learner, 1)
    processes = learner._captain._workers.processes

    def fail(*arguments):
        raise PlugInError("on purpose")

    monkeypatch.setattr(rl2_module, "ppo_update", fail)
    with pytest.raises(PlugInError, match="on purpose"):
        learner.update()
    learner.close()
    assert all(process.poll() is not None for process in processes)
    assert "env" not in learner.__dict__


def test_meta_episodes_of_unequal_lengths_are_filled_up():
    learner = learner_of(distribution=Ragged(), episodes=6, num_envs=8)
    metrics = updates(learner, 2)
    assert all(np.isfinite(list(each.values())).all() for each in metrics)
    assert metrics[-1]["steps"] > 0
    learner.close()


def test_three_processes_learn():
    config = replace(small(processes=3, episodes=10, num_envs=510, iterations=25), ppo=PPOConfig(minibatches=2, lr=1e-2))
    learner = RL2(config, BANDITS)
    last = [metrics["return"] for metrics in updates(learner, 25)[-5:]]
    assert sum(last) / 5 > 5.25  # 5 without memory, with a deviation of 0.03 over 2,550 meta-episodes; the optimum is 6.02
    learner.close()


def test_bad_settings_get_a_sentence():
    with pytest.raises(ValueError, match="processes must be at least 1, not 0"):
        small(processes=0)
    with pytest.raises(ValueError, match=r"num_envs \(9\) must be a multiple of processes times minibatches \(2 x 2\)"):
        small(processes=2, num_envs=9)


class Louder(RL2):
    """A learner that adds something to another one's update."""

    def play_and_improve(self):
        return {**super().play_and_improve(), "loud": 1.0}


def test_a_learner_may_add_to_anothers_update():
    quiet, loud = RL2(small(processes=2), BANDITS), Louder(small(processes=2), BANDITS)
    own, other = updates(quiet, 2), updates(loud, 2)
    assert [{**each, "loud": 1.0} for each in own] == other
    assert same(quiet.weights(), loud.weights())
    quiet.close()
    loud.close()
