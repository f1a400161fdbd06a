"""The leaderboard: known answers from stored evaluations, seeds together, copies once, and what a
reader is told.
"""

import json
import shutil

import numpy as np
import pytest
import torch

import metarl
from metarl.analysis.leaderboard import COLUMNS, leaderboard
from metarl.evaluation.statistics import generalisation_gap, interquartile_mean, mean_over_seeds
from metarl.runs.store import RunFolder, write_evaluation

BANDIT = metarl.make("BernoulliBandit-v0", arms=5)
BUDGET = metarl.Episodes(9, after=1)
IDENTITY = {
    "learner": "rl2",
    "config": {"iterations": 3, "network": {"core": "gru"}},
    "distribution": "BernoulliBandit-v0",
    "arguments": {"arms": 5},
    "seeds": [0],
    "device": "cpu",
}


class Pull:
    """Pulls one arm for ever, or a random one."""

    def __init__(self, arm=None):
        self.arm = arm

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        drawn = torch.randint(5, step.prev_action.shape, generator=rng)
        return drawn if self.arm is None else torch.full_like(drawn, self.arm), state


def play(arm=None, split="test", num_tasks=200, seed=1):
    return metarl.evaluate(Pull(arm), BANDIT, split, num_tasks, seed, BUDGET)


def make_run(root, name, training_seed=0, arm=0, splits=("test",), **changed):
    """Leave a run's folder with the scores of an agent that pulls one arm."""
    run = RunFolder(root / name)
    with run.lock():
        run.adopt({**IDENTITY, "seeds": [training_seed], **changed})
    for split in splits:
        write_evaluation(
            run.path / "evaluations",
            split,
            play(arm, split),
            agent="rl2",
            label="RL²",
            training_seed=training_seed,
        )
    return run.path


def write_random(root, split="test"):
    write_evaluation(
        root / "agents" / "evaluations",
        f"{split}-random",
        play(split=split),
        agent="random",
        label="Random",
    )


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


def test_files_from_before_they_said_who_played_are_read(tmp_path):
    run = RunFolder(tmp_path / "run")
    with run.lock():
        run.adopt({**IDENTITY, "seeds": [4, 7]})
    for name, arm in (("", 0), ("-member1", 1), ("-random", None)):
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
