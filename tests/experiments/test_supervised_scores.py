"""`metarl evaluate` on a run that learned from examples: the trained adapter beside the untrained network, every loss saved."""

import pandas as pd
import pytest

from metarl.cli import main
from metarl.experiments.commands import EvaluateOptions, TrainOptions, train_run
from metarl.experiments.supervised_scores import learned_from_examples, save_supervised_scores, score_supervised_run
from metarl.learners.reptile import ReptileConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    options = TrainOptions("SineRegression-v0", ("points=50",), folder=tmp_path_factory.mktemp("run") / "sine")
    return train_run("reptile", ReptileConfig(iterations=1000), options)


def test_training_lowers_the_loss_after_inner_steps_and_every_loss_is_saved(folder):
    assert learned_from_examples(folder)
    options = EvaluateOptions(num_tasks=40, inner_steps=5)
    evaluations = score_supervised_run(folder, options)
    trained, untrained = evaluations.values()
    assert trained.fingerprint == untrained.fingerprint
    assert trained.scores().mean() < 0.5 * untrained.scores().mean()
    files = save_supervised_scores(folder, evaluations, options)
    rows = pd.read_csv(files[0])
    assert len(rows) == 40 * 6
    assert rows[rows.inner_step == 5].loss.mean() == pytest.approx(trained.scores().mean())
    assert pd.read_csv(files[1])[rows.inner_step == 5].loss.mean() == pytest.approx(untrained.scores().mean())


def test_the_command_prints_a_table(folder, capsys):
    main(["evaluate", str(folder), "--num-tasks", "20", "--inner-steps", "4"])
    printed = capsys.readouterr().out
    for part in ("Reptile", "untrained", "20 tasks", "-untrained.csv"):
        assert part in printed


def test_options_of_agents_get_a_sentence(folder):
    with pytest.raises(ValueError, match="see --inner-steps"):
        score_supervised_run(folder, EvaluateOptions(beside=("random",)))
