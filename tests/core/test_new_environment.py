"""What make_env returns.

An environment of Gymnasium's with spaces, another one in each call, with or without a limit of its
own.
"""

import warnings
from functools import partial

import gymnasium as gym
import numpy as np
import pytest

import metarl
from metarl.core.budget import Episodes, Steps
from metarl.core.errors import PlugInError
from metarl.core.new_environment import own_limit
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.interop.gymnasium_env import MetaEpisodeVector
from tests.tasks.spy_env import generator, in_order, play
from tests.tasks.strict_env import TWO, Counted, Told

TASKS = {"train": [0], "test": [1, 2]}
TimeLimit = gym.wrappers.TimeLimit


def one(workers=0, wrap=lambda env: env):
    only = Counted(0)
    return GymnasiumDistribution(
        "Only-v0", lambda task: wrap(only), TASKS, horizon=3, workers=workers
    )


def score(distribution, num_tasks=2):
    budget = Episodes(1)
    return metarl.evaluate(
        metarl.make_agent("random", distribution, budget),
        distribution,
        "test",
        num_tasks,
        0,
        budget,
    )


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("wrap", [lambda env: env, lambda env: TimeLimit(env, 5), gym.Wrapper])
def test_one_environment_for_several_rows_is_refused(workers, wrap):
    with pytest.raises(
        PlugInError,
        match=r"Only-v0: .* is the same environment \(Counted\) .* make a new one in each call",
    ):
        score(one(workers, wrap))


def test_rows_with_generators_of_their_own_and_single_rows_refuse_it_too():
    with pytest.raises(PlugInError, match="the same environment"):
        MetaEpisodeVector(one(), Episodes(1), num_envs=2).reset(seed=0)
    with pytest.raises(PlugInError, match="the same environment"):
        score(one(), num_tasks=1)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_environment_that_was_closed_is_not_played_again(workers):
    kept = {task: Counted(task) for task in range(4)}
    distribution = GymnasiumDistribution(
        "Kept-v0", kept.__getitem__, {"train": [0, 1, 2, 3]}, horizon=2, workers=workers
    )
    env = MetaEpisodeEnv(distribution, Episodes(1), 1, generator())
    env.reset(in_order(distribution, [[1, 2, 1]]))
    with pytest.raises(PlugInError, match=r"train task 1 \(1\), in row 0 .*the same environment"):
        play(env, 6)
    env.close()


def test_workers_of_one_row_each_have_an_environment_each():
    assert score(one(workers=2)).length.tolist() == [3, 3]


class Bare(gym.Env):
    pass


class Unset(gym.Env):
    observation_space = TWO
    action_space = None


def with_space(space):
    env = Counted(0)
    env.observation_space = space
    return env


def fails(task):
    raise KeyError("no such level")


def old_env():
    gym_of_old = pytest.importorskip("gym")

    class Old(gym_of_old.Env):
        observation_space = gym_of_old.spaces.Box(-1, 1, (3,), np.float32)
        action_space = gym_of_old.spaces.Discrete(2)

    return Old()


@pytest.mark.parametrize(
    ("make_env", "sentence"),
    [
        (
            lambda task: None,
            (
                r"train task 0 \(0\): make_env must return a gymnasium.Env, not None, as functions"
                r" without a return do"
            ),
        ),
        (lambda task: Counted, "not the class Counted; let it call the class"),
        (lambda task: object(), "not a object"),
        (
            lambda task: gym.vector.SyncVectorEnv([partial(Counted, 0)]),
            "not a SyncVectorEnv, which holds several",
        ),
        (lambda task: Bare(), "has no observation_space"),
        (lambda task: gym.Wrapper(Bare()), "has no observation_space"),
        (lambda task: Unset(), "has no action_space"),
        (lambda task: with_space(3), "observation_space 3 isn't a space of Gymnasium"),
        (
            lambda task: with_space(gym.spaces.Discrete),
            "observation_space .* isn't a space; set it to one",
        ),
        (fails, r"train task 0 \(0\) raised KeyError while being made: 'no such level'"),
        (lambda: Counted(0), "raised TypeError while being made: .*takes 0 positional arguments"),
        (lambda task: old_env(), "not a Old made with Gym, .*shimmy.GymV26CompatibilityV0"),
        (
            lambda task: with_space(old_env().observation_space),
            r"observation_space Box.* is made with Gym, .* import",
        ),
    ],
)
def test_what_is_no_environment_gets_a_sentence_at_once(make_env, sentence):
    with pytest.raises(ValueError, match=rf"Odd-v0.*(?i:{sentence})"):
        GymnasiumDistribution("Odd-v0", make_env, TASKS)


