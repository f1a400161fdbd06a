"""The leaderboard: known answers from stored evaluations, seeds together, copies once, and what a
reader is told.
"""

import json
import shutil

import numpy as np
import pytest

import metarl
from metarl.analysis.leaderboard import COLUMNS, leaderboard, over_families
from metarl.evaluation.statistics import (
    generalisation_gap,
    interquartile_mean,
    mean_over_seeds,
    probability_of_improvement,
)
from metarl.runs.store import RunFolder, write_evaluation, write_supervised_evaluation
from tests.analysis.stored_runs import BANDIT, IDENTITY, make_run, play, write_random


def row_of(board, label, split="test"):
    rows = board[(board["label"] == label) & (board["split"] == split)]
    assert len(rows) == 1, board[["label", "split"]]
    return rows.iloc[0]


def test_the_seeds_of_a_learner_are_one_row_with_its_figures(tmp_path):
    for seed in range(3):
        make_run(tmp_path, f"run{seed}", seed, seed, ("train", "test"))
    write_random(tmp_path)
    board = leaderboard(tmp_path)
    assert list(board) == COLUMNS
    row = row_of(board, "RL²")
    test = [play(arm).scores("after_k") for arm in range(3)]
    train = [play(arm, "train").scores("after_k") for arm in range(3)]
    assert (row["score"], row["budget"]) == ("after_k", "9 + 1 episodes")
    assert (row["seeds"], row["tasks"], len(row["runs"])) == (3, 200, 3)
    assert row[["value", "ci_low", "ci_high"]].tolist() == pytest.approx(mean_over_seeds(test)[:3])
    assert row[["iqm", "iqm_low", "iqm_high"]].tolist() == pytest.approx(
        interquartile_mean(test)[:3]
    )
    assert row[["gap", "gap_low", "gap_high"]].tolist() == pytest.approx(
        generalisation_gap(train, test).difference[:3]
    )
    assert row["note"] == ""
    assert np.isnan(row_of(board, "RL²", "train")["gap"])


def test_scores_are_normalised_by_random_and_the_ceiling(tmp_path):
    make_run(tmp_path, "run")
    write_random(tmp_path)
    row = row_of(leaderboard(tmp_path, score="total"), "RL²")
    zero = play().scores().mean()
    wanted = (play(0).scores().mean() - zero) / (BANDIT.optimum(10) - zero)
    assert row["normalised"] == pytest.approx(wanted)
    assert row["normalised_low"] < wanted < row["normalised_high"]
    assert row["reference"] == "optimum"
    assert row_of(leaderboard(tmp_path), "Random")["normalised"] == 0


def test_without_random_nothing_is_normalised_and_it_is_said(tmp_path):
    make_run(tmp_path, "run")
    row = row_of(leaderboard(tmp_path), "RL²")
    assert np.isnan(row["normalised"])
    assert "Random wasn't scored beside it" in row["note"]


def test_one_seed_is_said_and_agents_that_are_not_trained_have_none(tmp_path):
    make_run(tmp_path, "run")
    write_random(tmp_path)
    board = leaderboard(tmp_path)
    assert row_of(board, "RL²")["note"] == "one seed: the interval is over tasks alone"
    assert (row_of(board, "Random")["seeds"], row_of(board, "Random")["note"]) == (0, "")


def test_copies_count_once_and_another_training_of_a_seed_does_not_join(tmp_path):
    run = make_run(tmp_path, "runs/run")
    shutil.copytree(run, tmp_path / "results" / "run")
    assert leaderboard(tmp_path)["seeds"].tolist() == [1]
    make_run(tmp_path, "runs/again", arm=3)
    board = leaderboard(tmp_path)
    assert board["seeds"].tolist() == [1, 1]
    assert set(board["label"]) == {"RL² (run)", "RL² (again)"}


