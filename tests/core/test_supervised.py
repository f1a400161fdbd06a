"""Supervised families keep their contract.

Every registered one passes the generated checks, and Gymnasium isn't told of it.
"""

import tempfile
from functools import cache, partial
from pathlib import Path

import pytest

from metarl.checks import parametrize_supervised_checks
from metarl.core.registry import SUPERVISED, distribution_ids, make, supervised_ids
from metarl.core.supervised import MarksAnswers, SupervisedDistribution
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.tasks.made_folders import flat


@cache
def images():
    """Return a folder of tiny images, gone when the tests end."""
    folder = tempfile.TemporaryDirectory()
    flat(Path(folder.name), 12, images=4)
    return folder


# Arguments without a default
NEEDED = {"ImageClassification-v0": lambda: {"folder": images().name, "ways": 2, "size": 6}}


def build(id, **arguments):
    return make(id, **NEEDED.get(id, dict)(), **arguments)


FAMILIES = {id: partial(build, id) for id in SUPERVISED}
FAMILIES["ImageClassification-v0-sizes"] = partial(
    build, "ImageClassification-v0", train_shots=2, train_queries=2, rotations=True
)
FAMILIES["GlyphClassification-v0-20-way"] = partial(
    build, "GlyphClassification-v0", ways=20, shots=5
)


@parametrize_supervised_checks(FAMILIES)
def test_supervised_distribution(check):
    check()


def test_they_are_made_by_id_but_gymnasium_is_not_told_of_them():
    assert supervised_ids() == sorted(SUPERVISED)
    assert not set(supervised_ids()) & set(distribution_ids())
    with pytest.raises(ValueError, match="Did you mean 'SineRegression-v0'"):
        make("SinRegression-v0")
    for id in SUPERVISED:
        family = build(id)
        assert isinstance(family, SupervisedDistribution)
        assert family.id == id
        assert repr(family).startswith(f"metarl.make('{id}'")


def test_answers_are_neither_right_nor_wrong_unless_a_family_says_so():
    assert not isinstance(SineRegression(), MarksAnswers)
    assert isinstance(make("GlyphClassification-v0"), MarksAnswers)
