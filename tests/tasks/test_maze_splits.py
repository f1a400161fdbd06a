"""Frozen and endless mazes: never one in two splits, each frozen one once before any twice."""

import numpy as np
import pytest
import torch

from metarl.tasks.grid_maze import GridMaze
from metarl.tasks.maze_layouts import maze_bits


@pytest.mark.parametrize("frozen", [0, 1000])
@pytest.mark.parametrize("size", [3, 5])
def test_no_maze_is_in_both_splits(frozen, size):
    distribution = GridMaze(size, train_mazes=frozen, test_mazes=frozen)
    train, test = (set(maze_bits(distribution.sample(1000, split, seed)).tolist()) for split, seed in (("train", 0), ("test", 1)))
    assert not train & test


def test_a_thousand_frozen_mazes_come_once_each():
    distribution = GridMaze()
    for split in ("train", "test"):
        first, again = distribution.sample(1000, split, 0), distribution.sample(2500, split, 7)
        assert len(np.unique(maze_bits(first))) == 1000
        counts = np.unique(maze_bits(again), return_counts=True)
        assert set(counts[0].tolist()) == set(maze_bits(first).tolist())
        assert set(counts[1].tolist()) == {2, 3}


def test_few_training_mazes_are_the_first_of_many():
    few, many = (GridMaze(train_mazes=count).mazes.frozen_set("train") for count in (10, 1000))
    assert few.fingerprint == many[:10].fingerprint
    assert GridMaze(train_mazes=10).sample(1000, "test", 3).fingerprint == GridMaze().sample(1000, "test", 3).fingerprint


def test_without_a_number_mazes_are_new_at_every_seed():
    distribution = GridMaze(train_mazes=0)
    drawn = torch.cat([distribution.sample(500, "train", seed).walls.flatten(1) for seed in range(3)])
    assert len(np.unique(drawn.numpy(), axis=0)) > 1480  # of half a thousand million; some are drawn far more often than others


def test_one_maze_in_four_is_for_tests():
    bits = maze_bits(GridMaze(train_mazes=0).sample(100, "train", 0))
    assert ((bits >> np.uint64(40)) % np.uint64(4) != 0).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"size": 0}, "size of at least 2"),
        ({"size": 1}, "size of at least 2"),
        ({"algorithm": "prim"}, "depth-first or kruskal"),
        ({"loops": 1.5}, "chance"),
        ({"train_mazes": -1}, "can't be negative"),
    ],
)
def test_bad_arguments_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        GridMaze(**arguments)