@pytest.mark.parametrize(
    ("wrap", "limit"),
    [
        (lambda env: env, None),
        (lambda env: TimeLimit(env, 7), 7),
        (lambda env: TimeLimit(TimeLimit(env, 7), 5), 5),
        (lambda env: TimeLimit(TimeLimit(env, 5), 7), 5),
        (lambda env: gym.Wrapper(TimeLimit(gym.Wrapper(env), 6)), 6),
    ],
)
def test_limits_are_found_through_wrappers(wrap, limit):
    assert own_limit(wrap(Counted(0))) == limit


def test_a_spec_tells_the_limit_too():
    assert own_limit(gym.make("CartPole-v1")) == 500
    assert own_limit(gym.make("CartPole-v1", max_episode_steps=30)) == 30
    env = Counted(0)
    env.spec = gym.envs.registration.EnvSpec("Counted-v0", max_episode_steps=40)
    assert own_limit(gym.Wrapper(env)) == 40


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("given", "limit", "length"), [(None, 203, 203), (None, 7, 7), (5, 203, 5), (300, 7, 7)]
)
def test_an_own_limit_holds_unless_the_user_says_less(given, limit, length):
    distribution = GymnasiumDistribution(
        "Long-v0", lambda task: TimeLimit(Counted(task), limit), TASKS, given
    )
    assert distribution.horizon == (limit if given is None else given)
    assert (
        MetaEpisodeEnv(distribution, Episodes(2), 1, generator()).max_steps
        == 2 * distribution.horizon
    )
    evaluation = score(distribution)
    assert evaluation.length.tolist() == [length, length]
    assert evaluation.truncated.all()
    assert not evaluation.terminated.any()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_longer_limit_than_the_first_tasks_is_not_cut_in_silence(workers):
    def make_env(task):
        return TimeLimit(Counted(task), 4 + task)

    tasks = {"train": [1, 0, 2]}
    distribution = GymnasiumDistribution("Long-v0", make_env, tasks, workers=workers)
    env = MetaEpisodeEnv(distribution, Episodes(1), 1, generator())
    env.reset(in_order(distribution, [[0, 1, 2]]))
    play(env, 5)
    play(env, 3)  # the second task has a shorter limit
    with pytest.raises(
        PlugInError,
        match=(
            r"train task 2 \(2\).* has a limit of its own of 6 steps, .* cut after 5.*give horizon="
        ),
    ):
        play(env, 1)
    GymnasiumDistribution("Long-v0", make_env, tasks, 5)  # the user's word


@pytest.mark.parametrize("workers", [0, 1])
def test_a_cut_that_nobody_asked_for_is_told_once(workers):
    distribution = GymnasiumDistribution("Long-v0", Counted, TASKS, workers=workers)
    assert distribution.horizon == 200
    with pytest.warns(
        UserWarning,
        match=r"Long-v0: an episode of test task \d \(\d\) is cut after 200 steps, .*Say horizon=",
    ) as told:
        assert score(distribution, 1).length.tolist() == [200]
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score(GymnasiumDistribution("Long-v0", Counted, TASKS, 200))
        ends = GymnasiumDistribution("Long-v0", partial(Told, terminated=True), TASKS)
        score(ends)


@pytest.mark.parametrize(("horizon", "workers"), [(2.5, 0), (True, 0), ("9", 0), (9, 1.0)])
def test_counts_are_whole_numbers(horizon, workers):
    with pytest.raises(ValueError, match="Long-v0: (horizon|workers) must be a whole number"):
        GymnasiumDistribution("Long-v0", Counted, TASKS, horizon, workers=workers)
    assert GymnasiumDistribution("Long-v0", Counted, TASKS, np.int64(9)).horizon == 9


def test_an_environment_that_cannot_be_closed_is_no_trouble():
    class Stuck(Counted):
        def close(self):
            raise OSError("stuck")

    distribution = GymnasiumDistribution("Stuck-v0", Stuck, TASKS, 3)
    env = MetaEpisodeEnv(distribution, Steps(4), 1, generator())
    env.reset(fresh_tasks(distribution, "test", 1, 0))
    env.close()
