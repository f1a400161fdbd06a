"""Action distributions.

Log-probabilities and entropies against PyTorch's, sampling, units of a box, clipping, encoding.
"""

import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import distributions

from metarl.networks.actions import Gaussian, action_distribution, one_hot


def box(low, high, shape=None):
    return gym.spaces.Box(np.float32(low), np.float32(high), shape)


def reference(space, parameters):
    """(PyTorch's distribution over flat actions, how to bring an action [..., *act] into its
    shape).
    """
    if isinstance(space, gym.spaces.Discrete):
        return distributions.Categorical(logits=parameters), lambda action: action - space.start
    if isinstance(space, gym.spaces.MultiBinary):
        coins = distributions.Independent(distributions.Bernoulli(logits=parameters), 1)
        return coins, lambda action: action.reshape(*parameters.shape).to(parameters.dtype)
    mean, log_std = parameters.chunk(2, -1)
    low = np.float64(space.low).ravel()
    high = np.float64(space.high).ravel()
    bounded = np.isfinite(low) & np.isfinite(high)
    low = np.where(bounded, low, -1)
    high = np.where(bounded, high, 1)
    center = torch.from_numpy((low + high) / 2)
    scale = torch.from_numpy((high - low) / 2)
    normal = distributions.Normal(center + scale * mean, scale * log_std.exp())
    return distributions.Independent(normal, 1), lambda action: action.reshape(*mean.shape)


SPACES = {
    "discrete": gym.spaces.Discrete(5),
    "one choice": gym.spaces.Discrete(1),
    "discrete from 3": gym.spaces.Discrete(4, start=3),
    "binary": gym.spaces.MultiBinary(3),
    "binary matrix": gym.spaces.MultiBinary((2, 3)),
    "bounded": box([-2, 0], [2, 10]),
    "unbounded": box(-np.inf, np.inf, (3,)),
    "half bounded": box([0, -1], [np.inf, 1]),
    "matrix": box(-3, 1, (2, 2)),
    "scalar": box(1, 5, ()),
}


