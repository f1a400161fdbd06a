"""Tasks, sources of tasks, and rows of tensor families."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

import metarl
from metarl.core.task_distribution import Tasks, check_split, fresh_tasks, join_tasks, where_rows


@dataclass(frozen=True, eq=False)
class Points(Tasks):
    place: Tensor  # [n, 2]
    name: Tensor  # [n] int64


@dataclass(frozen=True, eq=False)
class Spots(Tasks):
    place: Tensor
    name: Tensor


def points(n: int = 5) -> Points:
    return Points(torch.arange(2 * n, dtype=torch.float64).reshape(n, 2), torch.arange(n))


@pytest.mark.parametrize(
    ("index", "names"),
    [
        (2, [2]),
        (-1, [4]),
        (np.int64(3), [3]),
        (torch.tensor(1), [1]),
        (slice(1, 4), [1, 2, 3]),
        ([4, 0, 4], [4, 0, 4]),
        ([], []),
        ([True, False, True, False, False], [0, 2]),
        (torch.tensor([False, True, False, False, True]), [1, 4]),
        (np.array([3, 1]), [3, 1]),
    ],
)
def test_every_kind_of_index_gives_a_batch(index, names):
    chosen = points()[index]
    assert isinstance(chosen, Points)
    assert chosen.name.tolist() == names
    assert chosen.place.shape == (len(names), 2)
    assert len(chosen) == len(names)


def test_where_takes_rows_of_the_other_where_the_mask_is_true():
    other = Points(-torch.ones(5, 2, dtype=torch.float64), torch.full((5,), -1))
    merged = points().where(torch.tensor([True, False, False, True, False]), other)
    assert merged.name.tolist() == [-1, 1, 2, -1, 4]
    assert merged.place[:, 0].tolist() == [-1, 2, 4, -1, 8]


def test_to_changes_floating_tensors_only():
    tasks = points().to("cpu", torch.float32)
    assert (tasks.place.dtype, tasks.name.dtype) == (torch.float32, torch.int64)
    assert points().to("cpu").place.dtype == torch.float64


def test_join_puts_batches_one_after_the_other():
    assert join_tasks([points()[[4]], points()[:2]]).name.tolist() == [4, 0, 1]


def test_fingerprint_tells_tasks_apart_and_nothing_else():
    print_of = points().fingerprint
    assert len(print_of) == 16
    assert points().fingerprint == print_of
    assert points()[:].fingerprint == print_of
    assert points()[[0, 1, 2, 3, 4]].fingerprint == print_of
    strided = Points(points().place.T.contiguous().T, torch.arange(5))
    assert strided.fingerprint == print_of
    changed = points()
    changed.place[3, 1] += 1e-12
    others = [
        changed,
        points(4),
        points()[[1, 0, 2, 3, 4]],
        points().to("cpu", torch.float32),
        Spots(points().place, points().name),
    ]
    prints = [print_of, *(tasks.fingerprint for tasks in others)]
    assert len(set(prints)) == len(prints)


def test_fingerprint_stays_as_published():
    assert points().fingerprint == "2d8be17fa4d80f72"


def test_tasks_are_frozen():
    with pytest.raises(AttributeError):
        points().name = torch.zeros(5)  # type: ignore[misc]


def test_where_rows_goes_through_nested_named_tuples():
    mask = torch.tensor([True, False])
    one = (torch.zeros(2, 3), (torch.zeros(2), ()))
    other = (torch.ones(2, 3), (torch.ones(2), ()))
    merged = where_rows(mask, one, other)
    assert merged[0].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert merged[1][0].tolist() == [0, 1]
    assert merged[1][1] == ()
    step = where_rows(mask, metarl.Step(*[torch.zeros(2)] * 7), metarl.Step(*[torch.ones(2)] * 7))
    assert isinstance(step, metarl.Step)
    assert step.prev_reward.tolist() == [0, 1]


def ask(source, rows, counts):
    return source(torch.tensor(rows), torch.tensor(counts)).means


@pytest.mark.parametrize("shape", [(30, 40, 3), (3, 3, 3), (8,), ()])
def test_where_rows_of_bytes(shape):
    one = torch.full((5, *shape), 7, dtype=torch.uint8)
    other = torch.full((5, *shape), 9, dtype=torch.uint8)
    mask = torch.tensor([True, False, True, True, False])
    # Where they lie in memory is nothing
    for chosen in (one, torch.full((6, *shape), 7, dtype=torch.uint8)[1:]):
        merged = where_rows(mask, chosen, other)
        assert merged.shape == one.shape
        assert merged.dtype == torch.uint8
        assert merged.reshape(5, -1)[:, 0].tolist() == [7, 9, 7, 7, 9]
        assert torch.equal(merged, torch.stack([(one if row else other)[0] for row in mask]))


def test_a_rows_tasks_depend_on_seed_row_and_count_alone():
    bandit = metarl.make("BernoulliBandit-v0", arms=3)
    source = fresh_tasks(bandit, "train", 6, seed=4)
    # More blocks than the source holds
    wanted = {(i, j): ask(source, [i], [j]) for j in reversed(range(20)) for i in range(6)}
    again = fresh_tasks(bandit, "train", 6, seed=4)
    assert torch.equal(
        ask(again, [0, 1, 2, 3, 4, 5], [0] * 6), torch.cat([wanted[i, 0] for i in range(6)])
    )
    assert torch.equal(
        ask(again, [5, 0, 3, 1], [2, 19, 2, 7]),
        torch.cat([wanted[5, 2], wanted[0, 19], wanted[3, 2], wanted[1, 7]]),
    )
    assert torch.equal(ask(again, [4, 2], [3, 3]), torch.cat([wanted[4, 3], wanted[2, 3]]))
    assert torch.equal(ask(again, [1, 0, 2, 3, 4, 5], [1] * 6)[0], wanted[1, 1][0])
    assert len({tuple(means[0].tolist()) for means in wanted.values()}) == 120


def test_first_moves_a_source_on():
    bandit = metarl.make("BernoulliBandit-v0")
    one = fresh_tasks(bandit, "train", 2, seed=0)
    later = fresh_tasks(bandit, "train", 2, seed=0, first=3)
    assert torch.equal(ask(one, [0, 1], [5, 4]), ask(later, [0, 1], [2, 1]))


def test_splits_and_seeds_give_other_tasks():
    bandit = metarl.make("BernoulliBandit-v0")
    sources = [
        fresh_tasks(bandit, split, 1, seed) for split in ("train", "test") for seed in (0, 1)
    ]
    assert len({tuple(ask(source, [0], [0])[0].tolist()) for source in sources}) == 4


def test_an_unknown_split_is_named_with_those_that_exist():
    with pytest.raises(
        ValueError,
        match=r"BernoulliBandit-v0 has no split 'valid'; choose one of train, test, validation\.",
    ):
        check_split(metarl.make("BernoulliBandit-v0"), "valid")
    with pytest.raises(ValueError, match="has no split 'extrapolate'"):
        fresh_tasks(metarl.make("BernoulliBandit-v0"), "extrapolate", 1, 0)


@pytest.mark.parametrize("id", ["BernoulliBandit-v0", "GaussianBandit-v0", "RandomMDP-v0"])
def test_independent_rows_play_as_each_would_alone(id):
    distribution = metarl.make(id)
    tasks = distribution.sample(3, "train", 0).to("cpu", torch.float32)
    actions = torch.randint(5, (20, 3), generator=torch.Generator().manual_seed(0))
    together = distribution.open_independent([torch.Generator().manual_seed(i) for i in range(3)])
    alone = [distribution.open(1, torch.Generator().manual_seed(i)) for i in range(3)]
    every = torch.ones(3, dtype=torch.bool)
    assert torch.equal(
        together.reset(every, tasks),
        torch.cat([row.reset(every[:1], tasks[i]) for i, row in enumerate(alone)]),
    )
    for action in actions:
        transition = together.step(action)
        others = [row.step(action[i : i + 1]) for i, row in enumerate(alone)]
        for name in ("observation", "reward", "terminated", "success"):
            assert torch.equal(
                getattr(transition, name), torch.cat([getattr(other, name) for other in others])
            )
