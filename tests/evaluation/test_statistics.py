"""Closed forms, scipy's own results, coverage of the intervals on synthetic data, and what scaling
and reordering must not change.
"""

import numpy as np
import pytest
from scipy import stats

import metarl
from metarl.evaluation.statistics import (
    Estimate,
    beats,
    generalisation_gap,
    interquartile_mean,
    mean,
    mean_over_seeds,
    median_over_seeds,
    median_seed,
    paired_difference,
    performance_profile,
    probability_of_improvement,
    ratio_of_means,
    share,
)


def generator(seed=0):
    return np.random.default_rng(seed)


def covered(estimates, truth):
    return np.mean([estimate.low <= truth <= estimate.high for estimate in estimates])


def test_the_mean_and_its_interval_agree_with_scipy():
    x = generator().gamma(2.0, size=37)
    estimate = mean(x, 0.9)
    low, high = stats.t.interval(0.9, 36, x.mean(), stats.sem(x))
    assert estimate[:4] == pytest.approx((x.mean(), low, high, 37))


def test_one_score_has_an_infinite_interval_and_equal_scores_have_none():
    assert mean([3.0]) == Estimate(3.0, -np.inf, np.inf, 1, 0.95)
    assert mean([3.0, 3.0, 3.0]) == Estimate(3.0, 3.0, 3.0, 3, 0.95)


def test_the_interquartile_mean_is_the_mean_of_the_middle_half():
    assert interquartile_mean([0, 1, 2, 100]).value == 1.5
    # A score is cut in two
    assert interquartile_mean([0.0, 3.0, 1.0]).value == pytest.approx(
        (0.25 * 0 + 1 + 0.25 * 3) / 1.5
    )
    x = generator().normal(size=400)
    estimate = interquartile_mean(x)
    assert estimate.value == pytest.approx(stats.trim_mean(x, 0.25))
    low, high = stats.mstats.trimmed_mean_ci(x, (0.25, 0.25), alpha=0.05)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=2e-3)


def test_the_interquartile_mean_ignores_outliers():
    x = generator().normal(size=100)
    wild = np.where(x > np.quantile(x, 0.9), 1e9, x)
    assert interquartile_mean(wild).value == pytest.approx(interquartile_mean(x).value)


def test_intervals_of_means_cover_the_truth_19_times_in_20():
    skewed = generator(1).gamma(2.0, size=(2000, 100))
    assert 0.93 <= covered([mean(row) for row in skewed], 2.0) <= 0.97
    symmetric = generator(2).standard_t(3, size=(2000, 100))
    assert 0.985 <= covered([mean(row, 0.99) for row in symmetric], 0.0) <= 0.997
    assert 0.93 <= covered([interquartile_mean(row) for row in symmetric], 0.0) <= 0.97


def test_the_median_over_seeds_is_the_middle_seeds_mean():
    scores = np.array([[0.0, 2.0, 1.0], [5.0, 5.0, 5.0], [2.0, 2.0, 2.0]])
    assert median_over_seeds(scores, generator()).value == 2.0
    assert median_over_seeds(scores[:2], generator()).value == 3.0


def test_the_median_of_one_seed_is_its_mean_with_its_interval():
    x = generator().normal(3.0, 2.0, 5000)
    estimate = median_over_seeds(x[None], generator(), resamples=50_000)
    plain = mean(x)
    assert estimate[:3] == pytest.approx(plain[:3], abs=0.003)


def test_the_median_over_seeds_covers_tasks_that_the_seeds_share():
    rng = generator(3)
    estimates = []
    for _ in range(1000):
        # Hard and easy tasks are so for every seed: rows are correlated
        tasks = rng.normal(5.0, 1.0, 200)
        scores = tasks + np.array([[-0.02], [0.0], [0.03]]) + rng.normal(0, 0.7, (3, 200))
        estimates.append(median_over_seeds(scores, rng, resamples=1000))
    assert 0.93 <= covered(estimates, 5.0) <= 0.97


