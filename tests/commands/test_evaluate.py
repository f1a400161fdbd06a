import json
from dataclasses import replace

import pandas as pd
import pytest

from metarl.cli import main
from metarl.commands import train as command
from metarl.commands.evaluate import EvaluateOptions, save_scores, score_run, scoring_flags
from metarl.commands.train import TrainOptions, suggestion_for, train_run
from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.learners.hierarchy.mlsh import MLSHConfig
from metarl.learners.memory.rl2 import RL2Config
from metarl.networks.perceptron import PerceptronConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.store import RunFolder
from metarl.runs.suggested import suggested_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = RL2Config(episodes=3, num_envs=16, iterations=1, network=NetworkConfig(hidden_size=8))
    options = TrainOptions(
        distribution="Identity-v0", distribution_args=("numbers=2", "horizon=2"), folder=folder
    )
    assert train_run("rl2", config, options) == folder
    return folder


def test_agents_are_scored_on_the_same_tasks(folder):
    scored = score_run(folder, EvaluateOptions(num_tasks=20, beside=("random",)))
    assert [label for label, _ in scored.entries] == ["RL²", "Random"]
    assert len({evaluation.fingerprint for _, evaluation in scored.entries}) == 1


def test_every_agent_has_a_file_of_its_own(folder):
    options = EvaluateOptions(num_tasks=20, seed_index=0)
    scored = score_run(folder, options)
    files = save_scores(folder, scored, options)
    assert [file.name for file in files] == [
        "test-20tasks-3episodes-seed0.csv",
        "test-20tasks-3episodes-seed0-random.csv",
    ]
    for file, (_, evaluation) in zip(files, scored.entries, strict=True):
        assert list(pd.read_csv(file)["total"]) == list(evaluation.scores("total"))


def test_the_seed_of_a_run_with_several_stands_in_the_label(tmp_path):
    config = RL2Config(episodes=2, num_envs=8, iterations=1, network=NetworkConfig(hidden_size=8))
    train_run("rl2", config, TrainOptions(seed=(4, 9), folder=tmp_path))
    for seed_index, seed in ((0, 4), (1, 9)):
        scored = score_run(tmp_path, EvaluateOptions(num_tasks=5, seed_index=seed_index))
        assert [label for label, _ in scored.entries] == [f"RL², seed {seed}", "Random"]


