"""Estimates of tabular MDPs.

Closed forms on a tiny history with an episode's end in it, and moments of samples.
"""

import pytest
import torch

from metarl.agents.tabular.history import History
from metarl.agents.tabular.posterior import (
    check_estimate,
    point_estimate,
    reward_posterior,
    sample_model,
)
from metarl.core.seeding import torch_generator
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.agents.tabular.test_history import after
from tests.agents.tabular_steps import side_by_side, told

# In state 0, action 1 was tried three times: 2 and 3 led to state 2, the last ended an episode in
# state 1. Pair (0, 1) is column 1.
HISTORY = [
    (1, 2.0, 2, None),
    (0, 5.0, 0, None),
    (1, 3.0, 2, "truncated"),
    (1, 1.0, 1, "terminated"),
]


def test_the_posterior_mean_has_its_closed_form():
    history = after(told(0, HISTORY), 3, 2)
    rewards, transitions = point_estimate(RandomMDP(3, 2), history, "posterior")
    assert torch.allclose(rewards, torch.tensor([[1, (1 + 6) / 4, 1, 1, (1 + 5) / 2, 1]]))
    assert transitions[0, :, 1].tolist() == [1, 2, 3]  # Dirichlet(1, 1, 1) and counts 0, 1, 2
    assert transitions[0, :, 4].tolist() == [2, 1, 1]
    assert transitions[0, :, 0].tolist() == [1, 1, 1]


def test_the_reward_posterior_weighs_by_precision():
    history = after(told(0, HISTORY), 3, 2)
    prior = RandomMDP(3, 2, reward_prior_mean=-1.0, reward_prior_std=2.0, reward_noise=0.5)
    mean, deviation = reward_posterior(prior, history)
    precision = 1 / 4 + 3 / 0.25
    assert mean[0, 1].item() == pytest.approx((-1 / 4 + 6 / 0.25) / precision, rel=1e-6)
    assert deviation[0, 1].item() == pytest.approx(precision**-0.5, rel=1e-5)
    assert (mean[0, 0].item(), deviation[0, 0].item()) == (-1.0, 2.0)


@pytest.mark.parametrize(
    ("std", "noise", "mean", "deviation"),
    [(0.0, 1.0, 1.0, 0.0), (1.0, 0.0, 2.0, 0.0), (0.0, 0.0, 1.0, 0.0)],
)
def test_priors_and_rewards_without_spread(std, noise, mean, deviation):
    history = after(told(0, HISTORY), 3, 2)
    means, deviations = reward_posterior(
        RandomMDP(3, 2, reward_prior_std=std, reward_noise=noise), history
    )
    assert (means[0, 1].item(), deviations[0, 1].item()) == (mean, deviation)
    assert (means[0, 0].item(), deviations[0, 0].item()) == (1.0, std)


def test_mode_and_frequencies():
    history = after(told(0, HISTORY), 3, 2)
    prior = RandomMDP(3, 2)
    mode_rewards, mode = point_estimate(prior, history, "mode")
    rewards, frequencies = point_estimate(prior, history, "maximum-likelihood")
    assert torch.equal(mode_rewards, point_estimate(prior, history, "posterior")[0])
    assert torch.equal(mode, frequencies)  # of a flat prior
    assert torch.allclose(rewards, torch.tensor([[0.0, 2, 0, 0, 5, 0]]))
    assert frequencies[0, :, 1].tolist() == [0, 1, 2]
    assert frequencies[0, :, 3].tolist() == [1, 1, 1]
    sparse = point_estimate(RandomMDP(3, 2, transition_concentration=0.5), history, "mode")[1]
    assert sparse[0, :, 1].tolist() == [0, 0.5, 1.5]
    assert sparse[0, :, 3].tolist() == [1, 1, 1]


@pytest.mark.parametrize("concentration", [1.0, 0.4, 2.5])
def test_samples_have_the_moments_of_the_posterior(concentration):
    count = 20_000
    history = after(side_by_side([told(0, HISTORY)]), 3, 2)
    many = type(history)(*(part.expand(count, *part.shape[1:]) for part in history))
    prior = RandomMDP(3, 2, transition_concentration=concentration, reward_prior_mean=0.5)
    rewards, weights = sample_model(prior, many, torch_generator(0, "samples"))
    mean, deviation = reward_posterior(prior, history)
    assert torch.allclose(rewards.mean(0), mean[0], atol=5 / count**0.5)
    assert torch.allclose(rewards.std(0), deviation[0], rtol=0.05)
    transitions = weights / weights.sum(1, keepdim=True)
    for pair, seen in ((1, [0, 1, 2]), (4, [1, 0, 0]), (3, [0, 0, 0])):
        parameters = torch.tensor(seen) + concentration
        total = parameters.sum()
        expected = parameters / total
        variance = expected * (1 - expected) / (total + 1)
        assert torch.allclose(
            transitions[:, :, pair].mean(0),
            expected,
            atol=5 * (variance.max().item() / count) ** 0.5,
        )
        assert torch.allclose(transitions[:, :, pair].var(0), variance, rtol=0.06)
        covariance = torch.cov(transitions[:, :, pair].T)[0, 2].item()
        assert covariance == pytest.approx(
            (-expected[0] * expected[2] / (total + 1)).item(), abs=0.003
        )


def test_a_row_draws_the_same_sample_whatever_other_rows_have_seen():
    prior = RandomMDP(3, 2)
    row = told(0, HISTORY * 2)
    other = told(0, HISTORY * 60)
    short = after(side_by_side([row, other[: len(row)]]), 3, 2, 400)
    length = torch.tensor([len(row) - 1, len(other) - 1])
    long = after(side_by_side([other, other]), 3, 2, 400)
    long = History(*(torch.stack([a[0], b[1]]) for a, b in zip(short, long, strict=True)))
    # Two blocks of transitions for one row, one for the other
    assert long.length.tolist() == length.tolist()
    streams = torch_generator(0, "samples"), torch_generator(0, "samples")
    for _ in range(3):  # one sample after another from the same stream
        for a, b in zip(
            sample_model(prior, short, streams[0]),
            sample_model(prior, long, streams[1]),
            strict=True,
        ):
            assert torch.equal(a[0], b[0])
            assert not torch.equal(a[1], b[1])


def test_an_unknown_estimate_gets_a_sentence():
    with pytest.raises(
        ValueError, match="no estimate 'median'; choose one of posterior, mode, maximum-likelihood"
    ):
        check_estimate("median")