def test_learners_of_one_name_are_told_apart_by_their_settings(tmp_path):
    make_run(tmp_path, "first")
    make_run(tmp_path, "second", config={"iterations": 3, "network": {"core": "attention"}})
    assert set(leaderboard(tmp_path)["label"]) == {"RL² (core gru)", "RL² (core attention)"}


def test_one_setting_that_tells_all_apart_is_enough(tmp_path):
    make_run(tmp_path, "first", config={"num_envs": 1, "network": {"core": "gru"}})
    make_run(tmp_path, "second", config={"num_envs": 2, "network": {"core": "per_pair_memory"}})
    labels = set(leaderboard(tmp_path)["label"])
    assert labels == {"RL² (core gru)", "RL² (core per pair memory)"}


@pytest.mark.parametrize("mark", ["", "-ac5924"])
def test_files_from_before_they_said_who_played_are_read(tmp_path, mark):
    run = RunFolder(tmp_path / "run")
    with run.lock():
        run.adopt({**IDENTITY, "seeds": [4, 7]})
    for name, arm in ((mark, 0), (f"{mark}-member1", 1), (f"{mark}-random", None)):
        write_evaluation(
            run.path / "evaluations", f"test-200tasks-9+1episodes-seed1{name}", play(arm)
        )
    board = leaderboard(tmp_path)
    assert row_of(board, "RL²")["seeds"] == 2
    assert row_of(board, "RL²")["value"] == pytest.approx(
        np.mean([play(arm).scores("after_k").mean() for arm in (0, 1)])
    )
    assert row_of(board, "Random")["seeds"] == 0


def test_a_task_that_was_played_twice_counts_once(tmp_path):
    evaluation = metarl.evaluate("random", "GridNavi-v0", "test", 60, 0, metarl.Episodes(1))
    write_evaluation(tmp_path / "evaluations", "x", evaluation, agent="random", label="Random")
    row = leaderboard(tmp_path).iloc[0]
    assert (row["tasks"], row["plays"]) == (evaluation.distinct_tasks, 60)
    assert row["ci_low"] == pytest.approx(mean_over_seeds(evaluation.scores()).low)
    assert "train and test overlap" in row["note"]


def test_broken_files_are_left_out_with_a_warning(tmp_path):
    make_run(tmp_path, "run")
    folder = tmp_path / "run" / "evaluations"
    (folder / "half.json").write_text("{")
    (folder / "foreign.json").write_text("{}")
    (folder / "lonely.json").write_text((folder / "test.json").read_text())
    with pytest.warns(UserWarning, match="is left out") as warned:
        assert len(leaderboard(tmp_path)) == 1
    assert len(warned) == 3


def test_nothing_to_show_is_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="There is no folder"):
        leaderboard(tmp_path / "none")
    with pytest.raises(ValueError, match="holds no evaluation yet; `metarl evaluate`"):
        leaderboard(tmp_path)
    make_run(tmp_path, "run")
    with pytest.raises(ValueError, match="with the score 'success'"):
        leaderboard(tmp_path, score="success")


def test_what_can_not_be_made_here_is_shown_without_a_ceiling(tmp_path):
    make_run(tmp_path, "run")
    write_random(tmp_path)
    for file in tmp_path.rglob("evaluations/*.json"):
        told = json.loads(file.read_text())
        file.write_text(json.dumps({**told, "distribution": "my_bandits:Mine"}))
    board = leaderboard(tmp_path)
    assert len(board) == 2
    assert board["normalised"].isna().all()
    assert board["note"].str.contains("nothing is normalised").all()


def test_a_rival_gives_a_column(tmp_path):
    for seed in range(2):
        make_run(tmp_path, f"run{seed}", seed, seed)
    write_random(tmp_path)
    board = leaderboard(tmp_path, score="total", against="Random")
    wanted = probability_of_improvement([play(0).scores(), play(1).scores()], play().scores())
    row = row_of(board, "RL²")
    assert row[["improvement", "improvement_low", "improvement_high"]].tolist() == pytest.approx(
        wanted[:3]
    )
    assert np.isnan(row_of(board, "Random")["improvement"])
    with pytest.raises(ValueError, match="There is no agent 'Gittins'.*the agents are"):
        leaderboard(tmp_path, against="Gittins")


