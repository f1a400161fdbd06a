"""Trainings of policies that adapt.

As many environment steps for the control as for MAML, and every one can be made.
"""

import pytest

from benchmarks.maml_rl.runs import FAMILIES, adaptation_run


@pytest.mark.parametrize("family", FAMILIES)
def test_joint_training_plays_as_many_episodes_as_maml_and_fine_tunes_alike(family):
    joint, maml = (
        adaptation_run(family, label).config
        for label in ("Joint training, fine-tuned", "MAML, TRPO")
    )
    assert joint.iterations * joint.tasks == maml.iterations * maml.tasks * (maml.inner_steps + 1)
    assert (joint.adaptation, joint.outer, joint.network) == (
        maml.adaptation,
        maml.outer,
        maml.network,
    )


@pytest.mark.parametrize(
    ("family", "label"),
    [(family, label) for family, each in FAMILIES.items() for label in each.plans],
)
def test_every_training_can_be_made(family, label):
    run = adaptation_run(family, label)
    assert run.make_learner(run.make_distribution()).config is run.config


def test_unknown_names_get_a_sentence():
    with pytest.raises(ValueError, match="Choose a family of point-navigation"):
        adaptation_run("plane", "RL²")
    with pytest.raises(ValueError, match="choose a learner of MAML, TRPO; FOMAML"):
        adaptation_run("point-navigation", "MAML")
