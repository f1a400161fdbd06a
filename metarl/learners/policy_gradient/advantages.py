"""Advantages: how much better than expected an action turned out, and what a policy gradient learns
from them.

Generalised advantages (Schulman et al. 2016, arXiv 1506.02438) serve every learner. Those with a
critic (RL², PPO) hand in its values. Learners of single episodes without one
(`estimate_advantages`) give each task a value function of its own, linear in features of the
observation and of time (Duan et al. 2016, arXiv 1604.06778, supplement, section 2). Fitted anew to
every batch of episodes, in closed form, it has nothing to train and nothing to save, so that an
agent can fit one in a task it has never seen. To them a terminated episode is worth nothing more, a
truncated one what its last observation is worth.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from metarl.core.supervised import Examples
from metarl.learners.policy_gradient.trajectory import Trajectory

__all__ = [
    "PolicyGradientBatch",
    "baseline_features",
    "discounted_returns",
    "estimate_advantages",
    "fit_baseline",
    "gae",
    "normalised",
    "values_after",
]

RIDGE = 1e-5  # weight of the squared coefficients of a baseline, beside the mean squared error
# From which on it pays to have an equation for each step rather than for each feature
MANY_FEATURES = 256
FIT_BYTES = 2**29  # that fits of several tasks at once may take


class PolicyGradientBatch(NamedTuple):
    """What a policy's loss reads beside observations, m steps of each of n tasks."""

    action: Tensor  # [n, m, *act]
    log_prob: Tensor  # [n, m]
    advantage: Tensor  # [n, m] normalised within each task, times weight
    weight: Tensor  # [n, m] 0 for steps that don't count, and else such that its mean over m is 1
    clip: float = math.inf  # how far a probability ratio may be from 1 and still be paid for


def gae(
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    carry: Tensor,
    discount: float,
    gae_lambda: float,
) -> Tensor:
    """Return generalised advantages [T, ...] (Schulman et al. 2016, equation 16).

    Args:
        reward, value: [T, ...], of step t and the state it was taken in.
        next_value: [T, ...], of the state after step t: 0 after termination (for RL²: after the
            meta-episode), V(final observation) after truncation.
        carry: [T, ...] bool, whether step t + 1 belongs to the same return.
        discount, gae_lambda: gamma and lambda.
    """
    delta = reward + discount * next_value - value
    decay = discount * gae_lambda * carry.to(value.dtype)
    advantage = torch.empty_like(delta)
    running = torch.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        running = delta[t] + decay[t] * running
        advantage[t] = running
    return advantage


def discounted_returns(reward: Tensor, carry: Tensor, discount: float) -> Tensor:
    """Return the discounted sums [T, ...] of what came from each step on, as far as `carry` [T,
    ...] goes on.
    """
    nothing = torch.zeros_like(reward)
    return gae(reward, nothing, nothing, carry, discount, 1.0)


def values_after(value: Tensor, carry: Tensor, last: Tensor, end: Tensor | float) -> Tensor:
    """Return the values [T, ...] of what each step led to: the next step's where `carry` is true,
    else `end`.

    Args:
        value, carry: [T, ...]. last: [...] the value of what the last step led to.
        end: [T, ...] or [...], of what ended there showed last.
    """
    return torch.where(carry, torch.cat([value[1:], last[None]]), end)


@torch.no_grad()
def estimate_advantages(
    episodes: Trajectory, discount: float, gae_lambda: float, by_time_alone: bool = False
) -> Examples:
    """Return every step with its advantage: inputs [n, m, F], targets a `PolicyGradientBatch`, m =
    T E.

    Args:
        episodes: [T, n, E] of features, with what each episode showed last.
        discount, gae_lambda: gamma and lambda.
        by_time_alone: baselines don't read observations, whose coefficients few samples would be
            fitted to exactly: nothing of the returns would be left to learn from.
    """
    assert episodes.final_observation is not None, "single episodes are valued where they are cut"
    valid = episodes.valid
    reward = torch.where(valid, episodes.reward, 0)
    times = torch.arange(len(valid) + 1, device=valid.device)[:, None, None].expand(
        -1, *valid.shape[1:]
    )
    read = slice(0) if by_time_alone else slice(None)
    described = baseline_features(episodes.observation[..., read], times[:-1])
    carry = torch.zeros_like(valid)
    carry[:-1] = valid[1:]
    returns = discounted_returns(reward, carry, discount)
    fitted = fit_baseline(steps_of_task(described), steps_of_task(returns), steps_of_task(valid))
    coefficients = fitted.to(described.dtype)  # [n, D]
    value = torch.einsum("tned,nd->tne", described, coefficients)
    last = baseline_features(episodes.final_observation[..., read], valid.sum(0))
    terminated = (episodes.terminated & valid).any(0)
    final_value = torch.where(terminated, 0, torch.einsum("ned,nd->ne", last, coefficients))
    advantage = gae(
        reward,
        value,
        values_after(value, carry, value[-1], final_value),
        carry,
        discount,
        gae_lambda,
    )
    counted = steps_of_task(valid)
    weight = counted * (counted.shape[1] / counted.sum(1, keepdim=True).clamp_min(1))
    weighted = normalised_by_task(steps_of_task(advantage), weight) * weight
    batch = PolicyGradientBatch(
        steps_of_task(episodes.action), steps_of_task(episodes.log_prob), weighted, weight
    )
    return Examples(steps_of_task(episodes.observation), batch)


