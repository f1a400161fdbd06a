"""Several policies as one: outputs, gradients and memories equal those of the policies apart."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

from metarl.core.step import Step
from metarl.networks.policies.own_policy import OwnPolicy
from metarl.networks.policies.policy import CORES, NetworkConfig, Policy, PolicyOutput
from metarl.networks.policies.stacked import StackedPolicy
from tests.networks.made_steps import at, random_steps

OBSERVATION = gym.spaces.Box(-np.inf, np.inf, (2,))
ACTION = gym.spaces.Discrete(3)
LENGTH = 6
ROWS = 5
MEMBERS = 3


def policies(core="gru", previous=False):
    config = NetworkConfig(core=core, hidden_size=8, heads=2, previous_observation=previous)
    made = [
        Policy(OBSERVATION, ACTION, config, LENGTH, torch.Generator().manual_seed(seed))
        for seed in range(MEMBERS)
    ]
    for seed, policy in enumerate(made):
        nn.init.orthogonal_(policy.heads.weight, generator=torch.Generator().manual_seed(seed))
        policy.inputs.learn_moments(
            random_steps(OBSERVATION, ACTION, seed=10 + seed),
            torch.ones(LENGTH, ROWS, dtype=torch.bool),
        )
    return made


class Learnt(nn.Module):
    """A user's policy whose first memory is learnt.

    It sums rewards in it. The scale is a buffer that isn't saved.
    """

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.randn(2))
        self.body = nn.Linear(2, 4)
        self.register_buffer("scale", torch.rand(()) + 0.5, persistent=False)

    def initial_state(self, batch_size):
        return self.first.expand(batch_size, 2)

    def forward(self, step, state):
        state = (
            torch.where(step.meta_episode_start[:, None], self.first, state)
            + step.prev_reward[:, None] * self.scale
        )
        parameters, value = self.body(state).split([3, 1], -1)
        return PolicyOutput(parameters, value[..., 0]), state


def learnt():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return [OwnPolicy(Learnt()) for _ in range(MEMBERS)]


KINDS = {
    **{core: lambda core=core: policies(core) for core in CORES},
    "previous observation": lambda: policies(previous=True),
    "a user's own": learnt,
}


def columns(steps, seed_index):
    return Step(*(field[:, seed_index * ROWS : (seed_index + 1) * ROWS] for field in steps))


def step_by_step(policy, steps):
    state = policy.initial_state(steps.prev_reward.shape[1])
    outputs = []
    for t in range(LENGTH):
        output, state = policy(at(steps, t), state)
        outputs.append(output)
    return torch.stack([output.parameters for output in outputs]), state


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_equal_those_apart(kind):
    apart = KINDS[kind]()
    stacked = StackedPolicy(apart)
    steps = random_steps(OBSERVATION, ACTION, rows=MEMBERS * ROWS)
    output = stacked.sequence(steps)
    weight = torch.randn(output.parameters.shape, generator=torch.Generator().manual_seed(1))
    ((weight * output.parameters).sum() + output.value.square().sum()).backward()
    gradients = {
        name.replace("/", ".").removeprefix("policy."): parameter.grad
        for name, parameter in stacked.named_parameters()
    }
    assert len(gradients) == len(list(apart[0].named_parameters()))
    for i, policy in enumerate(apart):
        own = policy.sequence(columns(steps, i))
        part = slice(i * ROWS, (i + 1) * ROWS)
        close(output.parameters[:, part], own.parameters)
        close(output.value[:, part], own.value)
        ((weight[:, part] * own.parameters).sum() + own.value.square().sum()).backward()
        for name, parameter in policy.named_parameters():
            close(gradients[name.removeprefix("own.")][i], parameter.grad)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_step_by_step_equals_the_policies_apart(kind):
    apart = KINDS[kind]()
    stacked = StackedPolicy(apart)
    steps = random_steps(OBSERVATION, ACTION, rows=MEMBERS * ROWS)
    parameters, _ = step_by_step(stacked, steps)
    close(parameters, stacked.sequence(steps).parameters)
    for i, policy in enumerate(apart):
        close(parameters[:, i * ROWS : (i + 1) * ROWS], step_by_step(policy, columns(steps, i))[0])


@torch.no_grad()
def test_every_seed_starts_from_its_own_first_memory():
    apart = learnt()
    state = StackedPolicy(apart).initial_state(MEMBERS * ROWS)
    torch.testing.assert_close(state, torch.cat([policy.initial_state(ROWS) for policy in apart]))


@pytest.mark.parametrize("core", CORES)
@torch.no_grad()
def test_rows_of_any_seed_forget_alone(core):
    apart = policies(core)
    stacked = StackedPolicy(apart)
    steps = random_steps(OBSERVATION, ACTION, rows=MEMBERS * ROWS)
    _, state = step_by_step(stacked, steps)
    again, _ = step_by_step(stacked, steps)
    for t in range(LENGTH):
        output, state = stacked(at(steps, t), state)
        close(output.parameters, again[t])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_seed_is_a_policy_of_its_own(kind):
    apart = KINDS[kind]()
    stacked = StackedPolicy(apart)
    steps = random_steps(OBSERVATION, ACTION)
    for i, policy in enumerate(apart):
        seed_index = stacked.select(i)
        assert type(seed_index) is type(policy)
        close(step_by_step(seed_index, steps)[0], step_by_step(policy, steps)[0])
        for parameter in seed_index.parameters():
            parameter.zero_()
    close(
        stacked.sequence(random_steps(OBSERVATION, ACTION, rows=15)).value[:, :5],
        apart[0].sequence(columns(random_steps(OBSERVATION, ACTION, rows=15), 0)).value,
    )


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_writing_a_seed_changes_that_one_alone(kind):
    apart = KINDS[kind]()
    stacked = StackedPolicy(apart)
    steps = random_steps(OBSERVATION, ACTION, rows=MEMBERS * ROWS)
    before = stacked.sequence(steps).parameters.unflatten(1, (MEMBERS, ROWS))
    stacked.write(1, apart[2])
    after = stacked.sequence(steps).parameters.unflatten(1, (MEMBERS, ROWS))
    close(after[:, [0, 2]], before[:, [0, 2]])
    close(after[:, 1], apart[2].sequence(columns(steps, 1)).parameters)


def test_the_given_policies_stay_as_they_are():
    apart = policies("attention")
    stacked = StackedPolicy(apart)
    with torch.no_grad():
        for parameter in stacked.parameters():
            parameter.zero_()
    assert all(policy.heads.weight.abs().sum() > 0 for policy in apart)
    assert not apart[0].core.static_shapes
    assert not stacked.select(0).core.static_shapes


def test_state_dict_goes_into_another_stack():
    stacked = StackedPolicy(policies())
    other = StackedPolicy(list(reversed(policies())))
    steps = random_steps(OBSERVATION, ACTION, rows=MEMBERS * ROWS)
    assert not torch.equal(stacked.sequence(steps).value, other.sequence(steps).value)
    other.load_state_dict(stacked.state_dict())
    assert torch.equal(stacked.sequence(steps).value, other.sequence(steps).value)
