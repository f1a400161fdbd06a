"""Numbers between environments and tensors: in the spaces' own types and bounds, as they are or refused, rewards in full."""

import decimal
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.envs.budget import Episodes, Steps
from metarl.envs.gymnasium_env import MetaEpisodeGymnasium, MetaEpisodeVector
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.rl2 import RL2, RL2Config
from metarl.networks.policy import NetworkConfig
from metarl.tasks.contract import PlugInError, fresh_tasks
from metarl.tasks.gymnasium_adapter import GymnasiumDistribution
from metarl.tasks.space_values import ActionBounds, as_number, as_truth
from metarl.tasks.spaces import action_tensor
from tests.tasks.spy_env import generator
from tests.tasks.strict_env import Strict, Told

TASKS = {"train": [0], "test": [1]}
INFINITE = np.inf
Box, Discrete, MultiBinary, MultiDiscrete = gym.spaces.Box, gym.spaces.Discrete, gym.spaces.MultiBinary, gym.spaces.MultiDiscrete
ACTIONS = {
    "float64 that float32 rounds outward": Box(-0.1, 0.1, (1,), np.float64),
    "float64 of one bound each": Box(np.array([0.3, -INFINITE]), np.array([INFINITE, 1e-9]), dtype=np.float64),
    "float64 of a single value": Box(0.1, 0.1, (2,), np.float64),
    "float64 almost without bounds": Box(-1.7e308, 1.7e308, (2,), np.float64),
    "float32 almost without bounds": Box(-3.4e38, 3.4e38, (2,), np.float32),
    "float32": Box(-1, 0.7, (2, 2), np.float32),
    "float16": Box(-0.1, 0.1, (2,), np.float16),
    "a number": Box(-0.1, 0.1, (), np.float64),
    "an integer": Box(-3, 3, (), np.int16),
    "int8": Box(-128, 127, (2,), np.int8),
    "uint8": Box(3, 250, (2,), np.uint8),
    "int64": Box(-(2**63), 2**63 - 1, (2,), np.int64),
    "int64 that float32 rounds outward": Box(-(2**24) - 1, 2**24 + 1, (1,), np.int64),
    "int64 of one bound": Box(-INFINITE, 5, (2,), np.int64),
    "uint64": Box(0, 2**64 - 1, (1,), np.uint64),
    "bool": Box(0, 1, (2,), np.bool_),
    "discrete from 5": Discrete(3, start=5),
    "discrete of int32": Discrete(3, start=-1, dtype=np.int32),
    "multi-discrete of int8": MultiDiscrete([2, 3], start=[5, -2], dtype=np.int8),
    "multi-discrete of uint8": MultiDiscrete([2, 3], start=[200, 250], dtype=np.uint8),
    "bits": MultiBinary((2, 2)),
}


def strict(name, workers=0):
    return GymnasiumDistribution("Strict-v0", partial(Strict, space=ACTIONS[name]), TASKS, horizon=10, workers=workers)


@pytest.mark.parametrize("name", ACTIONS)
def test_policies_and_the_random_agent_act_within_the_space_itself(name):
    rows, budget = strict(name), Episodes(1)
    learner = RL2(RL2Config(episodes=1, iterations=1, num_envs=8, network=NetworkConfig(units=8)), rows)
    learner.update()
    for agent in (learner.agent(budget), metarl.make_agent("random", rows, budget)):
        assert metarl.evaluate(agent, rows, "test", 4, 0, budget).returns.tolist() == [sum([0.1] * 10)] * 4


@pytest.mark.parametrize("name", ["float64 that float32 rounds outward", "float16", "int64", "an integer", "discrete of int32"])
def test_workers_give_environments_the_same_actions(name):
    rows, budget = strict(name, workers=2), Episodes(1)
    assert len(metarl.evaluate(metarl.make_agent("random", rows, budget), rows, "test", 2, 0, budget).returns) == 2


@pytest.mark.parametrize("name", [name for name in ACTIONS if name != "float64 almost without bounds"])  # Gymnasium can't draw from it
def test_actions_pass_through_gymnasium_too(name):
    env = MetaEpisodeGymnasium(strict(name), Episodes(2))
    env.action_space.seed(0)
    assert env.reset(seed=0)[0] in env.observation_space
    vector = MetaEpisodeVector(strict(name), Episodes(1), num_envs=2)
    vector.action_space.seed(0)
    vector.reset(seed=0)
    for _ in range(3):
        observation, reward, *_ = env.step(env.action_space.sample())
        vector.step(vector.action_space.sample())
        assert observation in env.observation_space
        assert reward == 0.1


