"""`metarl evaluate` on a run that learned from examples.

The trained adapter beside the untrained network, every loss saved.
"""

from dataclasses import replace

import pandas as pd
import pytest

from metarl.cli import main
from metarl.commands.evaluate import EvaluateOptions
from metarl.commands.evaluate_supervised import (
    learned_from_examples,
    save_supervised_scores,
    score_supervised_run,
)
from metarl.commands.train import TrainOptions, train_run
from metarl.learners.initialisation.reptile import ReptileConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    options = TrainOptions(
        "SineRegression-v0", ("points=50",), folder=tmp_path_factory.mktemp("run") / "sine"
    )
    return train_run("reptile", ReptileConfig(iterations=1000), options)


def test_training_lowers_the_loss_after_inner_steps_and_every_loss_is_saved(folder):
    assert learned_from_examples(folder)
    options = EvaluateOptions(num_tasks=40, inner_steps=5)
    evaluations = score_supervised_run(folder, options)
    trained, untrained = (each.evaluation for each in evaluations)
    assert trained.fingerprint == untrained.fingerprint
    assert trained.scores().mean() < 0.5 * untrained.scores().mean()
    files = save_supervised_scores(folder, evaluations, options)
    rows = pd.read_csv(files[0])
    assert len(rows) == 40 * 6
    assert rows[rows.inner_step == 5].loss.mean() == pytest.approx(trained.scores().mean())
    assert pd.read_csv(files[1])[rows.inner_step == 5].loss.mean() == pytest.approx(
        untrained.scores().mean()
    )


def test_the_command_prints_a_table(folder, capsys):
    main(["evaluate", str(folder), "--num-tasks", "20", "--inner-steps", "4"])
    printed = " ".join(capsys.readouterr().out.split())
    for part in (
        "Reptile",
        "untrained",
        "20 tasks",
        "-untrained.csv",
        "transductive",
        "the whole support",
    ):
        assert part in printed


def test_flags_choose_minibatches_and_queries_one_by_one(folder, capsys):
    main(
        [
            "evaluate",
            str(folder),
            "--num-tasks",
            "20",
            "--inner-steps",
            "4",
            "--inner-batch",
            "5",
            "--no-transductive",
        ]
    )
    printed = " ".join(capsys.readouterr().out.split())
    for part in (
        "Each query beside the support alone (not transductive)",
        "inner steps on minibatches of 5 examples",
        "-batch5-",
    ):
        assert part in printed
    usual = EvaluateOptions(num_tasks=20, inner_steps=4)
    whole, few = (
        score_supervised_run(folder, replace(usual, inner_batch=batch))[0].evaluation
        for batch in (None, 5)
    )
    assert (whole.scores(0) == few.scores(0)).all()
    assert (whole.scores() != few.scores()).any()
    alone = score_supervised_run(folder, replace(usual, transductive=False))
    assert not any(each.evaluation.transductive for each in alone)
    names = {
        save_supervised_scores(folder, alone, replace(usual, transductive=each))[0].name
        for each in (True, False)
    }
    assert len(names) == 2
    with pytest.raises(ValueError, match="--inner-batch must be at least 1 example, not 0"):
        score_supervised_run(folder, EvaluateOptions(inner_batch=0))


def test_options_of_agents_get_a_sentence(folder):
    with pytest.raises(ValueError, match="see --inner-steps"):
        score_supervised_run(folder, EvaluateOptions(beside=("random",)))
