"""Bootstrap intervals: scipy's, closed forms, coverage, and what they must not depend on."""

import numpy as np
import pytest
from scipy import stats

from metarl.evaluation.bootstrap import (
    bootstrap,
    interquartile_mean_of_counts,
    mean_of_counts,
    stratified_bootstrap,
)
from metarl.evaluation.statistics import interquartile_mean, mean

# The mean of the middle half of a gamma distribution of shape 2
MIDDLE = 2 * stats.gamma(2.0).expect(lb=stats.gamma(2.0).ppf(0.25), ub=stats.gamma(2.0).ppf(0.75))


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("statistic", "plain"),
    [
        (mean_of_counts, np.mean),
        (interquartile_mean_of_counts, lambda x: interquartile_mean(x).value),
    ],
)
@pytest.mark.parametrize("n", [1, 2, 5, 8, 31])
def test_statistics_of_counts_are_those_of_the_scores_written_out(statistic, plain, n):
    rng = generator(n)
    values = np.sort(rng.normal(size=7))
    counts = rng.multinomial(n, np.full(7, 1 / 7), size=4)
    expected = [plain(np.repeat(values, row)) for row in counts]
    np.testing.assert_allclose(statistic(values, counts), expected)


def test_the_interval_of_the_mean_agrees_with_scipys_and_with_students():
    x = generator().gamma(2.0, size=300)
    ours = bootstrap(x, mean_of_counts, generator(1), resamples=20_000)
    theirs = stats.bootstrap(
        (x,), np.mean, n_resamples=20_000, method="percentile", rng=generator(2)
    ).confidence_interval
    assert ours.value == pytest.approx(x.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert (ours.low, ours.high) == pytest.approx((mean(x).low, mean(x).high), abs=0.015)


def test_scores_with_few_values_give_the_same_interval_as_if_each_were_drawn():
    few = generator().binomial(10, 0.6, size=5000).astype(float)  # takes the multinomial path
    ours = bootstrap(few, interquartile_mean_of_counts, generator(1))
    theirs = stats.bootstrap(
        (few,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=1000,
        method="percentile",
        rng=generator(2),
    ).confidence_interval
    assert ours.value == pytest.approx(stats.trim_mean(few, 0.25))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


@pytest.mark.parametrize(
    ("statistic", "truth"), [(mean_of_counts, 2.0), (interquartile_mean_of_counts, MIDDLE)]
)
def test_intervals_over_tasks_cover_the_truth(statistic, truth):
    rng = generator(3)
    samples = rng.gamma(2.0, size=(1000, 200))
    estimates = [bootstrap(row, statistic, rng, resamples=500) for row in samples]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in estimates]) <= 0.97


def test_the_stratified_bootstrap_keeps_the_strata_and_covers_their_mean():
    rng = generator(4)
    strata = np.array([0.0, 10.0, 100.0])  # their spread is no uncertainty
    estimates = [
        stratified_bootstrap(strata + rng.normal(size=(40, 3)), mean_of_counts, rng, resamples=500)
        for _ in range(1000)
    ]
    assert 0.93 <= np.mean([e.low <= strata.mean() <= e.high for e in estimates]) <= 0.97
    assert np.mean([e.high - e.low for e in estimates]) < 0.4


def test_the_same_generator_gives_the_same_interval_and_none_is_global():
    x = generator().normal(size=50)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert bootstrap(x, interquartile_mean_of_counts, generator(1)) == bootstrap(
        x, interquartile_mean_of_counts, generator(1)
    )
    assert bootstrap(x, interquartile_mean_of_counts, generator(1)) != bootstrap(
        x, interquartile_mean_of_counts, generator(2)
    )
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_scale_and_shift_go_through():
    x = generator().gamma(2.0, size=60)
    plain, moved = (
        bootstrap(y, interquartile_mean_of_counts, generator(1)) for y in (x, 3 * x + 5)
    )
    assert moved[:3] == pytest.approx([3 * value + 5 for value in plain[:3]])


def test_bad_input_gets_a_sentence():
    with pytest.raises(ValueError, match="at least one resample"):
        bootstrap([1.0, 2.0], mean_of_counts, generator(), resamples=0)
    with pytest.raises(ValueError, match="matrix of finite numbers"):
        stratified_bootstrap([1.0, 2.0], mean_of_counts, generator())
    with pytest.raises(ValueError, match="with NaN"):
        stratified_bootstrap([[1.0, np.nan]], mean_of_counts, generator())
    with pytest.raises(ValueError, match="level"):
        bootstrap([1.0, 2.0], mean_of_counts, generator(), level=1.0)
