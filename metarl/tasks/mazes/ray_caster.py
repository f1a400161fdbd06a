"""What an agent in a maze sees: first-person views of many mazes at once, by casting a ray for
every column of the image.

Lengths are in cells. A point is (down, right) from the maze's upper left corner, so cell (row,
column) has its middle at (row + 0.5, column + 0.5). The drawing's wall squares are WALL thick and
its cells' squares 1 - WALL wide: a cell and half of the walls around it make 1.

A ray crosses the wall lines of either axis one after another. The nearness of a hit (1 / depth,
with depth measured along the view's axis) is what the height of a wall in the image is proportional
to, and it is positive ahead only; so the greatest over all lines whose crossed square is a wall is
what is seen, and no search along the ray is needed. Columns of pixels are read from a table by
colour and height.
"""

import sys
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "COLUMNS",
    "PILLAR",
    "ROWS",
    "SIDES",
    "TINTS",
    "WALL",
    "Hits",
    "cast",
    "column_table",
    "draw_views",
    "palette",
    "pillar_nearness",
]

# of the image
ROWS = 30
COLUMNS = 40
FOCAL = COLUMNS / 2  # pixels: a field of view of 90 degrees
WALL = 0.2  # thickness of a wall
HEIGHT = 0.55  # of walls and pillar; the eye is halfway up
PILLAR = 0.15  # radius of what stands on the goal
# Heights told apart in half a pixel of a wall's height: its edges are smoothed in as many steps
FINENESS = 4
LEVELS = FINENESS * ROWS // 2 + 1  # from infinitely far to filling the column
# which way a wall's side looks (north, east, south, west); variants of its colour
SIDES = 4
TINTS = 4
TARGET = SIDES * TINTS  # the pillar's number in the palette
FAR = 1e-6  # nearness of what is never reached


class Hits(NamedTuple):
    """The wall that each of C rays meets first."""

    nearness: Tensor  # [n, C] 1 / depth
    side: Tensor  # [n, C] int64, which way the side that is seen looks: 0 to 3 for north, east, south, west
    square: Tensor  # [n, C] int64, of the flattened drawing


def draw_views(
    walls: Tensor, position: Tensor, forward: Tensor, target: Tensor, landmarks: bool = True
) -> Tensor:
    """First-person views, each row from its own maze alone.

    Args:
        walls: [n, 2 S + 1, 2 S + 1] bool, drawings (see `metarl.tasks.mazes.layouts`).
        position: [n, 2] floating, the eye, outside walls.
        forward: [n, 2] unit vectors of the same type.
        target: [n, 2] the pillar's middle.
        landmarks: tint each square of wall by a hash of the square and the maze; otherwise all
            alike.

    Returns:
        [n, ROWS, COLUMNS, 3] uint8 on the tensors' device.
    """
    rays = view_rays(forward)
    hits = cast(walls, position, rays)
    colour = hits.side * TINTS
    if landmarks:
        colour = colour + tints(walls, hits.square)
    pillar = pillar_nearness(position, rays, target)
    colour = torch.where(pillar > hits.nearness, TARGET, colour)
    half_height = torch.maximum(pillar, hits.nearness) * (FOCAL * HEIGHT / 2 * FINENESS)
    level = half_height.clamp_max(LEVELS - 1).round().to(torch.int64)
    return assemble(colour * LEVELS + level)


def view_rays(forward: Tensor) -> Tensor:
    """Directions [n, 2, COLUMNS] of the columns' rays from left to right, each 1 long along
    `forward` [n, 2].
    """
    slope = _slopes(forward.device).to(forward.dtype)
    rightward = torch.stack([forward[:, 1], -forward[:, 0]], 1)
    return torch.addcmul(forward[:, :, None], rightward[:, :, None], slope)