def test_a_budget_of_steps(folder):
    options = EvaluateOptions(num_tasks=20, steps=5, score="budget_mean")
    scored = score_run(folder, options)
    assert scored.entries[0][1].budget.total == 5
    assert save_scores(folder, scored, options)[0].name == "test-20tasks-5steps-seed0.csv"
    with pytest.raises(ValueError, match="not both"):
        score_run(folder, EvaluateOptions(steps=5, episodes=2))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (EvaluateOptions(split="tests"), "has no split 'tests'; choose one of train, test"),
        (EvaluateOptions(num_tasks=0), "at least 1, not 0"),
        (EvaluateOptions(episodes=-1), "K >= 0"),
        (EvaluateOptions(steps=0), "at least one step"),
        (EvaluateOptions(score="after_k"), "add --after 1"),
        (EvaluateOptions(score="after_k", steps=5), "add --after 1"),
        (EvaluateOptions(score="budget_mean"), "add --steps N"),
        (EvaluateOptions(score="budget_mean", episodes=3), "add --steps N"),
        (EvaluateOptions(steps=5, after=0), "not both"),
        (EvaluateOptions(inner_steps=32), "for runs that learned from examples"),
        (EvaluateOptions(inner_batch=4), "for runs that learned from examples"),
        (EvaluateOptions(transductive=False), "for runs that learned from examples"),
        (EvaluateOptions(seed_index=1), "has no seed number 1"),
        (EvaluateOptions(beside=("gitins",)), "Did you mean 'gittins'"),
        (EvaluateOptions(beside=("gittins",)), "can't play"),
        (EvaluateOptions(device="cuda:99"), "cpu|machine has"),
    ],
)
def test_bad_options_are_refused(folder, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        score_run(folder, options)


def test_agents_that_learn_by_updates_are_scored_after_them(tmp_path):
    config = MLSHConfig(
        iterations=1,
        option_length=1,
        warmup_updates=2,
        steps=4,
        tasks=2,
        network=PerceptronConfig((4,)),
    )
    options = TrainOptions(
        distribution="Identity-v0", distribution_args=("numbers=2", "horizon=2"), folder=tmp_path
    )
    train_run("mlsh", config, options)
    budgets = {
        # Two updates after two episodes each, and two more
        Episodes(4, after=2): EvaluateOptions(num_tasks=3, score="after_k"),
        Episodes(4, after=1): EvaluateOptions(num_tasks=3, after=1),
        Episodes(6): EvaluateOptions(num_tasks=3),
        Episodes(2, after=1): EvaluateOptions(num_tasks=3, episodes=2, after=1),
    }
    for wanted, asked in budgets.items():
        assert score_run(tmp_path, asked).entries[0][1].budget == wanted
    assert scoring_flags(tmp_path) == " --score after_k --num-tasks 100"


def test_others_are_scored_as_they_are(folder):
    assert scoring_flags(folder) == ""


def test_a_run_goes_on_as_it_was_begun_when_suggestions_change(tmp_path, monkeypatch):
    begun = RL2Config(episodes=2, num_envs=8, iterations=1, network=NetworkConfig(hidden_size=8))
    changed = replace(begun, num_envs=16, network=NetworkConfig(hidden_size=4), iterations=2)
    options = TrainOptions(distribution="Identity-v0", folder=tmp_path)
    monkeypatch.setattr(command, "suggested_config", lambda learner, distribution: begun)
    train_run("rl2", begun, options)
    monkeypatch.setattr(command, "suggested_config", lambda learner, distribution: changed)
    train_run("rl2", changed, options)  # nothing typed: the sizes of then, and on to the end of now
    assert RunFolder(tmp_path).identity["config"]["num_envs"] == 8
    assert RunFolder(tmp_path).identity["config"]["network"]["hidden_size"] == 8
    assert len(RunFolder(tmp_path).metrics) == 2
    with pytest.raises(ValueError, match="num_envs"):
        train_run("rl2", replace(changed, num_envs=32), options)  # typed


@pytest.mark.parametrize(
    "words",
    [[], ["--distribution", "CartPole-v0"], ["--distribution=CartPole-v0", "--iterations", "3"]],
)
def test_flags_default_to_what_suits_the_distribution(words):
    suggestion = suggestion_for("rl2", words)
    named = "CartPole-v0" if words else "BernoulliBandit-v0"
    assert suggestion.options.distribution == named
    assert suggestion.config == suggested_config("rl2", make(named))


def test_arguments_of_the_distribution_count_too():
    words = ["--distribution-args", "horizon=2500", "--distribution", "GridMaze-v0"]
    assert suggestion_for("rl2", words).config == suggested_config(
        "rl2", make("GridMaze-v0", horizon=2500)
    )
    assert suggestion_for("reptile", []).options.distribution_args == ("points=50",)
    with pytest.raises(ValueError, match="Did you mean"):
        suggestion_for("rl2", ["--distribution", "GridMaz-v0"])
    assert suggestion_for("rl2", ["--distribution", "GridMaz-v0", "--help"]).config == RL2Config()


def test_learners_of_examples_are_scored_after_the_steps_of_their_training(tmp_path):
    config = replace(suggested_config("maml", "SineRegression-v0"), iterations=1, inner_steps=2)
    train_run("maml", config, TrainOptions(distribution="SineRegression-v0", folder=tmp_path))
    assert scoring_flags(tmp_path) == " --inner-steps 2"


def test_the_gap_is_scored_on_as_many_training_tasks_which_are_saved_too(folder, capsys):
    options = EvaluateOptions(num_tasks=20, gap=True)
    scored = score_run(folder, options)
    assert [label for label, _ in scored.training] == ["RL²", "Random"]
    assert {evaluation.split for _, evaluation in scored.training} == {"train"}
    names = [file.name for file in save_scores(folder, scored, options)]
    assert [name for name in names if name.startswith("train")] == [
        "train-20tasks-3episodes-seed0.csv",
        "train-20tasks-3episodes-seed0-random.csv",
    ]
    main(["evaluate", str(folder), "--num-tasks", "20", "--gap", "--against", "Random"])
    text = " ".join(capsys.readouterr().out.split())
    assert "gap: mean on training tasks less the mean here" in text
    assert "better than Random: how often" in text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"gap": True, "split": "train"}, "leave --split train out, or --gap"),
        ({"against": "Gittins"}, "There is no agent 'Gittins'.*the agents are RL², Random"),
    ],
)
def test_what_can_not_be_compared_gets_a_sentence(folder, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        score_run(folder, EvaluateOptions(num_tasks=5, **options))


def test_a_saved_score_says_who_played(folder):
    options = EvaluateOptions(num_tasks=20, score="success")
    file, other = save_scores(folder, score_run(folder, options), options)
    told = json.loads(file.with_suffix(".json").read_text())
    assert [told[name] for name in ("agent", "label", "training_seed", "score")] == [
        "rl2",
        "RL²",
        0,
        "success",
    ]
    told = json.loads(other.with_suffix(".json").read_text())
    assert (told["agent"], told["label"], told["training_seed"]) == ("random", "Random", None)
