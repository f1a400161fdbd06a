"""Few-shot classification of characters.

Its tasks, and that an initialisation is learned from some characters and serves others.
"""

import shutil

import pytest

import metarl
from metarl.learners.initialisation.maml import MAML, MAMLConfig
from metarl.learners.optimizers import Adam
from metarl.networks.image_network import ImageNetworkConfig
from metarl.tasks.supervised.glyphs import default_faces


def test_tasks_are_of_different_characters_in_the_splits():
    family = metarl.make("GlyphClassification-v0", ways=20, shots=5, queries=2)
    assert family.input_shape == (1, 28, 28)
    names = {
        split: {
            family.images.names[c] for c in family.sample(200, split, 0).classes.flatten().tolist()
        }
        for split in family.splits
    }
    assert not names["train"] & names["test"]
    assert min(map(len, names.values())) > 200
    support = family.support(family.sample(3, "test", 0), None)
    assert support.inputs.shape == (3, 100, 1, 28, 28)


def test_the_two_cases_of_a_letter_are_in_one_split():
    images = metarl.make("GlyphClassification-v0").images
    letters = [name.split()[0].casefold() for name in images.names]
    assert len(letters[: images.train]) > 300
    assert not set(letters[: images.train]) & set(letters[images.train :])


def test_what_is_learned_from_some_characters_serves_others():
    family = metarl.make("GlyphClassification-v0", train_queries=3)
    settings = MAMLConfig(
        80, 8, 1, 0.4, outer=Adam(5e-3), anneal=False, network=ImageNetworkConfig(filters=8)
    )
    learner = MAML(settings, family, 0)
    scored = [metarl.evaluate_supervised(learner.adapter(), family, "test", 300, 0, 3)]
    while not learner.finished:
        learner.update()
    scored.append(metarl.evaluate_supervised(learner.adapter(), family, "test", 300, 0, 3))
    before, after = (evaluation.scores(score="accuracy").mean() for evaluation in scored)
    assert after > 0.6  # 0.2 by chance
    assert after > before + 0.1
    assert abs(scored[1].scores(0, "accuracy").mean() - 0.2) < 0.1, (
        "before the first step labels mean nothing"
    )


def test_bad_input_gets_a_sentence(tmp_path):
    with pytest.raises(
        ValueError,
        match=(
            "has 20 images, too few for tasks of the split train, which take 15 to learn from and 6"
        ),
    ):
        metarl.make("GlyphClassification-v0", train_shots=15, train_queries=6)
    shutil.copy(default_faces()[0], tmp_path)
    with pytest.raises(
        ValueError,
        match=(
            "There are 1 typefaces in .* no letter or digit that 8 of them have; give least_faces"
        ),
    ):
        metarl.make("GlyphClassification-v0", fonts=str(tmp_path))
