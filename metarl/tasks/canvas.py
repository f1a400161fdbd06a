"""A small picture to draw on with smooth edges: lines, discs and polygons, in NumPy alone."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "PALE",
    "VERMILLION",
    "WHITE",
    "Canvas",
    "Colour",
    "Point",
    "time_colour",
]

Colour = tuple[int, int, int]
Point = tuple[float, float]

WHITE = (255, 255, 255)
PALE = (225, 225, 225)
GREY = (120, 120, 120)
BLACK = (30, 30, 30)
# of Okabe and Ito's palette
BLUE = (0, 114, 178)
GREEN = (0, 158, 115)
VERMILLION = (213, 94, 0)
# blue, purple, vermillion
EARLY_TO_LATE = np.array([(0, 114, 178), (148, 103, 189), (213, 94, 0)], dtype=float)


class Canvas:
    """A picture of `height` x `width` pixels on which things are drawn by coordinates: x to the
    right, y upwards.

    Args:
        height, width: in pixels.
        scale: pixels a unit of x and y.
        centre: the point (x, y) in the picture's middle.
    """

    def __init__(self, height: int, width: int, scale: float = 1.0, centre: Point = (0.0, 0.0)):
        self.height = height
        self.width = width
        self.scale = scale
        self.left = width / 2 - centre[0] * scale
        self.top = height / 2 + centre[1] * scale
        self.pixels = np.full((height, width, 3), 255.0)

    def picture(self) -> np.ndarray:
        """Return what was drawn: [height, width, 3] uint8."""
        return np.asarray(self.pixels.round().astype(np.uint8))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw through `points`, with round ends; `width` in units of x and y."""
        places = self._places(points)
        for one, other in pairwise(places):
            x, y, window = self._around([one, other], width * self.scale / 2)
            along = other - one
            right = x - one[0]
            down = y - one[1]
            share = ((right * along[0] + down * along[1]) / max(float(along @ along), 1e-12)).clip(
                0, 1
            )
            away = np.hypot(right - share * along[0], down - share * along[1])
            self._blend(window, away - width * self.scale / 2, colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """Fill a disc; `radius` in units of x and y."""
        place = self._places([centre])[0]
        x, y, window = self._around([place], radius * self.scale)
        self._blend(window, np.hypot(x - place[0], y - place[1]) - radius * self.scale, colour)

    def polygon(self, corners: Sequence[Point], colour: Colour) -> None:
        """Fill the convex polygon with these corners, named clockwise or counter-clockwise."""
        places = self._places(corners)
        x, y, window = self._around(list(places), 0)
        middle = places.mean(0)
        outside = np.full((len(y), x.shape[1]), -np.inf)
        for one, other in zip(places, np.roll(places, -1, 0), strict=True):
            normal = np.array([other[1] - one[1], one[0] - other[0]])
            normal = normal / max(float(np.hypot(*normal)), 1e-12)
            if normal @ (middle - one) > 0:
                normal = -normal
            outside = np.maximum(outside, (x - one[0]) * normal[0] + (y - one[1]) * normal[1])
        self._blend(window, outside, colour)

    def _places(self, points: Sequence[Point]) -> np.ndarray:
        """Return where `points` lie in pixels: [n, 2] of (x, y), y downwards."""
        return np.array(
            [(self.left + x * self.scale, self.top - y * self.scale) for x, y in points]
        )

    def _around(
        self, places: Sequence[np.ndarray], reach: float
    ) -> tuple[np.ndarray, np.ndarray, tuple[slice, slice]]:
        """Return the middles (x [1, columns], y [rows, 1]) of all pixels within `reach` of the box
        around `places`, and which pixels those are.
        """
        xs, ys = [float(place[0]) for place in places], [float(place[1]) for place in places]
        rows = slice(
            *(
                min(max(round(edge), 0), self.height)
                for edge in (min(ys) - reach - 2, max(ys) + reach + 2)
            )
        )
        columns = slice(
            *(
                min(max(round(edge), 0), self.width)
                for edge in (min(xs) - reach - 2, max(xs) + reach + 2)
            )
        )
        return (
            np.arange(columns.start, columns.stop)[None] + 0.5,
            np.arange(rows.start, rows.stop)[:, None] + 0.5,
            (rows, columns),
        )

    def _blend(self, window: tuple[slice, slice], outside: np.ndarray, colour: Colour) -> None:
        """Paint pixels by how far `outside` [rows, columns] the shape their middles lie.

        Those on its edge in part.
        """
        cover = (0.5 - outside).clip(0, 1)[..., None]
        self.pixels[window] += cover * (np.array(colour, dtype=float) - self.pixels[window])


def time_colour(share: float) -> Colour:
    """From blue at 0 over purple to vermillion at 1."""
    red, green, blue = (float(np.interp(share, [0, 0.5, 1], EARLY_TO_LATE[:, i])) for i in range(3))
    return round(red), round(green), round(blue)
