"""Sine regression: the waves, where they are known, and what saying nothing costs."""

import math

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.core.supervised import SupervisedDistribution
from metarl.tasks.supervised.sine_regression import SineRegression, SineRegressionTasks


def test_targets_are_the_wave_at_fifty_places():
    tasks = SineRegressionTasks(
        torch.tensor([2.0, 0.5], dtype=torch.float64),
        torch.tensor([0.0, math.pi / 2], dtype=torch.float64),
    )
    query = SineRegression().query(tasks, torch_generator(0))
    x = torch.linspace(-5, 5, 50, dtype=torch.float64)
    assert torch.equal(query.inputs, x.expand(2, 50)[..., None])
    torch.testing.assert_close(query.targets[0, :, 0], 2 * x.sin())
    torch.testing.assert_close(query.targets[1, :, 0], 0.5 * x.cos())


@pytest.mark.parametrize("points", [1, 10, 50])
def test_the_support_is_some_of_them_once_each(points):
    sines = SineRegression(points)
    tasks = sines.sample(20, "train", 0)
    support = sines.support(tasks, torch_generator(0))
    query = sines.query(tasks, torch_generator(0))
    assert support.inputs.shape == support.targets.shape == (20, points, 1)
    for i in range(20):
        whole = dict(
            zip(query.inputs[i, :, 0].tolist(), query.targets[i, :, 0].tolist(), strict=True)
        )
        shown = dict(
            zip(support.inputs[i, :, 0].tolist(), support.targets[i, :, 0].tolist(), strict=True)
        )
        assert len(shown) == points
        assert all(whole[x] == pytest.approx(y, abs=1e-12) for x, y in shown.items())


def test_amplitudes_and_phases_fill_their_ranges():
    tasks = SineRegression().sample(20_000, "test", 0)
    for values, low, high in ((tasks.amplitude, 0.1, 5.0), (tasks.phase, 0.0, 2 * math.pi)):
        assert low <= float(values.min()) < low + 0.01
        assert high - 0.01 < float(values.max()) <= high
        error = 4 * (high - low) / math.sqrt(12 * 20_000)
        assert float(values.mean()) == pytest.approx((low + high) / 2, abs=error)


def test_saying_nothing_costs_half_the_mean_square_amplitude():
    sines = SineRegression()
    tasks = sines.sample(20_000, "test", 0)
    query = sines.query(tasks, torch_generator(0))
    loss = sines.loss(torch.zeros_like(query.targets), query.targets)
    assert loss.shape == (20_000, 50)
    assert float(loss.mean()) == pytest.approx((5**3 - 0.1**3) / (3 * 4.9) / 2, rel=0.02)  # 4.25


def test_the_same_waves_whatever_the_points():
    assert (
        SineRegression(10).sample(5, "test", 0).fingerprint
        == SineRegression(50).sample(5, "test", 0).fingerprint
    )


@pytest.mark.parametrize("points", [0, 51])
def test_points_out_of_range_get_a_sentence(points):
    with pytest.raises(ValueError, match=f"points must lie between 1 and 50, .* not {points}"):
        SineRegression(points)


def test_the_losss_derivative_is_autograds():
    outputs, targets = (
        torch.randn(3, 5, 1, dtype=torch.float64, generator=torch_generator(seed))
        for seed in (0, 1)
    )
    found = SineRegression().loss_and_grad(outputs, targets)
    wanted = SupervisedDistribution.loss_and_grad(SineRegression(), outputs, targets)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other)
