"""PPO's parts against their definitions.

Advantages, the clipped loss, schedules, minibatches, clipped gradients, several seeds.
"""

import math

import gymnasium as gym
import pytest
import torch
from torch import nn

from metarl.learners.policy_gradient import ppo
from metarl.learners.policy_gradient.advantages import gae
from metarl.learners.policy_gradient.ppo import (
    Batch,
    PPOConfig,
    annealed,
    clip_gradients,
    minibatches,
    ppo_loss,
    ppo_update,
)
from metarl.networks.actions import action_distribution
from metarl.networks.policies.policy import NetworkConfig, Policy, PolicyOutput
from metarl.networks.policies.stacked import StackedPolicy
from tests.networks.made_steps import random_steps

OBSERVATION = gym.spaces.Discrete(3)
ACTION = gym.spaces.Discrete(2)
ACTIONS = action_distribution(ACTION)
LENGTH = 5
ROWS = 8


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def trajectory(shape, seed=0):
    rng = generator(seed)
    reward, value, next_value = (
        torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(3)
    )
    return reward, value, next_value, torch.rand(shape, generator=rng) < 0.7


def by_definition(reward, value, next_value, carry, discount, gae_lambda):
    """Schulman et al.

    2016, equation 16, term by term: sums of TD errors up to the first step that doesn't carry on.
    """
    delta = reward + discount * next_value - value
    advantage = torch.zeros_like(delta)
    for start in range(len(delta)):
        weight = torch.ones_like(delta[0])
        for t in range(start, len(delta)):
            advantage[start] += weight * delta[t]
            weight = weight * discount * gae_lambda * carry[t]
    return advantage


@pytest.mark.parametrize("shape", [(1, 3), (9, 4), (7, 2, 3)])
@pytest.mark.parametrize(
    ("discount", "gae_lambda"), [(0.99, 0.9), (1.0, 1.0), (0.5, 0.0), (0.0, 0.9)]
)
def test_advantages_equal_their_definition(shape, discount, gae_lambda):
    parts = trajectory(shape)
    torch.testing.assert_close(
        gae(*parts, discount, gae_lambda), by_definition(*parts, discount, gae_lambda)
    )


def test_lambda_one_is_the_discounted_return_less_the_value():
    reward, value, _, _ = trajectory((6, 4))
    following = torch.cat([value[1:], torch.zeros_like(value[:1])])
    carry = torch.ones(6, 4, dtype=torch.bool)
    carry[-1] = False
    returns = torch.zeros_like(reward)
    for t in range(6):
        returns[t] = sum(0.9 ** (i - t) * reward[i] for i in range(t, 6))
    torch.testing.assert_close(gae(reward, value, following, carry, 0.9, 1.0), returns - value)


def test_lambda_zero_is_the_td_error():
    reward, value, next_value, carry = trajectory((6, 4))
    torch.testing.assert_close(
        gae(reward, value, next_value, carry, 0.9, 0.0), reward + 0.9 * next_value - value
    )


def test_termination_truncation_and_the_end_of_an_episode_within_a_meta_episode():
    reward = torch.tensor([1.0, 2.0, 4.0])
    value = torch.tensor([10.0, 20.0, 30.0])

    def advantage(next_value, carry):
        return gae(reward, value, torch.tensor(next_value), torch.tensor(carry), 0.5, 0.5).tolist()

    # the second step ends an episode; the third is the meta-episode's last
    # terminated
    assert advantage([20.0, 0.0, 0.0], [True, False, False]) == [
        1 + 10 - 10 + 0.25 * (2 - 20),
        2 - 20,
        4 - 30,
    ]
    # V(final) = 8
    assert advantage([20.0, 8.0, 0.0], [True, False, False]) == [
        1 + 10 - 10 + 0.25 * (2 + 4 - 20),
        2 + 4 - 20,
        4 - 30,
    ]
    across = 2 + 15 - 20 + 0.25 * (4 - 30)
    # RL² goes on
    assert advantage([20.0, 30.0, 0.0], [True, True, False]) == [
        1 + 10 - 10 + 0.25 * across,
        across,
        4 - 30,
    ]


