"""Few-shot classification of a folder's images.

Its arguments, and what they make of Omniglot's layout.
"""

import json

import pytest

import metarl
from tests.tasks.made_folders import flat, omniglot


def test_arguments_reach_the_images_and_the_tasks(tmp_path):
    folder = str(omniglot(tmp_path))
    family = metarl.make(
        "ImageClassification-v0",
        folder=folder,
        ways=2,
        train_shots=2,
        size=8,
        rotations=True,
        train_classes=5,
    )
    assert family.input_shape == (1, 8, 8)
    assert family.outputs == 2
    assert family.ranges == {"train": (0, 20), "test": (20, 23)}
    again = metarl.make(family.id, **json.loads(json.dumps(family.config())))
    assert again.config() == family.config()
    assert again.sample(9, "train", 0).fingerprint == family.sample(9, "train", 0).fingerprint
    assert family.support(family.sample(3, "train", 0), None).inputs.shape == (3, 4, 1, 8, 8)
    assert family.support(family.sample(3, "test", 0), None).inputs.shape == (3, 2, 1, 8, 8)


def test_colours(tmp_path):
    family = metarl.make(
        "ImageClassification-v0", folder=str(flat(tmp_path)), ways=2, size=84, channels=3
    )
    assert family.query(family.sample(2, "test", 0), None).inputs.shape == (2, 2, 3, 84, 84)


def test_bad_input_gets_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="can't be made with {}"):
        metarl.make("ImageClassification-v0")
    with pytest.raises(
        ValueError, match="the split test has 2 classes, too few for tasks of 5 ways"
    ):
        metarl.make("ImageClassification-v0", folder=str(flat(tmp_path)))
    with pytest.raises(
        ValueError, match="the class 'class0.' has 4 images, too few for tasks of the split train"
    ):
        metarl.make("ImageClassification-v0", folder=str(tmp_path), ways=2, train_shots=4)
