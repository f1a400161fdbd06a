"""The trainings of sine regression.

Joint training takes as many gradients as Reptile, one at a time.
"""

import pytest

from benchmarks.reptile.runs import JOINT, SINE_TRAININGS, sine_run


def test_joint_training_is_reptile_with_one_step_and_as_many_gradients():
    joint, reptile = (sine_run(label, 0).config for label in (JOINT, "Reptile"))
    assert joint.inner_steps == 1
    assert (
        joint.iterations * joint.tasks == reptile.iterations * reptile.tasks * reptile.inner_steps
    )
    assert (joint.inner, joint.outer, joint.batch, joint.network) == (
        reptile.inner,
        reptile.outer,
        reptile.batch,
        reptile.network,
    )


@pytest.mark.parametrize("label", SINE_TRAININGS)
def test_every_training_can_be_made_and_shortened(label):
    run = sine_run(label, 3, iterations=2)
    learner = run.make_learner(run.make_distribution())
    learner.update()
    learner.update()
    assert learner.finished


def test_unknown_names_get_a_sentence():
    with pytest.raises(ValueError, match="choose one of Joint training, Reptile"):
        sine_run("reptil", 0)