def cast(walls: Tensor, position: Tensor, rays: Tensor) -> Hits:
    """Follow rays to the first wall.

    Args:
        walls: [n, 2 S + 1, 2 S + 1] bool, with a closed border.
        position: [n, 2], not within a wall.
        rays: [n, 2, C] directions; depths are counted in their lengths.
    """
    width = walls.shape[-1]
    size = width // 2
    lines = torch.arange(size + 1, dtype=position.dtype, device=position.device)
    away = (
        lines - position[:, :, None]
    )  # [n, 2, S + 1] to the middles of the wall lines of both axes
    ahead = away.abs() > WALL / 2  # standing in a line's opening, one sees none of its faces
    # To the faces towards the eye
    gap = torch.where(ahead, away - torch.copysign(torch.full_like(away, WALL / 2), away), 1.0)
    nearness = (
        rays[:, :, None] * torch.where(ahead, 1 / gap, 0.0)[..., None]
    )  # [n, 2, S + 1, C], negative behind
    other = rays.flip(1) / rays
    # Where the line is met
    crossing = torch.addcmul(position.flip(1)[:, :, None, None], gap[..., None], other[:, :, None])
    along, across = _strides(size, position.device)
    index = (
        square_index(crossing.clamp_(0, size))
        .mul_(along.to(position.dtype))
        .add_(across.to(position.dtype))
    )
    solid = (
        walls.flatten(1)
        .to(position.dtype)
        .gather(1, index.to(torch.int64).flatten(1))
        .view_as(nearness)
    )
    nearest = (nearness * solid).amax(2)  # [n, 2, C]
    best = nearest.amax(1).clamp_min(FAR)
    met = nearest[:, 0] >= nearest[:, 1]  # a line of the first axis: it runs from west to east
    point = position[:, :, None] + rays / best[:, None]
    # whichever of the two the axis asks for
    on_line = 2 * point.round()
    between = square_index(point.clamp(0, size))
    down = torch.where(met, on_line[:, 0], between[:, 0])
    right = torch.where(met, between[:, 1], on_line[:, 1])
    towards = rays > 0
    side = torch.where(met, torch.where(towards[:, 0], 0, 2), torch.where(towards[:, 1], 3, 1))
    return Hits(best, side, (down * width + right).to(torch.int64).clamp_(0, width * width - 1))


def square_index(coordinate: Tensor) -> Tensor:
    """Row or column of the drawing in which a coordinate lies, as a floating number.

    Lines at even, cells at odd numbers.
    """
    shifted = coordinate + WALL / 2
    whole = shifted.floor()
    return shifted.add_(1 - WALL).floor_().add_(whole)


def pillar_nearness(position: Tensor, rays: Tensor, target: Tensor) -> Tensor:
    """Nearness [n, C] of a round pillar around `target` [n, 2] along `rays` [n, 2, C]; 0 where a
    ray misses it, great inside it.

    A ray meets the circle at the smaller root of a quadratic in depth, a t² - 2 b t + c = 0.
    """
    offset = target - position
    a = (rays * rays).sum(1)
    b = (rays * offset[:, :, None]).sum(1)
    c = (offset * offset).sum(1, keepdim=True) - PILLAR**2
    discriminant = b * b - a * c
    depth = (b - discriminant.clamp_min(0).sqrt()) / a
    seen = (discriminant > 0) & (b > 0)
    return torch.where(c <= 0, 1 / FAR, torch.where(seen, 1 / depth.clamp_min(FAR), 0.0))


def tints(walls: Tensor, square: Tensor) -> Tensor:
    """Return a variant 0 to TINTS - 1 for each `square` [n, C].

    A hash of the square and of its whole maze.
    """
    weights, multiplier = _hash_weights(walls[0].numel(), walls.device)
    maze = (walls.flatten(1) * weights).sum(1, keepdim=True)  # int64, wrapping
    mixed = (maze ^ weights[square]) * multiplier
    return (mixed >> 40) & (TINTS - 1)


def palette() -> np.ndarray:
    """Colours [SIDES * TINTS + 1, 3] in 0 to 1.

    A hue for each side, varied by tints, and the pillar's.
    """
    north = (0.85, 0.30, 0.25)
    east = (0.30, 0.75, 0.35)
    south = (0.30, 0.45, 0.95)
    west = (0.90, 0.75, 0.25)
    tinted = []
    for hue in np.array([north, east, south, west]):
        tinted += [hue, 0.5 * hue, 0.45 * hue + 0.55, hue.mean() + 0.4 * (hue - hue.mean())]
    return np.array([*tinted, (1.0, 0.1, 1.0)])