@pytest.mark.parametrize("name", SPACES)
def test_log_probabilities_entropies_and_divergences_equal_pytorchs(name):
    space = SPACES[name]
    actions = action_distribution(SPACES[name])
    rng = torch.Generator().manual_seed(1)
    parameters = torch.randn(
        4, 6, actions.num_parameters, generator=rng, dtype=torch.float64
    ).clamp(-2, 0.9)
    action = actions.sample(parameters, rng)
    assert action.shape == (4, 6, *(space.shape or ()))
    wanted, flat = reference(space, parameters)
    assert actions.log_prob(parameters, action).shape == (4, 6)
    torch.testing.assert_close(
        actions.log_prob(parameters, action), wanted.log_prob(flat(action)), rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(actions.entropy(parameters), wanted.entropy(), rtol=1e-6, atol=1e-6)
    other = torch.randn(parameters.shape, generator=rng, dtype=torch.float64).clamp(-2, 0.9)
    divergence = distributions.kl_divergence(wanted, reference(space, other)[0])
    torch.testing.assert_close(actions.kl(parameters, other), divergence, rtol=1e-6, atol=1e-6)
    leaf = parameters.clone().requires_grad_()
    (grad,) = torch.autograd.grad(actions.log_prob(leaf, action).sum(), leaf)
    for given, true in zip(
        actions.log_prob_and_grad(parameters, action),
        (actions.log_prob(parameters, action), grad),
        strict=True,
    ):
        assert not given.requires_grad
        torch.testing.assert_close(given, true, rtol=1e-6, atol=1e-6)
    (entropy_grad,) = torch.autograd.grad(actions.entropy(leaf).sum(), leaf)
    for given, true in zip(
        actions.entropy_and_grad(parameters),
        (actions.entropy(parameters), entropy_grad),
        strict=True,
    ):
        assert not given.requires_grad
        torch.testing.assert_close(given, true, rtol=1e-6, atol=1e-6)
    both = actions.log_prob_and_entropy(parameters, action)
    torch.testing.assert_close(
        both, (actions.log_prob(parameters, action), actions.entropy(parameters))
    )


def test_multi_discrete_is_the_sum_of_independent_choices():
    actions = action_distribution(gym.spaces.MultiDiscrete([2, 4, 3]))
    rng = torch.Generator().manual_seed(2)
    parameters = torch.randn(7, 9, generator=rng)
    action = actions.sample(parameters, rng)
    parts = [distributions.Categorical(logits=logits) for logits in parameters.split([2, 4, 3], -1)]
    log_prob = sum(part.log_prob(action[:, i]) for i, part in enumerate(parts))
    torch.testing.assert_close(actions.log_prob(parameters, action), log_prob)
    torch.testing.assert_close(actions.entropy(parameters), sum(part.entropy() for part in parts))
    others = [
        distributions.Categorical(logits=logits) for logits in (2 * parameters).split([2, 4, 3], -1)
    ]
    divergence = sum(
        distributions.kl_divergence(part, other) for part, other in zip(parts, others, strict=True)
    )
    torch.testing.assert_close(actions.kl(parameters, 2 * parameters), divergence)


@pytest.mark.parametrize("name", ["discrete", "binary matrix", "matrix"])
def test_gradients_equal_pytorchs(name):
    space = SPACES[name]
    actions = action_distribution(SPACES[name])
    rng = torch.Generator().manual_seed(3)
    parameters = (
        torch.randn(5, actions.num_parameters, generator=rng, dtype=torch.float64)
        .clamp(-2, 0.9)
        .requires_grad_()
    )
    action = actions.sample(parameters.detach(), rng)
    wanted, flat = reference(space, parameters)
    ours = torch.autograd.grad(
        (actions.log_prob(parameters, action) + actions.entropy(parameters)).sum(), parameters
    )
    theirs = torch.autograd.grad(
        (wanted.log_prob(flat(action)) + wanted.entropy()).sum(), parameters
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_large_logits_stay_finite():
    for space in (gym.spaces.Discrete(3), gym.spaces.MultiBinary(3)):
        actions = action_distribution(space)
        parameters = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
        action = actions.mode(parameters)
        total = actions.log_prob(parameters, action).sum() + actions.entropy(parameters).sum()
        (gradient,) = torch.autograd.grad(total, parameters)
        assert torch.isfinite(total)
        assert torch.isfinite(gradient).all()


def test_discrete_frequencies_match_probabilities():
    actions = action_distribution(gym.spaces.Discrete(4))
    logits = torch.tensor([0.1, 0.2, 0.65, 0.05]).log()
    drawn = actions.sample(logits.expand(200_000, 4), torch.Generator().manual_seed(4))
    frequencies = torch.bincount(drawn, minlength=4) / 200_000
    torch.testing.assert_close(
        frequencies, logits.exp(), rtol=0, atol=5 * math.sqrt(0.25 / 200_000)
    )


def test_multi_discrete_frequencies_match_and_parts_are_independent():
    actions = action_distribution(gym.spaces.MultiDiscrete([2, 3]))
    logits = torch.tensor([0.3, 0.7, 0.5, 0.3, 0.2]).log()
    drawn = actions.sample(logits.expand(200_000, 5), torch.Generator().manual_seed(5))
    joint = torch.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=6) / 200_000
    wanted = torch.outer(torch.tensor([0.3, 0.7]), torch.tensor([0.5, 0.3, 0.2])).flatten()
    torch.testing.assert_close(joint, wanted, rtol=0, atol=5 * math.sqrt(0.25 / 200_000))


def test_binary_frequencies_match_probabilities():
    actions = action_distribution(gym.spaces.MultiBinary((2, 2)))
    probabilities = torch.tensor([0.1, 0.5, 0.9, 0.3])
    drawn = actions.sample(
        probabilities.logit().expand(200_000, 4), torch.Generator().manual_seed(6)
    )
    torch.testing.assert_close(
        drawn.float().mean(0).flatten(), probabilities, rtol=0, atol=5 * math.sqrt(0.25 / 200_000)
    )


def test_box_moments_are_in_the_units_of_the_box():
    actions = action_distribution(box([0, -1], [10, 1]))
    drawn = actions.sample(
        torch.tensor([0.2, -0.5, math.log(0.1), math.log(0.5)]).expand(200_000, 4),
        torch.Generator().manual_seed(7),
    )
    # Centre 5 and 0, half width 5 and 1
    torch.testing.assert_close(drawn.mean(0), torch.tensor([6.0, -0.5]), rtol=0, atol=0.01)
    torch.testing.assert_close(drawn.std(0), torch.tensor([0.5, 0.5]), rtol=0, atol=0.01)
    torch.testing.assert_close(torch.corrcoef(drawn.T)[0, 1], torch.tensor(0.0), rtol=0, atol=0.012)


@pytest.mark.parametrize(("low", "high"), [(0, 10), (-0.01, 0.01), (-np.inf, np.inf)])
def test_density_integrates_to_one_in_the_units_of_the_box(low, high):
    actions = action_distribution(box(low, high, ()))
    parameters = torch.tensor([0.3, -0.7], dtype=torch.float64)
    middle = actions.mode(parameters)
    spread = actions.sample(parameters.expand(1000, 2), torch.Generator().manual_seed(8)).std()
    grid = torch.linspace(-10, 10, 20_001, dtype=torch.float64) * spread + middle
    density = actions.log_prob(parameters.expand(len(grid), 2), grid).exp()
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1, abs=1e-6)
    surprise = torch.trapezoid(-density * density.clamp_min(1e-300).log(), grid)
    assert float(surprise) == pytest.approx(float(actions.entropy(parameters)), abs=1e-5)


def test_the_standard_deviation_stays_within_bounds():
    actions = action_distribution(box(-np.inf, np.inf, (1,)))
    wide, narrow = actions.entropy(torch.tensor([[0.0, 50.0], [0.0, -50.0]]))
    constant = 0.5 * math.log(2 * math.pi * math.e)
    assert float(wide) == pytest.approx(constant + Gaussian.LOG_STD[1], abs=1e-5)
    assert float(narrow) == pytest.approx(constant + Gaussian.LOG_STD[0], abs=1e-5)