class Says(nn.Module):
    """A policy that says what it was given, whatever it sees."""

    def __init__(self, parameters, value):
        super().__init__()
        self.parameters_said = nn.Parameter(parameters)
        self.value_said = nn.Parameter(value)

    def sequence(self, steps):
        return PolicyOutput(self.parameters_said, self.value_said)


def logits_of(probabilities):
    return torch.stack([torch.tensor(probabilities), 1 - torch.tensor(probabilities)], -1).log()


def test_the_clipped_loss_equals_numbers_worked_out_by_hand():
    policy = Says(
        logits_of([[0.6, 0.6, 0.3, 0.3, 0.54, 0.9]]),
        torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 99.0]]),
    )
    batch = Batch(
        random_steps(OBSERVATION, ACTION, 1, 6),
        action=torch.zeros(1, 6, dtype=torch.int64),
        # So the ratios are 1.2, 1.2, 0.6, 0.6, 1.08, and one that isn't valid
        log_prob=torch.full((1, 6), math.log(0.5)),
        advantage=torch.tensor([[2.0, -2.0, 2.0, -2.0, 1.0, 99.0]]),
        target=torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]),
        valid=torch.tensor([[True, True, True, True, True, False]]),
    )
    config = PPOConfig(clip=0.1, value_coef=0.5)
    loss, metrics = ppo_loss(policy, ACTIONS, batch, config, entropy_weight=0.2, num_seeds=1)
    surrogate = (1.1 * 2 + 1.2 * -2 + 0.6 * 2 + 0.9 * -2 + 1.08 * 1) / 5
    value_loss = (1 + 4 + 9 + 16 + 25) / 5
    entropy = (
        -sum(p * math.log(p) + (1 - p) * math.log(1 - p) for p in (0.6, 0.6, 0.3, 0.3, 0.54)) / 5
    )
    kl = sum(ratio - 1 - math.log(ratio) for ratio in (1.2, 1.2, 0.6, 0.6, 1.08)) / 5
    assert float(metrics.policy_loss) == pytest.approx(-surrogate, abs=1e-6)
    assert float(metrics.value_loss) == pytest.approx(value_loss, abs=1e-5)
    assert float(metrics.entropy) == pytest.approx(entropy, abs=1e-6)
    assert float(metrics.kl) == pytest.approx(kl, abs=1e-6)
    assert float(metrics.clip_fraction) == pytest.approx(4 / 5)
    assert float(loss.detach()) == pytest.approx(
        -surrogate + 0.5 * value_loss - 0.2 * entropy, abs=1e-5
    )
    loss.backward()
    assert policy.value_said.grad[0].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 0.0])
    assert float(policy.parameters_said.grad[0, 5].abs().sum()) == 0


def test_what_clipping_decided_gives_no_gradient():
    policy = Says(logits_of([[0.6, 0.6, 0.3, 0.3]]), torch.zeros(1, 4))
    batch = Batch(
        random_steps(OBSERVATION, ACTION, 1, 4),
        action=torch.zeros(1, 4, dtype=torch.int64),
        log_prob=torch.full((1, 4), math.log(0.5)),
        advantage=torch.tensor([[2.0, -2.0, 2.0, -2.0]]),
        target=torch.zeros(1, 4),
        valid=torch.ones(1, 4, dtype=torch.bool),
    )
    loss, _ = ppo_loss(policy, ACTIONS, batch, PPOConfig(clip=0.1), 0.0, 1)
    loss.backward()
    # a ratio that has gone far enough in the direction the advantage asks for stays; one that went
    # the wrong way is pulled back: d(-ratio A / 4)/d logit = -ratio A (1 - p) / 4
    assert policy.parameters_said.grad[0, :, 0].tolist() == pytest.approx(
        [0, 1.2 * 2 * 0.4 / 4, -0.6 * 2 * 0.7 / 4, 0], abs=1e-6
    )