def column_table(colours: np.ndarray) -> np.ndarray:
    """Return every column of pixels there can be.

    [colours, LEVELS, ROWS, 3] uint8 of a wall of each colour and half height.
    """
    half_height = np.arange(LEVELS) / FINENESS  # pixels
    rows = np.abs(np.arange(ROWS) + 0.5 - ROWS / 2)  # pixels from the horizon
    covered = np.clip(half_height[:, None] - rows + 0.5, 0, 1)[
        None, :, :, None
    ]  # [1, LEVELS, ROWS, 1]
    light = 0.35 + 0.65 * np.sqrt(half_height / half_height[-1])  # walls darken with distance
    wall = colours[:, None, None] * light[None, :, None, None]
    fade = (rows / rows.max())[:, None]
    behind = np.where(
        (np.arange(ROWS) < ROWS / 2)[:, None], [0.30, 0.34, 0.40], [0.36, 0.31, 0.26]
    ) * (0.4 + 0.6 * fade)
    return np.rint(255 * (covered * wall + (1 - covered) * behind)).astype(np.uint8)


def assemble(columns: Tensor) -> Tensor:
    """Images [n, ROWS, COLUMNS, 3] uint8 of columns [n, COLUMNS] given by their numbers in the
    table.

    Four pixels of a row fill three words, each with parts of two neighbours; words are joined and
    transposed many times faster than bytes.
    """
    table, left, right = _shifted_columns(columns.device)
    four = columns.view(-1, COLUMNS // 4, 4)
    words = table.index_select(0, (four[..., :3] + left).flatten()) | table.index_select(
        0, (four[..., 1:] + right).flatten()
    )
    return (
        words.view(-1, COLUMNS * 3 // 4, ROWS)
        .mT.contiguous()
        .view(torch.uint8)
        .view(-1, ROWS, COLUMNS, 3)
    )


@cache
def _shifted_columns(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the columns' pixels in words, shifted in all the ways that a word takes from its left
    and its right pixel, and where each way begins.

    Returns:
        ([6 colours LEVELS, ROWS] int32, [3] int64, [3] int64)
    """
    if sys.byteorder != "little":
        raise RuntimeError("Views are packed for little-endian machines; this one is big-endian.")
    pixels = column_table(palette()).reshape(-1, ROWS, 3).astype(np.uint32)
    word = pixels[..., 0] | pixels[..., 1] << 8 | pixels[..., 2] << 16
    ways = np.concatenate([word, word >> 8, word >> 16, word << 24, word << 16, word << 8])
    begin = torch.arange(6, device=device) * len(word)
    return torch.from_numpy(ways.view(np.int32)).to(device), begin[:3], begin[3:]


@cache
def _slopes(device: torch.device) -> Tensor:
    """Return how far to the right each column's ray goes for each unit ahead: [COLUMNS]."""
    return ((torch.arange(COLUMNS, dtype=torch.float64) + 0.5 - COLUMNS / 2) / FOCAL).to(device)


@cache
def _strides(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """By what to multiply a square's number along a line, and what to add for the line.

    [2, 1, 1] and [2, S + 1, 1].
    """
    width = 2 * size + 1
    line = 2 * torch.arange(size + 1)
    along = torch.tensor([1, width])
    across = torch.stack([line * width, line])
    return along[:, None, None].to(device), across[:, :, None].to(device)


@cache
def _hash_weights(squares: int, device: torch.device) -> tuple[Tensor, int]:
    """Odd-looking numbers [squares] int64, by SplitMix64 (Steele et al.

    2014), and a multiplier to mix with.
    """
    value = np.arange(1, squares + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (
        torch.from_numpy((value ^ (value >> np.uint64(31))).view(np.int64)).to(device),
        0x2545F4914F6CDD1D,
    )
