"""What passes between rows and their environments.

Spaces of every kind, success, and faults named by task, row and step.
"""

from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.budget import Episodes, Steps
from metarl.core.errors import PlugInError
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.env_worker import EnvSpec, RowPlayer, arrays_in, bytes_needed
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv
from tests.tasks.noisy_walk import NoisyWalk
from tests.tasks.spy_env import Spy, generator, in_order, play


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
    for step in (
        env.reset(fresh_tasks(distribution, "train", 2, 0)),
        env.step(torch.zeros(2, dtype=torch.int64))[0],
    ):
        assert step.observation.dtype == dtype
        assert np.array_equal(
            step.observation[1].numpy(), np.asarray(value, step.observation.numpy().dtype)
        )


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
        match=(
            r"Doors-v0: train task 1 \(3\), in row 1 at its episode's start, has the action space"
            r" Discrete\(3\), .*Discrete\(2\)"
        ),
    ):
        env.reset(in_order(distribution, [[0], [1]]))


def test_bounds_of_observations_may_differ():
    def make_env(task):
        env = NoisyWalk(0.0)
        env.observation_space = gym.spaces.Box(-task, task, (2,), np.float64)
        return env

    distribution = GymnasiumDistribution("Walk-v0", make_env, {"train": [1.0, 2.0]})
    MetaEpisodeEnv(distribution, Episodes(1, 0), 2, generator()).reset(
        in_order(distribution, [[0], [1]])
    )


def test_what_make_env_returns_must_be_an_environment():
    def make_env(task):
        return Spy(1) if task == 0 else "no environment"

    distribution = GymnasiumDistribution("Odd-v0", make_env, {"train": [0, 1]})
    with pytest.raises(
        PlugInError,
        match=r"train task 1 \(1\), in row 0 .* make_env must return a gymnasium.Env, not a str",
    ):
        MetaEpisodeEnv(distribution, Episodes(1, 0), 1, generator()).reset(
            in_order(distribution, [[1]])
        )


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
    with pytest.raises(
        PlugInError,
        match=(
            r"Shows-v0: train task 1 \(2\), in row 1 at step 1 of its episode, gave (the|an)"
            r" observation"
        ),
    ):
        env.step(torch.zeros(2, dtype=torch.int64))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("raise", "raised RuntimeError: the walk is blocked"),
        ("nan reward", "gave the reward nan, which is not finite"),
        ("nan observation", r"gave the observation \[nan, nan\], which is not finite"),
        ("shape", r"gave an observation of shape \(3,\); its space Box.* has shape \(2,\)"),
        (
            "four",
            r"step must return \(observation, reward, terminated, truncated, info\), not \(array",
        ),
    ],
)
def test_a_fault_is_named_by_task_row_and_step(fault, problem, workers):
    distribution = GymnasiumDistribution(
        "NoisyWalk-v0", NoisyWalk, {"train": [0.0, fault]}, 5, workers=workers
    )
    env = MetaEpisodeEnv(distribution, Steps(50), 3, generator())
    env.reset(in_order(distribution, [[0], [1], [0]]))
    sentence = (
        rf"(?s)NoisyWalk-v0: train task 1 \('{fault}'\), in row 1 at step 2 of its episode,"
        rf" {problem}"
    )
    with pytest.raises(PlugInError, match=sentence) as caught:
        play(env, 40)
    if fault == "raise" and workers:
        # The environment's own traceback
        assert 'raise RuntimeError("the walk is blocked")' in str(caught.value)
    env.close()


def test_a_fault_at_the_start_is_named():
    class Stuck(Spy):
        def reset(self, *, seed=None, options=None):
            raise OSError("no such maze")

    class Bare(Spy):
        def reset(self, *, seed=None, options=None):
            return np.zeros(3)

    for kind, problem in (
        (Stuck, "raised OSError while reset: no such maze"),
        (Bare, r"reset must return \(observation, info\)"),
    ):
        distribution = GymnasiumDistribution("Spy-v0", kind, {"train": [1]})
        with pytest.raises(
            PlugInError, match=rf"train task 0 \(1\), in row 0 at its episode's start, {problem}"
        ):
            MetaEpisodeEnv(distribution, Episodes(1, 0), 1, generator()).reset(
                fresh_tasks(distribution, "train", 1, 0)
            )


