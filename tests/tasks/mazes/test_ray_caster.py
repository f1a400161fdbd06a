"""The ray caster: views computed by hand, symmetries of mazes, and rows that are drawn alone."""

import math

import numpy as np
import pytest
import torch

from metarl.tasks.mazes.layouts import DIRECTIONS, parse_drawings
from metarl.tasks.mazes.ray_caster import (
    COLUMNS,
    FINENESS,
    FOCAL,
    HEIGHT,
    PILLAR,
    ROWS,
    WALL,
    cast,
    column_table,
    draw_views,
    palette,
    view_rays,
)
from metarl.tasks.mazes.visual_maze import VisualMaze, compass, middle

CORRIDOR = """
#######
#S...G#
#.###.#
#.#...#
#.#.###
#.....#
#######
"""
PILLAR_COLOUR = np.array([1.0, 0.1, 1.0])


def views(drawing, cell, direction, target=None, dtype=torch.float32, landmarks=False):
    """Return one view from a cell's middle."""
    tasks = parse_drawings([drawing])
    position = middle(torch.tensor([cell]), tasks.size).to(dtype)
    forward = torch.tensor([DIRECTIONS[direction]], dtype=dtype)
    target = (
        torch.full((1, 2), -100.0, dtype=dtype)
        if target is None
        else middle(torch.tensor([target]), tasks.size).to(dtype)
    )
    return draw_views(tasks.walls, position, forward, target, landmarks)[0]


def wall_pixels(column, row_colour):
    """Return how many pixels of a column have exactly this colour."""
    return int((column == torch.as_tensor(row_colour)).all(-1).sum())


def many(n, dtype=torch.float32, turns=12):
    """Random standing places in cells, looking anywhere."""
    maze = VisualMaze(size=5)
    tasks = maze.sample(n, "train", 0)
    rng = torch.Generator().manual_seed(0)
    cell = torch.randint(25, (n,), generator=rng)
    position = middle(cell, 5).double() + 0.7 * (
        torch.rand(n, 2, generator=rng, dtype=torch.float64) - 0.5
    )
    angle = 2 * math.pi * torch.rand(n, generator=rng, dtype=torch.float64)
    forward = torch.stack([angle.cos(), angle.sin()], 1)
    return tasks, *(part.to(dtype) for part in (position, forward, middle(tasks.goal, 5)))


