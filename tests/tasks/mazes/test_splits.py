"""Frozen and endless mazes: never one in two splits, each frozen one once before any twice."""

import numpy as np
import pytest
import torch

import metarl
from metarl.runs.config import RunConfig, parse_arguments
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.layouts import draw_mazes, maze_bits, parse_drawings
from metarl.tasks.mazes.visual_maze import VisualMaze


@pytest.mark.parametrize("frozen", [0, 1000])
@pytest.mark.parametrize("size", [3, 5])
def test_no_maze_is_in_both_splits(frozen, size):
    distribution = GridMaze(size, train_mazes=frozen, test_mazes=frozen)
    train, test = (
        set(maze_bits(distribution.sample(1000, split, seed)).tolist())
        for split, seed in (("train", 0), ("test", 1))
    )
    assert not train & test


def test_a_thousand_frozen_mazes_come_once_each():
    distribution = GridMaze()
    for split in ("train", "test"):
        first = distribution.sample(1000, split, 0)
        again = distribution.sample(2500, split, 7)
        assert len(np.unique(maze_bits(first))) == 1000
        counts = np.unique(maze_bits(again), return_counts=True)
        assert set(counts[0].tolist()) == set(maze_bits(first).tolist())
        assert set(counts[1].tolist()) == {2, 3}


def test_few_training_mazes_are_the_first_of_many():
    few, many = (GridMaze(train_mazes=count).mazes.frozen_set("train") for count in (10, 1000))
    assert few.fingerprint == many[:10].fingerprint
    assert (
        GridMaze(train_mazes=10).sample(1000, "test", 3).fingerprint
        == GridMaze().sample(1000, "test", 3).fingerprint
    )


def test_without_a_number_mazes_are_new_at_every_seed():
    distribution = GridMaze(train_mazes=0)
    drawn = torch.cat(
        [distribution.sample(500, "train", seed).walls.flatten(1) for seed in range(3)]
    )
    # Of half a thousand million; some are drawn far more often than others
    assert len(np.unique(drawn.numpy(), axis=0)) > 1480


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


HOOK = "#####\n#S..#\n###.#\n#G..#\n#####"
STRAIGHT = "#####\n#S.G#\n#.###\n#...#\n#####"
CLOSED = "#####\n#S#G#\n#####\n#...#\n#####"
LARGER = "#######\n#S...G#\n#.#.#.#\n#.....#\n#.#.#.#\n#.....#\n#######"
BACK = "#####\n#G.S#\n#.###\n#...#\n#####"


@pytest.mark.parametrize("family", [GridMaze, VisualMaze])
def test_mazes_of_ones_own_are_played(family):
    distribution = family(drawings=[HOOK, STRAIGHT], test_drawings=[BACK])
    assert (distribution.size, distribution.horizon, distribution.finite) == (2, 250, False)
    drawn = distribution.sample(5, "train", 0)
    assert sorted(drawn.goal.tolist()) in (
        [1, 1, 2, 2, 2],
        [1, 1, 1, 2, 2],
    ), "each once before any twice"
    assert distribution.sample(2, "test", 3).fingerprint == parse_drawings([BACK, BACK]).fingerprint
    again = metarl.make(distribution.id, **distribution.config())
    assert again.sample(5, "train", 0).fingerprint == drawn.fingerprint
    RunConfig("rl2", None, distribution.id, distribution.config()).identity()  # JSON holds it


def test_without_tests_of_their_own_mazes_drawn_by_hand_are_few_by_nature():
    distribution = GridMaze(drawings=[HOOK, STRAIGHT])
    assert distribution.finite
    assert set(maze_bits(distribution.sample(2, "test", 0)).tolist()) == set(
        maze_bits(parse_drawings([HOOK, STRAIGHT])).tolist()
    )
    assert not GridMaze().finite


def test_on_the_command_line_drawings_are_json():
    arguments = parse_arguments(('drawings=["#####\\n#S..#\\n###.#\\n#G..#\\n#####"]',))
    assert (
        metarl.make("GridMaze-v0", **arguments).sample(1, "train", 0).fingerprint
        == parse_drawings([HOOK]).fingerprint
    )


@pytest.mark.parametrize("id", ["GridMaze-v0", "VisualMaze-v0"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"drawings": [HOOK, CLOSED]},
            "drawings: In maze 1 no path leads from the start to the goal",
        ),
        (
            {"drawings": [HOOK], "test_drawings": [STRAIGHT, HOOK]},
            "test_drawings: maze 1 is among drawings too",
        ),
        ({"test_drawings": [HOOK]}, "give drawings too"),
        ({"drawings": HOOK}, "drawings must be a list of texts"),
        ({"drawings": [3]}, "drawings must be a list of texts"),
        ({"drawings": [HOOK], "test_drawings": ["###"]}, "test_drawings: Maze 0 must be a square"),
        ({"drawings": [HOOK], "test_drawings": [LARGER]}, "2 cells a side and test_drawings 3"),
    ],
)
def test_drawings_that_are_no_mazes_get_a_sentence(id, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        metarl.make(id, **arguments)


def test_the_frozen_test_mazes_are_the_ones_that_published_scores_are_of():
    """Weights and scores in results/ are of these.

    Should this fail, mazes have changed, and the id needs a new version.
    """
    assert GridMaze().sample(1000, "test", 1611).fingerprint == "90188e225d54db96"
    assert GridMaze().mazes.frozen_set("train").fingerprint == "d8ed8a1cf774c05a"
    assert (
        draw_mazes(50, 5, "kruskal", 0.2, np.random.default_rng(0)).fingerprint
        == "67978400f63c89a6"
    )
