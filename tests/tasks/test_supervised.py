"""Supervised families keep their contract: those that are registered, and how they are made."""

import json

import pytest
import torch

import metarl
from metarl.checks.global_generators import global_generators_untouched
from metarl.tasks.registry import SUPERVISED, distribution_ids, make, supervised_ids
from metarl.tasks.seeding import torch_generator
from metarl.tasks.supervised import Examples, SupervisedDistribution

every_family = pytest.mark.parametrize("id", SUPERVISED)


def test_they_are_made_by_id_but_gymnasium_is_not_told_of_them():
    assert supervised_ids() == sorted(SUPERVISED)
    assert not set(supervised_ids()) & set(distribution_ids())
    with pytest.raises(ValueError, match="Did you mean 'SineRegression-v0'"):
        make("SinRegression-v0")


@every_family
def test_config_makes_it_again(id):
    one = make(id)
    again = metarl.make(id, **json.loads(json.dumps(one.config())))
    assert isinstance(one, SupervisedDistribution)
    assert one.id == id
    assert again.sample(5, "train", 0).fingerprint == one.sample(5, "train", 0).fingerprint
    assert repr(one).startswith(f"metarl.make('{id}'")


@every_family
def test_tasks_are_pure_and_splits_disjoint(id):
    family = make(id)
    with global_generators_untouched(f"{id}.sample"):
        tasks = {split: family.sample(64, split, 1) for split in family.splits}
    for split, drawn in tasks.items():
        assert family.sample(64, split, 1).fingerprint == drawn.fingerprint
        assert family.sample(64, split, 2).fingerprint != drawn.fingerprint
    assert len({drawn.fingerprint for drawn in tasks.values()}) == len(tasks)
    with pytest.raises(ValueError, match="has no split 'validation'"):
        family.sample(1, "validation", 0)


@every_family
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_examples_have_the_shapes_that_it_says(id, dtype):
    family = make(id)
    tasks = family.sample(3, "train", 0).to("cpu", dtype)
    for draw in (family.support, family.query):
        with global_generators_untouched(f"{id}'s examples"):
            examples = draw(tasks, torch_generator(0))
        assert isinstance(examples, Examples)
        n, m, *shape = examples.inputs.shape
        assert (n, tuple(shape)) == (3, family.input_shape)
        assert examples.targets.shape[:2] == (n, m)
        assert examples.inputs.dtype == dtype
        assert all(torch.equal(a, b) for a, b in zip(examples, draw(tasks, torch_generator(0)), strict=True))
        assert family.loss(torch.zeros(n, m, family.outputs, dtype=dtype), examples.targets).shape == (n, m)
