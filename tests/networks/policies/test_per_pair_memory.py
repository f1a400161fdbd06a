"""The policy for actions that are alike.

Both ways of running it agree, its gradients are right, and it treats actions alike.
"""

import gymnasium as gym
import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.core.step import Step
from metarl.networks.cores.keyed_memory import KeyedMemory
from metarl.networks.policies.per_pair_memory import LatestReadouts, PerPairMemoryPolicy
from metarl.networks.policies.policy import PolicyOutput
from metarl.networks.policies.stacked import StackedPolicy


def policy_of(
    arms: int = 4, hidden_size: int = 8, max_steps: int = 12, seed: int = 0, observations: int = 1
) -> PerPairMemoryPolicy:
    policy = PerPairMemoryPolicy(
        gym.spaces.Discrete(observations, start=3),
        gym.spaces.Discrete(arms),
        hidden_size,
        max_steps,
        torch_generator(seed),
    )
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(
                0.1 * torch.randn(parameter.shape, generator=torch_generator(seed, "noise"))
            )
    return policy


def played(
    length: int = 12, rows: int = 5, arms: int = 4, seed: int = 0, observations: int = 1
) -> Step:
    rng = torch_generator(seed, "steps")
    start = torch.zeros(length, rows, dtype=torch.bool)
    start[0] = True
    action = torch.randint(arms, (length, rows), generator=rng)
    reward = torch.rand(length, rows, generator=rng).round()
    action[0] = 0
    reward[0] = 0
    observation = 3 + torch.randint(observations, (length, rows), generator=rng)
    return Step(observation, action, reward, ~start, torch.zeros_like(start), observation, start)


def one_by_one(policy: torch.nn.Module, steps: Step) -> PolicyOutput:
    state = policy.initial_state(steps.prev_reward.shape[1])
    outputs = []
    for t in range(len(steps.prev_reward)):
        output, state = policy(Step(*(field[t] for field in steps)), state)
        outputs.append(output)
    return PolicyOutput(
        torch.stack([o.parameters for o in outputs]), torch.stack([o.value for o in outputs])
    )


@pytest.mark.parametrize("observations", [1, 3])
def test_step_by_step_equals_the_whole_sequence(observations):
    policy = policy_of(observations=observations)
    steps = played(observations=observations)
    with torch.no_grad():
        for one, whole in zip(one_by_one(policy, steps), policy.sequence(steps), strict=True):
            torch.testing.assert_close(one, whole, rtol=1e-4, atol=1e-6)


def test_rows_that_start_a_meta_episode_forget():
    policy = policy_of()
    steps = played(6)
    again = Step(*(torch.cat([field, field]) for field in steps))
    with torch.no_grad():
        first, second = one_by_one(policy, again).parameters.chunk(2)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("observations", [1, 3])