@pytest.mark.parametrize(
    ("space", "given", "own"),
    [
        (Box(-0.1, 0.1, (1,), np.float64), [np.float32(0.1)], [0.1]),
        (Box(-0.1, 0.1, (1,), np.float64), [np.float32(-0.1)], [-0.1]),
        (Box(-3, 3, (1,), np.int16), [2.6], [3]),
        (Box(-3, 3, (1,), np.int16), [-0.4], [0]),
        (Box(-(2**63), 2**63 - 1, (2,), np.int64), [2.0**63, -(2.0**63)], [2**63 - 1, -(2**63)]),
        (Box(-INFINITE, INFINITE, (1,), np.float16), [1e30], [INFINITE]),
    ],
)
def test_own_actions(space, given, own):
    bounds, actions = ActionBounds(space), np.array([given], np.float32)
    assert bounds.outside(actions, np.array([True])) is None
    assert bounds.own(actions).dtype == space.dtype
    assert bounds.own(actions).tolist() == [own]


@pytest.mark.parametrize(
    ("space", "action", "sentence"),
    [
        (Box(-1, 1, (1,)), torch.tensor([[0.0], [1.01]]), r"row 1 was given the action \[1.0\d+\], which isn't in Box.*clip actions"),
        (Box(-1, 1, (1,)), torch.tensor([[0.0], [torch.nan]]), r"row 1 was given an action that isn't finite"),
        (Box(-INFINITE, INFINITE, (1,)), torch.tensor([[0.0], [torch.inf]]), "row 1 .* that isn't finite"),
        (Box(0, 9, (1,), np.int8), torch.tensor([[0.0], [9.5]]), r"row 1 .* which isn't in Box\(0, 9"),
        (Discrete(3), torch.tensor([0, -1]), "row 1 was given the action -1; there are actions 0 to 2"),
        (Discrete(3, start=2), torch.tensor([2, 5]), "row 1 was given the action 5; there are actions 2 to 4"),
        (MultiDiscrete([2, 2]), torch.tensor([[0, 0], [0, 2]]), r"row 1 was given the action \[0, 2\]"),
        (MultiBinary(2), torch.tensor([[0, 0], [0, 2]]), r"row 1 was given the action \[0, 2\]"),
    ],
)
def test_actions_that_are_really_outside_are_refused_by_name(space, action, sentence):
    distribution = GymnasiumDistribution("Strict-v0", partial(Strict, space=space), TASKS, horizon=9)
    env = MetaEpisodeEnv(distribution, Steps(4), 2, generator())
    env.reset(fresh_tasks(distribution, "train", 2, 0))
    with pytest.raises(PlugInError, match=sentence):
        env.step(action)
    env._rows.play_only(torch.tensor([True, False]))  # what a finished row is given means nothing
    env._rows.step(action)


@pytest.mark.parametrize(
    ("space", "actions", "sentence"),
    [
        (Discrete(3), [1.5], "no such action in Discrete"),
        (Discrete(3), ["1"], "are numbers"),
        (MultiDiscrete([2, 2]), [[0, 2]], "no such action"),
        (MultiBinary(2), [[0, -1]], "no such action"),
        (Box(-INFINITE, INFINITE, (1,), np.float64), [[1e39]], "can't hold"),
    ],
)
def test_what_others_choose_is_kept_or_refused(space, actions, sentence):
    with pytest.raises(ValueError, match=sentence):
        action_tensor(space, np.array(actions))


