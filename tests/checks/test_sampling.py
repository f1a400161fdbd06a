"""Checks of sampling pass on a sound family and catch what breaks the contract."""

import numpy as np
import pytest
import torch

from metarl.checks.sampling import (
    SAMPLING_CHECKS,
    check_attributes,
    check_config,
    check_global_generators_while_sampling,
    check_same_arguments_same_tasks,
    check_splits_are_disjoint,
    check_tasks,
    check_unknown_split,
)
from metarl.core.errors import PlugInError
from tests.checks.families import Walk, WalkTasks


class Unversioned(Walk):
    id = "Walk"


class NoHorizon(Walk):
    horizon = 0


class OnlyTrain(Walk):
    splits = ("train",)


class ForgetsItsArgument(Walk):
    def sample(self, n, split, seed):
        return super().sample(n, split, seed).map(lambda goal: goal * self.speed)

    def config(self):
        return {}


class HoldsAnArray(Walk):
    def config(self):
        return {"speed": np.zeros(2)}


class AnySplit(Walk):
    def sample(self, n, split, seed):
        return super().sample(n, split if split in self.splits else "train", seed)


class TerseAboutSplits(Walk):
    def sample(self, n, split, seed):
        if split not in self.splits:
            raise ValueError("no")
        return super().sample(n, split, seed)


class OneTooMany(Walk):
    def sample(self, n, split, seed):
        return super().sample(n + 1, split, seed)


class SinglePrecision(Walk):
    def sample(self, n, split, seed):
        return super().sample(n, split, seed).map(torch.Tensor.float)


class NotANumber(Walk):
    def sample(self, n, split, seed):
        return super().sample(n, split, seed).map(lambda goal: goal.sqrt())


class GivesATensor(Walk):
    def sample(self, n, split, seed):
        return super().sample(n, split, seed).goal


class RunningStream(Walk):
    """Hidden state: the generator lives in the instance."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(0)

    def config(self):
        return {}

    def sample(self, n, split, seed):
        super().sample(n, split, seed)
        return WalkTasks(torch.from_numpy(self.rng.standard_normal((n, 2))))


class IgnoresTheSeed(Walk):
    def sample(self, n, split, seed):
        return super().sample(n, split, 0)


class TrainTasksInTest(Walk):
    def sample(self, n, split, seed):
        return super().sample(n, "train", seed)


class TestBorrowsSomeOfTrain(Walk):
    __test__ = False

    def sample(self, n, split, seed):
        tasks = super().sample(n, split, seed)
        if split == "test":
            tasks.goal[-1] = super().sample(1, "train", seed).goal[0]
        return tasks


class FewByNature(TrainTasksInTest):
    finite = True


class GlobalNumPy(Walk):
    def sample(self, n, split, seed):
        np.random.seed(seed)  # noqa: NPY002
        return super().sample(n, split, seed)


class GlobalTorchWhenBuilt(Walk):
    def __init__(self):
        super().__init__()
        torch.rand(1)


@pytest.mark.parametrize("check", SAMPLING_CHECKS)
def test_a_sound_family_passes(check):
    check(Walk)


def test_a_finite_family_may_share_tasks():
    check_splits_are_disjoint(FewByNature)


@pytest.mark.parametrize(
    ("broken", "check", "words"),
    [
        (object, check_attributes, "isn't a TaskDistribution"),
        (Unversioned, check_attributes, "isn't a name with a version"),
        (NoHorizon, check_attributes, "horizon is 0"),
        (OnlyTrain, check_attributes, "Offer train and test"),
        (
            lambda: ForgetsItsArgument(2.0),
            check_config,
            "Put every argument of __init__ into config",
        ),
        (HoldsAnArray, check_config, "isn't made of JSON values"),
        (AnySplit, check_unknown_split, "takes any name for a split"),
        (TerseAboutSplits, check_unknown_split, "doesn't name the known ones"),
        (OneTooMany, check_tasks, "gave 2 tasks. Give exactly n"),
        (SinglePrecision, check_tasks, "is torch.float32. Draw in float64"),
        (NotANumber, check_tasks, "not finite"),
        (GivesATensor, check_tasks, "gave a Tensor"),
        (
            RunningStream,
            check_same_arguments_same_tasks,
            "gives other tasks when it is called again",
        ),
        (IgnoresTheSeed, check_same_arguments_same_tasks, "the same train tasks for seeds 3 and 4"),
        (
            TrainTasksInTest,
            check_splits_are_disjoint,
            "a task of split 'test' is one of 'train' too",
        ),
        (
            TestBorrowsSomeOfTrain,
            check_splits_are_disjoint,
            "a task of split 'test' is one of 'train' too",
        ),
        (
            GlobalNumPy,
            check_global_generators_while_sampling,
            "touched the global generator of NumPy",
        ),
        (
            GlobalTorchWhenBuilt,
            check_global_generators_while_sampling,
            "Building the distribution touched the global generator of PyTorch",
        ),
    ],
)
def test_a_broken_family_is_caught(broken, check, words):
    with pytest.raises(PlugInError, match=words):
        check(broken)
