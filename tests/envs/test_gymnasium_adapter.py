"""Gymnasium environments as task distributions, played in this process."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.core.budget import Episodes
from metarl.core.errors import PlugInError
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv
from tests.tasks.noisy_walk import Alone, NoisyWalk
from tests.tasks.spy_env import Spy, generator, in_order

TASKS = {"train": [0.0, 0.5, 1.0], "test": [0.25, 0.75]}


def walks(**arguments) -> GymnasiumDistribution:
    return GymnasiumDistribution(
        "NoisyWalk-v0", NoisyWalk, **{"splits": TASKS, "horizon": 5, **arguments}
    )


@pytest.fixture
def spies():
    Spy.log.clear()
    return GymnasiumDistribution("Spy-v0", Spy, {"train": [1, 2, 3, 4]}, horizon=8)


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
    assert (
        len({tuple(distribution.sample(3, "train", seed).index.tolist()) for seed in range(40)})
        == 6
    )
    assert len(distribution.sample(0, "train", 3)) == 0


def test_tasks_stand_for_values_of_their_split():
    distribution = walks()
    assert sorted(distribution.values(distribution.sample(3, "train", 0))) == [0.0, 0.5, 1.0]
    assert sorted(distribution.values(distribution.sample(2, "test", 0))) == [0.25, 0.75]
    assert distribution.sample(2, "test", 0).split.tolist() == [1, 1]
    with pytest.raises(
        ValueError, match=r"NoisyWalk-v0 has no split 'extrapolate'; choose one of train, test\."
    ):
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

    with pytest.raises(
        ValueError,
        match=r"train task \d and test task \d are the same, .*keep the splits apart.*finite=True",
    ):
        GymnasiumDistribution("Walk-v0", make_env, {"train": train, "test": test})
    assert GymnasiumDistribution(
        "Walk-v0", make_env, {"train": train, "test": test}, finite=True
    ).finite
    # Twice within a split weighs it double
    GymnasiumDistribution("Walk-v0", make_env, {"train": train + train})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"splits": {}},
            (
                "splits must be a dict from train, test, extrapolate, validation to lists of tasks;"
                " it has none"
            ),
        ),
        ({"splits": {"train": [1.0], "valid": [2.0]}}, "it has train, valid"),
        ({"splits": {"train": [1.0], "test": []}}, "the split 'test' has no tasks"),
        ({"horizon": 0}, "horizon must be at least 1, not 0"),
        ({"workers": -1}, "workers must be at least 0, not -1"),
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
        action_space = gym.spaces.Dict({"a": gym.spaces.Discrete(2)})

    with pytest.raises(ValueError, match=r"Nested-v0: action_space Dict.* flatten it"):
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
    # Two meta-episodes of two episodes of two steps in one task, then another task
    for _ in range(8):
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
        # The first row's task is its alone
        seeds.append([entry[2] for entry in Spy.log if entry[:2] == ("reset", 3)][:4])
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 4
    assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in seeds[0])


def test_rows_of_one_task_have_noise_of_their_own():
    distribution = walks(splits={"train": [0.5]})
    step = MetaEpisodeEnv(distribution, Episodes(1, 0), 6, generator()).reset(
        fresh_tasks(distribution, "train", 6, 0)
    )
    assert len(set(step.observation[:, 0].tolist())) == 6


@pytest.mark.parametrize(
    ("rows", "workers", "processes"), [(1, 0, 0), (1, 1, 1), (3, 0, 3), (3, 1, 3), (2, 9, 2)]
)
def test_where_a_process_can_hold_one_environment_only_each_row_has_its_own(
    rows, workers, processes
):
    distribution = GymnasiumDistribution(
        "Alone-v0", Alone, TASKS, horizon=2, workers=workers, one_per_process=True
    )
    env = MetaEpisodeEnv(distribution, Episodes(1, 0), rows, generator())
    try:
        env.reset(fresh_tasks(distribution, "train", rows, 0))
        tasks = {int(env.step(torch.ones(rows, dtype=torch.int64))[1].task[0]) for _ in range(12)}
        assert len(tasks) >= 6, "an environment is closed before the next task's is made"
        assert len(env._rows.host._workers.processes if processes else ()) == processes
    finally:
        env.close()
    assert not Alone.held


def test_evaluate_plays_each_test_task_once_and_repeats_itself():
    class Still:
        def initial_state(self, batch_size):
            return ()

        def act(self, step, state, rng):
            return torch.randint(2, (len(step.observation),), generator=rng), ()

    distribution = walks(splits={"train": [0.0], "test": [0.1 * i for i in range(1, 9)]})
    one, two = (
        metarl.evaluate(Still(), distribution, "test", 8, 0, Episodes(2, 1)) for _ in range(2)
    )
    assert one.rows().equals(two.rows())
    assert one.fingerprint == two.fingerprint
    assert one.rows().groupby("task").size().tolist() == [3] * 8
    assert one.rows()["length"].max() <= 5
    assert one.success.any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("workers", [0, 1])
def test_observations_and_rewards_arrive_on_the_generators_device(workers):
    distribution = GymnasiumDistribution(
        "Spy-v0", Spy, {"train": [1, 2, 3, 4]}, horizon=8, workers=workers
    )
    env = MetaEpisodeEnv(distribution, Episodes(2, 0), 4, torch.Generator("cuda").manual_seed(0))
    step = env.reset(in_order(distribution, [[i] * 9 for i in range(4)]))
    for _ in range(3):
        step, outcome = env.step(torch.ones(4, dtype=torch.int64, device="cuda"))
    assert {value.device.type for value in (*step, *outcome)} == {"cuda"}
    assert step.observation.tolist() == [0, 1, 0, 3]
    assert outcome.terminated.tolist() == [True, False, True, False]
    env.close()


def test_other_packages_register_distributions_by_entry_point(tmp_path, monkeypatch):
    (tmp_path / "corridors.py").write_text(
        "import metarl\n"
        "from tests.tasks.noisy_walk import Alone, NoisyWalk\n"
        "def corridor(longest=3):\n"
        "    tasks = {'train': list(range(longest)), 'test': [longest]}\n"
        "    return metarl.GymnasiumDistribution('Corridor-v3', NoisyWalk, tasks)\n"
    )
    folder = tmp_path / "corridors-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: corridors\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[metarl.distributions]\nCorridor-v3 = corridors:corridor\n"
    )
    with pytest.raises(ValueError, match="There is no distribution 'Corridor-v3'"):
        metarl.make("Corridor-v3")
    monkeypatch.syspath_prepend(tmp_path)
    from metarl.core.registry import distribution_ids

    assert "Corridor-v3" in distribution_ids()
    assert metarl.make("Corridor-v3", longest=5).task_lists["test"] == (5,)
    with pytest.raises(ValueError, match=r"Corridor-v3 can't be made with \{'width': 2\}"):
        metarl.make("Corridor-v3", width=2)
    with pytest.raises(ValueError, match="Did you mean 'Corridor-v3'"):
        metarl.make("Corridor-v2")
    from metarl.interop.gymnasium_registration import register_all

    register_all()
    try:
        env = gym.make("metarl/Corridor-v3", episodes=2, disable_env_checker=True)
        assert env.reset(seed=0)[0].shape == (2 + 2 + 2,)
    finally:
        del gym.registry["metarl/Corridor-v3"]


@pytest.mark.parametrize("id", [None, 3, gym.Env])
def test_an_id_is_text(id):
    with pytest.raises(ValueError, match="id of a distribution is text"):
        metarl.GymnasiumDistribution(id, lambda task: gym.make("CartPole-v1"), {"train": [0]})


@pytest.mark.parametrize("make_env", ["CartPole-v1", 3])
def test_whatever_makes_environments_is_a_function(make_env):
    with pytest.raises(ValueError, match="must be a function of the task"):
        metarl.GymnasiumDistribution("Own-v0", make_env, {"train": [0]})


def test_one_environment_is_told_from_what_makes_them():
    with pytest.raises(ValueError, match=r"this is one environment \(CartPoleEnv\)"):
        metarl.GymnasiumDistribution("Own-v0", gym.make("CartPole-v1"), {"train": [0]})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"finite": "no"}, "Any-v0: finite must be True or False, not 'no'"),
        ({"reveals": "no"}, "Any-v0: reveals must be True or False, not 'no'"),
        ({"one_per_process": 2}, "Any-v0: one_per_process must be True or False, not 2"),
        (
            {"splits": {"train": "abc", "test": [1]}},
            "the split 'train' needs a list of tasks, or a function that draws one, not 'abc'",
        ),
        ({"splits": None, "sampler": lambda rng: None}, "the sampler of train tasks returned None"),
    ],
)
def test_arguments_of_another_kind_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        metarl.GymnasiumDistribution(
            "Any-v0", NoisyWalk, **{"splits": {"train": [0.0], "test": [1.0]}, **arguments}
        )
