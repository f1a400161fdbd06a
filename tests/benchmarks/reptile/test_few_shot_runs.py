"""The trainings of few-shot classification.

The papers' settings in place, and runs that can be made.
"""

import pytest

from benchmarks.reptile.runs import (
    LABELS,
    SETTINGS,
    Setting,
    few_shot_run,
    plan_of,
    scoring,
    settings_of,
)
from metarl.learners.optimizers import SGD, Adam
from metarl.networks.image_network import ImageNetworkConfig
from metarl.runs.config import RunConfig
from tests.tasks.made_folders import flat


def test_reptiles_released_commands():
    plan = plan_of(Setting("omniglot", 20, 5), "reptile")
    assert (
        plan.config.inner_steps,
        plan.config.batch,
        plan.config.tasks,
        plan.config.iterations,
    ) == (10, 20, 5, 200_000)
    assert plan.config.inner == Adam(5e-4, beta1=0.0)
    assert plan.config.outer == SGD(1.0)
    assert plan.config.anneal
    assert plan.config.network == ImageNetworkConfig(64, 4, 2, False)
    assert plan.arguments == {"ways": 20, "train_shots": 10}
    mini = plan_of(Setting("miniimagenet", 5, 1), "reptile")
    assert (mini.config.inner_steps, mini.config.batch, mini.arguments["train_shots"]) == (
        8,
        10,
        15,
    )
    assert mini.config.network == ImageNetworkConfig(32, 4, 1, True)
    assert [scoring(Setting("miniimagenet", 5, shots), "reptile").batch for shots in (1, 5)] == [
        5,
        15,
    ]
    assert scoring(Setting("omniglot", 20, 1), "reptile") == scoring(
        Setting("omniglot", 20, 5), "joint"
    )
    assert scoring(Setting("omniglot", 5, 1), "reptile").steps == 50


def test_mamls_released_commands():
    for learner in ("maml", "fomaml"):
        plan = plan_of(Setting("omniglot", 5, 1), learner)
        assert (plan.config.tasks, plan.config.inner_steps, plan.config.iterations) == (
            32,
            1,
            40_000,
        )
        assert plan.arguments == {"ways": 5, "shots": 1, "train_queries": 1}
        how = scoring(Setting("omniglot", 5, 1), learner)
        assert (how.optimizer, how.steps, how.batch) == (SGD(0.4), 10, None)
    assert plan_of(Setting("miniimagenet", 5, 5), "maml").arguments == {
        "ways": 5,
        "shots": 5,
        "train_queries": 15,
    }
    assert plan_of(Setting("miniimagenet", 5, 5), "maml").config.inner_lr == 0.01


def test_joint_training_sees_as_many_images_in_single_steps():
    for setting in SETTINGS:
        joint, reptile = (plan_of(setting, learner) for learner in ("joint", "reptile"))
        seen = [plan.config.tasks * plan.config.iterations for plan in (joint, reptile)]
        assert seen[0] == seen[1]
        assert joint.config.inner_steps == 1
        assert joint.config.batch is None
        assert joint.config.inner == SGD(1.0), "so that the move is the gradient"
        if setting.data != "miniimagenet":
            images = joint.arguments["train_shots"] * setting.ways
            assert images <= reptile.config.inner_steps * reptile.config.batch


@pytest.mark.parametrize("learner", LABELS)
def test_runs_can_be_made_and_told_apart(learner, tmp_path):
    runs = {}
    for setting in settings_of("smoke"):
        name, run = few_shot_run("smoke", setting, learner)
        assert run.config.iterations == 2
        assert RunConfig.from_identity(run.identity()).identity() == run.identity()
        assert runs.setdefault(name, run) == run, "a name stands for one run"
    assert len(runs) == (1 if learner in ("reptile", "joint") else 2)
    folder = str(flat(tmp_path, 12, images=20))
    name, run = few_shot_run("paper", Setting("omniglot", 5, 1), learner, folder)
    assert name == f"omniglot-5way{'' if learner in ('reptile', 'joint') else '-1shot'}-{learner}"
    assert run.arguments["folder"] == folder
    assert run.arguments["rotations"]


def test_presets_have_their_data():
    assert {setting.data for setting in settings_of("cpu")} == {"glyphs"}
    assert [setting.name for setting in settings_of("paper")] == [
        "1-shot 5-way",
        "5-shot 5-way",
        "1-shot 20-way",
        "5-shot 20-way",
    ]
    assert {setting.data for setting in settings_of("paper", "miniimagenet")} == {"miniimagenet"}


def test_bad_input_gets_a_sentence():
    with pytest.raises(ValueError, match="Choose a preset of smoke, cpu, paper"):
        settings_of("cpu", "omniglot")
    with pytest.raises(ValueError, match="There is no learner 'rl2' here; choose one of reptile"):
        plan_of(SETTINGS[0], "rl2")
    with pytest.raises(
        ValueError, match="omniglot isn't part of this package; say where its images are: --images"
    ):
        few_shot_run("paper", Setting("omniglot", 5, 1), "maml")
