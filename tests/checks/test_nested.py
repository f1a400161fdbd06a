"""Walking through, copying and comparing nested tensors."""

from typing import NamedTuple

import pytest
import torch

from metarl.checks.nested import clone, difference, floats, leaves
from tests.checks.families import Walk


class Pair(NamedTuple):
    counts: torch.Tensor
    rest: tuple


def nested():
    return {
        "pair": Pair(torch.arange(3), (torch.ones(2), None)),
        "tasks": Walk().sample(2, "train", 0),
        "list": [1, "x"],
    }


def test_leaves_name_their_paths():
    assert [path for path, _ in leaves(nested())] == [
        "pair.counts",
        "pair.rest.0",
        "pair.rest.1",
        "tasks.goal",
        "list.0",
        "list.1",
    ]
    assert list(leaves(())) == []
    assert list(leaves(5)) == [("", 5)]


def test_a_clone_is_equal_and_its_own():
    one = nested()
    other = clone(one)
    assert difference(one, other) is None
    assert type(other["pair"]) is Pair
    one["pair"].counts[0] = 9
    one["tasks"].goal[0] = 9
    assert difference(one, other) == "pair.counts"
    assert other["pair"].counts[0] == 0


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ((torch.ones(2),), (torch.ones(3),), "0"),
        ((torch.ones(2),), (torch.ones(2, dtype=torch.float64),), "0"),
        ({"a": torch.ones(2)}, {"b": torch.ones(2)}, "the structure"),
        (torch.tensor([1.0, torch.nan]), torch.tensor([1.0, torch.nan]), None),
        (torch.tensor([1.0, torch.nan]), torch.tensor([torch.nan, 1.0]), "the value"),
        ((1, 2.0), (1, 2.0), None),
        ((1,), (True,), "0"),
        ([{"loss": float("nan")}], [{"loss": float("nan")}], None),
    ],
)
def test_differences_are_found_and_named(one, other, where):
    assert difference(one, other) == where


def test_floats_flatten_rows():
    assert floats(torch.ones(4, 2, 3, dtype=torch.uint8)).shape == (4, 6)
    assert floats(torch.tensor([1, 2])).dtype == torch.float64