def test_over_families_each_family_counts_alike(tmp_path):
    for arms in (5, 10):
        for seed in range(3):
            make_run(tmp_path, f"run{seed}-{arms}", seed, seed, arms=arms)
        write_random(tmp_path / str(arms), arms=arms)
    table = over_families(tmp_path)
    assert table["label"].tolist() in (["RL²", "Random"], ["Random", "RL²"])
    row = table[table["label"] == "RL²"].iloc[0]
    shares = []
    for arms in (5, 10):
        zero = play(arms=arms).scores("after_k").mean()
        tasks = metarl.make("BernoulliBandit-v0", arms=arms).sample(200, "test", 1)
        top = float(tasks.means.amax(1).mean())
        means = [play(arm, arms=arms).scores("after_k").mean() for arm in range(3)]
        shares.append([(mean - zero) / (top - zero) for mean in means])
    assert row["mean"] == pytest.approx(np.mean(shares))
    assert row["mean_low"] < row["mean"] < row["mean_high"]
    assert (row["families"], row["seeds"]) == (2, 3)
    random = table[table["label"] == "Random"].iloc[0]
    assert (random["mean"], random["seeds"]) == (0.0, 0)
    assert np.isnan(random["mean_low"])


def test_other_numbers_of_seeds_in_each_family_leave_the_mean_without_an_interval(tmp_path):
    for name, seed, arms in (("a", 0, 5), ("b", 1, 5), ("c", 0, 10)):
        make_run(tmp_path, name, seed, seed, arms=arms)
    write_random(tmp_path / "few")
    write_random(tmp_path / "many", arms=10)
    board = leaderboard(tmp_path)
    row = over_families(tmp_path).set_index("label").loc["RL²"]
    wanted = board[(board["label"] == "RL²")]["normalised"].mean()
    assert row["mean"] == pytest.approx(wanted)
    assert np.isnan(row["mean_low"])
    assert row["note"] == "1 to 2 seeds: there is no interval"


def test_one_family_is_no_summary(tmp_path):
    make_run(tmp_path, "run")
    write_random(tmp_path)
    assert over_families(tmp_path).empty


def test_agents_that_are_told_the_task_are_named_so(tmp_path):
    evaluation = metarl.evaluate(
        metarl.make_agent("known-arm", "BernoulliBandit-v0/revealed", 3),
        "BernoulliBandit-v0/revealed",
        "test",
        50,
        0,
        3,
    )
    write_evaluation(
        tmp_path / "evaluations", "known", evaluation, agent="known-arm", label="Known arm"
    )
    row = leaderboard(tmp_path).iloc[0]
    assert (row["label"], row["distribution"]) == ("Known arm, told the task", "BernoulliBandit-v0")


def test_learners_from_examples_stand_in_it_by_loss_the_least_first(tmp_path):
    evaluations = {
        name: metarl.evaluate_supervised(
            metarl.make_learner("reptile", "SineRegression-v0", seed=seed).adapter(),
            "SineRegression-v0",
            "test",
            20,
            0,
            4,
        )
        for seed, name in enumerate(("first", "second"))
    }
    for name, evaluation in evaluations.items():
        write_supervised_evaluation(tmp_path / "evaluations", name, evaluation, agent=name)
    board = leaderboard(tmp_path, against="first")
    losses = {name: each.scores().mean() for name, each in evaluations.items()}
    assert board["label"].tolist() == sorted(losses, key=losses.get)
    assert board["value"].tolist() == pytest.approx(sorted(losses.values()))
    assert (board["score"][0], board["budget"][0]) == ("loss", "4 inner steps")
    better = np.mean(evaluations["second"].scores() < evaluations["first"].scores())
    assert row_of(board, "second")["improvement"] == pytest.approx(better)
