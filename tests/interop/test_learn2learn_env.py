"""Our distributions as learn2learn's meta-environments.

Its contract, our episodes, its processes.
"""

import subprocess
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.checks.global_generators import global_generators_untouched
from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.interop.learn2learn import import_learn2learn
from metarl.interop.learn2learn_env import meta_env
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.envs.marks import TASKS, AdaptedMarks, Marks
from tests.envs.worker_rows import FAMILIES, walks
from tests.learners.made_tasks import Matching, Ragged
from tests.playable import different_ids

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def learn2learn():
    return import_learn2learn("This test")


def episode(env, action):
    """Everything that an episode shows, for actions action(t)."""
    shown = [(env.reset(), 0.0, False, {})]
    t = 0
    done = False
    while not done:
        shown.append(env.step(action(t)))
        t = t + 1
        done = shown[-1][2]
    return shown


SLOW = {"MetaWorldML45-v0"}  # to make; ML1 is of the same kind


@pytest.mark.parametrize("id", sorted({*different_ids()} - SLOW))
def test_every_registered_distribution_keeps_learn2learns_contract(learn2learn, id):
    env = meta_env(make(id))
    assert isinstance(env, learn2learn.gym.MetaEnv)
    assert env.unwrapped is env
    one, other = env.sample_tasks(2)
    assert set(one) == set(other)
    assert any(not np.array_equal(one[name], other[name]) for name in one) or make(id).finite
    for task in (other, one):
        env.set_task(task)
        assert all(np.array_equal(env.get_task()[name], task[name]) for name in task)
        observation = env.reset()
        assert env.observation_space.contains(observation), observation
        for _ in range(3):
            with global_generators_untouched(f"{id} as a MetaEnv"):
                observation, reward, done, info = env.step(
                    env.action_space.low if hasattr(env.action_space, "low") else 0
                )
            assert env.observation_space.contains(observation), observation
            assert isinstance(reward, float)
            assert isinstance(done, bool)
            assert done == (info["terminated"] or info["truncated"])
            if done:
                break
    env.close()


@pytest.mark.parametrize("kind", [Marks, AdaptedMarks, partial(AdaptedMarks, limit=2)])
def test_an_episode_of_a_task_is_what_the_task_says(kind):
    """A mark says which task it is, a reward which step.

    The end is the task's length, the horizon, or the environment's limit.
    """
    env = meta_env(kind(), seed=2)
    tasks = env.sample_tasks(4)
    for task in tasks:
        env.set_task(task)
        length, mark = TASKS[int(task["index"])]
        for _ in range(2):
            shown = episode(env, lambda t: t % 3)
            steps = min(length, 2 if isinstance(kind, partial) else env.distribution.horizon)
            assert len(shown) == steps + 1
            assert [float(observation[0]) for observation, *_ in shown] == [mark] * (steps + 1)
            assert [reward for _, reward, *_ in shown[1:]] == pytest.approx(
                [mark + t + 1 + t % 3 / 10 for t in range(steps)]
            )
            last = shown[-1][3]
            assert last["terminated"] == (length <= steps)
            assert last["truncated"] == last["TimeLimit.truncated"] == (length > steps)


def test_the_noise_is_the_streams_and_episodes_differ():
    found = []
    for seed in (0, 0, 1):
        env = meta_env(walks(), seed=seed)
        env.set_task({"split": 0, "index": 1})
        found.append([episode(env, lambda t: t % 2) for _ in range(3)])
        env.close()
    rewards = [[[step[1] for step in each] for each in run] for run in found]
    assert rewards[0] == rewards[1] != rewards[2]
    assert all(a != b for a, b in pairwise(rewards[0]))
    env = meta_env(walks(), seed=1)
    env.sample_tasks(5)
    env.seed(0)
    env.set_task({"split": 0, "index": 1})
    assert [[step[1] for step in episode(env, lambda t: t % 2)] for _ in range(3)] == rewards[0]


def test_tasks_are_the_distributions_and_go_on_from_call_to_call():
    one = meta_env(BernoulliBandit(3), seed=5)
    again = meta_env(BernoulliBandit(3), seed=5)
    first = one.sample_tasks(2)
    second = one.sample_tasks(2)
    assert len({task["means"].tobytes() for task in (*first, *second, one.get_task())}) == 5
    assert np.array_equal(again.sample_tasks(2)[1]["means"], first[1]["means"])
    test = meta_env(walks(), "test")
    assert {(int(task["split"]), int(task["index"])) for task in test.sample_tasks(3)} == {(1, 0)}


