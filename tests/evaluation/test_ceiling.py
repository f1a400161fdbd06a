"""Which ceiling a score is held against, and the scores normalised by it."""

import numpy as np
import pytest
import torch

import metarl
from metarl.evaluation.bootstrap import bootstrap, mean_of_counts
from metarl.evaluation.ceiling import Ceiling, ceiling_of, normalised_score
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit


class Uniform:
    """Pulls arms at random."""

    def __init__(self, arms):
        self.arms = arms

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        return torch.randint(self.arms, step.prev_action.shape, generator=rng), state


def played(arms, budget, num_tasks=500):
    bandit = metarl.make("BernoulliBandit-v0", arms=arms)
    return bandit, metarl.evaluate(Uniform(arms), bandit, "test", num_tasks, 2, budget)


def test_total_is_held_against_the_optimum_where_it_can_be_computed():
    bandit, evaluation = played(5, metarl.Episodes(9, after=1))
    ceiling = ceiling_of(evaluation, bandit)
    assert (ceiling.kind, ceiling.per_task) == ("optimum", None)
    assert ceiling.value == pytest.approx(6.6599878748)


def test_every_other_score_is_held_against_the_upper_bound_of_one_episode():
    bandit, evaluation = played(5, metarl.Episodes(9, after=1))
    best = bandit.sample(500, "test", 2).means.amax(1).numpy()
    for score in ("after_k", "budget_mean"):
        ceiling = ceiling_of(evaluation, bandit, score)
        assert ceiling.kind == "upper bound"
        np.testing.assert_allclose(ceiling.per_task, best)
        assert ceiling.value == pytest.approx(best.mean())
    assert ceiling_of(evaluation, bandit, "success") == Ceiling(1.0, "upper bound", None)


def test_where_there_is_no_optimum_the_tighter_bound_serves(monkeypatch):
    monkeypatch.setattr(BernoulliBandit, "optimum", lambda self, episodes: None)
    bandit, evaluation = played(50, metarl.Episodes(10))
    # Known means allow 9.8
    assert ceiling_of(evaluation, bandit) == Ceiling(bandit.relaxation(10), "upper bound", None)
    bandit, evaluation = played(2, metarl.Episodes(10))
    ceiling = ceiling_of(evaluation, bandit)
    assert ceiling.kind == "upper bound"
    np.testing.assert_allclose(
        ceiling.per_task, bandit.upper_bound(bandit.sample(500, "test", 2), 10).numpy()
    )


def test_a_step_budgets_total_has_no_ceiling_but_its_mean_has():
    bandit, evaluation = played(5, metarl.Steps(10))
    assert ceiling_of(evaluation, bandit) is None
    assert ceiling_of(evaluation, bandit, "budget_mean").kind == "upper bound"


def test_other_tasks_than_those_played_are_refused(monkeypatch):
    bandit, evaluation = played(5, metarl.Episodes(10))
    with pytest.raises(ValueError, match="pass what was played"):
        ceiling_of(evaluation, metarl.make("BernoulliBandit-v0", arms=6))
    with pytest.raises(ValueError, match="There is no score 'mean'"):
        ceiling_of(evaluation, bandit, "mean")
    sample = BernoulliBandit.sample
    monkeypatch.setattr(
        BernoulliBandit, "sample", lambda self, n, split, seed: sample(self, n, split, seed + 1)
    )
    with pytest.raises(ValueError, match="evaluate again"):
        ceiling_of(evaluation, bandit, "after_k")


def test_random_is_0_and_the_ceiling_is_1():
    random = np.array([1.0, 2.0, 3.0] * 5)
    best = np.array([4.0, 5.0, 9.0] * 5)
    ceiling = Ceiling(6.0, "upper bound", best)
    at_random = normalised_score(random, random, ceiling)
    at_best = normalised_score(best, random, ceiling)
    assert at_random.estimate[:3] == (0.0, 0.0, 0.0)  # paired with itself: certain
    assert at_best.estimate[:3] == pytest.approx((1.0, 1.0, 1.0))
    assert at_best.reference == "upper bound"
    assert (
        normalised_score(np.full(15, 4.0), random, Ceiling(6.0, "optimum", None)).estimate.value
        == 0.5
    )


def test_the_interval_of_a_normalised_score_agrees_with_the_bootstrap():
    rng = np.random.default_rng(0)
    tasks = rng.normal(0, 1, 2000)
    x = 3 + tasks + rng.normal(size=2000)
    r = 1 + tasks
    best = 4 + tasks + rng.gamma(1.0, size=2000)
    estimate = normalised_score(x, r, Ceiling(best.mean(), "upper bound", best)).estimate
    picked = rng.integers(2000, size=(4000, 2000))
    ratios = (x[picked].mean(1) - r[picked].mean(1)) / (best[picked].mean(1) - r[picked].mean(1))
    assert (estimate.low, estimate.high) == pytest.approx(
        np.quantile(ratios, [0.025, 0.975]), abs=0.003
    )
    exact = normalised_score(x, r, Ceiling(5.0, "optimum", None)).estimate
    ratios = (x[picked].mean(1) - r[picked].mean(1)) / (5.0 - r[picked].mean(1))
    assert (exact.low, exact.high) == pytest.approx(np.quantile(ratios, [0.025, 0.975]), abs=0.003)
    plain = bootstrap(x, mean_of_counts, rng)
    # The random agent's luck is shared
    assert exact.high - exact.low < (plain.high - plain.low) / (5.0 - r.mean())


def test_scores_that_cannot_be_normalised_are_refused():
    with pytest.raises(ValueError, match="same tasks"):
        normalised_score(np.ones(3), np.ones(2), Ceiling(6.0, "optimum", None))
    with pytest.raises(ValueError, match="nothing is normalised: random play"):
        normalised_score(np.ones(3), np.ones(3), Ceiling(1.0, "optimum", None))
    # 0.975 on average: as near to 1 as four tasks can tell
    by_luck = np.array([0.8, 1.3, 0.7, 1.1])
    with pytest.raises(ValueError, match="can't be told from the optimum 1"):
        normalised_score(np.ones(4), by_luck, Ceiling(1.0, "optimum", None))
    with pytest.raises(ValueError, match="one task doesn't tell"):
        normalised_score(np.ones(5), np.zeros(5), Ceiling(1.0, "optimum", None), tasks=["same"] * 5)
