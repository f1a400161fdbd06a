"""Courses drawn as squares.

Goals, walls that close exactly what is closed, and room beside them.
"""

import numpy as np
import pytest

from metarl.tasks.mujoco.ant_courses import COURSE, MAZES
from metarl.tasks.mujoco.ant_layouts import CLEARANCE, THICKNESS, Layouts

SIDE = 6.0
STAIRS = "##.G #..# ..## S###"
# The last is no way, but a pattern of corners
DRAWINGS = (STAIRS, "...G ...# .### S..#", "G### #.## ##.# S###")


def inside(walls, places):
    """Return whether each place [n, 2] lies in some wall."""
    return np.any([(np.abs(places - (w.x, w.y)) < (w.half_x, w.half_y)).all(1) for w in walls], 0)


def is_open(drawing, places):
    """Return whether each place [n, 2] lies in an open square, read from the drawing with the start
    at its lower left.
    """
    lines = drawing.split()[::-1]
    squares = np.rint(places / SIDE).astype(int)
    return np.array(
        [0 <= y < len(lines) and 0 <= x < len(lines[0]) and lines[y][x] != "#" for x, y in squares]
    )


def test_goals_and_edges_by_hand():
    layouts = Layouts([STAIRS], SIDE)
    assert layouts.goals.tolist() == [[18.0, 18.0]]
    assert (layouts.low.tolist(), layouts.high.tolist()) == ([-3.0, -3.0], [21.0, 21.0])
    mazes = Layouts(list(MAZES.values()), 4.0)
    assert mazes.goals.tolist() == [
        [0, 4],
        [0, -4],
        [8, 0],
        [4, 4],
        [4, -4],
        [8, 4],
        [8, -4],
        [4, 4],
        [4, -4],
    ]
    assert (mazes.low.tolist(), mazes.high.tolist()) == ([-2.0, -6.0], [10.0, 6.0])
    assert COURSE == STAIRS


def test_a_straight_corridor_has_four_walls():
    corridor = Layouts(["S.G"], SIDE)
    walls = sorted(corridor.walls[0])
    assert [(w.x, w.y) for w in walls] == [(-3.25, 0.0), (6.0, -3.25), (6.0, 3.25), (15.25, 0.0)]
    assert [(w.half_x, w.half_y) for w in walls] == [
        (0.25, 3.5),
        (9.5, 0.25),
        (9.5, 0.25),
        (0.25, 3.5),
    ]


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_walls_stand_in_closed_squares_and_all_along_the_open_ones(drawing):
    walls = Layouts([drawing], SIDE).walls[0]
    places = np.random.default_rng(0).uniform(-10, 31, (40_000, 2))
    free = is_open(drawing, places)
    assert not inside(walls, places[free]).any()
    # Less than a wall is thick
    steps = [places + (x, y) for x, y in ((0.3, 0), (-0.3, 0), (0, 0.3), (0, -0.3))]
    leaves = [free & ~is_open(drawing, reached) for reached in steps]
    assert sum(each.sum() for each in leaves) > 500
    for each, reached in zip(leaves, steps, strict=True):
        assert inside(walls, reached[each]).all()
    assert all(min(w.half_x, w.half_y) == THICKNESS / 2 for w in walls)


def test_places_in_the_goals_square():
    layouts = Layouts(list(MAZES.values()), SIDE)
    layout = np.array([0, 0, 0, 1, 2])
    places = np.array([[0.0, 3.1], [0.0, 2.9], [3.1, 6.0], [-2.9, -8.9], [12.0, 2.0]])
    assert layouts.in_goal(layout, places).tolist() == [True, False, False, True, True]


def test_room_is_made_by_the_shortest_step_aside():
    # 1.9
    layouts = Layouts([STAIRS], SIDE)
    edge = SIDE / 2 - CLEARANCE
    by_hand = {
        (0.0, 0.0): (0.0, 0.0),
        (1.8, -1.0): (1.8, -1.0),
        (2.7, 0.0): (edge, 0.0),  # a wall on the right
        (-2.7, -2.5): (-edge, -edge),  # two walls
        (0.0, 2.9): (0.0, 2.9),  # the way up is open
        (2.8, 5.0): (2.8, 5.0),  # and then to the right,
        (2.8, 3.5): (2.8, 6 - edge),  # but not so near to the corner between the two
        (2.4, 3.1): (edge, 3.1),  # 0.5 m to be clear of it along x, 1 m along y
    }
    places = np.array(list(by_hand))
    moved = layouts.with_room(np.zeros(len(places), dtype=int), places)
    assert np.allclose(moved, list(by_hand.values()))


@pytest.mark.parametrize("drawing", DRAWINGS[:2])
def test_with_room_no_wall_is_near_and_few_are_moved(drawing):
    layouts = Layouts([drawing], SIDE)
    places = np.random.default_rng(1).uniform(-4, 22, (5000, 2))
    moved = layouts.with_room(np.zeros(len(places), dtype=int), places)
    free = is_open(drawing, places)
    assert np.array_equal(moved[~free], places[~free])  # out there nothing is known of walls
    for x, y in np.random.default_rng(2).uniform(-CLEARANCE, CLEARANCE, (40, 2)) * 0.999:
        assert not inside(layouts.walls[0], moved[free] + (x, y)).any()
    had_room = np.all(
        [is_open(drawing, places + (x, y)) for x in (-1.2, 0, 1.2) for y in (-1.2, 0, 1.2)], 0
    )
    assert np.array_equal(moved[had_room], places[had_room])
    assert np.abs(moved - places).max() <= CLEARANCE
    assert 0.2 < (moved[free] == places[free]).all(1).mean() < 0.8


@pytest.mark.parametrize(
    ("drawings", "side", "sentence"),
    [
        (["SG"], 2.0, "side of more than 2.2 m"),
        (["SG"], float("inf"), "side of more than 2.2 m"),
        (["SG", "S.G"], 6.0, "alike in size"),
        (["S."], 6.0, "one G for the goal"),
        (["SSG"], 6.0, "one S for the start"),
        (["SG", "GS"], 6.0, "the start in the same square"),
    ],
)
def test_drawings_that_are_no_courses_get_a_sentence(drawings, side, sentence):
    with pytest.raises(ValueError, match=sentence):
        Layouts(drawings, side)