def test_arrays_share_one_memory_on_cache_lines_of_their_own():
    rows = GymnasiumDistribution("Spy-v0", Spy, {"train": [1]}).open(3, generator())
    size = bytes_needed(rows.spec, 3)
    memory = bytearray(size)
    arrays = arrays_in(memory, rows.spec, 3)
    again = arrays_in(memory, rows.spec, 3)
    starts = sorted(
        (array.__array_interface__["data"][0], array.nbytes) for array in vars(arrays).values()
    )
    assert all((start - starts[0][0]) % 64 == 0 for start, _ in starts)
    assert all(start + length <= following for (start, length), (following, _) in pairwise(starts))
    assert starts[-1][0] + starts[-1][1] - starts[0][0] <= size
    arrays.reward[1] = 2.5
    assert again.reward.tolist() == [0, 2.5, 0]
    assert again.reward.shape == again.terminated.shape == (3,)


def player(num_rows: int, rows: range) -> RowPlayer:
    spec = EnvSpec(
        "Walk-v0",
        NoisyWalk,
        (("train", (0.0, 0.5)), ("test", (1.0,))),
        NoisyWalk.observation_space,
        NoisyWalk.action_space,
    )
    some = RowPlayer(spec, arrays_in(bytearray(bytes_needed(spec, num_rows)), spec, num_rows), rows)
    some.arrays.begin[:] = some.arrays.wanted[:] = True
    return some


def test_a_player_touches_its_own_rows_only():
    some = player(4, range(1, 3))
    some.arrays.observation[:] = 7
    some.reset()
    some.step()
    assert (some.arrays.observation[[0, 3]] == 7).all()
    assert (some.arrays.observation[1:3] != 7).all()
    assert some.arrays.clock.tolist() == [0, 1, 1, 0]


def test_rows_that_are_not_wanted_stand_still():
    both = player(2, range(2))
    both.reset()
    both.arrays.wanted[1] = False
    before = both.arrays.observation.copy()
    both.step()
    both.arrays.seed[:] = 5
    both.reset()
    assert (both.arrays.observation[0] != before[0]).any()
    assert (both.arrays.observation[1] == before[1]).all()
    assert both.arrays.reward[1] == 0


def test_an_episode_is_what_the_environment_gives_for_its_seed():
    one = player(1, range(1))
    one.arrays.index[:] = 1
    one.arrays.seed[:] = 12
    one.reset()
    env = NoisyWalk(0.5)
    assert one.arrays.observation[0] == pytest.approx(env.reset(seed=12)[0])
    for action in (1, 0, 1, 1, 0, 1, 0, 0, 1):
        one.arrays.action[:] = action
        one.step()
        observation, reward, terminated, truncated, info = env.step(action)
        assert one.arrays.observation[0] == pytest.approx(observation)
        assert one.arrays.reward[0] == reward
        assert (one.arrays.terminated[0], one.arrays.truncated[0], one.arrays.success[0]) == (
            terminated,
            truncated,
            info["success"],
        )
        if terminated:
            break


def test_tasks_are_named_by_split_place_and_value():
    one = player(1, range(1))
    one.arrays.split[:] = 1
    assert one.spec.name_task(one.arrays, 0) == "test task 0 (1.0)"


@pytest.mark.parametrize(("mode", "drawn"), [("rgb_array", True), ("ansi", False), (None, False)])
def test_rows_draw_what_their_environment_draws(mode, drawn):
    class Drawing(Spy):
        render_mode = mode

        def render(self):
            return np.full((2, 3, 3), self.task, dtype=np.uint8)

    distribution = GymnasiumDistribution("Drawing-v0", Drawing, {"train": [5, 7]})
    env = MetaEpisodeEnv(distribution, Steps(3), 2, generator())
    env.reset(in_order(distribution, [[0], [1]]))
    pictures = [env._rows.render(row) for row in range(2)]
    if drawn:
        assert [picture.unique().tolist() for picture in pictures] == [[5], [7]]
        assert pictures[0].shape == (2, 3, 3)
    else:
        assert pictures == [None, None]


@pytest.mark.parametrize(
    "picture", [None, np.zeros((2, 3)), np.zeros((2, 3, 3)), [np.zeros((2, 3, 3), np.uint8)] * 2]
)
def test_pictures_of_another_form_are_refused(picture):
    class Odd(Spy):
        render_mode = "rgb_array"

        def render(self):
            return picture

    distribution = GymnasiumDistribution("Odd-v0", Odd, {"train": [5]})
    env = MetaEpisodeEnv(distribution, Steps(3), 1, generator())
    env.reset(fresh_tasks(distribution, "train", 1, 0))
    with pytest.raises(
        PlugInError,
        match=r"Odd-v0: train task 0 \(5\), in row 0.*a picture is uint8 \[height, width, 3\]",
    ):
        env._rows.render(0)
