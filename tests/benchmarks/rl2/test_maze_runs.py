"""Trainings in mazes.

Every one can be made, and trains on training tasks of what it is scored in.
"""

import pytest

from benchmarks.rl2.runs import TRAININGS, maze_run


@pytest.mark.parametrize("name", TRAININGS)
def test_every_training_can_be_made(name):
    run = maze_run(name, 3)
    distribution = run.make_distribution()
    learner = run.make_learner(distribution)
    assert run.seed == 3
    assert learner.max_steps == run.config.episodes * distribution.horizon


def test_mazes_in_training_and_in_tests_are_told_apart():
    few = maze_run("grid-maze-10", 0).make_distribution()
    assert few.config()["train_mazes"] == 10
    assert (
        few.sample(50, "test", 0).fingerprint
        == maze_run("grid-maze-1000", 0).make_distribution().sample(50, "test", 0).fingerprint
    )


def test_an_unknown_training_gets_a_sentence():
    with pytest.raises(ValueError, match="no training 'grid-mazes'; choose one of grid-maze-10"):
        maze_run("grid-mazes", 0)