def test_rewards_are_those_of_meta_episodes():
    """Row for row what MetaEpisodeEnv plays with the same task and noise."""
    family = Ragged()
    env = meta_env(family, seed=4)
    task = env.sample_tasks(1)[0]
    env.set_task(task)
    tasks = type(family.sample(1, "train", 0))(
        **{name: torch.as_tensor(value)[None] for name, value in task.items()}
    )
    rows = MetaEpisodeEnv(
        family, Episodes(0, after=1), 1, torch_generator(4, "environment"), refill=False
    )
    for _ in range(5):
        rows.reset(lambda asking, counts: tasks)
        for observation, reward, done, _ in episode(env, lambda t: 1)[1:]:
            _, outcome = rows.step(torch.tensor([1]))
            assert (observation, reward) == (int(outcome.final_observation), float(outcome.reward))
            assert done == bool(outcome.terminated | outcome.truncated)


@pytest.mark.parametrize(
    "space", [gym.spaces.Discrete(2), gym.spaces.MultiDiscrete([2, 3]), gym.spaces.MultiBinary(3)]
)
def test_other_spaces(space):
    env = meta_env(Matching(space))
    import gym as old

    assert isinstance(env.action_space, getattr(old.spaces, type(space).__name__))
    assert env.observation_space.contains(env.reset())
    assert env.step(env.action_space.sample())[1] <= 1


def test_actions_that_begin_elsewhere():
    space = meta_env(FromTwo(3)).action_space
    assert (space.n, space.start) == (3, 2)


class FromTwo(BernoulliBandit):
    """A bandit whose first arm is called 2."""

    def __init__(self, arms):
        super().__init__(arms)
        self.action_space = gym.spaces.Discrete(arms, start=2)


def test_boxes_come_as_float32():
    env = meta_env(Matching(gym.spaces.Box(-3, 5, (2, 2))))
    assert (env.action_space.low == -3).all()
    assert env.action_space.high.dtype == np.float32
    assert env.reset().dtype == np.float32
    assert env.step(np.ones((2, 2)))[0].shape == (2, 2)
    assert env.step(torch.ones(4))[0].shape == (2, 2)  # flat, as some policies give them


def test_learn2learns_worker_processes_play_them(learn2learn):
    command = [sys.executable, "-m", "tests.envs.worker_rows"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout.splitlines()[-len(FAMILIES) :] == [
        f"{family} played" for family in FAMILIES
    ], done.stderr


def test_what_does_not_fit_gets_a_sentence(monkeypatch):
    env = meta_env(BernoulliBandit(3))
    with pytest.raises(gym.error.ResetNeeded, match=r"call reset\(\) before step"):
        env.step(0)
    env.reset()
    with pytest.raises(ValueError, match="There is no action 3"):
        env.step(3)
    with pytest.raises(ValueError, match="An action of Discrete.3. has shape"):
        env.step([0, 1])
    env.step(0)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    env.reset()
    env.set_task(env.get_task())
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    with pytest.raises(
        ValueError, match="is a dictionary of means, as sample_tasks gives it; not {'goal': 1}"
    ):
        env.set_task({"goal": 1})
    with pytest.raises(
        ValueError, match=r"means of a task of BernoulliBandit-v0 has shape \(3,\), not \(2,\)"
    ):
        env.set_task({"means": [0.1, 0.2]})
    with pytest.raises(ValueError, match="has no split 'held-out'; choose one of train, test"):
        meta_env(BernoulliBandit(), "held-out")
    with pytest.raises(
        ValueError,
        match=(
            "has no episodes; a supervised family becomes metarl.interop.learn2learn_tasks.TaskSet"
        ),
    ):
        meta_env(SineRegression())
    with pytest.raises(ValueError, match="Gym, and so learn2learn, has no space MultiDiscrete"):
        meta_env(Matching(gym.spaces.MultiDiscrete([2, 3], start=[1, 0])))
    monkeypatch.setitem(sys.modules, "learn2learn", None)
    with pytest.raises(
        ValueError, match="needs learn2learn, which can't be imported .*: run `make learn2learn`"
    ):
        meta_env(BernoulliBandit())
