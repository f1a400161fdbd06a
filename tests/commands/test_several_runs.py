"""`metarl evaluate` of several runs.

One table, seeds together, learners told apart, sentences for what can't be compared.
"""

import shutil

import numpy as np
import pandas as pd
import pytest

from metarl.analysis.tables import score_table
from metarl.cli import main
from metarl.commands.evaluate import EvaluateOptions, runs_in, save_scores, score_runs
from metarl.commands.train import TrainOptions, train_run
from metarl.evaluation.statistics import mean_over_seeds
from metarl.learners.initialisation.reptile import ReptileConfig
from metarl.learners.memory.rl2 import RL2Config
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.store import RunFolder

SMALL = RL2Config(episodes=3, num_envs=16, iterations=1, network=NetworkConfig(hidden_size=8))
OTHER = RL2Config(episodes=3, num_envs=16, iterations=1, network=NetworkConfig(hidden_size=4))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for name, config, seed, arms in (
        ("both", SMALL, (0, 1), 3),
        ("third", SMALL, (2,), 3),
        ("narrow", OTHER, (0,), 3),
        ("five-arms", SMALL, (0,), 5),
        (
            "longer",
            RL2Config(episodes=4, num_envs=16, iterations=1, network=NetworkConfig(hidden_size=8)),
            (0,),
            3,
        ),
    ):
        train_run(
            "rl2",
            config,
            TrainOptions("BernoulliBandit-v0", (f"arms={arms}",), seed, folder=root / name),
        )
    train_run(
        "reptile",
        ReptileConfig(iterations=1),
        TrainOptions("SineRegression-v0", folder=root / "sines"),
    )
    return root


def test_seeds_of_a_learner_are_one_row_with_an_interval_over_seeds_and_tasks(runs):
    scored = score_runs([runs / "both", runs / "third"], EvaluateOptions(num_tasks=60))
    assert [label for label, _ in scored.entries] == ["RL²", "Random"]
    parts = scored.entries[0][1]
    assert len(parts) == 3
    row = score_table(scored.entries, scored.distribution).iloc[0]
    wanted = mean_over_seeds([part.scores() for part in parts])
    assert (row["mean"], row["ci_low"], row["ci_high"], row["num_seeds"]) == (*wanted[:3], 3)


def test_a_seed_is_picked(runs):
    scored = score_runs([runs / "both"], EvaluateOptions(num_tasks=20, seed_index=1))
    assert scored.entries[0][0] == "RL², seed 1"
    with pytest.raises(ValueError, match="has no seed number 2"):
        score_runs([runs / "both"], EvaluateOptions(num_tasks=20, seed_index=2))


def test_learners_of_one_name_are_told_apart_and_stand_in_one_table(runs, capsys):
    main(
        [
            "evaluate",
            str(runs / "both"),
            str(runs / "narrow"),
            "--num-tasks",
            "30",
            "--beside",
            "thompson",
        ]
    )
    shown = " ".join(capsys.readouterr().out.split())
    for piece in (
        "RL² (both)",
        "RL² (narrow)",
        "Random",
        "Thompson",
        "optimum",
        "mean of 2 seeds",
        "intervals over seeds and tasks",
    ):
        assert piece in shown, piece
    for name in ("both", "narrow"):
        saved = RunFolder(runs / name).evaluations()
        assert {
            "test-30tasks-3episodes-seed0",
            "test-30tasks-3episodes-seed0-random",
            "test-30tasks-3episodes-seed0-thompson",
        } <= set(saved)
    assert "test-30tasks-3episodes-seed0-member1" in RunFolder(runs / "both").evaluations()


def test_one_seed_says_so(runs, capsys):
    main(["evaluate", str(runs / "narrow"), "--num-tasks", "30"])
    assert "intervals over tasks, of one seed" in " ".join(capsys.readouterr().out.split())


def test_the_same_run_twice_is_one(runs):
    scored = score_runs(
        [runs / "narrow", runs / ".." / runs.name / "narrow"], EvaluateOptions(num_tasks=10)
    )
    assert [label for label, _ in scored.entries] == ["RL²", "Random"]


