"""Running moments and normalised returns against NumPy's over all batches."""

import numpy as np
import pytest
import torch

from metarl.networks.normalisation import ReturnNormaliser, RunningMoments


def batches(shape, sizes=(5, 1, 40, 3), seed=0):
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(3 * i, 1 + i, (size, *shape))).astype(np.float32)
        for i, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_moments_equal_numpys_over_all_batches(shape):
    moments = RunningMoments(shape)
    seen = []
    for batch in batches(shape):
        moments.update(torch.from_numpy(batch))
        seen.append(batch)
        everything = np.concatenate(seen).astype(np.float64)
        np.testing.assert_allclose(moments.mean, everything.mean(0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(moments.variance, everything.var(0), rtol=1e-4, atol=1e-5)
        assert float(moments.count) == len(everything)
        value = torch.full(shape, 2.0)
        wanted = (2 - everything.mean(0)) / np.sqrt(everything.var(0) + 1e-8)
        np.testing.assert_allclose(
            moments.normalise(value), np.clip(wanted, -10, 10), rtol=1e-4, atol=1e-4
        )


def test_nothing_seen_leaves_the_input_alone():
    value = torch.tensor([1.5, -2.0])
    torch.testing.assert_close(RunningMoments((2,)).normalise(value), value)
    moments = RunningMoments((2,))
    moments.update(torch.zeros(0, 2))
    assert float(moments.count) == 0
    torch.testing.assert_close(moments.normalise(value), value)


def test_a_constant_becomes_zero_and_is_no_data_later():
    moments = RunningMoments(())
    moments.update(torch.full((100,), 7.0))
    assert float(moments.normalise(torch.tensor(7.0))) == 0
    assert abs(float(moments.normalise(torch.tensor(7.00001)))) < 1e-3  # rounding isn't blown up
    moments.update(torch.tensor([5.0, 9.0]))
    everything = np.array([7.0] * 100 + [5.0, 9.0])
    assert float(moments.variance) == pytest.approx(everything.var(), rel=1e-5)


def test_far_values_are_clipped():
    moments = RunningMoments(())
    moments.update(torch.tensor([-1.0, 1.0]))
    assert moments.normalise(torch.tensor([-1e6, 1e6])).tolist() == [-10, 10]


def test_images_count_as_numbers():
    moments = RunningMoments((1,))
    moments.update(torch.tensor([[0], [255]], dtype=torch.uint8))
    assert float(moments.mean) == 127.5
    assert float(moments.variance) == pytest.approx(127.5**2)


def test_moments_are_saved():
    moments = RunningMoments((2,))
    moments.update(torch.randn(10, 2, generator=torch.Generator().manual_seed(1)))
    other = RunningMoments((2,))
    other.load_state_dict(moments.state_dict())
    value = torch.tensor([[0.3, 0.7]])
    assert torch.equal(other.normalise(value), moments.normalise(value))


def returns(seed=0, steps=4, num_seeds=2, rows=50):
    """[T, S, B], shrinking along a meta-episode, seeds apart."""
    rng = np.random.default_rng(seed)
    level = np.arange(steps, 0, -1)[:, None, None] * np.array([1, 10])[:num_seeds, None]
    return torch.from_numpy(
        (
            level + rng.normal(size=(steps, num_seeds, rows)) * np.array([1, 3])[:num_seeds, None]
        ).astype(np.float32)
    )


def test_returns_and_back_again():
    normaliser = ReturnNormaliser(4, 2)
    for seed in range(3):
        given = returns(seed)
        normaliser.update(given, torch.ones_like(given, dtype=torch.bool))
        torch.testing.assert_close(normaliser.denormalise(normaliser.normalise(given)), given)
        torch.testing.assert_close(
            normaliser.normalise(normaliser.denormalise(given)), given, rtol=1e-4, atol=1e-4
        )


def test_the_first_batch_is_normalised_by_its_own_mean_a_step_and_one_scale_a_seed():
    normaliser = ReturnNormaliser(4, 2)
    given = returns()
    normaliser.update(given, torch.ones_like(given, dtype=torch.bool))
    mean = given.mean(-1, keepdim=True)
    scale = (given - mean).square().mean((0, 2), keepdim=True).sqrt()
    torch.testing.assert_close(normaliser.normalise(given), (given - mean) / scale)


def test_later_batches_move_the_moments_by_the_momentum():
    normaliser = ReturnNormaliser(4, 1, momentum=0.25)
    first = returns(0, num_seeds=1)
    second = returns(1, num_seeds=1) + 5
    everything = torch.ones_like(first, dtype=torch.bool)
    normaliser.update(first, everything)
    scale = normaliser.scale.clone()
    normaliser.update(second, everything)
    torch.testing.assert_close(normaliser.mean, 0.75 * first.mean(-1) + 0.25 * second.mean(-1))
    fresh = (second - second.mean(-1, keepdim=True)).square().mean((0, 2)).sqrt()
    torch.testing.assert_close(normaliser.scale, 0.75 * scale + 0.25 * fresh)


def test_entries_that_are_not_valid_do_not_count():
    given = returns()
    valid = torch.ones_like(given, dtype=torch.bool)
    valid[2:, :, 25:] = False
    valid[3, 1] = False
    spoilt = torch.where(valid, given, float("inf"))
    normaliser = ReturnNormaliser(4, 2)
    wanted = ReturnNormaliser(4, 2)
    normaliser.update(spoilt, valid)
    wanted.update(torch.where(valid, given, 1e6), valid)
    assert torch.isfinite(normaliser.mean).all()
    assert torch.equal(normaliser.mean, wanted.mean)
    assert torch.equal(normaliser.scale, wanted.scale)
    assert float(normaliser.mean[3, 1]) == 0  # never seen
    torch.testing.assert_close(normaliser.mean[2, 0], given[2, 0, :25].mean())


def test_shorter_rollouts_leave_later_steps_alone():
    normaliser = ReturnNormaliser(4, 2)
    given = returns()
    everything = torch.ones_like(given, dtype=torch.bool)
    normaliser.update(given, everything)
    late = normaliser.mean[2:].clone()
    normaliser.update(given[:2] + 1, everything[:2])
    assert torch.equal(normaliser.mean[2:], late)
    assert normaliser.normalise(given[:2]).shape == (2, 2, 50)


def test_equal_returns_do_not_divide_by_zero():
    normaliser = ReturnNormaliser(3)
    given = torch.ones(3, 1, 8)
    normaliser.update(given, torch.ones_like(given, dtype=torch.bool))
    assert torch.isfinite(normaliser.normalise(given)).all()