def normalised(advantage: Tensor, valid: Tensor) -> Tensor:
    """Return advantages [T, S, B] moved and scaled to mean 0 and deviation 1 over each seed's steps
    that count.
    """
    count = valid.sum((0, 2), keepdim=True)
    mean = torch.where(valid, advantage, 0).sum((0, 2), keepdim=True) / count
    away = torch.where(valid, advantage - mean, 0)
    deviation = (away.square().sum((0, 2), keepdim=True) / count).sqrt()
    return away / (deviation + 1e-8)


def normalised_by_task(advantage: Tensor, weight: Tensor) -> Tensor:
    """Return the same of advantages [n, m], task by task, where steps count by their weights [n, m]
    of mean 1.
    """
    advantage = torch.where(weight > 0, advantage, 0)
    away = advantage - (weight * advantage).mean(1, keepdim=True)
    return away / ((weight * away.square()).mean(1, keepdim=True).sqrt() + 1e-8)


def steps_of_task(part: Tensor) -> Tensor:
    """Return [n, T E, ...] of [T, n, E, ...]."""
    return part.transpose(0, 1).flatten(1, 2)


def baseline_features(observation: Tensor, time: Tensor) -> Tensor:
    """Features [..., 2 F + 4] of observations [..., F] seen after `time` [...] steps of an episode."""
    hundreds = (time.to(observation.dtype) / 100)[..., None]
    one = torch.ones_like(hundreds)
    return torch.cat(
        [observation, observation.square(), hundreds, hundreds.square(), hundreds.pow(3), one], -1
    )


def fit_baseline(features: Tensor, returns: Tensor, valid: Tensor) -> Tensor:
    """Coefficients [n, D] of each task's ridge regression, in float64.

    Tasks are fitted some at a time where all of them would take too much memory. Where there are
    many more features than steps, the equations are those of the steps (the dual form): m of them
    rather than D, for the same coefficients.

    Args:
        features: [n, m, D]. returns: [n, m]. valid: [n, m] bool, where not an entry doesn't count.
    """
    m, size = features.shape[1:]
    solve = fit_by_steps if size > max(m, MANY_FEATURES) else fit_by_features
    task_bytes = 8 * (2 * m * size + 3 * min(m, size) ** 2)
    together = max(1, FIT_BYTES // max(1, task_bytes))
    parts = zip(
        features.split(together), returns.split(together), valid.split(together), strict=True
    )
    fitted = [solve(*part) for part in parts]
    return fitted[0] if len(fitted) == 1 else torch.cat(fitted)


def fit_by_features(features: Tensor, returns: Tensor, valid: Tensor) -> Tensor:
    """Return the coefficients [n, D] from D equations: (X'X / m + r) c = X'y / m."""
    features = torch.where(valid[..., None], features.double(), 0)
    count = valid.sum(1).clamp_min(1)[:, None, None]
    squares = features.transpose(1, 2) @ features / count + RIDGE * torch.eye(
        features.shape[-1], dtype=torch.float64, device=features.device
    )
    projected = (
        features.transpose(1, 2) @ torch.where(valid, returns.double(), 0)[..., None] / count
    )
    return solved(squares, projected)[..., 0]


def fit_by_steps(features: Tensor, returns: Tensor, valid: Tensor) -> Tensor:
    """Return the same from m equations: c = X'a / m, (XX' / m + r) a = y."""
    features = torch.where(valid[..., None], features.double(), 0)
    count = valid.sum(1).clamp_min(1)[:, None, None]
    kernel = features @ features.transpose(1, 2) / count + RIDGE * torch.eye(
        features.shape[1], dtype=torch.float64, device=features.device
    )
    weights = solved(kernel, torch.where(valid, returns.double(), 0)[..., None])
    return (features.transpose(1, 2) @ weights / count)[..., 0]


def solved(squares: Tensor, right: Tensor) -> Tensor:
    """x [n, k, 1] with squares [n, k, k] x = right, for matrices that are symmetric and positive,
    but for rounding.
    """
    factor, failed = torch.linalg.cholesky_ex(squares)
    if bool(failed.any()):
        return torch.linalg.pinv(squares, hermitian=True) @ right
    return torch.cholesky_solve(right, factor)
