"""Streams are named by their paths, independent of each other and the same on every machine."""

import numpy as np
import pytest
import torch

from metarl.core.seeding import derive_seed, numpy_generator, torch_generator


@pytest.mark.parametrize(
    ("seed", "path", "expected"), [(0, (), 2033344993903900207), (7, ("a", 1), 1552159548712260002)]
)
def test_seeds_stay_the_same_from_version_to_version(seed, path, expected):
    assert derive_seed(seed, *path) == expected


def test_every_path_has_a_seed_of_its_own():
    paths = [
        (),
        ("a",),
        ("b",),
        ("a", "b"),
        ("b", "a"),
        ("ab",),
        ("a", 1),
        ("a", "1"),
        (1,),
        ("1",),
        (12,),
        (1, 2),
        ("a", ""),
    ]
    seeds = {derive_seed(seed, *path) for seed in (0, 1, 2**40, 2**63 - 1) for path in paths}
    assert len(seeds) == 4 * len(paths)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_any_kind_of_integer_names_the_same_stream():
    assert derive_seed(np.int64(3), "a") == derive_seed(3, "a")


def test_neighbouring_seeds_give_unrelated_numbers():
    draws = torch.stack(
        [torch.randn(1000, generator=torch_generator(seed, "noise")) for seed in range(20)]
    )
    correlation = torch.corrcoef(draws) - torch.eye(20)
    assert correlation.abs().max() < 0.16  # five standard errors


def test_generators_repeat_and_differ():
    assert np.array_equal(numpy_generator(0, "a").random(5), numpy_generator(0, "a").random(5))
    assert not np.array_equal(numpy_generator(0, "a").random(5), numpy_generator(0, "b").random(5))
    assert torch.equal(
        torch.rand(5, generator=torch_generator(0, "a")),
        torch.rand(5, generator=torch_generator(0, "a")),
    )
    assert not torch.equal(
        torch.rand(5, generator=torch_generator(0, "a")),
        torch.rand(5, generator=torch_generator(1, "a")),
    )


def test_no_global_generator_is_touched():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    before_torch = torch.get_rng_state()
    numpy_generator(0, "a").random(5)
    torch.rand(5, generator=torch_generator(0, "a"))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before_torch)
