"""Estimates of a tabular MDP from what was seen: the Bayesian posterior's mean, its mode, samples
from it, and plain frequencies.

Transitions have a Dirichlet prior, so each count adds to its concentration; reward means have a
normal prior and rewards normal noise of known standard deviation, so the posterior mean is a
weighted mean of the prior's and the observed one. A model is a pair (rewards [B, S * A], transition
weights [B, S, S * A] with the next state first, to be divided by their sum over next states).
"""

from typing import Literal, get_args

import torch
from torch import Generator, Tensor

from metarl.agents.tabular.history import History, transition_sums
from metarl.core.seeding import torch_generator
from metarl.tasks.mdps.random_mdp import RandomMDP

__all__ = ["Estimate", "check_estimate", "point_estimate", "reward_posterior", "sample_model"]

Estimate = Literal["posterior", "mode", "maximum-likelihood"]


def check_estimate(estimate: str) -> None:
    """Raise ValueError unless `point_estimate` knows `estimate`."""
    if estimate not in get_args(Estimate):
        raise ValueError(
            f"There is no estimate {estimate!r}; choose one of {', '.join(get_args(Estimate))}."
        )


def point_estimate(prior: RandomMDP, history: History, estimate: Estimate) -> tuple[Tensor, Tensor]:
    """Return one model from what was seen.

    Args:
        prior: what was believed before.
        history: what was seen.
        estimate: "posterior" is the posterior mean, "mode" the posterior's mode (under a flat
            prior, transition frequencies beside the posterior mean of rewards),
            "maximum-likelihood" knows no prior: frequencies and observed mean rewards, 0 where
            there are none. Where the mode or the frequencies aren't defined, a transition leads
            everywhere alike.
    """
    weights = transition_sums(history, prior.states, prior.actions)
    if estimate == "posterior":
        return reward_posterior(prior, history)[0], weights.add_(prior.transition_concentration)
    if estimate == "mode":
        rewards = reward_posterior(prior, history)[0]
        weights = weights.add_(prior.transition_concentration - 1).clamp_min_(0)
    else:
        rewards = history.reward_sum / history.visits.clamp_min(1)
    return rewards, torch.where(weights.sum(1, keepdim=True) > 0, weights, 1.0)


def reward_posterior(prior: RandomMDP, history: History) -> tuple[Tensor, Tensor]:
    """(mean, standard deviation) of every reward mean's normal posterior, each [B, S * A]."""
    prior_variance = prior.reward_prior_std**2
    noise_variance = prior.reward_noise**2
    visits = history.visits
    # Of the observed mean; 0 where unseen
    weight = visits * prior_variance / (noise_variance + visits * prior_variance).clamp_min(1e-30)
    mean = prior.reward_prior_mean + weight * (
        history.reward_sum / visits.clamp_min(1) - prior.reward_prior_mean
    )
    return mean, prior.reward_prior_std * (1 - weight).clamp_min(0).sqrt()


def sample_model(prior: RandomMDP, history: History, rng: Generator) -> tuple[Tensor, Tensor]:
    """Draw one model per row from the posterior.

    A Dirichlet sample is a vector of gamma variates divided by their sum, and a gamma variate of
    concentration c + n is one of concentration c plus n exponential ones. So the prior's share is
    drawn in a fixed shape and each transition seen adds an exponential variate to its cell: nothing
    is rejected because of what a row has seen, and no row's sample depends on another row. How many
    exponentials are drawn depends on the longest history, so they have a stream of their own, and
    `rng` is left in a state that doesn't depend on what was seen.
    """
    states = prior.states
    actions = prior.actions
    mean, deviation = reward_posterior(prior, history)
    rewards = mean + deviation * torch.randn(mean.shape, generator=rng, device=rng.device)
    prior_share = _gamma(prior.transition_concentration, (len(mean), states, states * actions), rng)
    stream = torch_generator(
        int(torch.randint(2**62, (), generator=rng, device=rng.device)),
        "transitions seen",
        device=rng.device,
    )
    return rewards, prior_share.add_(
        transition_sums(history, states, actions, lambda shape: _exponential(shape, stream))
    )


def _exponential(shape: tuple[int, ...], rng: Generator) -> Tensor:
    # inversion: faster than exponential_ on a CPU
    return torch.rand(shape, generator=rng, device=rng.device).neg_().log1p_().neg_()


def _gamma(concentration: float, shape: tuple[int, ...], rng: Generator) -> Tensor:
    if concentration == 1:
        return _exponential(shape, rng)
    draws = torch._standard_gamma(torch.full(shape, float(concentration), device=rng.device), rng)
    # Tiny concentrations underflow, and a row of zeros has no direction
    return draws.clamp_min_(1e-30)
