"""Courses for ants, drawn as squares.

Where their walls stand, and where there is room to stand up beside them.
"""

from collections.abc import Sequence

import numpy as np

from metarl.tasks.mujoco.models import Wall

__all__ = ["CLEARANCE", "THICKNESS", "Layouts"]

CLEARANCE = 1.1  # m between a wall and the torso's middle: as much as a standing ant's legs need
THICKNESS = 0.5  # m, of a wall
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))  # (x, y)
CORNERS = ((1, 1), (1, -1), (-1, 1), (-1, -1))


class Layouts:
    """Several courses of one size and start: squares that are open or not, with walls where the two
    meet.

    The middle of the start is x = y = 0; x grows to the right and y upwards, as drawn.

    Args:
        drawings: texts of lines of squares, all alike in size: "S" is the start, "G" the goal, "#"
            closed, anything else open. What lies outside of a drawing is closed.
        side: of a square, in m.

    Attributes:
        goals: [layouts, 2] m, the middle of each one's goal.
        walls: of each, to build a model from.
        low, high: [2] m, corners of a rectangle that holds every open square of every course.

    Raises:
        ValueError: drawings that differ in size or start or lack a goal, or a side that leaves an
            ant no room to stand.
    """

    def __init__(self, drawings: Sequence[str], side: float):
        if not 2 * CLEARANCE < side < np.inf:
            raise ValueError(
                f"Squares need a side of more than {2 * CLEARANCE:g} m, so that an ant can stand in"
                f" them, not {side:g}."
            )
        squares = [np.array([list(line) for line in reversed(text.split())]) for text in drawings]
        marked = [[np.argwhere(each == letter)[:, ::-1] for letter in "SG"] for each in squares]
        if len({each.shape for each in squares}) != 1 or any(
            len(places) != 1 for each in marked for places in each
        ):
            raise ValueError(
                "Draw courses alike in size, each with one S for the start and one G for the goal."
            )
        if len({tuple(start[0]) for start, _ in marked}) != 1:
            raise ValueError("Draw courses that all have the start in the same square.")
        self.side = float(side)
        self._start: np.ndarray = marked[0][0][0] + 1
        # [layouts, columns + 2, rows + 2]
        self._open = np.stack([np.pad(each != "#", 1) for each in squares]).transpose(0, 2, 1)
        self.goals: np.ndarray = (
            np.stack([goal[0] + 1 - self._start for _, goal in marked]) * self.side
        )
        used = np.argwhere(self._open.any(0)) - self._start
        self.low = (used.min(0) - 0.5) * self.side
        self.high = (used.max(0) + 0.5) * self.side
        self.walls: list[list[Wall]] = [self._walls_of(each) for each in self._open]

    def in_goal(self, layout: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return whether places [n, 2] lie in the goal's square of courses `layout` [n].

        [n] bool.
        """
        return (np.abs(place - self.goals[layout]) <= self.side / 2).all(1)

    def with_room(self, layout: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return the places [n, 2] moved within their squares of courses `layout` [n] to where
        `CLEARANCE` is kept from all walls.
        """
        square = (np.rint(place / self.side).astype(int) + self._start).clip(
            0, np.array(self._open.shape[1:]) - 1
        )
        offset = place - (square - self._start) * self.side
        room = self.side / 2 - CLEARANCE
        moved = offset.copy()
        for x, y in SIDES:
            axis, sign = (0, x) if x else (1, y)
            over = ~self._at(layout, square + (x, y)) & (sign * moved[:, axis] > room)
            moved[over, axis] = sign * room
        # Where the squares beside are open and the one between them isn't, its corner stands out
        for x, y in CORNERS:
            over = (
                self._at(layout, square + (x, 0))
                & self._at(layout, square + (0, y))
                & ~self._at(layout, square + (x, y))
            )
            over &= ((x, y) * moved > room).all(1)
            # Clear of the corner by a move along x than along y
            nearer = np.abs(moved[:, 0]) <= np.abs(moved[:, 1])
            moved[over & nearer, 0] = x * room
            moved[over & ~nearer, 1] = y * room
        return np.where(self._at(layout, square)[:, None], place - offset + moved, place)

    def _at(self, layout: np.ndarray, square: np.ndarray) -> np.ndarray:
        """Return whether `square` [n, 2] of courses `layout` [n] is open: [n] bool."""
        column, row = square.clip(0, np.array(self._open.shape[1:]) - 1).T
        found: np.ndarray = self._open[layout, column, row]
        return found

    def _walls_of(self, is_open: np.ndarray) -> list[Wall]:
        """Walls around the open squares [columns, rows], neighbours in line joined to one."""
        walls = []
        for along in (0, 1):  # walls that run along x, then along y
            grid, start = (is_open, self._start) if along == 0 else (is_open.T, self._start[::-1])
            for beyond in (1, -1):
                edge = grid[:, 1:-1] & ~np.roll(grid, -beyond, 1)[:, 1:-1]
                for line in range(edge.shape[1]):
                    ends = np.flatnonzero(np.diff(edge[:, line].astype(int))) + 1
                    for first, after in zip(ends[::2], ends[1::2], strict=True):
                        behind = grid[:, line + 1 + beyond]
                        # Over the corner, unless there's a way
                        reach = [0.0 if behind[end] else THICKNESS for end in (first - 1, after)]
                        low = (first - 0.5 - start[0]) * self.side - reach[0]
                        high = (after - 0.5 - start[0]) * self.side + reach[1]
                        across = (
                            line + 1 + beyond / 2 - start[1]
                        ) * self.side + beyond * THICKNESS / 2
                        middle = ((low + high) / 2, across)
                        half = ((high - low) / 2, THICKNESS / 2)
                        walls.append(
                            Wall(*middle, *half) if along == 0 else Wall(*middle[::-1], *half[::-1])
                        )
        return walls
