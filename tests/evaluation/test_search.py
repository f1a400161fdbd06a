"""The search of free parameters."""

import pytest

from metarl.agents.bandits.ucb1 import UCB1
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.search import search
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit

BANDIT = BernoulliBandit(5)
BUDGET = Episodes(20, 0)


@pytest.fixture(scope="module")
def found():
    return search("ucb1", BANDIT, BUDGET, num_tasks=500, seed=3)


def test_every_grid_point_is_scored_on_the_same_training_tasks(found):
    assert found.table["c"].tolist() == list(UCB1.grid["c"])
    for row in found.table.iloc[[0, 4, -1]].itertuples():
        scores = evaluate(UCB1(BANDIT, BUDGET, c=row.c), BANDIT, "train", 500, 3, BUDGET).scores()
        assert (row.mean, row.std_error) == pytest.approx(
            (scores.mean(), scores.std(ddof=1) / 500**0.5)
        )


def test_the_best_mean_wins(found):
    assert found.best == {"c": found.table["c"][found.table["mean"].idxmax()]}
    assert 0.05 <= found.best["c"] <= 0.4


def test_the_first_of_equals_wins(monkeypatch):
    monkeypatch.setattr(UCB1, "grid", {"c": (0.2, 0.3)})
    assert search("ucb1", BernoulliBandit(1), BUDGET, num_tasks=20).best == {"c": 0.2}


def test_several_parameters_are_crossed(monkeypatch):
    monkeypatch.setattr(UCB1, "grid", {"c": (0.1, 0.3), "random_ties": (False, True)})
    result = search("ucb1", BANDIT, BUDGET, num_tasks=50)
    assert result.table[["c", "random_ties"]].values.tolist() == [
        [0.1, False],
        [0.1, True],
        [0.3, False],
        [0.3, True],
    ]
    assert set(result.best) == {"c", "random_ties"}


def test_another_score_may_be_maximised():
    result = search(
        "bandit-epsilon-greedy", BANDIT, Episodes(5, after=5), num_tasks=50, score="after_k"
    )
    assert result.table["mean"].between(0, 1).all()


def test_an_agent_without_free_parameters_needs_no_search():
    result = search("thompson", BANDIT, BUDGET)
    assert result.best == {}
    assert len(result.table) == 0


def test_bad_requests_get_a_sentence():
    with pytest.raises(ValueError, match="no agent 'ucb'"):
        search("ucb", BANDIT, BUDGET)
    with pytest.raises(ValueError, match="can't play"):
        search("beb", BANDIT, BUDGET)
    with pytest.raises(ValueError, match="no score 'best'"):
        search("ucb1", BANDIT, BUDGET, num_tasks=10, score="best")
