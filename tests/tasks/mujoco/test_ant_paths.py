"""Walks from above: walls, the way by time, limbs and goal stand where they are."""

import numpy as np
import torch

from metarl.tasks.mujoco.ant_paths import draw_walk
from metarl.tasks.mujoco.models import Wall, load_model

MODEL = load_model("ant.xml")
# 20 pixels a metre
LOW = np.array([-6.0, -6.0])
HIGH = np.array([6.0, 6.0])


def walk(*places):
    positions = torch.from_numpy(np.tile(MODEL.qpos0, (len(places), 1)))
    positions[:, :2] = torch.tensor(places, dtype=torch.float64)
    return positions


def colour(picture, x, y):
    return picture[round(120 - 20 * y), round(120 + 20 * x)].tolist()


def test_everything_is_where_it_is():
    positions = walk((-5.0, -3.0), (0.0, -3.0), (5.0, -3.0), (0.0, 1.0))
    picture = draw_walk(MODEL, positions, 3, (4.0, 4.0), LOW, HIGH, [Wall(-4.0, 3.0, 1.0, 0.5)])
    assert (picture.shape, picture.dtype) == ((240, 240, 3), torch.uint8)
    assert colour(picture, 4.0, 4.0) == [0, 158, 115]
    assert colour(picture, -4.9, 3.4) == colour(picture, -3.1, 2.6) == [120, 120, 120]
    assert colour(picture, -4.0, 3.7) == colour(picture, -2.8, 3.0) == [255, 255, 255]
    assert colour(picture, 0.0, 1.0) == [30, 30, 30], "the torso"
    for x, y in ((0.5, 1.5), (-0.5, 1.5), (0.5, 0.5), (-0.5, 0.5)):
        assert colour(picture, x, y) == [30, 30, 30], "a leg"
    early = colour(picture, -3.0, -3.0)
    late = colour(picture, 3.0, -3.0)
    assert early[2] > early[0]
    assert late[0] > early[0]


def test_what_is_still_to_come_is_not_drawn():
    positions = walk((-5.0, -3.0), (0.0, -3.0), (5.0, -3.0))
    halfway = draw_walk(MODEL, positions, 1, (4.0, 4.0), LOW, HIGH)
    start = draw_walk(MODEL, positions, 0, (4.0, 4.0), LOW, HIGH)
    assert colour(halfway, 3.0, -3.0) == [255, 255, 255] != colour(halfway, -2.5, -3.0)
    assert colour(start, -2.5, -3.0) == [255, 255, 255]
    assert colour(start, -5.0, -3.0) == colour(halfway, 0.0, -3.0) == [30, 30, 30]


def test_long_walks_are_drawn_as_short_ones():
    many = draw_walk(
        MODEL, walk(*((0.001 * i - 5, 0.0) for i in range(2001))), 2000, (4.0, 4.0), LOW, HIGH
    )
    few = draw_walk(
        MODEL, walk(*((0.02 * i - 5, 0.0) for i in range(101))), 100, (4.0, 4.0), LOW, HIGH
    )
    assert (many.float() - few.float()).abs().mean() < 0.2, (
        "but for edges, which more lines make a little darker"
    )
    assert (
        draw_walk(MODEL, walk(*[(-5.0, 0.0)] * 101), 100, (4.0, 4.0), LOW, HIGH).float()
        - few.float()
    ).abs().mean() > 1
