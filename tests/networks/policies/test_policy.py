"""Policies with memory.

Step by step = whole meta-episodes, forgetting, every kind of space, a user's own module.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

from metarl.networks.actions import action_distribution
from metarl.networks.policies.own_policy import OwnPolicy
from metarl.networks.policies.policy import (
    CORES,
    MemoryPolicy,
    NetworkConfig,
    Policy,
    PolicyOutput,
    forget,
)
from metarl.networks.policies.stacked import StackedPolicy
from tests.networks.made_steps import at, random_steps

OBSERVATIONS = {
    "never changes": gym.spaces.Discrete(1),
    "discrete": gym.spaces.Discrete(4, start=-2),
    "multi-discrete": gym.spaces.MultiDiscrete([3, 2], start=[1, 0]),
    "multi-binary": gym.spaces.MultiBinary((2, 2)),
    "box": gym.spaces.Box(-np.inf, np.inf, (3,)),
    "scalar": gym.spaces.Box(-1, 1, ()),
    "image": gym.spaces.Box(0, 255, (4, 3, 2), np.uint8),
}
ACTIONS = {
    "discrete": gym.spaces.Discrete(3),
    "multi-discrete": gym.spaces.MultiDiscrete([3, 2]),
    "multi-binary": gym.spaces.MultiBinary((2, 2)),
    "box": gym.spaces.Box(np.float32([-1, 0]), np.float32([1, 9])),
    "scalar": gym.spaces.Box(-1, 1, ()),
}
DISCRETE = OBSERVATIONS["discrete"], ACTIONS["discrete"]
LENGTH = 6
ROWS = 5


def make_policy(
    core="gru", previous=False, observation_space=DISCRETE[0], action_space=DISCRETE[1], seed=0
):
    """Return a small policy whose heads say something from the start, with moments that aren't
    those of nothing seen.
    """
    config = NetworkConfig(core=core, hidden_size=8, heads=2, previous_observation=previous)
    policy = Policy(
        observation_space, action_space, config, LENGTH, torch.Generator().manual_seed(seed)
    )
    with torch.no_grad():
        policy.heads.weight[:-1] *= 100
    policy.inputs.learn_moments(
        random_steps(observation_space, action_space, seed=9),
        torch.ones(LENGTH, ROWS, dtype=torch.bool),
    )
    return policy


@torch.no_grad()
def step_by_step(policy, steps, state=None, start=0):
    state = policy.initial_state(steps.prev_reward.shape[1]) if state is None else state
    outputs = []
    for t in range(start, len(steps.prev_reward)):
        output, state = policy(at(steps, t), state)
        outputs.append(output)
    return (
        PolicyOutput(
            torch.stack([each.parameters for each in outputs]),
            torch.stack([each.value for each in outputs]),
        ),
        state,
    )


def close(ours, theirs):
    torch.testing.assert_close(ours.parameters, theirs.parameters, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.value, theirs.value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("previous", [False, True], ids=["", "previous observation"])
@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("core", CORES)
def test_step_by_step_equals_whole_meta_episodes(core, observation, previous):
    space = OBSERVATIONS[observation]
    policy = make_policy(core, previous, space)
    steps = random_steps(space, DISCRETE[1])
    whole = policy.sequence(steps)
    assert whole.parameters.shape == (LENGTH, ROWS, 3)
    assert whole.value.shape == (LENGTH, ROWS)
    close(step_by_step(policy, steps)[0], whole)


@pytest.mark.parametrize("previous", [False, True], ids=["", "previous observation"])
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_inputs_read_beforehand_are_as_good_as_steps(observation, previous):
    policy = make_policy("gru", previous, OBSERVATIONS[observation])
    steps = random_steps(OBSERVATIONS[observation], DISCRETE[1])
    read = policy.preprocess(steps)
    assert not read.requires_grad, "no weights are involved"
    for one, other in zip(policy.sequence(read), policy.sequence(steps), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("core", CORES)
def test_every_kind_of_action(core, action):
    space = ACTIONS[action]
    policy = make_policy(core, action_space=space)
    steps = random_steps(DISCRETE[0], space)
    whole = policy.sequence(steps)
    assert whole.parameters.shape[-1] == action_distribution(space).num_parameters
    close(step_by_step(policy, steps)[0], whole)


@pytest.mark.parametrize("previous", [False, True], ids=["", "previous observation"])
@pytest.mark.parametrize("core", CORES)
def test_rows_that_start_a_meta_episode_forget(core, previous):
    policy = make_policy(core, previous)
    before = random_steps(*DISCRETE, seed=1)
    after = random_steps(*DISCRETE, seed=2)
    _, state = step_by_step(policy, before)
    close(step_by_step(policy, after, state)[0], policy.sequence(after))


@pytest.mark.parametrize("core", CORES)
def test_only_the_rows_that_start_forget(core):
    policy = make_policy(core)
    steps = random_steps(*DISCRETE, length=LENGTH)
    _, state = step_by_step(policy, type(steps)(*(field[: LENGTH - 1] for field in steps)))
    last = at(steps, LENGTH - 1)
    flagged = last._replace(meta_episode_start=torch.tensor([False, True, False, False, True]))
    output = policy(flagged, state)[0].parameters
    torch.testing.assert_close(
        output[[0, 2, 3]], policy.sequence(steps).parameters[-1, [0, 2, 3]], rtol=1e-5, atol=1e-5
    )
    fresh = policy(flagged, policy.initial_state(ROWS))[0].parameters
    torch.testing.assert_close(output[[1, 4]], fresh[[1, 4]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("core", CORES)
def test_an_episodes_end_does_not_clear_the_memory(core):
    policy = make_policy(core)
    steps = random_steps(*DISCRETE)
    steps.prev_terminated[1:] = True
    changed = steps._replace(prev_reward=steps.prev_reward.clone())
    changed.prev_reward[1] += 3
    with torch.no_grad():
        difference = (
            (policy.sequence(steps).parameters - policy.sequence(changed).parameters)
            .abs()
            .amax((1, 2))
        )
    assert float(difference[0]) == 0
    assert (difference[1:] > 1e-7).all()


def test_the_previous_observation_reaches_the_policy():
    policy = make_policy("gru", previous=True)
    steps = random_steps(*DISCRETE)
    state = step_by_step(policy, steps)[1]
    other = state._replace(observation=torch.where(state.observation == 1, 0, 1))
    step = at(steps, 3)
    assert not torch.allclose(policy(step, state)[0].parameters, policy(step, other)[0].parameters)
    blind = make_policy("gru", previous=False)
    assert torch.equal(blind(step, state)[0].parameters, blind(step, other)[0].parameters)


def test_a_new_policy_is_nearly_uniform():
    policy = Policy(
        *DISCRETE, NetworkConfig(hidden_size=32), LENGTH, torch.Generator().manual_seed(0)
    )
    probabilities = policy.sequence(random_steps(*DISCRETE)).parameters.softmax(-1)
    torch.testing.assert_close(
        probabilities, torch.full_like(probabilities, 1 / 3), rtol=0, atol=0.02
    )


@pytest.mark.parametrize("core", CORES)
def test_the_generator_decides_the_weights(core):
    before = torch.get_rng_state()
    first, again, other = (make_policy(core, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["heads.weight"], other["heads.weight"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("core", CORES)
def test_state_dict_holds_all_that_acting_needs(core):
    space = OBSERVATIONS["box"]
    policy = make_policy(core, observation_space=space, seed=1)
    other = make_policy(core, observation_space=space, seed=2)
    other.load_state_dict(policy.state_dict())
    steps = random_steps(space, DISCRETE[1])
    assert torch.equal(policy.sequence(steps).parameters, other.sequence(steps).parameters)


def test_forget_clears_rows_through_nested_states():
    state = (torch.ones(3, 2), [torch.ones(3)])
    first, (second,) = forget(state, torch.tensor([True, False, True]))
    assert first.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert second.tolist() == [0, 1, 0]


class CountsRewards(nn.Module):
    """A user's policy: a perceptron over how often each action was taken and what it brought."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 4)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 6)

    def forward(self, step, state):
        state = state.masked_fill(step.meta_episode_start[:, None], 0)
        taken = nn.functional.one_hot(step.prev_action, 3) * ~step.meta_episode_start[:, None]
        state = state + torch.cat([taken, taken * step.prev_reward[:, None]], -1)
        parameters, value = self.body(state).split([3, 1], -1)
        return PolicyOutput(parameters, value[..., 0]), state


