"""Gittins indices, against published ones, closed forms, and formulations that share nothing with
calibration.
"""

import numpy as np
import pytest
from scipy import optimize, stats

from metarl.agents.bandits import gittins_index as gittins
from metarl.agents.bandits.gittins_index import (
    bernoulli_index_table,
    bernoulli_indices,
    finite_bernoulli_indices,
    gaussian_index_table,
)


@pytest.mark.parametrize(
    ("discount", "published"), [(0.5, 0.5590), (0.9, 0.7029), (0.95, 0.7614), (0.99, 0.8699)]
)
def test_the_published_index_of_a_fresh_arm(discount, published):
    """Gittins 1989, tables of Beta(1, 1)."""
    assert bernoulli_indices(1, discount, 1024 if discount < 0.99 else 256)[0][0] == pytest.approx(
        published, abs=5e-5
    )


def restart_index(a, b, discount, depth):
    """Return the index of a Beta(a, b) arm as the value of a problem in which one may restart there
    at any time (Katehakis and Veinott 1987).

    Value iteration; `depth` pulls after a restart the arm is taken to pay its mean for ever.
    """
    wins = [a + np.arange(m + 1.0) for m in range(depth + 1)]
    mean = [wins[m] / (a + b + m) for m in range(depth + 1)]
    restart = 0.0
    before = -1.0
    while abs(restart - before) > 1e-10:
        before = restart
        value = np.maximum(mean[depth] / (1 - discount), restart)
        for m in reversed(range(depth)):
            go_on = mean[m] + discount * (mean[m] * value[1:] + (1 - mean[m]) * value[:-1])
            value = np.maximum(go_on, restart) if m else go_on
        restart = float(value[0])
    return (1 - discount) * restart


@pytest.mark.parametrize("discount", [0.6, 0.9])
@pytest.mark.parametrize(
    ("successes", "failures"), [(0, 0), (1, 0), (0, 1), (3, 1), (2, 4), (9, 9)]
)
def test_restarting_in_a_state_gives_the_same_index(successes, failures, discount):
    index = bernoulli_indices(successes + failures + 1, discount)[successes + failures][failures]
    assert index == pytest.approx(
        restart_index(successes + 1, failures + 1, discount, 120), abs=2e-5
    )


def finite_index(a, b, left):
    """Return the finite-horizon index of a Beta(a, b) arm by root finding, one price at a time."""

    def worth(price):
        value = np.zeros(left + 1)
        for m in reversed(range(left)):
            mean = (a + np.arange(m + 1)) / (a + b + m)
            worth = mean - price + mean * value[1:] + (1 - mean) * value[:-1]
            value = np.maximum(worth, 0)
        return worth[0]

    return optimize.brentq(worth, 0, 1, xtol=1e-10)


@pytest.mark.parametrize(
    ("successes", "failures", "left"),
    [(0, 0, 2), (0, 0, 10), (3, 1, 6), (0, 5, 20), (8, 2, 50), (20, 15, 25)],
)
def test_finite_horizon_indices_of_single_states(successes, failures, left):
    made = successes + failures
    index = finite_bernoulli_indices(made + left)[made][failures]
    assert index == pytest.approx(finite_index(successes + 1, failures + 1, left), abs=3e-4)


def test_the_index_of_a_fresh_arm_with_two_pulls_left_by_hand():
    """1/2 - p + 1/2 (2/3 - p) = 0 at p = 5/9."""
    assert finite_bernoulli_indices(2)[0][0] == pytest.approx(5 / 9, abs=1e-5)


def test_with_one_pull_left_an_arm_is_worth_its_mean():
    indices = finite_bernoulli_indices(30)[29]
    assert indices.tolist() == pytest.approx([(30 - f) / 31 for f in range(30)], abs=1e-5)


