"""Draws by priority: frequencies, sums that stay exact, and numbers that are 0."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from metarl.learners.transfer.priorities import Priorities


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def with_numbers(numbers):
    made = Priorities(len(numbers))
    made.set(np.arange(len(numbers)), np.asarray(numbers, float))
    return made


@pytest.mark.parametrize("size", [1, 2, 7, 16, 50])
def test_frequencies_are_the_numbers_shares(size):
    numbers = np.random.default_rng(size).uniform(0.2, 3.0, size)
    made = with_numbers(numbers)
    draws = 20_000
    one_at_a_time = np.concatenate(
        [made.draw(1, stream) for stream in [rng(1)] for _ in range(draws // 10)]
    )
    together = np.concatenate(
        [made.draw(20, stream) for stream in [rng(2)] for _ in range(draws // 20)]
    )
    for drawn in (one_at_a_time, together):
        found = np.bincount(drawn, minlength=size)
        assert len(found) == size
        if size > 1:
            assert chisquare(found, numbers / numbers.sum() * len(drawn)).pvalue > 1e-3


def test_each_equal_share_of_the_total_is_drawn_from_once():
    made = with_numbers(np.ones(100))
    for seed in range(20):
        assert (made.draw(10, rng(seed)) // 10).tolist() == list(range(10))


def test_zeros_are_never_drawn():
    numbers = np.zeros(97)
    numbers[[0, 13, 96]] = [1e-9, 1.0, 1e9]
    made = with_numbers(numbers)
    assert made.positive == 3
    drawn = np.concatenate([made.draw(64, rng(seed)) for seed in range(50)])
    assert set(drawn) <= {0, 13, 96}
    made.set(np.array([96]), 0.0)
    assert set(np.concatenate([made.draw(64, rng(seed)) for seed in range(50)])) <= {0, 13}


def test_sums_stay_exact_through_many_changes():
    made = Priorities(60)
    numbers = np.zeros(60)
    draws = np.random.default_rng(0)
    for _ in range(2_000):
        index = draws.integers(60, size=5)
        value = draws.uniform(0, 1e6, 5) * draws.integers(2, size=5)
        made.set(index, value)
        numbers[index] = value  # NumPy, too, lets the last of a repeated index count
        assert made.positive == (numbers > 0).sum()
    assert np.array_equal(made.numbers(), numbers)
    assert made.total == pytest.approx(numbers.sum(), rel=1e-12)
    assert np.array_equal(made[np.array([3, 7])], numbers[[3, 7]])


def test_there_must_be_something_to_draw():
    with pytest.raises(ValueError, match="nothing to draw"):
        Priorities(5).draw(1, rng())
