"""Mazes.

Perfect ones are trees, loops only add passages, paths are the shortest, drawings are read as drawn.
"""

import numpy as np
import pytest
import torch

from metarl.tasks.mazes.layouts import (
    ALGORITHMS,
    DIRECTIONS,
    between,
    cell_edges,
    distances,
    draw_mazes,
    maze_bits,
    neighbours,
    parse_drawings,
    passages,
    path_lengths,
)

SMALL = """
#######
#S..#.#
###.#.#
#...#.#
#.###.#
#....G#
#######
"""


def drawn(n=200, size=5, algorithm="depth-first", loops=0.0, seed=0):
    return draw_mazes(n, size, algorithm, loops, np.random.default_rng(seed))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [2, 5, 9])
def test_perfect_mazes_are_spanning_trees(algorithm, size):
    mazes = drawn(100, size, algorithm)
    assert mazes.size == size
    # As many passages as a tree has, each seen from both sides
    assert (passages(mazes.walls).sum((1, 2)) == 2 * (size**2 - 1)).all()
    assert torch.isfinite(distances(mazes.walls, mazes.goal)).all()  # and all cells are joined


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_walls_stand_around_and_at_corners_and_never_in_a_cell(algorithm):
    walls = drawn(50, 4, algorithm, loops=0.5).walls
    for always in (walls[:, [0, -1]], walls[:, :, [0, -1]], walls[:, ::2, ::2]):
        assert always.all()
    assert not walls[:, 1::2, 1::2].any()


def test_start_and_goal_differ_and_are_uniform():
    mazes = drawn(20_000, 3)
    assert (mazes.start != mazes.goal).all()
    for cells in (mazes.start, mazes.goal):
        assert (torch.bincount(cells, minlength=9) / 20_000 - 1 / 9).abs().max() < 5 * (
            1 / 9 * 8 / 9 / 20_000
        ) ** 0.5
    assert torch.bincount(mazes.heading, minlength=4).min() > 4_600


def test_depth_first_mazes_have_longer_corridors_than_kruskals():
    apart = [
        distances(mazes.walls, mazes.goal).gather(1, mazes.start[:, None]).mean()
        for mazes in (drawn(2000), drawn(2000, algorithm="kruskal"))
    ]
    assert apart[0] > apart[1] + 1


def test_kruskals_two_by_two_mazes_are_uniform():
    mazes = drawn(4000, 2, "kruskal")
    counts = np.unique(mazes.walls.flatten(1).numpy(), axis=0, return_counts=True)[1]
    assert len(counts) == 4  # one of four walls stands
    assert abs(counts / 4000 - 0.25).max() < 5 * (0.25 * 0.75 / 4000) ** 0.5


def test_loops_open_the_chosen_share_of_walls_and_close_none():
    closed = len(cell_edges(5)) - 24
    opened = passages(drawn(2000, loops=0.3).walls).sum((1, 2)) / 2 - 24
    assert opened.min() >= 0
    assert opened.mean().item() / closed == pytest.approx(0.3, abs=0.01)
    assert not drawn(3, loops=1.0).walls[:, 1:-1, 1:-1][:, ::2, 1::2].any()


def test_paths_in_a_maze_drawn_by_hand():
    maze = parse_drawings([SMALL])
    assert (maze.start.item(), maze.goal.item()) == (0, 8)
    assert distances(maze.walls, maze.goal)[0].tolist() == [6, 5, 2, 3, 4, 1, 2, 1, 0]
    # north, east, south, west
    assert passages(maze.walls)[0, 0].tolist() == [False, True, False, False]
    assert passages(maze.walls)[0, 3].tolist() == [False, True, True, False]


def test_shortest_paths_equal_a_plain_search():
    mazes = drawn(20, 6, loops=0.2)
    is_open = passages(mazes.walls)
    found = distances(mazes.walls, mazes.goal)
    for row in range(20):
        lengths = {int(mazes.goal[row]): 0}
        queue = [int(mazes.goal[row])]
        for cell in queue:
            for way, (down, right) in enumerate(DIRECTIONS):
                following = cell + 6 * down + right
                if is_open[row, cell, way] and following not in lengths:
                    lengths[following] = lengths[cell] + 1
                    queue.append(following)
        assert found[row].tolist() == [lengths[cell] for cell in range(36)]


def test_places_without_a_path_are_infinitely_far():
    closed = torch.zeros(1, 9, 4, dtype=torch.bool)
    assert path_lengths(closed, torch.tensor([4])).tolist() == [
        [torch.inf] * 4 + [0.0] + [torch.inf] * 4
    ]


def test_moves_cross_the_square_between_two_cells():
    assert between(2)[3].tolist() == [2 * 5 + 3, 3 * 5 + 4, 4 * 5 + 3, 3 * 5 + 2]
    assert neighbours(3)[4].tolist() == [1, 5, 7, 3]


def test_bits_tell_mazes_starts_and_goals_apart():
    mazes = drawn(5000)
    assert len(np.unique(maze_bits(mazes))) == 5000
    assert (maze_bits(mazes) == maze_bits(drawn(5000))).all()
    turned = drawn(10)
    swapped = type(turned)(turned.walls, turned.goal, turned.start, turned.heading)
    assert (maze_bits(turned) != maze_bits(swapped)).all()


@pytest.mark.parametrize(
    ("drawing", "sentence"),
    [
        ("####\n#SG#\n####", "square"),
        (SMALL.replace("S", "."), 'marked "S"'),
        (SMALL.replace("#....G#", "#...GG#"), 'marked "S"'),
        (SMALL.replace("#S..#.#", "#S#.#.#"), "no path leads"),
        (SMALL.replace("#S..#.#", ".S..#.#"), "walls around it"),
    ],
)
def test_bad_drawings_get_a_sentence(drawing, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_drawings([drawing])


def test_drawings_of_two_sizes_or_none_get_a_sentence():
    with pytest.raises(ValueError, match="same size"):
        parse_drawings([SMALL, "#####\n#S.G#\n###.#\n#...#\n#####"])
    with pytest.raises(ValueError, match="at least one"):
        parse_drawings([])
