"""Several processes as one learner.

The same steps in all of them, the same numbers again, and nothing left behind.
"""

import os
import signal
import threading
from dataclasses import dataclass, replace

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.core.errors import PlugInError
from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition
from metarl.learners import process_groups
from metarl.learners.data_parallel import all_gather, all_reduce
from metarl.learners.memory import rl2 as rl2_module
from metarl.learners.memory.rl2 import RL2
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.process_groups import LaunchedRanks, StartedRanks
from tests.learners.made_tasks import Ragged
from tests.learners.ranks import in_ranks
from tests.learners.small_rl2 import same, small, updates

BANDITS = metarl.make("BernoulliBandit-v0", arms=2)


@pytest.mark.parametrize("size", [2, 3])
def test_sums_are_the_same_everywhere(size):
    sums = in_ranks(size, lambda group: all_reduce(group, torch.tensor([10.0 + group.rank(), 0.1])))
    assert sums[0][0].item() == sum(10.0 + rank for rank in range(size))
    assert all(torch.equal(total, sums[0]) for total in sums)


def parts(rank):
    return [
        torch.full((2, 1, 3), rank, dtype=torch.int64),
        torch.tensor([[rank > 0], [True]]),
        torch.full((2, 1), rank / 2),
        torch.zeros(2, 1, 0),
        torch.zeros(2, 0),
    ]


@pytest.mark.parametrize("size", [2, 3])
def test_tensors_of_all_ranks_are_joined_by_rank(size):
    for joined in in_ranks(size, lambda group: all_gather(group, parts(group.rank()), 1)):
        for i, whole in enumerate(joined):
            assert torch.equal(whole, torch.cat([parts(rank)[i] for rank in range(size)], 1))


@pytest.mark.parametrize("dim", [0, 1])
def test_tensors_of_other_sizes_are_joined_and_shorter_ones_filled_up(dim):
    def own(rank):
        return (
            torch.full((2 + rank, 2), 1 + rank)
            if dim == 0
            else torch.full((4 - rank, 1 + rank), 1 + rank)
        )

    wanted = torch.cat([torch.full((2, 2), 1), torch.full((3, 2), 2)])
    if dim == 1:
        wanted = torch.tensor([[1, 2, 2]] * 3 + [[1, 0, 0]])
    for (joined,) in in_ranks(2, lambda group: all_gather(group, [own(group.rank())], dim)):
        assert torch.equal(joined, wanted)


def test_alone_nothing_is_sent():
    tensor = torch.rand(3)
    assert all_reduce(None, tensor) is tensor
    assert all_gather(None, [tensor])[0] is tensor


def test_what_cannot_be_sent_gets_a_sentence():
    lock = threading.Lock()
    with pytest.raises(ValueError, match="can't be sent to other processes"):
        StartedRanks(lambda group: lock, 2)


def learner_of(seed=0, processes=2, distribution=BANDITS, group=None, **settings):
    return RL2(small(processes=processes, **settings), distribution, seed, group=group)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("core", ["gru", "attention"])