def test_a_ratio_to_anothers_mean_covers_tasks_that_both_share():
    rng = generator(4)
    estimates = []
    unpaired = []
    for _ in range(1000):
        tasks = rng.gamma(2.0, 4.0, 200) + 1  # long and short ones
        scores = 1.2 * tasks + np.array([[-0.2], [0.0], [0.3]]) + rng.normal(0, 0.7, (3, 200))
        estimates.append(median_over_seeds(scores, rng, resamples=1000, relative_to=tasks))
        unpaired.append(median_over_seeds(scores / tasks.mean(), rng, resamples=100))
    assert 0.93 <= covered(estimates, 1.2) <= 0.97
    width = np.mean([estimate.high - estimate.low for estimate in estimates])
    assert width < 0.3 * np.mean([estimate.high - estimate.low for estimate in unpaired])


def test_a_ratio_needs_the_same_tasks_and_something_to_divide_by():
    with pytest.raises(ValueError, match="same tasks above and below, not 3 and 2"):
        median_over_seeds([1.0, 2.0, 3.0], generator(), relative_to=[1.0, 2.0])
    with pytest.raises(ValueError, match="differs clearly from 0"):
        median_over_seeds([1.0, 2.0, 3.0], generator(), relative_to=[1.0, -1.0, 0.1])


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (999, 1000), (1000, 1000)])
def test_a_share_of_coin_tosses_has_scipys_wilson_interval(hits, n):
    estimate = share(np.arange(n) < hits)
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert estimate.value == hits / n
    assert estimate[1:3] == pytest.approx((expected.low, expected.high))


def test_a_share_of_shares_is_covered_and_stays_between_0_and_1():
    rng = generator(5)
    rates = rng.beta(18, 2, (1000, 60))
    estimates = [share(rng.binomial(5, row) / 5) for row in rates]
    assert 0.92 <= covered(estimates, 0.9) <= 0.97
    assert all(0 <= estimate.low <= estimate.value <= estimate.high <= 1 for estimate in estimates)


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1, not between 1 and 3; use mean"):
        share([1.0, 3.0])


def test_a_paired_difference_is_scipys_paired_t_test():
    rng = generator()
    x = rng.normal(size=50)
    y = x + rng.normal(-0.2, 0.5, size=50)
    comparison = paired_difference(x, y)
    expected = stats.ttest_rel(x, y, alternative="greater")
    assert comparison.p_value == pytest.approx(expected.pvalue)
    interval = stats.ttest_rel(x, y).confidence_interval(0.95)
    assert comparison.difference[1:3] == pytest.approx((interval.low, interval.high))
    assert paired_difference(y, x).p_value == pytest.approx(1 - comparison.p_value)


def test_pairing_narrows_the_interval_of_agents_that_share_their_tasks():
    rng = generator()
    tasks = rng.normal(0, 10, 500)
    x, y = tasks + rng.normal(0.1, 0.1, 500), tasks + rng.normal(0, 0.1, 500)
    paired = paired_difference(x, y)
    unpaired = generalisation_gap(x, y)
    assert paired.difference.value == pytest.approx(unpaired.difference.value)
    assert paired.p_value < 1e-10
    assert unpaired.p_value > 0.3


def test_a_difference_without_spread_is_certain_or_a_tie():
    assert paired_difference([2.0, 3.0], [1.0, 2.0]).p_value == 0.0
    assert paired_difference([1.0, 2.0], [2.0, 3.0]).p_value == 1.0
    assert paired_difference([1.0, 2.0], [1.0, 2.0]).p_value == 0.5
    assert paired_difference([9.0], [1.0]).p_value == 1.0  # one task proves nothing


def test_paired_differences_cover_the_truth():
    rng = generator(4)
    x, y = rng.exponential(size=(2000, 80)), rng.exponential(size=(2000, 80))
    assert (
        0.93
        <= covered([paired_difference(a + 1, b).difference for a, b in zip(x, y, strict=True)], 1.0)
        <= 0.97
    )


