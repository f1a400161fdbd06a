"""Policies that see images.

Step by step = whole meta-episodes, with every encoder and core, alone and several at once.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_map

from metarl.core.step import Step
from metarl.networks.encoders import ENCODERS
from metarl.networks.policies.policy import CORES, NetworkConfig, Policy, PolicyOutput, Seen
from metarl.networks.policies.stacked import StackedPolicy
from tests.networks.made_steps import at, random_steps

IMAGES = gym.spaces.Box(0, 255, (36, 37, 2), np.uint8)
ACTIONS = gym.spaces.Discrete(3)
LENGTH = 5
ROWS = 4
MEMBERS = 2
every_kind = pytest.mark.parametrize(
    ("encoder", "core"), [(encoder, core) for encoder in (*ENCODERS, "none") for core in CORES]
)


def make_policy(encoder="rl2", core="gru", seed=0, space=IMAGES, **settings):
    config = NetworkConfig(core=core, hidden_size=8, heads=2, encoder=encoder, **settings)
    policy = Policy(space, ACTIONS, config, LENGTH, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        policy.heads.weight[:-1] *= 100
    policy.inputs.learn_moments(
        made_steps(seed=9, space=space), torch.ones(LENGTH, ROWS, dtype=torch.bool)
    )
    return policy


def made_steps(rows=ROWS, seed=0, space=IMAGES):
    return random_steps(space, ACTIONS, LENGTH, rows, seed)


@torch.no_grad()
def step_by_step(policy, steps):
    state = policy.initial_state(steps.prev_reward.shape[1])
    outputs = []
    for t in range(LENGTH):
        output, state = policy(at(steps, t), state)
        outputs.append(output)
    return PolicyOutput(*(torch.stack(part) for part in zip(*outputs, strict=True)))


def close(ours, theirs):
    tree_map(
        lambda one, other: torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5),
        ours,
        theirs,
    )


@every_kind
def test_step_by_step_equals_whole_meta_episodes(encoder, core):
    policy = make_policy(encoder, core)
    steps = made_steps()
    whole = policy.sequence(steps)
    assert whole.parameters.shape == (LENGTH, ROWS, 3)
    close(step_by_step(policy, steps), whole)


@every_kind
def test_images_tell_something(encoder, core):
    policy = make_policy(encoder, core)
    steps = made_steps()
    changed = steps._replace(observation=steps.observation.clone())
    changed.observation[2, 1] = 255 - changed.observation[2, 1]
    with torch.no_grad():
        difference = (
            (policy.sequence(steps).parameters - policy.sequence(changed).parameters).abs().amax(-1)
        )
    assert (difference[2:, 1] > 1e-6).all(), "what a row sees is remembered"
    difference[2:, 1] = 0
    assert float(difference.max()) < 1e-5, "and reaches no other row, and no earlier step"


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("core", CORES)
@pytest.mark.filterwarnings("error")
def test_seeds_in_one_batch_equal_policies_apart(core, encoder):
    apart = [make_policy(encoder, core, seed) for seed in range(MEMBERS)]
    stacked = StackedPolicy(apart)
    steps = made_steps(MEMBERS * ROWS)
    output = stacked.sequence(steps)
    output.parameters.square().sum().backward()
    gradients = {
        name.replace("/", ".").removeprefix("policy."): parameter.grad
        for name, parameter in stacked.named_parameters()
    }
    close(step_by_step(stacked, steps), output)
    for i, policy in enumerate(apart):
        part = slice(i * ROWS, (i + 1) * ROWS)
        own = policy.sequence(Step(*(field[:, part] for field in steps)))
        close(PolicyOutput(*(field[:, part] for field in output)), own)
        own.parameters.square().sum().backward()
        for name, parameter in policy.named_parameters():
            if parameter.grad is not None:
                torch.testing.assert_close(gradients[name][i], parameter.grad, rtol=1e-3, atol=1e-4)


@every_kind
def test_the_encoder_is_trained_with_the_policy_from_what_was_read_beforehand(encoder, core):
    policy = make_policy(encoder, core)
    steps = made_steps()
    read = policy.preprocess(steps)
    if encoder == "none":
        assert isinstance(read, torch.Tensor)
        assert read.shape[-1] == policy.inputs.size
        return
    assert isinstance(read, Seen)
    assert read.images.data_ptr() == steps.observation.data_ptr(), "no copy"
    assert read.images.dtype == torch.uint8
    assert not read.rest.requires_grad
    output = policy.sequence(read)
    assert torch.equal(output.value, policy.sequence(steps).value)
    output.value.sum().backward()
    assert all(float(parameter.grad.abs().sum()) > 0 for parameter in policy.encoder.parameters())


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_images_that_do_not_count_are_not_looked_at(core, encoder):
    policy = make_policy(encoder, core)
    steps = made_steps()
    valid = torch.arange(LENGTH)[:, None] < torch.tensor([5, 2, 0, 3])
    looked_at = []
    policy.encoder.register_forward_hook(
        lambda module, given, features: looked_at.append(len(given[0]))
    )
    part = policy.sequence(policy.preprocess(steps, valid))
    whole = policy.sequence(steps)
    assert looked_at == [10, LENGTH]
    for ours, theirs in zip(part, whole, strict=True):
        torch.testing.assert_close(ours[valid], theirs[valid], rtol=1e-4, atol=1e-5)
    gradients = [
        torch.autograd.grad(output.value[valid].sum(), list(policy.encoder.parameters()))
        for output in (part, whole)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_rewards_are_normalised_and_pixels_scaled_alone():
    policy = make_policy()
    assert [name for name, _ in policy.named_buffers()] == [
        f"inputs.reward_moments.{part}" for part in ("mean", "variance", "count")
    ]
    assert float(policy.inputs.reward_moments.count) > 0


def test_state_dict_holds_the_encoder():
    policy = make_policy(seed=1)
    other = make_policy(seed=2)
    steps = made_steps()
    other.load_state_dict(policy.state_dict())
    assert torch.equal(policy.sequence(steps).parameters, other.sequence(steps).parameters)


def test_by_itself_a_policy_gives_images_rl2s_encoder_and_other_observations_none():
    assert torch.equal(
        make_policy("auto").encoder.linear.weight, make_policy("rl2").encoder.linear.weight
    )
    assert make_policy("auto", space=gym.spaces.Box(-1, 1, (3,))).encoder is None
    assert make_policy("auto", space=gym.spaces.Box(0, 255, (5, 5, 3), np.uint8)).encoder is None


def test_the_previous_observation_is_for_flat_inputs():
    with pytest.raises(ValueError, match="remembered by the core; leave previous_observation out"):
        make_policy("rl2", previous_observation=True)
    policy = make_policy("none", previous_observation=True)
    steps = made_steps()
    close(step_by_step(policy, steps), policy.sequence(steps))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_kind
def test_on_a_gpu_policies_say_the_same(encoder, core):
    policy = make_policy(encoder, core)
    steps = made_steps()
    wanted = policy.sequence(steps)
    policy = policy.cuda()
    there = Step(*(field.cuda() for field in steps))
    for output in (policy.sequence(there), step_by_step(policy, there)):
        # Convolutions there use TF32
        torch.testing.assert_close(output.parameters.cpu(), wanted.parameters, rtol=1e-2, atol=1e-2)