def test_given_the_same_rollout_ranks_give_the_update_of_one(core, size, monkeypatch):
    ppo = PPOConfig(epochs=2, minibatches=2, lr=1e-3)
    settings = {"core": core, "num_envs": 24, "ppo": ppo, "distribution": Ragged(), "episodes": 6}
    alone = learner_of(processes=1, **settings)
    rollouts = []
    collect = rl2_module.collect

    def noted(*arguments):
        rollouts.append(collect(*arguments))
        return rollouts[-1]

    monkeypatch.setattr(rl2_module, "collect", noted)
    updates(alone, 3)

    def run(group):
        learner = learner_of(processes=size, group=group, **settings)
        columns = slice(group.rank() * 24 // size, (group.rank() + 1) * 24 // size)
        for rollout in rollouts:
            learner.given = rollout.columns(columns)
            learner.update()
        return learner

    # each rank is a thread: what it is given lies in its learner, whose columns are known by their
    # first
    def given(env, policy, *rest):
        return next(learner.given for learner in learners if learner.policy is policy)

    learners = []
    plain = RL2.__init__

    def remembered(self, *arguments, **named):
        plain(self, *arguments, **named)
        learners.append(self)

    monkeypatch.setattr(RL2, "__init__", remembered)
    monkeypatch.setattr(rl2_module, "collect", given)
    for learner in in_ranks(size, run):
        for name, weight in alone.policy.state_dict().items():
            torch.testing.assert_close(learner.policy.state_dict()[name], weight, rtol=0, atol=1e-6)
        assert learner.steps == alone.steps


@pytest.mark.parametrize("seed", [0, (0, 1)], ids=["alone", "together"])
@pytest.mark.parametrize("core", ["gru", "attention"])
def test_all_ranks_take_the_same_steps(seed, core):
    def run(group):
        learner = learner_of(seed, core=core, group=group)
        updates(learner, 3)
        return learner.state_dict()

    here, there = in_ranks(2, run)
    for name in ("policy", "returns", "optimizer"):
        assert same(here[name], there[name])
    assert not same(here["streams"]["env_rng"], there["streams"]["env_rng"]), (
        "ranks draw noise of their own"
    )
    assert same(here["ranks"]["1"]["env_rng"], there["streams"]["env_rng"])


def test_a_learner_that_starts_the_others_itself_takes_the_steps_of_one_that_is_told_a_group():
    def run(group):
        learner = learner_of(group=group)
        return updates(learner, 2), learner.state_dict()

    (told, state), _ = in_ranks(2, run)
    starts = learner_of()
    assert updates(starts, 2) == told
    assert same(starts.state_dict(), state)
    starts.close()


@pytest.mark.parametrize(
    "reopened", [False, True], ids=["into open processes", "into a new learner"]
)
def test_it_resumes_bit_for_bit(reopened):
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


def test_closed_it_goes_on_where_it_was():
    learner = learner_of()
    undisturbed = learner_of()
    updates(learner, 2)
    processes = learner.ranks._meeting.processes
    learner.close()
    assert all(process.poll() is not None for process in processes)
    updates(undisturbed, 2)
    assert updates(learner, 2) == updates(undisturbed, 2)
    learner.close(), undisturbed.close()


class Betrays(TaskDistribution):
    """Each step's reward is the task's number, so that a rollout tells which tasks it played."""

    id = "Betrays"
    horizon = 1
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
@pytest.mark.parametrize("size", [2, 3])
def test_it_plays_the_tasks_that_one_process_would_in_the_same_columns(seed, size):
    settings = {"num_envs": 12, "distribution": Betrays()}
    single = learner_of(seed, processes=1, **settings)._play()

    def play(group):
        learner = learner_of(seed, processes=size, group=group, **settings)
        learner.ranks.group = group
        return learner._play()

    for rollout in in_ranks(size, play):
        assert rollout.reward.shape == single.reward.shape == (3, 12 * (1 if seed == 0 else 2))
        assert torch.equal(rollout.reward, single.reward)


class FailsElsewhere(Betrays):
    """Breaks in every process but the one that made it."""

    def __init__(self, how):
        self.how = how
        self.home = os.getpid()

    def step(self, tasks, state, action, rng):
        if os.getpid() != self.home and self.how == "fails":
            raise PlugInError("on purpose")
        if os.getpid() != self.home:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(tasks, state, action, rng)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("fails", r"Rank [12] of 3 failed: .*on purpose"),
        ("dies", r"Rank [12] of 3 was killed by SIGKILL; start again from the last checkpoint"),
    ],
)
def test_a_rank_that_ends_is_named_and_ends_the_others(how, sentence):
    learner = learner_of(processes=3, num_envs=12, distribution=FailsElsewhere(how))
    learner.ranks.meet(learner)
    processes = learner.ranks._meeting.processes
    with pytest.raises(PlugInError, match=sentence):
        learner.update()
    assert all(process.poll() is not None for process in processes)
    with pytest.raises(PlugInError, match="load the last checkpoint, or make a new learner"):
        learner.update()
    learner.close()


def test_a_failure_amid_an_update_is_told_and_closing_works(monkeypatch):
    learner = learner_of()
    updates(learner, 1)
    processes = learner.ranks._meeting.processes

    def fail(*arguments):
        raise PlugInError("on purpose")

    monkeypatch.setattr(rl2_module, "ppo_update", fail)
    with pytest.raises(PlugInError, match="on purpose"):
        learner.update()
    learner.close()
    assert all(process.poll() is not None for process in processes)
    assert "env" not in learner.__dict__