def test_a_users_module_is_unrolled_step_by_step():
    policy = OwnPolicy(CountsRewards())
    steps = random_steps(*DISCRETE)
    output = policy.sequence(steps)
    close(output, step_by_step(policy, steps)[0])
    output.parameters.sum().backward()
    assert policy.own.body.weight.grad.abs().sum() > 0


class CountsAtOnce(CountsRewards):
    """The same with a parallel way of its own, which is told apart by its values."""

    def sequence(self, steps):
        zero = steps.prev_reward * 0
        return PolicyOutput(zero[..., None].expand(*zero.shape, 3), zero + 7)


def test_a_users_own_parallel_way_is_taken_if_there_is_one():
    assert bool((OwnPolicy(CountsAtOnce()).sequence(random_steps(*DISCRETE)).value == 7).all())


def test_a_users_module_is_saved_under_its_own_names():
    module = CountsRewards()
    adapted = OwnPolicy(module)
    assert list(adapted.state_dict()) == list(module.state_dict())
    wanted = {name: tensor + 1 for name, tensor in module.state_dict().items()}
    adapted.load_state_dict(wanted)
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in module.state_dict().items())
    assert set(StackedPolicy([adapted, OwnPolicy(CountsRewards())]).state_dict()) == {
        f"policy/{name.replace('.', '/')}" for name in module.state_dict()
    }