def test_gradients_equal_those_of_the_steps(observations):
    policy = policy_of(observations=observations).double()
    steps = played(9, observations=observations)
    steps = steps._replace(prev_reward=steps.prev_reward.double())
    weight = torch.randn(9, 5, 4, generator=torch_generator(3), dtype=torch.float64)
    grads = []
    for output in (one_by_one(policy, steps), policy.sequence(steps)):
        loss = (output.parameters * weight).sum() + output.value.square().sum()
        grads.append(torch.autograd.grad(loss, list(policy.parameters())))
    for one, whole in zip(*grads, strict=True):
        torch.testing.assert_close(one, whole, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("length", [1, 7])
def test_written_out_gradients_equal_numerical_ones(length):
    rng = torch_generator(length)
    action = torch.randint(3, (length, 2), generator=rng)
    features = torch.randn(length, 2, 1, generator=rng, dtype=torch.float64)
    weights = [
        torch.randn(shape, generator=rng, dtype=torch.float64).requires_grad_()
        for shape in ((3, 1, 4), (3, 4, 4), (3, 4), (4,))
    ]
    assert torch.autograd.gradcheck(
        lambda *own: KeyedMemory.apply(features, action, 3, *own)[0], weights
    )
    readout = (
        torch.randn(length, 1, 3, generator=rng, dtype=torch.float64)
        .expand(length, 2, 3)
        .clone()
        .requires_grad_()
    )
    weight = torch.randn(length, 3, 2, generator=rng, dtype=torch.float64).requires_grad_()

    def latest(readout: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        # The first row is the same everywhere, as an empty memory's is
        same = torch.cat([readout[:1, :1].expand(1, 2, 3), readout[1:]])
        return LatestReadouts.apply(same, action, 3, weight)[0]

    assert torch.autograd.gradcheck(latest, (readout, weight))


def test_actions_are_alike():
    policy = policy_of()
    steps = played()
    order = torch.tensor([2, 0, 3, 1])
    renamed = steps._replace(prev_action=torch.argsort(order)[steps.prev_action])
    with torch.no_grad():
        before = policy.sequence(steps)
        after = policy.sequence(renamed)
    torch.testing.assert_close(after.parameters, before.parameters[..., order])
    torch.testing.assert_close(after.value, before.value)


def test_each_observation_has_memories_of_its_own():
    policy = policy_of(observations=2)
    steps = played(observations=2)
    # Rewards that were got where the agent doesn't stand at the end
    elsewhere = steps.observation[:-1] == 3
    steps = steps._replace(observation=torch.cat([steps.observation[:-1], torch.full((1, 5), 4)]))
    changed = steps._replace(
        prev_reward=torch.cat(
            [
                steps.prev_reward[:1],
                torch.where(elsewhere, 1 - steps.prev_reward[1:], steps.prev_reward[1:]),
            ]
        )
    )
    with torch.no_grad():
        before = policy.sequence(steps)
        after = policy.sequence(changed)
    assert torch.equal(before.parameters[-1], after.parameters[-1])
    assert not torch.equal(before.value[-1], after.value[-1])


def test_observations_are_alike():
    policy = policy_of(observations=3)
    steps = played(observations=3)
    renamed = steps._replace(observation=3 + (steps.observation - 3 + 1) % 3)
    with torch.no_grad():
        before = policy.sequence(steps)
        after = policy.sequence(renamed)
    torch.testing.assert_close(after.parameters, before.parameters)
    torch.testing.assert_close(after.value, before.value)


def test_its_weights_play_any_number_of_actions():
    few = policy_of(arms=3)
    many = policy_of(arms=50, seed=1)
    many.load_state_dict(few.state_dict())
    with torch.no_grad():
        one = few.sequence(played(arms=3))
        other = many.sequence(played(arms=3))
    torch.testing.assert_close(one.parameters, other.parameters[..., :3])


def test_rows_do_not_read_their_neighbours():
    policy = policy_of()
    steps = played()
    changed = steps._replace(prev_reward=steps.prev_reward.clone())
    changed.prev_reward[1:, 0] = 1 - changed.prev_reward[1:, 0]
    with torch.no_grad():
        before = policy.sequence(steps)
        after = policy.sequence(changed)
    assert not torch.equal(before.parameters[:, 0], after.parameters[:, 0])
    assert torch.equal(before.parameters[:, 1:], after.parameters[:, 1:])


def test_stacked_seeds_equal_each_alone():
    policies = [policy_of(seed=seed) for seed in (0, 1)]
    steps = played()
    both = Step(*(torch.cat([field, field], 1) for field in steps))
    stacked = StackedPolicy(policies)
    for output in (stacked.sequence(both), one_by_one(stacked, both)):
        for part, policy in zip(output.parameters.chunk(2, 1), policies, strict=True):
            torch.testing.assert_close(
                part, policy.sequence(steps).parameters, rtol=1e-4, atol=1e-6
            )


def test_other_spaces_get_a_sentence():
    with pytest.raises(ValueError, match="choose gru, lstm or attention"):
        PerPairMemoryPolicy(
            gym.spaces.Box(0, 1, (2,)), gym.spaces.Discrete(5), 8, 10, torch_generator(0)
        )
