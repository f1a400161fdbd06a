"""Draws from global generators are noticed, and draws from one's own aren't."""

import random

import numpy as np
import pytest
import torch

from metarl.checks.global_generators import global_generators_untouched
from metarl.core.errors import PlugInError
from metarl.core.seeding import global_states


@pytest.mark.parametrize(
    ("touch", "name"),
    [
        (lambda: random.random(), "Python's random"),
        (lambda: np.random.rand(), "NumPy"),  # noqa: NPY002
        (lambda: torch.rand(1), "PyTorch"),
        (lambda: torch.nn.Linear(2, 2), "PyTorch"),
        (lambda: np.random.seed(12345), "NumPy"),  # noqa: NPY002
    ],
)
def test_touching_one_is_named(touch, name):
    with (
        pytest.raises(PlugInError, match=f"Mine touched the global generator of {name}"),
        global_generators_untouched("Mine"),
    ):
        touch()


def test_generators_of_ones_own_are_fine():
    with global_generators_untouched("Mine"):
        random.Random(0).random()
        np.random.default_rng(0).random()
        torch.rand(1, generator=torch.Generator().manual_seed(0))


def test_both_are_named():
    with pytest.raises(PlugInError, match="NumPy and PyTorch"), global_generators_untouched("Mine"):
        torch.rand(np.random.randint(1, 3))  # noqa: NPY002


@pytest.mark.parametrize(
    ("seed", "name"),
    [
        (lambda: random.seed(1), "Python's random"),
        (lambda: np.random.seed(1), "NumPy"),  # noqa: NPY002
        (lambda: torch.manual_seed(1), "PyTorch"),
    ],
)
def test_seeding_is_named_even_where_it_changes_nothing(seed, name):
    seed()
    with pytest.raises(PlugInError, match=name), global_generators_untouched("Mine"):
        seed()


def test_the_generators_stand_where_they_stood():
    before = global_states()
    with pytest.raises(PlugInError), global_generators_untouched("Mine"):
        torch.rand(np.random.randint(1, 3))  # noqa: NPY002
    assert global_states() == before
