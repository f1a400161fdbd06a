"""Checks of supervised distributions pass on a sound family and catch what breaks the contract."""

from dataclasses import dataclass

import pytest
import torch

from metarl.checks.supervised import (
    SUPERVISED_CHECKS,
    check_examples,
    check_examples_are_the_rows_own,
    check_losses,
    check_supervised_attributes,
    check_supervised_config,
)
from metarl.core.errors import PlugInError
from metarl.core.seeding import numpy_generator
from metarl.core.supervised import Examples, SupervisedDistribution
from metarl.core.supervised import Examples as Pair
from metarl.core.task_distribution import Tasks, check_split


@dataclass(frozen=True, eq=False)
class LineTasks(Tasks):
    slope: torch.Tensor  # [n]


class Lines(SupervisedDistribution):
    """y = slope x, from noisy places."""

    id = "Lines-v0"
    input_shape = (1,)
    outputs = 1

    def __init__(self, steepest: float = 1.0):
        self.steepest = steepest

    def config(self):
        return {"steepest": self.steepest}

    def sample(self, n, split, seed):
        check_split(self, split)
        return LineTasks(
            torch.from_numpy(self.steepest * numpy_generator(seed, self.id, split).random(n))
        )

    def support(self, tasks, rng):
        x = torch.rand(len(tasks), 4, 1, generator=rng, dtype=tasks.slope.dtype)
        return Examples(x, x * tasks.slope[:, None, None])

    query = support

    def loss(self, outputs, targets):
        return (outputs - targets).abs().squeeze(-1)


class Unversioned(Lines):
    id = "Lines"


class NoShape(Lines):
    input_shape = (0,)


class OnlyTrain(Lines):
    splits = ("train",)


class Forgets(Lines):
    def config(self):
        return {}


class HoldsATensor(Lines):
    def config(self):
        return {"steepest": torch.ones(1)}


class Single(Lines):
    def support(self, tasks, rng):
        return Examples(*(part.to(torch.float32) for part in super().support(tasks, rng)))


class Draws(Lines):
    def query(self, tasks, rng):
        x = torch.rand(len(tasks), 4, 1)
        return Examples(x.to(tasks.slope), x.to(tasks.slope))


class Flat(Lines):
    def support(self, tasks, rng):
        return Examples(*(part[..., 0] for part in super().support(tasks, rng)))


class Infinite(Lines):
    def query(self, tasks, rng):
        return Examples(*(part / 0 for part in super().support(tasks, rng)))


class NoPair(Lines):
    def support(self, tasks, rng):
        return tuple(super().support(tasks, rng))


class Leans(Lines):
    def support(self, tasks, rng):
        inputs, targets = super().support(tasks, rng)
        return Pair(inputs, targets + tasks.slope.mean())


class OneLoss(Lines):
    def loss(self, outputs, targets):
        return super().loss(outputs, targets).mean(1)


class Ordered(Lines):
    def loss(self, outputs, targets):
        return super().loss(outputs, targets).cumsum(1)


class Percent(Lines):
    def correct(self, outputs, targets):
        return ((outputs - targets).abs() < 0.1).float().squeeze(-1)


def test_a_sound_family_passes():
    for check in SUPERVISED_CHECKS:
        check(lambda: Lines(2.0))


@pytest.mark.parametrize(
    ("check", "family", "sentence"),
    [
        (check_supervised_attributes, Unversioned, "isn't a name with a version"),
        (
            check_supervised_attributes,
            NoShape,
            r"input_shape is \(0,\) and outputs 1. Give a tuple",
        ),
        (check_supervised_attributes, OnlyTrain, "Offer train and test"),
        (check_supervised_config, lambda: Forgets(2.0), "Put every argument into config"),
        (check_supervised_config, HoldsATensor, "isn't made of JSON values"),
        (check_examples, Single, "Give them in the floating type of the tasks"),
        (check_examples, Draws, "global|equal generators"),
        (check_examples, Flat, r"Give \[5, m, \*\(1,\)\]"),
        (check_examples, Infinite, "isn't finite"),
        (check_examples, NoPair, r"is a tuple. Return Examples\(inputs, targets\)"),
        (
            check_examples_are_the_rows_own,
            Leans,
            "the support of a train task changes with the tasks beside it",
        ),
        (check_losses, OneLoss, "Give one finite loss an example"),
        (check_losses, Ordered, "changes with the others' order"),
        (check_losses, Percent, "Give one truth value an example"),
    ],
)
def test_what_breaks_the_contract_is_caught(check, family, sentence):
    with pytest.raises(PlugInError, match=sentence):
        check(family)


def test_something_else_is_not_supervised():
    with pytest.raises(PlugInError, match="Derive it from"):
        check_supervised_attributes(lambda: object())
