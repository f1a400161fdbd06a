"""Advantages are what loops make of episodes and linear functions that are found.

The surrogate's gradient is the policy gradient.
"""

import math

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.learners.policy_gradient.advantages import (
    PolicyGradientBatch,
    baseline_features,
    estimate_advantages,
    fit_baseline,
)
from metarl.learners.policy_gradient.ppo import surrogate, surrogate_and_grad
from metarl.learners.policy_gradient.trajectory import Trajectory
from metarl.networks.actions import action_distribution
from metarl.tasks.control.point_navigation import PointNavigation

STEPS = 6
TASKS = 3
EPISODES = 4
FEATURES = 2
DISCOUNT = 0.9
LAMBDA = 0.8
ACTIONS = action_distribution(PointNavigation().action_space)


def made_episodes():
    """Episodes of 1 to 6 steps, half of them terminated."""
    rng = torch_generator(3)
    lengths = torch.randint(1, STEPS + 1, (TASKS, EPISODES), generator=rng)
    grid = (STEPS, TASKS, EPISODES)
    time = torch.arange(STEPS)[:, None, None]
    ends_by_itself = torch.rand(TASKS, EPISODES, generator=rng) < 0.5
    return lengths, Trajectory(
        observation=torch.randn(*grid, FEATURES, generator=rng),
        action=0.1 * torch.randn(*grid, 2, generator=rng),
        log_prob=torch.randn(grid, generator=rng),
        reward=torch.randn(grid, generator=rng),
        terminated=(time == lengths - 1) & ends_by_itself,
        valid=time < lengths,
        final_observation=torch.randn(TASKS, EPISODES, FEATURES, generator=rng),
    )


def test_advantages_are_those_of_a_loop_over_single_episodes():
    lengths, episodes = made_episodes()
    batch = estimate_advantages(episodes, DISCOUNT, LAMBDA).targets
    for task in range(TASKS):
        features = []
        returns = []
        for e in range(EPISODES):
            n = int(lengths[task, e])
            rewards = episodes.reward[:n, task, e]
            features.append(baseline_features(episodes.observation[:n, task, e], torch.arange(n)))
            returns.append(
                torch.stack(
                    [sum(DISCOUNT ** (k - t) * rewards[k] for k in range(t, n)) for t in range(n)]
                )
            )
        all_features = torch.cat(features)
        all_returns = torch.cat(returns)
        fitted = fit_baseline(
            all_features[None], all_returns[None], torch.ones(1, len(all_returns), dtype=torch.bool)
        )[0].float()
        advantages = torch.full((STEPS, EPISODES), float("nan"))
        for e in range(EPISODES):
            n = int(lengths[task, e])
            values = [float(v) for v in features[e] @ fitted]
            last = float(
                baseline_features(episodes.final_observation[task, e], torch.tensor(n)) @ fitted
            )
            values.append(0.0 if episodes.terminated[n - 1, task, e] else last)
            running = 0.0
            for t in reversed(range(n)):
                running = (
                    float(episodes.reward[t, task, e])
                    + DISCOUNT * values[t + 1]
                    - values[t]
                    + DISCOUNT * LAMBDA * running
                )
                advantages[t, e] = running
        counted = advantages[~advantages.isnan()]
        wanted = ((advantages - counted.mean()) / counted.std(correction=0)).nan_to_num(0).flatten()
        share = len(counted) / (STEPS * EPISODES)
        assert torch.allclose(batch.advantage[task] * share, wanted, atol=2e-3)
        assert torch.allclose(batch.weight[task] * share, (~advantages.isnan()).float().flatten())


def test_what_lies_after_an_episodes_end_changes_nothing():
    _, episodes = made_episodes()
    after = ~episodes.valid
    features = episodes.observation.masked_fill(after[..., None], 50)
    other = episodes._replace(
        reward=episodes.reward.masked_fill(after, 1e3),
        observation=features,
        terminated=episodes.terminated | after,
    )
    assert torch.equal(
        estimate_advantages(episodes, DISCOUNT, LAMBDA).targets.advantage,
        estimate_advantages(other, DISCOUNT, LAMBDA).targets.advantage,
    )


def test_each_tasks_linear_function_is_found():
    rng = torch_generator(0)
    features = torch.randn(3, 200, 5, generator=rng)
    coefficients = torch.randn(3, 5, generator=rng)
    returns = torch.einsum("nmd,nd->nm", features, coefficients)
    assert torch.allclose(
        fit_baseline(features, returns, torch.ones(3, 200, dtype=torch.bool)).float(),
        coefficients,
        atol=1e-3,
    )


