"""The linear baseline finds linear functions, each task's own, from the entries that count."""

import torch

from metarl.learners.linear_baseline import baseline_features, fit_baseline
from metarl.tasks.seeding import torch_generator

RNG = torch_generator(0)


def test_each_tasks_linear_function_is_found():
    features, coefficients = torch.randn(3, 200, 5, generator=RNG), torch.randn(3, 5, generator=RNG)
    returns = torch.einsum("nmd,nd->nm", features, coefficients)
    assert torch.allclose(fit_baseline(features, returns, torch.ones(3, 200, dtype=torch.bool)).float(), coefficients, atol=1e-3)


def test_entries_that_do_not_count_change_nothing():
    features, returns = torch.randn(2, 50, 4, generator=RNG), torch.randn(2, 50, generator=RNG)
    valid = torch.rand(2, 50, generator=RNG) < 0.6
    other = returns.where(valid, torch.tensor(float("nan"))), features.where(valid[..., None], torch.tensor(1e9))
    assert torch.allclose(fit_baseline(features, returns, valid), fit_baseline(other[1], other[0], valid))


def test_one_step_is_enough_to_solve_for():
    found = fit_baseline(torch.ones(1, 1, 6), torch.full((1, 1), 3.0), torch.ones(1, 1, dtype=torch.bool))
    assert torch.isfinite(found).all()
    assert abs(float(found.sum()) - 3) < 1e-3


def test_features_are_the_observation_its_square_and_powers_of_time():
    features = baseline_features(torch.tensor([[2.0, -3.0]]), torch.tensor([50]))
    assert features.tolist() == [[2, -3, 4, 9, 0.5, 0.25, 0.125, 1]]