BYTES, SMALL = Box(0, 255, (2,), np.uint8), Box(-100, 100, (2,), np.int8)
WIDE, FLOATS = Box(-(2**63), 2**63 - 1, (1,), np.int64), Box(-INFINITE, INFINITE, (1,), np.float64)
FROM_ONE, PAIR = Discrete(3, start=1), MultiDiscrete([2, 3], start=[200, 250], dtype=np.uint8)
KEPT = [
    (BYTES, [7.0, 255.0]),
    (BYTES, [True, False]),
    (BYTES, np.array([7, 255], np.uint8)),
    (Box(0, 1, (2,), np.uint8), np.array([0, 1], np.uint8)),
    (SMALL, [100, -100]),
    (WIDE, [2**24 + 2]),
    (WIDE, [2.0**40]),
    (Box(0, 65535, (1,), np.uint16), np.array([65535], np.uint16)),
    (Box(0, 1, (2,), np.bool_), [True, False]),
    (FLOATS, [3]),
    (FLOATS, torch.tensor([1.5])),
    (Box(-1, 1, (0,), np.float32), []),
    (Box(-1, 1, (), np.float64), np.array(0.5)),
    (FROM_ONE, 2.0),
    (FROM_ONE, np.array(2)),
    (PAIR, [201, 252]),
    (MultiBinary(2), [True, False]),
]
REFUSED = [
    (BYTES, [0.9, 1], "holds integers"),
    (BYTES, [np.nan, 1], "holds integers"),
    (BYTES, [-1, 0], "not in its space"),
    (BYTES, [300.7, 0], "holds integers"),
    (BYTES, [256, 0], "not in its space"),
    (BYTES, ["1", "2"], "rather than numbers"),
    (BYTES, np.ma.array([1, 2], np.uint8, mask=[False, True]), "numbers are masked"),
    (Box(-1, 1, (2,)), np.ma.array([0, 1], np.float32, mask=[True, False]), "numbers are masked"),
    (BYTES, [None, 1], "rather than numbers"),
    (BYTES, [[1], [1, 2]], "no array of numbers"),
    (Box(0, 1, (2,), np.uint8), np.array([2, 0], np.uint8), "not in its space"),
    (SMALL, [101, 0], "not in its space"),
    (SMALL, [0.5, 0], "holds integers"),
    (WIDE, [2**24 + 1], "float32 can't hold exactly.*TransformObservation"),
    (WIDE, [2**63 - 1], "float32 can't hold exactly"),
    (Box(0, 1, (2,), np.bool_), [2, 0], "not in its space"),
    (FLOATS, [1e39], "which float32 can't hold.*TransformObservation"),
    (FLOATS, [np.nan], "not finite"),
    (FLOATS, [INFINITE], "not finite"),
    (FLOATS, [1 + 2j], "rather than numbers"),
    (FLOATS, {"a": 1}, r"of shape \(\)"),
    (Box(-1, 1, (), np.float64), [0.5], r"of shape \(1,\)"),
    (FROM_ONE, 4, "not in its space"),
    (FROM_ONE, np.array([2]), r"of shape \(1,\)"),
    (FROM_ONE, np.nan, "holds integers"),
    (FROM_ONE, np.uint64(2**63), "not in its space"),
    (FROM_ONE, 1e300, "not in its space"),
    (FROM_ONE, "2", "rather than numbers"),
    (FROM_ONE, None, "rather than numbers"),
    (PAIR, [200, 253], "not in its space"),
    (MultiBinary(2), [0.5, 0], "holds integers"),
    (MultiBinary(2), [-1, 0], "not in its space"),
]


def told(workers=0, **answers):
    return GymnasiumDistribution("Told-v0", partial(Told, **answers), TASKS, horizon=3, workers=workers)


def started(distribution):
    env = MetaEpisodeEnv(distribution, Steps(9), 1, generator())
    return env, env.reset(fresh_tasks(distribution, "test", 1, 0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("space", "value"), KEPT)
def test_observations_arrive_as_the_same_numbers(space, value):
    observation = started(told(space=space, observation=value))[1].observation[0]
    assert observation.tolist() == np.asarray(value).tolist()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("space", "value", "sentence"), REFUSED)
def test_observations_that_would_become_others_are_refused(space, value, sentence):
    with pytest.raises(
        PlugInError, match=rf"Told-v0: test task 0 \(1\), in row 0 at its episode's start, gave (the|an) observation .*{sentence}"
    ):
        started(told(space=space, observation=value))


def test_bounds_of_bytes_are_those_of_the_tasks_own_environment():
    def make_env(task):
        return Told(task, Box(0, task, (1,), np.uint8), np.array([7], np.uint8))

    distribution = GymnasiumDistribution("Told-v0", make_env, {"train": [7], "test": [6]}, horizon=3)
    with pytest.raises(PlugInError, match=r"test task 0 \(6\).*not in its space Box\(0, 6"):
        started(distribution)