@pytest.mark.parametrize(
    "policy", [make_policy("gru"), make_policy("attention"), OwnPolicy(CountsRewards())]
)
def test_learners_find_all_that_they_ask_for(policy):
    assert isinstance(policy, MemoryPolicy)
    assert not isinstance(CountsRewards(), MemoryPolicy)


@pytest.mark.parametrize(
    "space", [gym.spaces.Text(3), gym.spaces.Dict({"a": gym.spaces.Discrete(2)})]
)
def test_spaces_that_do_not_fit_get_a_sentence(space):
    with pytest.raises(ValueError, match=r"Observations of .* aren't supported; flatten them"):
        make_policy(observation_space=space)
    with pytest.raises(ValueError, match=r"Actions of .* aren't supported; use Discrete"):
        make_policy(action_space=space)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"core": "rnn"}, "no core 'rnn'; choose one of gru, lstm, attention"),
        ({"hidden_size": 0}, "must be at least 1"),
        ({"layers": 0}, "must be at least 1"),
        ({"heads": -1}, "must be at least 1"),
        ({"core": "attention", "hidden_size": 10, "heads": 4}, "multiple of its heads"),
        (
            {"core": "none", "previous_observation": True},
            "without memory can't read the previous observation",
        ),
    ],
)
def test_bad_settings_get_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        Policy(*DISCRETE, NetworkConfig(**settings), LENGTH, torch.Generator())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("core", CORES)
def test_on_a_gpu_policies_say_the_same(core):
    space = OBSERVATIONS["box"]
    policy = make_policy(core, True, space)
    steps = random_steps(space, DISCRETE[1])
    wanted = policy.sequence(steps)
    policy = policy.cuda()
    there = type(steps)(*(field.cuda() for field in steps))
    for output in (policy.sequence(there), step_by_step(policy, there)[0]):
        torch.testing.assert_close(output.parameters.cpu(), wanted.parameters, rtol=1e-4, atol=1e-4)
