"""Exact optima and relaxations of Bernoulli bandits, against known values and a plain recursion."""

from functools import cache

import numpy as np
import pytest

from metarl.tasks.bandits.bounds import (
    MAX_STATES,
    bernoulli_optimum,
    bernoulli_relaxation,
    bernoulli_table,
    pair_code,
    state_count,
)


def recursed(arms, pulls):
    """Return the optimum by a recursion over counts in order, arm by arm, with nothing shared
    between equal arms.
    """

    @cache
    def value(counts, left):
        if not left:
            return 0.0
        best = 0.0
        for arm, (wins, losses) in enumerate(counts):
            mean = (wins + 1) / (wins + losses + 2)
            won, lost = (
                (*counts[:arm], after, *counts[arm + 1 :])
                for after in ((wins + 1, losses), (wins, losses + 1))
            )
            best = max(best, mean * (1 + value(won, left - 1)) + (1 - mean) * value(lost, left - 1))
        return best

    return value(((0, 0),) * arms, pulls)


@pytest.mark.parametrize(
    ("pulls", "arms", "optimum"),
    [
        (1, 1, 0.5),
        (1, 7, 0.5),
        (2, 2, 13 / 12),
        (10, 2, 6.0217857143),
        (10, 5, 6.6599878748),
        (10, 10, 6.7139511914),
        (10, 50, 6.7139511914),
    ],
)
def test_known_optima(pulls, arms, optimum):
    assert bernoulli_optimum(arms, pulls) == pytest.approx(optimum, abs=1e-8)


@pytest.mark.slow
def test_the_optimum_of_25_pulls_of_5_arms():
    assert bernoulli_optimum(5, 25) == pytest.approx(18.193, abs=5e-4)


@pytest.mark.parametrize(
    ("pulls", "arms"), [(3, 1), (3, 2), (5, 2), (4, 3), (3, 4), (2, 5), (8, 2)]
)
def test_a_plain_recursion_agrees(pulls, arms):
    assert bernoulli_optimum(arms, pulls) == pytest.approx(recursed(arms, pulls), abs=1e-12)


def test_one_arm_earns_half_a_pull():
    assert bernoulli_optimum(1, 30) == pytest.approx(15)


@pytest.mark.parametrize(
    ("pulls", "arms", "relaxation"),
    [
        (100, 5, 84.87),
        (100, 10, 86.85),
        (100, 50, 86.85),
        (500, 5, 440.43),
        (500, 10, 462.22),
        (500, 50, 467.80),
    ],
)
def test_known_relaxations(pulls, arms, relaxation):
    assert bernoulli_relaxation(arms, pulls) == pytest.approx(relaxation, abs=0.006)


@pytest.mark.parametrize(("pulls", "arms"), [(1, 3), (5, 2), (10, 5), (10, 10)])
def test_bounds_lie_above_the_optimum(pulls, arms):
    optimum = bernoulli_optimum(arms, pulls)
    assert optimum <= bernoulli_relaxation(arms, pulls) + 1e-9
    assert optimum <= pulls * arms / (arms + 1) + 1e-9


def test_more_arms_never_hurt():
    optima = [bernoulli_optimum(arms, 8) for arms in range(1, 10)]
    assert optima == sorted(optima)
    assert optima[7] == optima[8]  # eight pulls can't reach a ninth arm


@pytest.mark.parametrize(("arms", "pulls"), [(1, 4), (2, 6), (5, 10), (10, 10), (50, 7)])
def test_states_are_counted_as_they_are_enumerated(arms, pulls):
    assert state_count(arms, pulls) == sum(len(keys) for keys in bernoulli_table(arms, pulls).keys)


def test_codes_number_the_pairs_without_gaps():
    total = np.repeat(np.arange(6), np.arange(1, 7))
    failures = np.concatenate([np.arange(t + 1) for t in range(6)])
    assert pair_code(total - failures, failures).tolist() == list(range(21))


def test_a_states_key_is_the_sum_of_its_arms_words_in_any_order():
    table = bernoulli_table(3, 4)
    codes = pair_code(np.array([1, 0, 0]), np.array([0, 1, 0]))
    with np.errstate(over="ignore"):
        keys = {
            int(table.words[codes[list(order)]].sum())
            for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0))
        }
    assert len(keys) == 1
    assert keys.pop() in table.keys[2].tolist()


def test_too_many_states_are_refused_before_they_are_enumerated():
    assert state_count(5, 100) > MAX_STATES
    assert bernoulli_optimum(5, 100) is None
    assert bernoulli_optimum(50, 500) is None
    with pytest.raises(ValueError, match="5 arms and 100 pulls .* Gittins"):
        bernoulli_table(5, 100)