def made_policy(seed, core="gru"):
    config = NetworkConfig(core=core, hidden_size=6, heads=2)
    policy = Policy(OBSERVATION, ACTION, config, LENGTH, generator(seed))
    with torch.no_grad():
        policy.heads.weight[:-1] *= 50
    return policy


def made_batch(num_seeds=1, rows=ROWS, seed=0):
    rng = generator(seed)
    shape = (LENGTH, num_seeds * rows)
    action = torch.randint(2, shape, generator=rng)
    log_prob, advantage, target = (
        torch.rand(shape, generator=rng) - 1.2,
        *(torch.randn(shape, generator=rng) for _ in range(2)),
    )
    lengths = torch.randint(1, LENGTH + 1, shape[1:], generator=rng)
    valid = torch.arange(LENGTH)[:, None] < lengths
    return Batch(
        random_steps(OBSERVATION, ACTION, *shape, seed=seed),
        action,
        log_prob,
        advantage,
        target,
        valid,
    )


def of_seed(batch, seed_index, rows=ROWS):
    return batch.columns(torch.arange(seed_index * rows, (seed_index + 1) * rows))


@pytest.mark.parametrize("core", ["gru", "attention"])
def test_seeds_together_have_the_losses_and_gradients_they_have_apart(core):
    apart = [made_policy(seed, core) for seed in range(3)]
    batch = made_batch(3)
    config = PPOConfig(clip=0.1, value_coef=0.7)
    stacked = StackedPolicy(apart)
    loss, metrics = ppo_loss(stacked, ACTIONS, batch, config, 0.3, num_seeds=3)
    loss.backward()
    gradients = {
        name.replace("/", ".").removeprefix("policy."): parameter.grad
        for name, parameter in stacked.named_parameters()
    }
    losses = []
    for i, policy in enumerate(apart):
        own, own_metrics = ppo_loss(policy, ACTIONS, of_seed(batch, i), config, 0.3, num_seeds=1)
        own.backward()
        losses.append((own.detach(), *own_metrics))
        for name, parameter in policy.named_parameters():
            torch.testing.assert_close(gradients[name][i], parameter.grad, rtol=1e-4, atol=1e-6)
    # Or the weights weren't tested
    assert len({batch.valid.unflatten(1, (3, -1)).sum((0, 2))[i].item() for i in range(3)}) > 1
    torch.testing.assert_close(loss, sum(each[0] for each in losses))
    for i, name in enumerate(metrics._fields):
        torch.testing.assert_close(
            getattr(metrics, name), sum(each[i + 1] for each in losses) / 3, rtol=1e-4, atol=1e-6
        )


