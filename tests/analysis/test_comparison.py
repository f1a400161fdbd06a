"""Two agents side by side: known differences, who is compared with whom, and what is said."""

import numpy as np
import pytest

import metarl
from metarl.analysis.comparison import comparison_table, pairs_of
from metarl.analysis.leaderboard import scored_agents
from metarl.evaluation.statistics import paired_difference, probability_of_improvement
from metarl.runs.store import write_supervised_evaluation
from tests.analysis.stored_runs import make_run, play


def compared(first, second, **options):
    pairs = pairs_of(scored_agents(first), scored_agents(second))
    return comparison_table(pairs, names=("first", "second"), **options)


def test_a_difference_is_paired_over_seeds_and_tasks(tmp_path):
    for seed in range(3):
        make_run(tmp_path / "a", f"run{seed}", seed, seed)
    for seed in range(2):
        make_run(tmp_path / "b", f"run{seed}", seed, 3 + seed)
    row = compared(tmp_path / "a", tmp_path / "b", score="total").iloc[0]
    x = [play(arm).scores() for arm in (0, 1, 2)]
    y = [play(arm).scores() for arm in (3, 4)]
    difference = paired_difference(x, y)
    columns = ["difference", "difference_low", "difference_high"]
    assert row[columns].tolist() == pytest.approx(difference.difference[:3])
    assert row["higher"] == pytest.approx(1 - difference.p_value)
    assert row["improvement"] == pytest.approx(probability_of_improvement(x, y).value)
    assert (row["first"], row["second"]) == ("RL² (first)", "RL² (second)")
    assert (row["first_seeds"], row["second_seeds"], row["tasks"], row["note"]) == (3, 2, 200, "")


def test_the_first_against_the_second_is_the_second_against_the_first_turned_round(tmp_path):
    make_run(tmp_path / "a", "run", 0, 0)
    make_run(tmp_path / "b", "run", 0, 1)
    one = compared(tmp_path / "a", tmp_path / "b").iloc[0]
    other = compared(tmp_path / "b", tmp_path / "a").iloc[0]
    assert one["difference"] == pytest.approx(-other["difference"])
    assert one["higher"] == pytest.approx(1 - other["higher"])
    assert one["improvement"] == pytest.approx(1 - other["improvement"])


def test_one_seed_is_said(tmp_path):
    make_run(tmp_path / "a", "run", 0, 0)
    make_run(tmp_path / "b", "run", 0, 1)
    note = compared(tmp_path / "a", tmp_path / "b")["note"][0]
    assert note == "one seed of RL²: nothing is known of other seeds"


def test_agents_on_other_tasks_are_compared_without_pairing(tmp_path):
    make_run(tmp_path / "a", "run", 0, 0)
    make_run(tmp_path / "b", "run", 0, 1, seed=2)
    row = compared(tmp_path / "a", tmp_path / "b").iloc[0]
    x, y = play(0).scores("after_k"), play(1, seed=2).scores("after_k")
    assert row["difference"] == pytest.approx(x.mean() - y.mean())
    assert row["improvement"] == pytest.approx(np.mean((np.sign(x[:, None] - y) + 1) / 2))
    assert "nothing is paired" in row["note"]


def test_the_same_tasks_are_preferred_and_other_families_are_not_compared(tmp_path):
    make_run(tmp_path / "a", "run", 0, 0, splits=("train", "test"))
    make_run(tmp_path / "b", "run", 0, 1)
    make_run(tmp_path / "b", "ten", 0, 1, arms=10)
    assert compared(tmp_path / "a", tmp_path / "b")["split"].tolist() == ["test"]
    assert pairs_of(scored_agents(tmp_path / "a"), scored_agents(tmp_path / "b" / "ten")) == []


def test_of_several_agents_those_of_one_name_are_compared(tmp_path):
    for side, arm in (("a", 0), ("b", 2)):
        make_run(tmp_path / side, "gru", 0, arm)
        make_run(
            tmp_path / side, "attention", 0, arm + 1, config={"network": {"core": "attention"}}
        )
    table = compared(tmp_path / "a", tmp_path / "b")
    assert len(table) == 2
    assert [name.removesuffix(" (first)") for name in table["first"]] == [
        name.removesuffix(" (second)") for name in table["second"]
    ]
    alone = compared(tmp_path / "a", tmp_path / "b" / "gru")
    assert len(alone) == 2


def test_of_losses_less_is_better(tmp_path):
    for seed, name in enumerate(("first", "second")):
        learner = metarl.make_learner("reptile", "SineRegression-v0", seed=seed)
        evaluation = metarl.evaluate_supervised(
            learner.adapter(), "SineRegression-v0", "test", 20, 0, 4
        )
        write_supervised_evaluation(tmp_path / name / "evaluations", "x", evaluation, agent=name)
    row = compared(tmp_path / "first", tmp_path / "second").iloc[0]
    assert row["difference"] == pytest.approx(row["first_mean"] - row["second_mean"])
    assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    assert (row["higher"] > 0.5) == (row["difference"] < 0)


def test_a_score_that_nobody_has_is_a_sentence(tmp_path):
    make_run(tmp_path / "a", "run", 0, 0)
    make_run(tmp_path / "b", "run", 0, 1)
    with pytest.raises(ValueError, match="nothing to compare by the score 'success'"):
        compared(tmp_path / "a", tmp_path / "b", score="success")
