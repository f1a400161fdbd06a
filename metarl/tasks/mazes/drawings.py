"""Mazes from above, with the path that was walked."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from metarl.tasks.canvas import BLACK, GREEN, GREY, PALE, Canvas, Colour, Point, time_colour
from metarl.tasks.mazes.layouts import DIRECTIONS, MazeTasks

__all__ = ["SIDE", "draw_maze", "places_of", "walked_line"]

SIDE = 150  # pixels that a maze takes about, whatever its size
ARRIVED = (170, 221, 203)  # the goal's cell, pale so that the path shows on it


def draw_maze(tasks: MazeTasks, places: Tensor, moment: int, heading: int | None = None) -> Tensor:
    """Return the one maze of `tasks` from above: [H, W, 3] uint8.

    The start is a grey ring, the goal a green cell, the agent a black disc, or a wedge where it
    faces somewhere. Its path goes from blue over purple to vermillion at the episode's end, and
    keeps to the right, so that ways there and back lie side by side.

    Args:
        tasks: a batch of one.
        places: [T + 1, 2] where the agent was at each moment of the episode, as (row, column) in
            cells.
        moment: draw the path up to there, from 0 to T.
        heading: direction that the agent faces at that moment, as an index of DIRECTIONS.
    """
    walls = tasks.walls[0].cpu().numpy()
    size = tasks.size
    pitch = max(8, SIDE // size)
    thick = max(2, pitch // 8)
    widths = np.where(np.arange(2 * size + 1) % 2, pitch - thick, thick)
    side = int(widths.sum())
    canvas = Canvas(
        side,
        side,
        pitch,
        ((side / 2 - (thick + pitch) / 2) / pitch, -(side / 2 - (thick + pitch) / 2) / pitch),
    )
    canvas.pixels[walls.repeat(widths, 0).repeat(widths, 1)] = BLACK
    start, goal = (
        places_of(cell, size)[0].numpy() for cell in (tasks.start.cpu(), tasks.goal.cpu())
    )
    _square(canvas, goal, 0.5 - thick / pitch / 2, ARRIVED)
    _square(canvas, goal, 0.24, GREEN)
    canvas.disc(_point(start), 0.3, GREY)
    canvas.disc(_point(start), 0.2, PALE)
    walked = places.cpu().numpy().astype(float)
    pieces: dict[tuple[Point, Point], int] = {}
    for i, piece in walked_line(walked[: moment + 1]):
        pieces.pop(piece, None)  # what was walked again is drawn once, on top, in the later colour
        pieces[piece] = i
    for piece, i in pieces.items():
        canvas.line(
            [_point(np.array(end)) for end in piece], 0.11, time_colour(i / max(len(walked) - 1, 1))
        )
    _agent(canvas, walked[moment], heading)
    return torch.from_numpy(canvas.picture())


def places_of(cells: Tensor, size: int) -> Tensor:
    """(row, column) [n, 2] of cells [n] numbered row by row."""
    return torch.stack([cells // size, cells % size], 1)


def walked_line(
    places: np.ndarray, aside: float = 0.13
) -> Iterator[tuple[int, tuple[Point, Point]]]:
    """The pieces of the line along which a path is drawn: (step, its two ends), ends as (row,
    column).

    Where all moves go from a cell to a neighbour, the line keeps `aside` cells to the right of the
    middle; else it joins the places.
    """
    moves = np.diff(places, axis=0)
    steps = np.flatnonzero(np.abs(moves).sum(1) > 0)
    moves = moves[steps]
    if not len(steps):
        return
    by_cells = bool((np.abs(moves).sum(1) == 1).all() and (np.abs(moves).max(1) == 1).all())
    right = np.stack([moves[:, 1], -moves[:, 0]], 1) * (aside if by_cells else 0.0)
    here = places[steps[0]] + right[0]
    for k, step in enumerate(steps):
        arrives = places[step + 1]
        if k + 1 == len(steps) or not by_cells or (moves[k] == moves[k + 1]).all():
            corners = [arrives + right[k]]
        elif (moves[k] == -moves[k + 1]).all():
            corners = [arrives + right[k], arrives + right[k + 1]]
        else:
            corners = [arrives + right[k] + right[k + 1]]
        for corner in corners:
            yield int(step) + 1, (_ends(here), _ends(corner))
            here = corner


def _agent(canvas: Canvas, place: np.ndarray, heading: int | None) -> None:
    if heading is None:
        canvas.disc(_point(place), 0.2, BLACK)
        return
    ahead = np.array(DIRECTIONS[heading], dtype=float)
    aside = np.array([ahead[1], -ahead[0]])
    canvas.polygon(
        [
            _point(place + corner)
            for corner in (0.32 * ahead, 0.22 * aside - 0.2 * ahead, -0.22 * aside - 0.2 * ahead)
        ],
        BLACK,
    )


def _square(canvas: Canvas, place: np.ndarray, reach: float, colour: Colour) -> None:
    canvas.polygon(
        [
            _point(place + reach * np.array(corner))
            for corner in ((-1, -1), (-1, 1), (1, 1), (1, -1))
        ],
        colour,
    )


def _point(place: np.ndarray) -> Point:
    """Return a place (row, column) on a canvas whose y goes up."""
    return float(place[1]), -float(place[0])


def _ends(place: np.ndarray) -> Point:
    return round(float(place[0]), 6), round(float(place[1]), 6)