def test_the_generalisation_gap_is_welchs_test():
    rng = generator()
    train = rng.normal(1.0, 1.0, 40)
    test = rng.normal(0.8, 3.0, 25)
    gap = generalisation_gap(train, test)
    expected = stats.ttest_ind(train, test, equal_var=False, alternative="greater")
    assert gap.p_value == pytest.approx(expected.pvalue)
    interval = stats.ttest_ind(train, test, equal_var=False).confidence_interval(0.95)
    assert gap.difference[1:3] == pytest.approx((interval.low, interval.high))


def test_the_generalisation_gap_covers_the_truth():
    rng = generator(5)
    train = rng.normal(1.0, 1.0, (2000, 60))
    test = rng.normal(0.5, 3.0, (2000, 30))
    assert (
        0.93
        <= covered(
            [generalisation_gap(a, b).difference for a, b in zip(train, test, strict=True)], 0.5
        )
        <= 0.97
    )


def test_probability_of_improvement_counts_wins_and_half_of_ties():
    assert probability_of_improvement([1, 2, 3, 4], [0, 2, 4, 0]).value == (1 + 0.5 + 0 + 1) / 4
    assert probability_of_improvement([1, 2], [0, 1, 2], paired=False).value == pytest.approx(
        ((1 + 0.5 + 0) + (1 + 1 + 0.5)) / 6
    )
    x, y = generator().integers(5, size=40), generator(1).integers(5, size=30)
    statistic = stats.mannwhitneyu(x, y).statistic
    assert probability_of_improvement(x, y, paired=False).value == pytest.approx(
        statistic / (40 * 30)
    )


def test_probability_of_improvement_stays_between_0_and_1_and_wins_alone_are_not_certainty():
    estimate = probability_of_improvement(np.ones(20), np.zeros(20))
    assert estimate.value == estimate.high == 1.0
    assert 0.8 < estimate.low < 1.0
    assert probability_of_improvement([1.0], [0.0])[:3] == (1.0, 0.0, 1.0)


@pytest.mark.parametrize("paired", [True, False])
def test_probability_of_improvement_covers_the_truth(paired):
    rng = generator(6)
    x, y = rng.normal(0.5, 1.0, (2000, 60)), rng.normal(0.0, 1.0, (2000, 60))
    truth = stats.norm.cdf(0.5 / np.sqrt(2))
    assert (
        0.93
        <= covered(
            [probability_of_improvement(a, b, paired=paired) for a, b in zip(x, y, strict=True)],
            truth,
        )
        <= 0.97
    )


def test_probability_of_improvement_with_many_ties_covers_the_truth():
    rng = generator(7)
    x, y = rng.integers(4, size=(2000, 80)), rng.integers(4, size=(2000, 80))
    assert (
        0.93
        <= covered([probability_of_improvement(a, b) for a, b in zip(x, y, strict=True)], 0.5)
        <= 0.97
    )


def test_nothing_beats_the_optimum_by_chance_alone():
    rng = generator(8)
    at_the_optimum = sum(beats(rng.normal(0, 1, 100), 0.0) for _ in range(4000))
    assert at_the_optimum <= 12  # 4 expected at 99.9 %
    tasks = rng.normal(0, 5, 200)
    assert not beats(tasks, tasks)
    # paired: the tasks' own spread doesn't hide it
    assert beats(tasks + rng.normal(0.5, 0.1, 200), tasks)


def test_known_bandit_agents_do_not_beat_the_exact_optimum_but_a_cheat_does():
    bandit = metarl.make("BernoulliBandit-v0", arms=5)
    budget = metarl.Episodes(10)

    class Cheat:
        def initial_state(self, batch_size):
            return ()

        def act(self, step, state, rng):
            return means.argmax(1), state

    evaluation = metarl.evaluate(
        metarl.make_agent("random", bandit, budget), bandit, "test", 4096, 3, budget
    )
    means = bandit.sample(4096, "test", 3).means
    cheating = metarl.evaluate(Cheat(), bandit, "test", 4096, 3, budget).scores()
    bound = bandit.upper_bound(bandit.sample(4096, "test", 3), 10).numpy()
    assert not beats(evaluation.scores(), bandit.optimum(10))
    assert beats(cheating, bandit.optimum(10))
    assert not beats(cheating, bound)