def test_a_folder_of_runs_stands_for_all_of_them(runs, tmp_path):
    for name in ("both", "narrow"):
        (tmp_path / name).symlink_to(runs / name)
    (tmp_path / "real").mkdir()
    for name in ("broken", "untrained"):
        (tmp_path / "real" / name).mkdir()
    (tmp_path / "real" / "untrained" / "run.json").write_text(
        (runs / "both" / "run.json").read_text()
    )
    (tmp_path / "real" / "broken" / "run.json").write_text("{")
    with (
        pytest.warns(UserWarning, match="is left out") as warned,
        pytest.raises(ValueError, match="holds no run"),
    ):
        score_runs([tmp_path / "real"], EvaluateOptions(num_tasks=10))
    assert {
        word
        for each in warned
        for word in ("broken", "untrained")
        if f"{word} is left out" in str(each.message)
    } == {
        "broken",
        "untrained",
    }
    with pytest.raises(ValueError, match="trained on"):
        score_runs([runs], EvaluateOptions(num_tasks=10))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-9],
        lambda content: content[:-9] + b"otherwise",
    ],
)
@pytest.mark.parametrize("name", ["weights.safetensors", "weights-1.safetensors"])
def test_a_run_with_damaged_weights_does_not_hide_the_others(runs, tmp_path, name, damage):
    for copy in ("good", "spoilt"):
        shutil.copytree(runs / "both", tmp_path / copy)
    file = tmp_path / "spoilt" / name
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(UserWarning, match="spoilt is left out: .* damaged"):
        assert runs_in([tmp_path]) == [tmp_path / "good"]


@pytest.mark.parametrize(
    ("names", "words", "sentence"),
    [
        (["both", "five-arms"], [], "agents stand in one table if they play the same tasks"),
        (["both", "longer"], [], "trained for different budgets"),
        (["both", "sines"], [], "no score in common"),
        (["sines"], ["--score", "total"], "--score is for agents"),
        (["sines"], ["--score", "success"], "--score is for agents"),
        (["sines"], ["--episodes", "3"], "--episodes is for agents"),
        (["sines"], ["--after", "0"], "--after is for agents"),
        (["both"], ["--inner-steps", "32"], "for runs that learned from examples"),
        (["both"], ["--score", "success"], "has no notion of success"),
        (["both"], ["--score", "budget_mean"], "add --steps N"),
        (["."], [], "agents stand in one table|no score in common"),
        (["nowhere"], [], "nowhere holds no run"),
    ],
)
def test_what_cannot_be_scored_together_gets_a_sentence(runs, names, words, sentence, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *(str(runs / name) for name in names), "--num-tasks", "10", *words])
    assert caught.value.code == 1
    shown = capsys.readouterr().err
    assert any(piece in shown for piece in sentence.split("|")), shown
    assert "Traceback" not in shown


def test_the_same_budget_for_all_by_a_flag(runs):
    scored = score_runs([runs / "both", runs / "longer"], EvaluateOptions(num_tasks=10, episodes=2))
    assert {label for label, _ in scored.entries} == {"RL² (both)", "RL² (longer)", "Random"}


def test_one_task_prints_no_interval(runs, capsys):
    main(["evaluate", str(runs / "both"), "--num-tasks", "1"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "inf" not in shown.replace("information", "")
    assert "nan" not in shown
    assert "one task says nothing of others" in shown


def test_examples_of_several_seeds_are_one_row(runs, tmp_path, capsys):
    train_run(
        "reptile",
        ReptileConfig(iterations=2),
        TrainOptions("SineRegression-v0", seed=(1,), folder=tmp_path / "again"),
    )
    train_run(
        "reptile",
        ReptileConfig(iterations=1),
        TrainOptions("SineRegression-v0", seed=(3,), folder=tmp_path / "fourth"),
    )
    flags = ["--num-tasks", "20", "--inner-steps", "2"]
    main(["evaluate", str(runs / "sines"), str(tmp_path / "fourth"), *flags])
    shown = " ".join(capsys.readouterr().out.split())
    assert "over seeds and tasks" in shown
    assert "sines)" not in shown
    main(["evaluate", str(runs / "sines"), str(tmp_path / "again"), *flags])
    shown = " ".join(capsys.readouterr().out.split())
    for piece in ("Reptile (sines)", "Reptile (again)", "over tasks, of one seed"):
        assert piece in shown, piece


def test_stored_scores_keep_which_tasks_are_the_same(tmp_path):
    train_run("rl2", SMALL, TrainOptions("GridNavi-v0", ("horizon=4",), folder=tmp_path))
    options = EvaluateOptions(num_tasks=60)
    scored = score_runs([tmp_path], options)
    table = pd.read_csv(save_scores(tmp_path, scored, options)[0])
    keys = scored.played[0].evaluation.task_keys
    assert np.array_equal(keys[table["same_task"]], keys)
    assert (table["same_task"] <= table["task"]).all()
    everything = score_runs([tmp_path], EvaluateOptions())
    assert (
        save_scores(tmp_path, everything, EvaluateOptions())[0].name
        == "test-all-21tasks-3episodes-seed0.csv"
    )
    assert score_table(everything.entries, everything.distribution)["distinct_tasks"].tolist() == [
        21,
        21,
    ]