def test_meta_episodes_of_unequal_lengths_are_filled_up():
    def run(group):
        return updates(learner_of(distribution=Ragged(), episodes=6, num_envs=8, group=group), 2)

    for metrics in in_ranks(2, run):
        assert all(np.isfinite(list(each.values())).all() for each in metrics)
        assert metrics[-1]["steps"] > 0


def test_three_ranks_learn():
    config = replace(
        small(processes=3, episodes=10, num_envs=510, iterations=25),
        ppo=PPOConfig(minibatches=2, lr=1e-2),
    )
    metrics = in_ranks(3, lambda group: updates(RL2(config, BANDITS, group=group), 25))[0]
    last = [each["return"] for each in metrics[-5:]]
    # 5 without memory, with a deviation of 0.03 over 2,550 meta-episodes; the optimum is 6.02
    assert sum(last) / 5 > 5.25


def test_bad_settings_get_a_sentence():
    with pytest.raises(ValueError, match="processes must be at least 1, not 0"):
        small(processes=0)
    with pytest.raises(
        ValueError,
        match=r"num_envs \(9\) must be a multiple of processes times minibatches \(2 x 2\)",
    ):
        small(processes=2, num_envs=9)


def test_a_group_of_another_size_gets_a_sentence():
    def refused(group):
        with pytest.raises(ValueError, match=r"has 2 ranks and the config says processes=1"):
            learner_of(processes=1, group=group)

    in_ranks(2, refused)


class Louder(RL2):
    """A learner that adds something to another one's update."""

    def play_and_improve(self):
        return {**super().play_and_improve(), "loud": 1.0}


def test_a_learner_may_add_to_anothers_update():
    quiet = RL2(small(processes=2), BANDITS)
    loud = Louder(small(processes=2), BANDITS)
    own = updates(quiet, 2)
    other = updates(loud, 2)
    assert [{**each, "loud": 1.0} for each in own] == other
    assert same(quiet.weights(), loud.weights())
    quiet.close()
    loud.close()


@pytest.fixture
def one_of_two(monkeypatch):
    """This process as a launcher would start rank 1 of 2, which meets nobody."""
    for name, value in {
        "RANK": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "9",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)


def test_a_launched_learner_knows_its_rank(one_of_two):
    assert learner_of().ranks.rank == 1
    assert learner_of(processes=1).ranks.rank == 0, "a learner of one process is nobody's rank"
    with pytest.raises(
        ValueError, match="A launcher started 2 processes and the config says processes=4"
    ):
        learner_of(processes=4)


@pytest.mark.parametrize("name", ["MASTER_ADDR", "MASTER_PORT"])
def test_a_rank_without_a_master_gets_a_sentence(name, one_of_two, monkeypatch):
    monkeypatch.delenv(name)
    with pytest.raises(
        ValueError,
        match=(
            "Rank 1 of 2 has no master: MASTER_ADDR and MASTER_PORT aren't set. torchrun sets them"
        ),
    ):
        learner_of().update()


def test_a_rank_whose_master_is_not_there_gets_a_sentence(one_of_two, monkeypatch):
    monkeypatch.setattr(process_groups, "PATIENCE", 1.0)
    with pytest.raises(
        ValueError, match=r"Rank 1 of 2 didn't meet all others at 127.0.0.1:9 within 1 seconds"
    ):
        learner_of().update()


def test_a_rank_that_makes_no_sense_gets_a_sentence(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        ValueError, match="RANK=2 and WORLD_SIZE=2 don't say which of how many processes this is"
    ):
        learner_of()


def test_ranks_that_disagree_are_told_in_what():
    class Store(dict):
        set = dict.__setitem__
        get = dict.__getitem__

        def wait(self, keys, patience):
            assert all(key in self for key in keys)

    store = Store()
    ours = {"config.ppo.lr": "0.1", "seed": "(0,)"}
    theirs = {"config.ppo.lr": "0.2", "seed": "(0,)"}
    first, second = (LaunchedRanks.__new__(LaunchedRanks) for _ in range(2))
    for rank, ranks in enumerate((first, second)):
        ranks.rank = rank
        ranks.size = 2
        ranks.store = store
    store.set("verdict", "not yet")
    with pytest.raises(SystemExit):
        second._agree(theirs)
    with pytest.raises(
        ValueError,
        match=(
            r"Rank 1 of 2 has another config.ppo.lr than rank 0: 0.2 rather than 0.1. Give all"
            r" ranks"
        ),
    ):
        first._agree(ours)
