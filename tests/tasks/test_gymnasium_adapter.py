"""Gymnasium environments as task distributions, played in this process."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.envs.budget import Episodes, Steps
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.contract import PlugInError, fresh_tasks
from metarl.tasks.gymnasium_adapter import GymnasiumDistribution
from tests.tasks.noisy_walk import NoisyWalk

TASKS = {"train": [0.0, 0.5, 1.0], "test": [0.25, 0.75]}


def walks(**arguments) -> GymnasiumDistribution:
    return GymnasiumDistribution("NoisyWalk-v0", NoisyWalk, **{"splits": TASKS, "horizon": 5, **arguments})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def play(env: MetaEpisodeEnv, steps: int) -> None:
    for _ in range(steps):
        env.step(torch.ones(env.num_envs, dtype=torch.int64))


class Spy(gym.Env):
    """Notes what is done to it; ends every episode after `task` steps."""

    observation_space = gym.spaces.Discrete(9)
    action_space = gym.spaces.Discrete(2)
    log: list[tuple] = []  # noqa: RUF012

    def __init__(self, task):
        self.task = task
        self.log.append(("make", task))

    def reset(self, *, seed=None, options=None):
        self.log.append(("reset", self.task, seed))
        self.t = 0
        return 0, {}

    def step(self, action):
        self.t += 1
        return self.t, 1.0, self.t == self.task, False, {}

    def close(self):
        self.log.append(("close", self.task))


@pytest.fixture
def spies():
    Spy.log.clear()
    return GymnasiumDistribution("Spy-v0", Spy, {"train": [1, 2, 3, 4]}, horizon=8)


def in_order(distribution, rows):
    """A source in which row i's j-th task is the train list's entry rows[i][j]."""

    def source(asking, counts):
        tasks = distribution.sample(1, "train", 0)[[0] * len(asking)]
        return type(tasks)(tasks.split, torch.tensor([rows[i][j] for i, j in zip(asking.tolist(), counts.tolist(), strict=True)]))

    return source


def test_what_a_distribution_says_of_itself():
    distribution = walks()
    assert (distribution.id, distribution.horizon, distribution.splits, distribution.finite) == (
        "NoisyWalk-v0",
        5,
        ("train", "test"),
        False,
    )
    assert distribution.observation_space == NoisyWalk.observation_space
    assert distribution.action_space == NoisyWalk.action_space
    assert isinstance(distribution.make_env(0.5), NoisyWalk)


def test_sample_goes_through_shuffled_lists_and_is_pure():
    distribution = walks()
    tasks = distribution.sample(7, "train", 3)
    assert tasks.fingerprint == distribution.sample(7, "train", 3).fingerprint
    assert tasks.index.dtype == tasks.split.dtype == torch.int64
    for first in (0, 3):
        assert sorted(tasks.index[first : first + 3].tolist()) == [0, 1, 2]
    assert distribution.sample(2, "train", 3).fingerprint == tasks[:2].fingerprint
    assert len({tuple(distribution.sample(3, "train", seed).index.tolist()) for seed in range(40)}) == 6
    assert len(distribution.sample(0, "train", 3)) == 0


def test_tasks_stand_for_values_of_their_split():
    distribution = walks()
    assert sorted(distribution.values(distribution.sample(3, "train", 0))) == [0.0, 0.5, 1.0]
    assert sorted(distribution.values(distribution.sample(2, "test", 0))) == [0.25, 0.75]
    assert distribution.sample(2, "test", 0).split.tolist() == [1, 1]
    with pytest.raises(ValueError, match=r"NoisyWalk-v0 has no split 'extrapolate'; choose one of train, test\."):
        distribution.sample(1, "extrapolate", 0)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ([1, 2], [3, 2]),
        (["a"], ["a"]),
        ([{"g": 1.0}], [{"g": 1.0}]),
        ([np.arange(3)], [np.arange(2), np.arange(3)]),
        ([1], [1.0]),
    ],
)
def test_splits_that_share_a_task_are_refused_unless_finite(train, test):
    def make_env(task):
        return NoisyWalk(0.0)

    with pytest.raises(ValueError, match=r"train task \d and test task \d are the same, .*keep the splits apart.*finite=True"):
        GymnasiumDistribution("Walk-v0", make_env, {"train": train, "test": test})
    assert GymnasiumDistribution("Walk-v0", make_env, {"train": train, "test": test}, finite=True).finite
    GymnasiumDistribution("Walk-v0", make_env, {"train": train + train})  # twice within a split weighs it double


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"splits": {}}, "splits must be a dict from train, test, extrapolate to lists of tasks; it has none"),
        ({"splits": {"train": [1.0], "valid": [2.0]}}, "it has train, valid"),
        ({"splits": {"train": [1.0], "test": []}}, "the split 'test' has no tasks"),
        ({"horizon": 0}, "horizon must be at least 1 and workers at least 0, not 0 and 0"),
        ({"workers": -1}, "not 5 and -1"),
    ],
)
def test_bad_arguments_get_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        walks(**arguments)


def test_a_function_or_a_method_must_make_environments():
    with pytest.raises(ValueError, match="pass make_env"):
        GymnasiumDistribution("Walk-v0", splits=TASKS)


def test_spaces_that_tensors_cannot_hold_are_refused():
    class Nested(NoisyWalk):
        observation_space = gym.spaces.Dict({"a": gym.spaces.Discrete(2)})

    with pytest.raises(ValueError, match=r"Nested-v0: observation_space Dict.* flatten it"):
        GymnasiumDistribution("Nested-v0", Nested, TASKS)


def test_a_subclass_makes_its_own_environments():
    class Doubled(GymnasiumDistribution):
        def __init__(self):
            super().__init__("Doubled-v0", splits=TASKS, horizon=5)

        def make_env(self, task):
            return NoisyWalk(2 * task)

    env = MetaEpisodeEnv(Doubled(), Episodes(1, 0), 3, generator())
    step = env.reset(fresh_tasks(Doubled(), "train", 3, 0))
    assert sorted(step.observation[:, 1].tolist()) == [0.0, 1.0, 2.0]


def test_there_is_no_stepping_of_tensors():
    with pytest.raises(PlugInError, match="play it through MetaEpisodeEnv"):
        walks().reset(walks().sample(1, "train", 0), generator())


def test_an_environment_is_kept_while_its_task_stays_and_closed_when_it_changes(spies):
    Spy.log.clear()
    env = MetaEpisodeEnv(spies, Episodes(2, 0), 1, generator())
    env.reset(in_order(spies, [[1, 1, 0]]))
    for _ in range(8):  # two meta-episodes of two episodes of two steps in one task, then another task
        env.step(torch.zeros(1, dtype=torch.int64))
    calls = [entry[:2] for entry in Spy.log]
    assert calls == [("make", 2), *[("reset", 2)] * 4, ("close", 2), ("make", 1), ("reset", 1)]
    env.close()
    assert Spy.log[-1] == ("close", 1)


def test_seeds_of_a_row_do_not_depend_on_the_clocks_of_others(spies):
    seeds = []
    for others in ([0, 0, 0], [3, 1, 0]):
        Spy.log.clear()
        env = MetaEpisodeEnv(spies, Episodes(3, 0), 4, generator(5))
        env.reset(in_order(spies, [[2] * 20, *[[task] * 20 for task in others]]))
        for _ in range(12):
            env.step(torch.zeros(4, dtype=torch.int64))
        env.close()
        seeds.append([entry[2] for entry in Spy.log if entry[:2] == ("reset", 3)][:4])  # the first row's task is its alone
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 4
    assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in seeds[0])


def test_rows_of_one_task_have_noise_of_their_own():
    distribution = walks(splits={"train": [0.5]})
    step = MetaEpisodeEnv(distribution, Episodes(1, 0), 6, generator()).reset(fresh_tasks(distribution, "train", 6, 0))
    assert len(set(step.observation[:, 0].tolist())) == 6


@pytest.mark.parametrize(
    ("info", "success"),
    [
        ({"is_success": True}, True),
        ({"success": 1.0}, True),
        ({"is_success": False, "success": True}, False),
        ({}, False),
        ({"other": 1}, False),
    ],
)
def test_success_is_read_from_info(info, success):
    class Told(Spy):
        def step(self, action):
            return 0, 0.0, False, False, info

    distribution = GymnasiumDistribution("Told-v0", Told, {"train": [1]})
    env = MetaEpisodeEnv(distribution, Steps(3), 1, generator())
    env.reset(fresh_tasks(distribution, "train", 1, 0))
    assert env.step(torch.zeros(1, dtype=torch.int64))[1].success.tolist() == [success]


OBSERVATIONS = [
    (gym.spaces.Box(0, 255, (2, 3, 3), np.uint8), np.full((2, 3, 3), 200, np.uint8), torch.uint8),
    (gym.spaces.Box(-1, 1, (2,), np.float64), np.array([0.1, -0.2]), torch.float32),
    (gym.spaces.Box(-1, 1, (), np.float32), np.float32(0.5), torch.float32),
    (gym.spaces.Discrete(3, start=2), 4, torch.int64),
    (gym.spaces.MultiDiscrete([2, 5]), np.array([1, 4]), torch.int64),
    (gym.spaces.MultiBinary(3), np.array([1, 0, 1], np.int8), torch.int64),
]


@pytest.mark.parametrize(("space", "value", "dtype"), OBSERVATIONS)
def test_observations_of_every_kind_arrive_in_their_types(space, value, dtype):
    class Shows(Spy):
        observation_space = space

        def reset(self, *, seed=None, options=None):
            return value, {}

        def step(self, action):
            return value, 0.0, False, False, {}

    distribution = GymnasiumDistribution("Shows-v0", Shows, {"train": [1]})
    env = MetaEpisodeEnv(distribution, Steps(9), 2, generator())
    for step in (env.reset(fresh_tasks(distribution, "train", 2, 0)), env.step(torch.zeros(2, dtype=torch.int64))[0]):
        assert step.observation.dtype == dtype
        assert np.array_equal(step.observation[1].numpy(), np.asarray(value, step.observation.numpy().dtype))


@pytest.mark.parametrize(
    ("space", "action"),
    [
        (gym.spaces.Discrete(3), torch.tensor([1, 2])),
        (gym.spaces.MultiDiscrete([2, 3]), torch.tensor([[0, 2], [1, 1]])),
        (gym.spaces.MultiBinary(2), torch.tensor([[0, 1], [1, 1]])),
        (gym.spaces.Box(-1, 1, (2,), np.float64), torch.tensor([[0.5, -0.5], [0.25, 1.0]])),
        (gym.spaces.Box(-1, 1, (1,), np.float32), torch.tensor([[0.5], [0.25]])),
    ],
)
def test_actions_of_every_kind_reach_the_environment_and_stay_its_own(space, action):
    received = []

    class Takes(Spy):
        action_space = space

        def step(self, action):
            assert action in space
            received.append(action)
            return 0, 0.0, False, False, {}

    distribution = GymnasiumDistribution("Takes-v0", Takes, {"train": [1]})
    env = MetaEpisodeEnv(distribution, Steps(9), 2, generator())
    env.reset(fresh_tasks(distribution, "train", 2, 0))
    env.step(action)
    env.step(torch.zeros_like(action))
    assert np.array_equal(np.stack(received[:2]), action.numpy())


def test_tasks_must_share_their_spaces():
    def make_env(task):
        env = Spy(3)
        env.action_space = gym.spaces.Discrete(task)
        return env

    distribution = GymnasiumDistribution("Doors-v0", make_env, {"train": [2, 3]})
    env = MetaEpisodeEnv(distribution, Episodes(1, 0), 2, generator())
    with pytest.raises(
        PlugInError,
        match=r"Doors-v0: train task 1 \(3\), in row 1 at its episode's start, has the action space Discrete\(3\), .*Discrete\(2\)",
    ):
        env.reset(in_order(distribution, [[0], [1]]))


def test_bounds_of_observations_may_differ():
    def make_env(task):
        env = NoisyWalk(0.0)
        env.observation_space = gym.spaces.Box(-task, task, (2,), np.float64)
        return env

    distribution = GymnasiumDistribution("Walk-v0", make_env, {"train": [1.0, 2.0]})
    MetaEpisodeEnv(distribution, Episodes(1, 0), 2, generator()).reset(in_order(distribution, [[0], [1]]))


def test_what_make_env_returns_must_be_an_environment():
    def make_env(task):
        return Spy(1) if task == 0 else "no environment"

    distribution = GymnasiumDistribution("Odd-v0", make_env, {"train": [0, 1]})
    with pytest.raises(PlugInError, match=r"train task 1 \(1\), in row 0 .* make_env must return a gymnasium.Env, not a str"):
        MetaEpisodeEnv(distribution, Episodes(1, 0), 1, generator()).reset(in_order(distribution, [[1]]))


@pytest.mark.parametrize("value", [5, 0, -1, 2.5, np.array([2])])
def test_observations_outside_a_discrete_space_are_named(value):
    class Shows(Spy):
        observation_space = gym.spaces.Discrete(3, start=1)

        def reset(self, *, seed=None, options=None):
            return 1, {}

        def step(self, action):
            return (1 if self.task == 1 else value), 0.0, False, False, {}

    distribution = GymnasiumDistribution("Shows-v0", Shows, {"train": [1, 2]})
    env = MetaEpisodeEnv(distribution, Episodes(1, 0), 2, generator())
    env.reset(in_order(distribution, [[0], [1]]))
    with pytest.raises(PlugInError, match=r"Shows-v0: train task 1 \(2\), in row 1 at step 1 of its episode, gave (the|an) observation"):
        env.step(torch.zeros(2, dtype=torch.int64))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("raise", "raised RuntimeError: the walk is blocked"),
        ("nan reward", "gave the reward nan, which is not finite"),
        ("nan observation", r"gave the observation \[nan, nan\], which is not finite"),
        ("shape", r"gave an observation of shape \(3,\); its space Box.* has shape \(2,\)"),
        ("four", r"step must return \(observation, reward, terminated, truncated, info\), not \(array"),
    ],
)
def test_a_fault_is_named_by_task_row_and_step(fault, problem, workers):
    distribution = walks(splits={"train": [0.0, fault]}, workers=workers)
    env = MetaEpisodeEnv(distribution, Steps(50), 3, generator())
    env.reset(in_order(distribution, [[0], [1], [0]]))
    sentence = rf"(?s)NoisyWalk-v0: train task 1 \('{fault}'\), in row 1 at step 2 of its episode, {problem}"
    with pytest.raises(PlugInError, match=sentence) as caught:
        play(env, 40)
    if fault == "raise" and workers:
        assert 'raise RuntimeError("the walk is blocked")' in str(caught.value)  # the environment's own traceback
    env.close()


def test_a_fault_at_the_start_is_named():
    class Stuck(Spy):
        def reset(self, *, seed=None, options=None):
            raise OSError("no such maze")

    class Bare(Spy):
        def reset(self, *, seed=None, options=None):
            return np.zeros(3)

    for kind, problem in ((Stuck, "raised OSError while reset: no such maze"), (Bare, r"reset must return \(observation, info\)")):
        distribution = GymnasiumDistribution("Spy-v0", kind, {"train": [1]})
        with pytest.raises(PlugInError, match=rf"train task 0 \(1\), in row 0 at its episode's start, {problem}"):
            MetaEpisodeEnv(distribution, Episodes(1, 0), 1, generator()).reset(fresh_tasks(distribution, "train", 1, 0))


def test_evaluate_plays_each_test_task_once_and_repeats_itself():
    class Still:
        def initial_state(self, batch_size):
            return ()

        def act(self, step, state, rng):
            return torch.randint(2, (len(step.observation),), generator=rng), ()

    distribution = walks(splits={"train": [0.0], "test": [0.1 * i for i in range(1, 9)]})
    one, two = (metarl.evaluate(Still(), distribution, "test", 8, 0, Episodes(2, 1)) for _ in range(2))
    assert one.rows().equals(two.rows())
    assert one.fingerprint == two.fingerprint
    assert one.rows().groupby("task").size().tolist() == [3] * 8
    assert one.rows()["length"].max() <= 5
    assert one.success.any()


def test_other_packages_register_distributions_by_entry_point(tmp_path, monkeypatch):
    (tmp_path / "corridors.py").write_text(
        "import metarl\n"
        "from tests.tasks.noisy_walk import NoisyWalk\n"
        "def corridor(longest=3):\n"
        "    tasks = {'train': list(range(longest)), 'test': [longest]}\n"
        "    return metarl.GymnasiumDistribution('Corridor-v3', NoisyWalk, tasks)\n"
    )
    folder = tmp_path / "corridors-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: corridors\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[metarl.distributions]\nCorridor-v3 = corridors:corridor\n")
    with pytest.raises(ValueError, match="There is no distribution 'Corridor-v3'"):
        metarl.make("Corridor-v3")
    monkeypatch.syspath_prepend(tmp_path)
    from metarl.tasks.registry import distribution_ids

    assert "Corridor-v3" in distribution_ids()
    assert metarl.make("Corridor-v3", longest=5).task_lists["test"] == (5,)
    with pytest.raises(ValueError, match=r"Corridor-v3 can't be made with \{'width': 2\}"):
        metarl.make("Corridor-v3", width=2)
    with pytest.raises(ValueError, match="Did you mean 'Corridor-v3'"):
        metarl.make("Corridor-v2")
    from metarl.envs.registration import register_all

    register_all()
    try:
        env = gym.make("metarl/Corridor-v3", episodes=2, disable_env_checker=True)
        assert env.reset(seed=0)[0].shape == (2 + 2 + 2,)
    finally:
        del gym.registry["metarl/Corridor-v3"]