def test_modes():
    assert action_distribution(gym.spaces.Discrete(3)).mode(
        torch.tensor([[0.0, 2.0, 1.0]])
    ).tolist() == [1]
    assert action_distribution(gym.spaces.MultiDiscrete([2, 3])).mode(
        torch.tensor([[0.0, 1.0, 5.0, 1.0, 2.0]])
    ).tolist() == [[1, 0]]
    assert action_distribution(gym.spaces.MultiBinary(2)).mode(
        torch.tensor([[0.1, -0.1]])
    ).tolist() == [[1, 0]]
    assert action_distribution(box(0, 4, (1,))).mode(torch.tensor([[0.5, -9.0]])).tolist() == [
        [3.0]
    ]
    assert action_distribution(box(0, 4, ())).mode(torch.tensor([[0.5, -9.0]])).tolist() == [3.0]


def test_only_boxes_are_clipped_and_only_on_the_way_out():
    actions = action_distribution(box([-1, 0], [1, np.inf]))
    drawn = torch.tensor([[-3.0, -3.0], [0.5, 99.0], [3.0, 1.0]])
    assert actions.to_environment(drawn).tolist() == [[-1, 0], [0.5, 99], [1, 1]]
    far = torch.tensor([[5.0, 5.0, 0.0, 0.0]])
    assert (actions.sample(far.expand(100, 4), torch.Generator().manual_seed(9))[:, 0] > 1).any()
    matrix = action_distribution(box(-1, 1, (2, 2)))
    assert matrix.to_environment(torch.full((5, 2, 2), 7.0)).eq(1).all()
    for space in (
        gym.spaces.Discrete(4),
        gym.spaces.MultiDiscrete([2, 2]),
        gym.spaces.MultiBinary(2),
    ):
        action = torch.tensor([[1, 1]])
        assert action_distribution(space).to_environment(action) is action


def test_encoding():
    assert action_distribution(gym.spaces.Discrete(3)).encode(torch.tensor([2, 0])).tolist() == [
        [0, 0, 1],
        [1, 0, 0],
    ]
    assert action_distribution(gym.spaces.MultiDiscrete([2, 3])).encode(
        torch.tensor([[1, 2]])
    ).tolist() == [[0, 1, 0, 0, 1]]
    assert action_distribution(gym.spaces.MultiBinary((2, 2))).encode(
        torch.tensor([[[1, 0], [0, 1]]])
    ).tolist() == [[1, 0, 0, 1]]
    assert action_distribution(box([0, -2], [10, 2])).encode(
        torch.tensor([[10.0, -1.0]])
    ).tolist() == [[1, -0.5]]
    assert action_distribution(box(1, 5, ())).encode(torch.tensor([5.0, 3.0])).tolist() == [
        [1],
        [0],
    ]
    for space in SPACES.values():
        actions = action_distribution(space)
        drawn = actions.sample(
            torch.zeros(2, 3, actions.num_parameters), torch.Generator().manual_seed(0)
        )
        features = actions.encode(drawn)
        assert features.shape == (2, 3, actions.num_features)
        assert features.dtype == torch.float32


def test_one_hot():
    assert one_hot(torch.tensor([[1], [0]]), 3).tolist() == [[[0, 1, 0]], [[1, 0, 0]]]


def test_the_largest_float_as_a_bound_means_unbounded():
    largest = np.finfo(np.float32).max
    actions = action_distribution(box([-largest, -1], [largest, 1]))
    parameters = torch.tensor([[0.5, 0.5, 0.0, 0.0]])
    assert actions.mode(parameters).tolist() == [[0.5, 0.5]]
    assert torch.isfinite(
        actions.log_prob(parameters, actions.sample(parameters, torch.Generator().manual_seed(1)))
    ).all()


def test_generators_decide_what_is_drawn():
    for space in SPACES.values():
        actions = action_distribution(space)
        parameters = torch.zeros(50, actions.num_parameters)
        first, again, other = (
            actions.sample(parameters, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
        )
        assert torch.equal(first, again)
        assert space == SPACES["one choice"] or not torch.equal(first, other)


def test_sampling_leaves_parameters_alone():
    for space in SPACES.values():
        actions = action_distribution(space)
        parameters = torch.randn(
            3, actions.num_parameters, generator=torch.Generator().manual_seed(1)
        )
        before = parameters.clone()
        actions.sample(parameters, torch.Generator().manual_seed(1))
        assert torch.equal(parameters, before)


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (gym.spaces.MultiDiscrete([[2, 2], [2, 2]]), "must be a vector"),
        (gym.spaces.Text(5), "use Discrete, MultiDiscrete, MultiBinary or Box"),
        (
            gym.spaces.Dict({"a": gym.spaces.Discrete(2)}),
            "use Discrete, MultiDiscrete, MultiBinary or Box",
        ),
    ],
)
def test_other_spaces_get_a_sentence(space, sentence):
    with pytest.raises(ValueError, match=sentence):
        action_distribution(space)