def test_indices_grow_with_the_horizon_and_fall_with_failures():
    near = finite_bernoulli_indices(12)
    far = finite_bernoulli_indices(40)
    for m in range(12):
        mean = (m - np.arange(m + 1) + 1) / (m + 2)
        assert (far[m] >= near[m] - 1e-6).all()
        assert (near[m] >= mean - 1e-5).all()
        assert (np.diff(near[m]) < 0).all()


def test_undiscounted_indices_bound_discounted_ones_of_the_same_depth():
    discounted = bernoulli_indices(3, 0.5)
    undiscounted = finite_bernoulli_indices(60)
    assert all((a < b).all() for a, b in zip(discounted, undiscounted[:3], strict=True))


def test_the_table_holds_the_programs_of_its_ends():
    table = bernoulli_index_table(100)
    assert table.ends[:64].tolist() == list(range(1, 65))
    assert table.ends[-1] == 100
    assert (np.diff(table.ends) >= 1).all()
    for e in (0, 9, len(table.ends) - 1):
        end = int(table.ends[e])
        part = table.values[table.offsets[e] : table.offsets[e] + end * (end + 1) // 2]
        assert part.tolist() == pytest.approx(
            np.concatenate(finite_bernoulli_indices(end)).tolist(), abs=1e-6
        )


@pytest.mark.parametrize("pulls", [1, 2, 64, 65, 500, 1000])
def test_spaced_ends_rise_to_the_budget(pulls):
    ends = gittins._spaced_ends(pulls)
    assert ends[0] == 1
    assert ends[-1] == pulls
    assert ((np.diff(ends) == 1) | (ends[1:] <= np.ceil(ends[:-1] * gittins.END_RATIO))).all()
    assert (np.diff(ends) > 0).all()


def gaussian_excess(pulls, made, ratio):
    """Return the excess of the index with `pulls - made` pulls left, table look-up."""
    table = gaussian_index_table(pulls, ratio)
    return float(table.values[table.offsets[-1] + made])


@pytest.mark.parametrize("ratio", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("made", [0, 3])
def test_the_gaussian_index_with_two_pulls_left_has_a_closed_form(made, ratio):
    """x + E max(0, x + s z) = 0, s the standard deviation of the change of the posterior mean.

    The excess is -x.
    """
    variance = [ratio**2 / (ratio**2 + m) for m in (made, made + 1)]
    s = (variance[0] - variance[1]) ** 0.5
    x = optimize.brentq(lambda x: x + x * stats.norm.cdf(x / s) + s * stats.norm.pdf(x / s), -5, 0)
    assert gaussian_excess(made + 2, made, ratio) == pytest.approx(-x, abs=1e-3)


def test_a_gaussian_index_by_a_plain_program():
    """Ten pulls of a fresh arm with unit noise, on a fine grid with the trapezoidal rule."""
    nodes = np.linspace(-7, 7, 701)
    weights = stats.norm.pdf(nodes)
    x = np.linspace(-8, 8, 2001)
    value = np.zeros_like(x)
    for made in reversed(range(10)):
        s = (1 / (1 + made) - 1 / (2 + made)) ** 0.5
        slope = 9 - made  # np.interp stays at its last value
        moved = x[:, None] + s * nodes
        expected = np.interp(moved, x, value) + slope * np.maximum(moved - x[-1], 0)
        worth = x + expected @ weights / weights.sum()
        value = np.maximum(worth, 0)
    assert gaussian_excess(10, 0, 1.0) == pytest.approx(-np.interp(0, worth, x), abs=2e-3)


def test_gaussian_excess_with_one_pull_left_is_nothing_and_grows_with_the_horizon():
    excess = [gaussian_excess(pulls, 0, 1.0) for pulls in range(1, 12)]
    assert excess[0] == pytest.approx(0, abs=1e-6)
    assert (np.diff(excess) > 0).all()


def test_bad_discounts_are_refused():
    for discount in (0.0, 1.0, -0.5, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            bernoulli_indices(3, discount)