@pytest.mark.parametrize("workers", [0, 2])
def test_scores_sum_the_environments_own_rewards(workers):
    rows, budget = GymnasiumDistribution("Told-v0", partial(Told, reward=0.1), TASKS, horizon=10, workers=workers), Episodes(1)
    evaluation = metarl.evaluate(metarl.make_agent("random", rows, budget), rows, "test", 2, 0, budget)
    assert evaluation.returns.tolist() == [sum([0.1] * 10)] * 2
    assert evaluation.scores().tolist() == [sum([0.1] * 10)] * 2
    env = MetaEpisodeEnv(rows, budget, 2, generator(), refill=workers == 0)
    env.reset(fresh_tasks(rows, "test", 2, 0))
    step, outcome = env.step(torch.zeros(2, dtype=torch.int64))
    env.close()
    assert step.prev_reward.dtype == outcome.reward.dtype == torch.float32
    assert outcome.exact_reward.tolist() == [0.1, 0.1]


NUMBERS = [1, True, np.float16(0.5), np.array([1.0]), np.array(2), [3], decimal.Decimal("0.25"), torch.tensor(1.5), torch.tensor([2.0])]


@pytest.mark.parametrize("reward", NUMBERS, ids=repr)
def test_rewards_of_odd_types_are_numbers(reward):
    outcome = started(told(reward=reward))[0].step(torch.zeros(1, dtype=torch.int64))[1]
    assert outcome.exact_reward.tolist() == [float(np.asarray(reward).item())]


@pytest.mark.parametrize(
    ("reward", "sentence"),
    [
        (None, "None, which is not one number"),
        ("1.0", "'1.0', which is not one number"),
        (np.ones(2), r"array\(\[1., 1.\]\), which is not one number"),
        (1 + 1j, "which is not one number"),
        (np.ma.masked, "masked, which is not one number"),
        (np.ma.array([2.0], mask=[True]), "which is not one number"),
        (10**400, "which is not one number that float64 can hold"),
        (np.nan, "nan, which is not finite"),
        (-np.inf, "-inf, which is not finite"),
        (1e39, r"1e\+39, which float32, .* can't hold; scale rewards"),
    ],
)
def test_a_reward_that_is_none_is_named(reward, sentence):
    env = started(told(reward=reward))[0]
    with pytest.raises(PlugInError, match=rf"in row 0 at step 1 of its episode, gave the reward .*{sentence}"):
        env.step(torch.zeros(1, dtype=torch.int64))


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"reward": None}, "the reward None"),
        ({"terminated": "no"}, "terminated = 'no'"),
        ({"info": {"success": 2}}, r"info\['success'\] = 2"),
    ],
)
def test_workers_name_odd_answers_too(answers, sentence):
    env = started(told(workers=1, **answers))[0]
    with pytest.raises(PlugInError, match=rf"Told-v0: test task 0 \(1\), in row 0 at step 1 of its episode, gave {sentence}"):
        env.step(torch.zeros(1, dtype=torch.int64))


@pytest.mark.parametrize("truth", [False, True, 0, 1, 1.0, np.True_, np.array([1]), np.array(False), torch.tensor(True)], ids=repr)
def test_truth_values_of_odd_types(truth):
    wanted = bool(np.asarray(truth).item())
    assert as_truth(truth) is wanted
    for answers in ({"terminated": truth}, {"truncated": truth}, {"info": {"success": truth}}, {"info": {"is_success": truth}}):
        outcome = started(told(**answers))[0].step(torch.zeros(1, dtype=torch.int64))[1]
        seen = [bool(outcome.terminated), bool(outcome.truncated), bool(outcome.success)]
        assert seen == [wanted and name in str(answers) for name in ("terminated", "truncated", "success")]


@pytest.mark.parametrize("truth", [None, "yes", np.nan, 0.5, 2, np.array([True, False]), []], ids=repr)
def test_what_is_neither_true_nor_false_is_named(truth):
    for answers, name in (
        ({"terminated": truth}, "terminated"),
        ({"truncated": truth}, "truncated"),
        ({"info": {"success": truth}}, r"info\['success'\]"),
        ({"info": {"is_success": truth}}, r"info\['is_success'\]"),
    ):
        env = started(told(**answers))[0]
        with pytest.raises(PlugInError, match=rf"at step 1 of its episode, gave {name} = .*neither true nor false"):
            env.step(torch.zeros(1, dtype=torch.int64))


def test_info_is_a_dictionary():
    env = started(told(info=["success"]))[0]
    with pytest.raises(PlugInError, match=r"gave the info \['success'\]; it must be a dictionary"):
        env.step(torch.zeros(1, dtype=torch.int64))


@pytest.mark.parametrize("value", ["1", b"1", None, [1, 2], [[1], [2, 3]], {}, 1j, np.complex64(1), np.array(["1"]), np.array([None])])
def test_what_is_no_number(value):
    assert as_number(value) is None
