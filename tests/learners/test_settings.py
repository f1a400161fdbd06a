"""Numbers that learners are given: whole ones of at least 1, and one seed."""

import numpy as np
import pytest

from metarl.learners.settings import check_counts, only_seed


def test_whole_numbers_of_at_least_1_pass():
    check_counts(tasks=1, steps=np.int64(3))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (0, "steps must be at least 1, not 0"),
        (-2, "steps must be at least 1, not -2"),
        (2.0, "steps must be a whole number, not 2.0"),
        (None, "steps must be a whole number, not None"),
        ("3", "steps must be a whole number, not '3'"),
    ],
)
def test_other_numbers_are_named(value, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_counts(tasks=1, steps=value)


def test_one_seed_may_stand_alone_or_in_a_tuple():
    assert only_seed("MAML", 7) == only_seed("MAML", (7,)) == only_seed("MAML", np.int64(7)) == 7


@pytest.mark.parametrize("seed", [(), (0, 1), 0.5, (0.5,), None, "0"])
def test_anything_else_gets_a_sentence(seed):
    with pytest.raises(
        ValueError,
        match=(
            r"MAML trains one seed at a time; give an integer, not|seed must be a whole number, not"
        ),
    ):
        only_seed("MAML", seed)
