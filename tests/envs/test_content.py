"""The same task is known again in whatever container its numbers come, and different tasks are told
apart.
"""

import os
import re
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from metarl.envs.content import content_key, group_by_content

Point = namedtuple("Point", "x y")


@dataclass
class Named:
    mass: object
    name: str = field(default="", compare=False)


class Plain:
    def __init__(self, **values):
        self.__dict__.update(values)


class ById:
    def __init__(self, number, note):
        self.number = number
        self.note = note

    def __eq__(self, other):
        return self.number == other.number

    def __hash__(self):
        return hash(self.number)


ALIKE = [
    (torch.tensor([1.0, 2.0]), np.array([1, 2], np.uint8)),
    (torch.tensor([0.1]), [0.1]),
    (torch.nn.Parameter(torch.ones(2)), (1, 1)),
    ([torch.tensor(1.0), torch.tensor(2.0)], [1, 2]),
    ([1, 2], (1.0, 2.0)),
    ({"a": 1, "b": [2.5]}, OrderedDict(b=np.array([2.5]), a=True)),
    ({1: 2}, {1.0: 2}),
    ({1, 2}, frozenset([2.0, 1])),
    (Point(1, 2), (1, 2)),
    (Named(1, "one"), Named(1.0, "another name")),
    (Plain(a=1, b=2), Plain(b=2, a=1)),
    (ById(1, "one"), ById(1, "another note")),
    (0.0, -0.0),
    (np.float32(0.1), 0.1),
    ([float("nan"), 1], np.array([np.nan, 1])),
    (1, np.int64(1)),
    (True, 1),
    (2**40, 2.0**40),
    (Fraction(1, 2), 0.5),
    (range(3), deque([0, 1, 2])),
    ([[1, 2], [3]], [np.array([1, 2]), torch.tensor([3.0])]),
    (np.array([1, "a"], object), (1.0, "a")),
    (np.array(["a", "b"]), ["a", "b"]),
    (Path("a"), "a"),
    (b"a", bytearray(b"a")),
    (np.random.default_rng(3), np.random.default_rng(3)),
    ({"goal": {"at": torch.ones(2)}}, {"goal": {"at": [1, 1]}}),
]
APART = [
    (1, 2),
    ("1", 1),
    (None, 0),
    ([1], 1),
    ([1, 2], [2, 1]),
    ((1, (2, 3)), ((1, 2), 3)),
    ([[1, 2, 3, 4]], [[1, 2], [3, 4]]),
    (2**60 + 1, 2**60 + 2),
    ([2**60 + 1, 0.5], [2**60 + 2, 0.5]),
    (0.1, 0.1 + 1e-12),
    (float("inf"), -float("inf")),
    ({"a": 1}, {"b": 1}),
    ({1, 2}, {1, 3}),
    (Named(1), Plain(mass=1)),
    (Plain(a=1), Plain(a=2)),
    (ById(1, ""), ById(2, "")),
    (lambda: 1, lambda: 2),
    (np.datetime64("2020-01-01"), np.datetime64("2021-01-01")),
]


def alike(one, other):
    groups = group_by_content({"train": [one, "something else"], "test": [other]})
    assert groups["train"][0] != groups["train"][1]
    return groups["train"][0] == groups["test"][0]


def shown(value):
    """Return how a test is named.

    Without addresses, which differ between the processes that share the tests.
    """
    return re.sub(r" at 0x\w+", "", repr(value))[:30]


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=shown)
def test_equal_content_is_the_same_task(one, other):
    assert alike(one, other)
    # Only a task itself is asked what it is equal to
    assert alike({"task": [one]}, {"task": (other,)}) or isinstance(one, ById)


@pytest.mark.parametrize(("one", "other"), APART, ids=shown)
def test_other_content_is_another_task(one, other):
    assert not alike(one, other)


def test_texts_that_name_one_file_are_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in (("a", "one"), ("copy", "one"), ("b", "two")):
        Path(name).write_text(content)
    os.symlink("a", "link")
    Path("folder").mkdir()
    for other in (str(tmp_path / "a"), Path("./folder/../a"), "link", "copy"):
        assert alike("a", other)
    assert alike("folder", Path("folder"))
    assert not alike("a", "b")


def test_what_holds_itself_has_a_key():
    one = [1]
    other = [1]
    one.append(one)
    other.append(other)
    assert content_key(one) == content_key(other) != content_key([1])


def test_plain_numbers_and_repeats():
    groups = group_by_content({"train": [3, 1, 3], "test": [4]})
    assert groups["train"].dtype == np.int64
    assert groups["train"].tolist() == [0, 1, 0]
    assert groups["test"].tolist() == [2]
    assert group_by_content({"train": [1, 1.0, 2]})["train"].tolist() == [0, 0, 1]