def test_seeds_updated_together_become_what_they_become_apart():
    apart = [made_policy(seed) for seed in range(3)]
    batch = made_batch(3)
    # One minibatch: nothing is drawn
    config = PPOConfig(epochs=4, minibatches=1, max_grad_norm=0.05, lr=0.01, weight_decay=0.1)
    stacked = StackedPolicy(apart)
    optimizer = torch.optim.AdamW(stacked.parameters(), weight_decay=0.1, eps=1e-5)
    ppo_update(stacked, optimizer, ACTIONS, batch, config, 0.2, 3, generator())
    for i, policy in enumerate(apart):
        optimizer = torch.optim.AdamW(policy.parameters(), weight_decay=0.1, eps=1e-5)
        ppo_update(policy, optimizer, ACTIONS, of_seed(batch, i), config, 0.2, 1, generator())
        for ours, theirs in zip(stacked.select(i).parameters(), policy.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_columns_that_are_not_valid_do_not_matter():
    policy = made_policy(0)
    batch = made_batch()
    config = PPOConfig()
    spoilt = batch._replace(
        advantage=torch.where(batch.valid, batch.advantage, 1e6),
        target=torch.where(batch.valid, batch.target, -1e6),
        log_prob=torch.where(batch.valid, batch.log_prob, -1.0),
    )
    wanted, measured = (
        ppo_loss(policy, ACTIONS, each, config, 0.1, 1)[0] for each in (batch, spoilt)
    )
    torch.testing.assert_close(measured, wanted)


@pytest.mark.parametrize(
    ("columns", "num_seeds", "parts"), [(8, 1, 4), (8, 3, 4), (7, 2, 3), (5, 2, 5), (4, 1, 1)]
)
def test_minibatches_partition_each_seeds_columns(columns, num_seeds, parts):
    drawn = minibatches(columns, num_seeds, parts, generator())
    assert len(drawn) == parts
    assert sorted(torch.cat(drawn).tolist()) == list(range(columns * num_seeds))
    for part in drawn:
        # Seed by seed, as the loss reads them
        owners = part.div(columns, rounding_mode="floor").unflatten(0, (num_seeds, -1))
        assert torch.equal(owners, torch.arange(num_seeds)[:, None].expand_as(owners))


def test_minibatches_are_drawn_anew_and_from_the_generator():
    rng = generator(1)
    first, second = (torch.cat(minibatches(32, 2, 4, rng)) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, torch.cat(minibatches(32, 2, 4, generator(1))))
    assert not torch.equal(first[:8].sort().values, torch.arange(8))


def test_columns_pick_whole_meta_episodes():
    batch = made_batch()
    picked = batch.columns(torch.tensor([5, 1]))
    longest = int(batch.valid.sum(0)[[5, 1]].max())
    assert longest < LENGTH  # what comes after the longest of them is left out
    assert torch.equal(picked.steps.observation, batch.steps.observation[:longest, [5, 1]])
    for name in ("action", "log_prob", "advantage", "target", "valid"):
        assert torch.equal(getattr(picked, name), getattr(batch, name)[:longest, [5, 1]])


@pytest.mark.parametrize(("share", "wanted"), [(-1, 5), (0, 5), (0.25, 4), (1, 1), (2, 1)])
def test_annealing(share, wanted):
    assert annealed(5, 1, share) == wanted


@pytest.mark.parametrize(
    ("progress", "lr", "weight"),
    [(0.0, 0.01, 0.4), (0.25, 0.0075, 0.3), (0.5, 0.005, 0.2), (0.9, 0.001, 0.2)],
)
def test_schedules_reach_the_optimizer_and_the_loss(monkeypatch, progress, lr, weight):
    weights = []

    def watching(policy, actions, batch, config, entropy_weight, *rest):
        weights.append(entropy_weight)
        return ppo_loss(policy, actions, batch, config, entropy_weight, *rest)

    monkeypatch.setattr(ppo, "ppo_loss", watching)
    config = PPOConfig(
        lr=0.01,
        lr_end=0.0,
        entropy_coef=0.4,
        entropy_end=0.2,
        entropy_until=0.5,
        epochs=2,
        minibatches=3,
    )
    policy = made_policy(0)
    optimizer = torch.optim.AdamW(policy.parameters(), 1.0)
    ppo_update(policy, optimizer, ACTIONS, made_batch(), config, progress, 1, generator())
    assert optimizer.param_groups[0]["lr"] == pytest.approx(lr)
    assert weights == [pytest.approx(weight)] * 6


def test_gradients_are_clipped_member_by_seed_as_they_would_be_apart():
    rng = generator(2)
    shapes = [(4,), (3, 2), (1,)]
    raw = [
        torch.randn(3, *shape, generator=rng)
        * torch.tensor([0.01, 1.0, 100.0]).reshape(3, *(1 for _ in shape))
        for shape in shapes
    ]
    stacked = [nn.Parameter(torch.zeros_like(grad)) for grad in raw]
    for parameter, grad in zip(stacked, raw, strict=True):
        parameter.grad = grad.clone()
    unused = nn.Parameter(torch.zeros(3, 2))
    norm = clip_gradients([*stacked, unused], 0.5, num_seeds=3)
    norms = []
    for i in range(3):
        own = [nn.Parameter(torch.zeros_like(grad[i])) for grad in raw]
        for parameter, grad in zip(own, raw, strict=True):
            parameter.grad = grad[i].clone()
        norms.append(nn.utils.clip_grad_norm_(own, 0.5))
        for ours, theirs in zip(stacked, own, strict=True):
            torch.testing.assert_close(ours.grad[i], theirs.grad)
    torch.testing.assert_close(norm, torch.stack(norms).mean())
    assert torch.equal(stacked[0].grad[0], raw[0][0])  # small ones stay


def test_one_seeds_gradient_is_clipped():
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    assert float(clip_gradients([parameter], 1.0, num_seeds=1)) == pytest.approx(5)
    assert parameter.grad.tolist() == pytest.approx([0.6, 0.8], abs=1e-5)


def test_an_update_makes_good_actions_likelier_and_values_right():
    policy = made_policy(0)
    batch = made_batch(rows=64)
    with torch.no_grad():
        output = policy.sequence(batch.steps)
        log_prob = ACTIONS.log_prob(output.parameters, batch.action)
    advantage = torch.where(batch.action == 1, 1.0, -1.0)
    batch = batch._replace(
        log_prob=log_prob, advantage=advantage, target=torch.full_like(advantage, 0.5)
    )
    optimizer = torch.optim.AdamW(policy.parameters(), eps=1e-5)
    config = PPOConfig(lr=3e-3, epochs=4, minibatches=4, entropy_coef=0.0)
    for _ in range(10):
        metrics = ppo_update(policy, optimizer, ACTIONS, batch, config, 0.0, 1, generator())
    with torch.no_grad():
        after = policy.sequence(batch.steps)
        change = ACTIONS.log_prob(after.parameters, batch.action) - log_prob
    good = batch.valid & (batch.action == 1)
    bad = batch.valid & (batch.action == 0)
    assert float(change[good].mean()) > 0.05
    assert float(change[bad].mean()) < -0.05
    assert float((after.value[batch.valid] - 0.5).abs().mean()) < 0.5 * float(
        (output.value[batch.valid] - 0.5).abs().mean()
    )
    assert float(metrics.kl) > 0
    assert float(metrics.grad_norm) > 0


def test_the_first_pass_sees_the_policy_that_played():
    policy = made_policy(0)
    batch = made_batch()
    with torch.no_grad():
        batch = batch._replace(
            log_prob=ACTIONS.log_prob(policy.sequence(batch.steps).parameters, batch.action)
        )
    config = PPOConfig(epochs=1, minibatches=1)
    metrics = ppo_update(
        policy, torch.optim.AdamW(policy.parameters()), ACTIONS, batch, config, 0.0, 1, generator()
    )
    assert float(metrics.kl) == pytest.approx(0, abs=1e-6)
    assert float(metrics.clip_fraction) == 0
    assert float(metrics.policy_loss) == pytest.approx(
        -float(batch.advantage[batch.valid].mean()), abs=1e-5
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"discount": 1.1},
        {"gae_lambda": -0.1},
        {"epochs": 0},
        {"minibatches": 0},
        {"lr": 0.0},
        {"clip": -0.2},
        {"max_grad_norm": 0.0},
        {"lr_end": -1e-5},
        {"entropy_coef": -0.1},
        {"value_coef": -1.0},
        {"weight_decay": -0.1},
        {"entropy_until": 0.0},
        {"entropy_until": 1.5},
        {"discount": math.nan},
        {"lr": math.nan},
    ],
)
def test_bad_settings_get_a_sentence(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        PPOConfig(**settings)