@pytest.mark.parametrize(
    "function", [mean, interquartile_mean, lambda x: median_over_seeds(x[None], generator())]
)
def test_estimates_follow_scale_and_shift_and_ignore_order(function):
    x = generator().gamma(2.0, size=64)
    plain = function(x)
    moved = function(3 * x + 5)
    shuffled = function(generator(1).permutation(x))
    assert moved[:3] == pytest.approx([3 * value + 5 for value in plain[:3]])
    assert shuffled[:3] == pytest.approx(plain[:3])


def test_comparisons_ignore_a_common_shift_scale_and_order():
    rng = generator()
    x, y = rng.normal(size=30), rng.normal(size=30)
    order = rng.permutation(30)
    for compare in (
        lambda a, b: paired_difference(a, b).p_value,
        lambda a, b: generalisation_gap(a, b).p_value,
        lambda a, b: probability_of_improvement(a, b),
    ):
        assert compare(2 * x + 7, 2 * y + 7) == pytest.approx(compare(x, y))
        assert compare(x[order], y[order]) == pytest.approx(compare(x, y))


def test_bad_scores_get_a_sentence():
    with pytest.raises(ValueError, match="Score 1 is not finite"):
        mean([1.0, np.nan])
    with pytest.raises(ValueError, match="at least one number"):
        mean([])
    with pytest.raises(ValueError, match="level lies between 0 and 1"):
        mean([1.0, 2.0], 95)
    with pytest.raises(ValueError, match="same tasks on both sides"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="paired=False"):
        probability_of_improvement([1.0, 2.0], [1.0])


def test_an_estimate_prints_with_its_interval():
    assert str(Estimate(6.5944, 6.5832, 6.6056, 100)) == "6.594 [6.583, 6.606]"


@pytest.mark.parametrize(
    ("means", "wanted"), [([3, 1, 2], 2), ([5], 0), ([4, 1, 3, 2], 3), ([2, 2, 2], 1)]
)
def test_the_median_seed_stands_for_all_seeds(means, wanted):
    assert median_seed(np.array(means)[:, None] + np.array([-1.0, 1.0])) == wanted