def test_steps_that_do_not_count_change_nothing():
    rng = torch_generator(0)
    features = torch.randn(2, 50, 4, generator=rng)
    returns = torch.randn(2, 50, generator=rng)
    valid = torch.rand(2, 50, generator=rng) < 0.6
    other = (
        returns.where(valid, torch.tensor(float("nan"))),
        features.where(valid[..., None], torch.tensor(1e9)),
    )
    assert torch.allclose(
        fit_baseline(features, returns, valid), fit_baseline(other[1], other[0], valid)
    )


def test_one_step_is_enough_for_a_baseline():
    found = fit_baseline(
        torch.ones(1, 1, 6), torch.full((1, 1), 3.0), torch.ones(1, 1, dtype=torch.bool)
    )
    assert torch.isfinite(found).all()
    assert abs(float(found.sum()) - 3) < 1e-3


def test_a_baselines_features_are_the_observation_its_square_and_powers_of_time():
    features = baseline_features(torch.tensor([[2.0, -3.0]]), torch.tensor([50]))
    assert features.tolist() == [[2, -3, 4, 9, 0.5, 0.25, 0.125, 1]]


def played_steps(parameters):
    rng = torch_generator(1)
    action = ACTIONS.sample(parameters, rng)
    gain = torch.randn(action.shape[:2], generator=rng)
    return PolicyGradientBatch(
        action, ACTIONS.log_prob(parameters, action), gain, torch.ones_like(gain)
    )


@pytest.mark.parametrize("clip", [math.inf, 0.2])
def test_the_surrogates_gradient_is_the_policy_gradient_where_actions_were_drawn(clip):
    parameters = torch.randn(2, 5, 4, generator=torch_generator(0)).requires_grad_()
    batch = played_steps(parameters.detach())
    (found,) = torch.autograd.grad(
        surrogate(ACTIONS)(parameters, batch._replace(clip=clip)).sum(), parameters
    )
    (wanted,) = torch.autograd.grad(
        -(ACTIONS.log_prob(parameters, batch.action) * batch.advantage).sum(), parameters
    )
    assert torch.allclose(found, wanted, atol=1e-5)


def test_the_clipped_surrogate_stops_where_a_ratio_has_gone_far_enough():
    batch = PolicyGradientBatch(
        torch.zeros(1, 4, 2),
        torch.zeros(1, 4),
        torch.tensor([[1.0, 1.0, -1.0, -1.0]]),
        torch.ones(1, 4),
    )
    parameters = torch.zeros(1, 4, 4)
    likely = ACTIONS.log_prob(parameters, batch.action) - 0.5
    unlikely = ACTIONS.log_prob(parameters, batch.action) + 0.5
    batch = batch._replace(
        log_prob=torch.where(torch.tensor([[True, False, True, False]]), likely, unlikely)
    )
    loss = surrogate(ACTIONS)(parameters, batch._replace(clip=0.2))[0]
    more = torch.tensor(0.5).exp()
    less = torch.tensor(-0.5).exp()
    assert torch.allclose(
        loss, torch.stack([-torch.tensor(1.2), -less, more, torch.tensor(0.8)]), atol=1e-5
    )


@pytest.mark.parametrize("clip", [math.inf, 0.2])
def test_the_surrogates_slope_is_its_gradient(clip):
    rng = torch_generator(1)
    parameters = torch.randn(2, 50, 4, generator=rng)
    batch = played_steps(parameters)._replace(clip=clip)
    moved = (parameters + 0.2 * torch.randn(parameters.shape, generator=rng)).requires_grad_()
    wanted = surrogate(ACTIONS)(moved, batch)
    loss, grad = surrogate_and_grad(ACTIONS)(moved.detach(), batch)
    torch.testing.assert_close(loss, wanted.detach())
    torch.testing.assert_close(grad, torch.autograd.grad(wanted.sum(), moved)[0])
    assert bool((grad == 0).all(2).any()) == (clip < math.inf)  # some ratios have gone far enough


@pytest.mark.parametrize("size", [1.0, 1e7])  # with the larger, rounding is more than the ridge
def test_baselines_of_many_features_are_fitted(size):
    rng = torch.Generator().manual_seed(0)
    features = size * torch.randn(3, 40, 212, generator=rng)
    returns = torch.randn(3, 40, generator=rng)
    valid = torch.ones(3, 40, dtype=torch.bool)
    fitted = (features.double() @ fit_baseline(features, returns, valid)[..., None])[..., 0]
    assert torch.allclose(fitted, returns.double(), atol=1e-2)