@pytest.mark.parametrize(("direction", "free"), [(0, 0.5), (1, 2.5), (2, 2.5), (3, 0.5)])
def test_a_wall_ahead_is_as_far_as_the_corridor_is_long(direction, free):
    tasks = parse_drawings([CORRIDOR])
    rays = view_rays(torch.tensor([DIRECTIONS[direction]], dtype=torch.float64))
    hits = cast(tasks.walls, middle(tasks.start, 3).double(), rays)
    depth = free - WALL / 2
    assert (1 / hits.nearness[0, COLUMNS // 2 - 1 : COLUMNS // 2 + 1]).tolist() == pytest.approx(
        [depth] * 2, abs=1e-12
    )
    assert hits.side[0, COLUMNS // 2].item() == (direction + 2) % 4  # the side that looks back
    height = FOCAL * HEIGHT / depth
    image = views(CORRIDOR, 0, direction)
    level = min(round(height / 2 * FINENESS), FINENESS * ROWS // 2)
    column = column_table(palette())[4 * ((direction + 2) % 4), level]
    assert np.array_equal(image[:, COLUMNS // 2].numpy(), column)
    assert wall_pixels(image[:, COLUMNS // 2], column[ROWS // 2]) == pytest.approx(
        min(height, ROWS), abs=2
    )


def test_side_walls_are_seen_at_the_depth_where_a_ray_leaves_the_corridor():
    tasks = parse_drawings([CORRIDOR])
    hits = cast(
        tasks.walls,
        middle(tasks.start, 3).double(),
        view_rays(torch.tensor([[0.0, 1.0]], dtype=torch.float64)),
    )
    slope = (np.arange(COLUMNS) + 0.5 - COLUMNS / 2) / FOCAL
    beside = 0.5 - WALL / 2
    # To the left the wall is whole
    expected = np.minimum(beside / np.abs(slope), 3 - WALL / 2 - 0.5)[: COLUMNS // 2]
    assert (1 / hits.nearness[0, : COLUMNS // 2]).numpy() == pytest.approx(expected, abs=1e-12)
    # The north wall looks south, the far wall west
    assert set(hits.side[0, : COLUMNS // 2].tolist()) == {2, 3}


def test_a_target_straight_ahead_is_as_wide_as_its_angle():
    image = views(CORRIDOR, 0, 1, target=2)
    distance = 2.0
    # Columns from the axis to the tangent
    half = FOCAL * PILLAR / math.sqrt(distance**2 - PILLAR**2)
    expected = 2 * math.floor(half + 0.5)
    middle_row = image[ROWS // 2].float()
    seen = (
        ((middle_row[:, 0] > 100) & (middle_row[:, 1] < 60) & (middle_row[:, 2] > 100))
        .nonzero()[:, 0]
        .tolist()
    )
    assert seen == list(range(COLUMNS // 2 - expected // 2, COLUMNS // 2 + expected // 2))
    assert torch.equal(views(CORRIDOR, 0, 1)[:, :15], image[:, :15])  # the rest is as without it
    nearer = views(CORRIDOR, 1, 1, target=2)[ROWS // 2].float()
    assert int(((nearer[:, 1] < 60) & (nearer[:, 2] > 100)).sum()) == 2 * math.floor(
        FOCAL * PILLAR / math.sqrt(1 - PILLAR**2) + 0.5
    )


@pytest.mark.parametrize(("cell", "direction"), [(0, 3), (0, 2), (6, 0), (3, 1)])
def test_walls_hide_the_target_and_nothing_shows_behind(cell, direction):
    assert torch.equal(views(CORRIDOR, cell, direction, target=2), views(CORRIDOR, cell, direction))


def test_from_within_the_target_nothing_else_is_seen():
    image = views(CORRIDOR, 2, 0, target=2)
    assert (image == image[:, :1]).all()
    assert image[ROWS // 2, 0].tolist() == np.rint(255 * PILLAR_COLOUR).tolist()


def test_a_full_circle_ends_where_it_began():
    maze = VisualMaze(turns=12)
    tasks = maze.sample(16, "train", 0)
    rng = torch.Generator()
    state, first = maze.reset(tasks, rng)
    seen = []
    for _ in range(12):
        transition = maze.step(tasks, state, torch.zeros(16, dtype=torch.int64), rng)
        state = transition.state
        seen.append(transition.observation)
    assert torch.equal(seen[-1], first)
    assert not torch.equal(seen[2], first)


def test_mirrored_mazes_give_mirrored_views():
    tasks, position, forward, target = many(200, torch.float64)
    hits = cast(tasks.walls, position, view_rays(forward))
    mirror = torch.tensor([1.0, -1.0], dtype=torch.float64)
    shift = torch.tensor([0.0, 5.0], dtype=torch.float64)
    mirrored = cast(tasks.walls.flip(2), shift + mirror * position, view_rays(mirror * forward))
    assert (mirrored.nearness.flip(1) - hits.nearness).abs().max() < 1e-9
    swapped = torch.tensor([0, 3, 2, 1])  # east and west
    # Edges may fall to either side
    assert (swapped[mirrored.side.flip(1)] == hits.side).double().mean() > 0.999
    row = hits.square // 11
    column = hits.square % 11
    assert (mirrored.square.flip(1) == row * 11 + 10 - column).double().mean() > 0.999
    north = draw_views(tasks.walls, position, forward, target, landmarks=False)
    south = draw_views(
        tasks.walls.flip(2),
        shift + mirror * position,
        mirror * forward,
        shift + mirror * target,
        landmarks=False,
    )
    # North and south sides keep their colours
    alike = (hits.side % 2 == 0) & (swapped[mirrored.side.flip(1)] == hits.side)
    columns = (north == south.flip(2)).all(3).all(1)
    assert columns[alike].double().mean() > 0.995
    assert not columns[hits.side % 2 == 1].all()


def test_every_hit_is_a_wall_and_nothing_stands_before_it():
    tasks, position, forward, _ = many(300, torch.float64)
    rays = view_rays(forward)
    hits = cast(tasks.walls, position, rays)
    drawing = tasks.walls.flatten(1)
    assert drawing.gather(1, hits.square).all()
    share = torch.linspace(0, 0.999, 200, dtype=torch.float64)
    # [n, 2, C, 200] on the way
    points = position[:, :, None, None] + (rays / hits.nearness[:, None])[..., None] * share
    shifted = points + WALL / 2
    square = 2 * shifted.floor() + (shifted - shifted.floor() >= WALL)
    inside = drawing.gather(1, (square[:, 0] * 11 + square[:, 1]).long().flatten(1)).view(
        300, COLUMNS, -1
    )
    assert inside.double().mean() < 1e-4  # but for points on an edge


def test_single_and_double_precision_draw_the_same():
    single = draw_views(many(400)[0].walls, *many(400)[1:])
    double = draw_views(many(400)[0].walls, *many(400, torch.float64)[1:])
    assert (single == double).all(3).double().mean() > 0.999


def test_rows_are_drawn_alone():
    tasks, position, forward, target = many(33)
    together = draw_views(tasks.walls, position, forward, target)
    for i in range(0, 33, 8):
        alone = draw_views(
            tasks.walls[i : i + 1], position[i : i + 1], forward[i : i + 1], target[i : i + 1]
        )
        assert torch.equal(alone[0], together[i])


def test_landmarks_tell_squares_and_mazes_apart():
    tasks, position, forward, target = many(200)
    plain = draw_views(tasks.walls, position, forward, target, landmarks=False)
    tinted = draw_views(tasks.walls, position, forward, target)
    assert (plain != tinted).any(3).double().mean() > 0.4
    hits = cast(tasks.walls, position, view_rays(forward))
    colours = {tuple(colour) for colour in tinted[:, ROWS // 2].flatten(0, 1).tolist()}
    assert len(colours) > 100  # sixteen, and as they darken
    assert hits.square.min() >= 0


def test_looking_along_an_axis_and_standing_in_an_opening_give_no_nan():
    tasks = parse_drawings([CORRIDOR])
    position = torch.tensor([[0.5, 1.0]])  # in the line between two cells, exactly
    for direction in range(4):
        # A component of exactly zero
        rays = compass(4, torch.device("cpu"))[direction][None, :, None]
        hits = cast(tasks.walls, position, rays)
        expected = {0: 0.4, 1: 1.9, 2: 0.4, 3: 0.9}[direction]
        assert 1 / hits.nearness[0, 0] == pytest.approx(expected, abs=1e-6)