def test_a_ratio_of_paired_means_is_exact_where_scores_are_proportional_and_covers_where_they_are_not():
    rng = np.random.default_rng(0)
    y = rng.gamma(2, 1, 400)
    exact = ratio_of_means(3 * y, y)
    assert exact[:3] == pytest.approx((3, 3, 3))
    found = [
        ratio_of_means(0.5 * (y := rng.gamma(2, 1, 200)) + rng.normal(1, 1, 200), y)
        for _ in range(500)
    ]
    assert 0.92 < np.mean([estimate.low < 1.0 < estimate.high for estimate in found]) < 0.98
    with pytest.raises(ValueError, match="same tasks"):
        ratio_of_means([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="mean is 0"):
        ratio_of_means([1, 2], [1, -1])


@pytest.mark.parametrize("function", [paired_difference, ratio_of_means])
def test_scores_of_other_tasks_are_not_paired(function):
    first, second = (
        metarl.evaluate("random", "BernoulliBandit-v0", num_tasks=5, seed=seed, budget=10)
        for seed in (0, 1)
    )
    with pytest.raises(ValueError, match="can't be paired: 5 of 5 are of other tasks"):
        function(first.scores(), second.scores())
    function(first.scores(), np.asarray(second.scores()))
    function(first.scores(), second.scores(), tasks=range(5))


@pytest.mark.parametrize("function", [mean, share])
def test_what_holds_no_numbers_is_named(function):
    with pytest.raises(
        ValueError, match=r"must be a vector of numbers, one a task, not \['a', 'b'\]"
    ):
        function(["a", "b"])
    evaluation = metarl.evaluate("random", "BernoulliBandit-v0", num_tasks=5, seed=0, budget=10)
    with pytest.raises(ValueError, match=r"Take its scores\(\)"):
        function(evaluation)


def crossed(rng, seeds=6, tasks=40, shift=0.0):
    """Scores of several trainings on the same tasks: both differ, and chance comes on top."""
    return (
        shift
        + rng.normal(0, 0.5, (seeds, 1))
        + rng.normal(0, 1, (1, tasks))
        + rng.normal(0, 1, (seeds, tasks))
    )


@pytest.mark.parametrize("seeds", [3, 6])
@pytest.mark.parametrize(
    ("interval", "truth"),
    [
        (lambda rng, n: mean_over_seeds(crossed(rng, n)), 0.0),
        # symmetric, so that the middle half has the same mean
        (lambda rng, n: interquartile_mean(crossed(rng, n)), 0.0),
        (lambda rng, n: paired_difference(crossed(rng, n, shift=1), crossed(rng, 4)).difference, 1),
        (lambda rng, n: generalisation_gap(crossed(rng, n), crossed(rng, n)).difference, 0.0),
        (lambda rng, n: probability_of_improvement(crossed(rng, n), crossed(rng, n)), 0.5),
    ],
)
def test_intervals_over_seeds_and_tasks_cover_new_seeds_on_new_tasks(interval, truth, seeds):
    rng = generator(11)
    estimates = [interval(rng, seeds) for _ in range(1000)]
    # what seeds and tasks have in common counts twice, which errs on the careful side
    assert 0.93 <= covered(estimates, truth) <= 0.995


def test_tasks_alone_would_not_cover_new_seeds():
    rng = generator(12)
    estimates = [interquartile_mean(crossed(rng)[0]) for _ in range(500)]
    assert covered(estimates, 0.0) < 0.75


def test_the_interquartile_mean_over_seeds_is_that_of_all_scores():
    x = generator().gamma(2.0, size=(3, 21))
    assert interquartile_mean(x).value == pytest.approx(stats.trim_mean(x.ravel(), 0.25), abs=0.02)
    assert interquartile_mean(x).value == pytest.approx(interquartile_mean(x.ravel()).value)
    assert interquartile_mean(x[:1]) == interquartile_mean(x[0])


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: paired_difference(a, b),
        lambda a, b: generalisation_gap(a, b),
        lambda a, b: probability_of_improvement(a, b),
    ],
)
def test_one_seed_is_the_vector_of_its_scores(function):
    a, b = generator().normal(size=(2, 30))
    assert function(a[None], b[None]) == function(a, b)
    assert function([a], b) == function(a, b)


def test_every_seed_is_compared_with_every_seed():
    estimate = probability_of_improvement([[1.0, 5.0], [3.0, 3.0]], [[2.0, 4.0], [0.0, 3.0]])
    # 1 < 2, 1 > 0, 3 > 2, 3 > 0 on the first task; 5 > 4, 5 > 3, 3 < 4, 3 = 3 on the second
    assert estimate.value == pytest.approx((0 + 1 + 1 + 1 + 1 + 1 + 0 + 0.5) / 8)
    assert estimate.low < estimate.value < estimate.high


def test_a_gap_needs_the_same_seeds_on_both_splits():
    with pytest.raises(ValueError, match="needs the same seeds on both splits, not 2 and 3"):
        generalisation_gap(np.ones((2, 4)), np.ones((3, 4)))
    with pytest.raises(ValueError, match="same tasks, not 3 and 4 scores"):
        interquartile_mean([np.ones(3), np.ones(4)])


def test_a_performance_profile_is_the_share_of_scores_above_each_threshold():
    profile = performance_profile([[1.0, 2.0], [2.0, 3.0]], [0.0, 1.0, 2.0, 3.0])
    assert [estimate.value for estimate in profile] == [1.0, 0.75, 0.25, 0.0]
    assert all(0 <= estimate.low <= estimate.value <= estimate.high <= 1 for estimate in profile)


def test_performance_profiles_cover_the_truth():
    rng = generator(13)
    alone = [performance_profile(rng.normal(size=60), [0.5])[0] for _ in range(2000)]
    assert 0.92 <= covered(alone, stats.norm.sf(0.5)) <= 0.97
    wide = stats.norm(0, 1.5).sf(0.5)  # of a seed's, a task's and chance's spread together
    several = [performance_profile(crossed(rng, 8), [0.5])[0] for _ in range(1000)]
    assert 0.92 <= covered(several, wide) <= 0.995
