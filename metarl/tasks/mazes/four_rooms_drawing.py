"""Rooms on a grid from above, with the path that was walked where a step can lead two squares on."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from metarl.tasks.canvas import BLACK, GREEN, GREY, Canvas, Colour, Point, time_colour
from metarl.tasks.mazes.drawings import ARRIVED, walked_line

__all__ = ["draw_rooms"]

Square = tuple[int, int]
PITCH = 12  # pixels a square


def draw_rooms(
    free: Sequence[Square], size: int, goal: Square, places: Sequence[Square], moment: int
) -> Tensor:
    """Return a grid of size x size squares, the goal in green and the agent as a black disc: [12
    size, 12 size, 3] uint8.

    The path goes from blue over purple to vermillion at the episode's end. A step that leads two
    squares on is drawn as two.

    Args:
        free: squares without a wall, as (row, column).
        size: squares along a side.
        goal: its square.
        places: T + 1 squares where the agent was at each moment of the episode.
        moment: the path is drawn up to there, from 0 to T.
    """
    canvas = Canvas(PITCH * size, PITCH * size, PITCH, (size / 2 - 0.5, 0.5 - size / 2))
    walls = np.ones((size, size), dtype=bool)
    walls[tuple(np.array(free).T)] = False
    canvas.pixels[walls.repeat(PITCH, 0).repeat(PITCH, 1)] = GREY
    _square(canvas, goal, 0.5, ARRIVED)
    _square(canvas, goal, 0.3, GREEN)
    walked, steps = zip(*_by_squares(set(free), places[: moment + 1]), strict=True)
    for i, piece in walked_line(np.array(walked, dtype=float)):
        canvas.line(
            [_point(end) for end in piece], 0.16, time_colour(steps[i] / max(len(places) - 1, 1))
        )
    canvas.disc(_point(places[moment]), 0.32, BLACK)
    return torch.from_numpy(canvas.picture())


def _by_squares(free: set[Square], places: Sequence[Square]) -> Iterator[tuple[Square, int]]:
    """The squares of a path and the step that led to each, with one in between where a step leads
    two squares on.
    """
    yield places[0], 0
    for step, ((row, column), (to_row, to_column)) in enumerate(pairwise(places), 1):
        if abs(to_row - row) + abs(to_column - column) == 2:
            straight = ((row + to_row) // 2, (column + to_column) // 2)
            corners = [(row, to_column), (to_row, column)]
            yield (
                next(
                    square
                    for square in (corners if row != to_row and column != to_column else [straight])
                    if square in free
                ),
                step,
            )
        yield (to_row, to_column), step


def _point(place: tuple[float, float]) -> Point:
    """Return where (row, column) is drawn: x to the right, y upwards."""
    return place[1], -place[0]


def _square(canvas: Canvas, place: Square, half: float, colour: Colour) -> None:
    x, y = _point(place)
    canvas.polygon(
        [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)],
        colour,
    )
