"""Mazes: drawing them at random, many at once, and what can be computed of them.

A maze of size S has S x S cells, numbered row by row. Its drawing has (2 S + 1) x (2 S + 1)
squares: a cell lies at odd row and odd column, squares between two cells are open or walls, all
others are walls. A perfect maze is a spanning tree of the cells: one path joins any two.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metarl.core.task_distribution import Tasks

__all__ = [
    "ALGORITHMS",
    "DIRECTIONS",
    "MazeTasks",
    "between",
    "distances",
    "draw_mazes",
    "maze_bits",
    "neighbours",
    "parse_drawings",
    "passages",
    "path_lengths",
]

DIRECTIONS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # north, east, south, west, as (rows, columns)
ALGORITHMS = ("depth-first", "kruskal")


@dataclass(frozen=True, eq=False)
class MazeTasks(Tasks):
    """n mazes of S x S cells."""

    walls: Tensor  # [n, 2 S + 1, 2 S + 1] bool, the drawing
    start: Tensor  # [n] int64, cell where every episode starts
    goal: Tensor  # [n] int64, cell
    heading: Tensor  # [n] int64, direction that an agent which turns faces at the start

    @property
    def size(self) -> int:
        """S."""
        return self.walls.shape[-1] // 2


def draw_mazes(
    n: int, size: int, algorithm: str, loops: float, rng: np.random.Generator
) -> MazeTasks:
    """Draw n mazes with start, goal (another cell) and heading, all uniform.

    Args:
        n: mazes.
        size: S.
        algorithm: "depth-first" digs corridors (long, few branches); "kruskal" joins cells by
            random edges (short, many branches).
        loops: chance of each remaining wall between two cells to be opened.
        rng: draws them.
    """
    edges = cell_edges(size)
    opened = (depth_first if algorithm == "depth-first" else kruskal)(n, size, edges, rng)
    opened |= rng.random(opened.shape) < loops
    walls = np.ones((n, 2 * size + 1, 2 * size + 1), dtype=bool)
    walls[:, 1::2, 1::2] = False
    # the square between two cells
    rows = (edges // size).sum(1) + 1
    columns = (edges % size).sum(1) + 1
    walls[:, rows, columns] = ~opened
    start = rng.integers(size * size, size=n)
    goal = rng.integers(size * size - 1, size=n)
    heading = rng.integers(4, size=n)
    return MazeTasks(
        *(torch.from_numpy(part) for part in (walls, start, goal + (goal >= start), heading))
    )


def cell_edges(size: int) -> np.ndarray:
    """Pairs [E, 2] of neighbouring cells."""
    cells = np.arange(size * size).reshape(size, size)
    across = np.stack([cells[:, :-1].ravel(), cells[:, 1:].ravel()], 1)
    down = np.stack([cells[:-1].ravel(), cells[1:].ravel()], 1)
    return np.concatenate([across, down])


def depth_first(n: int, size: int, edges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which edges [n, E] a randomised depth-first search opens, from a random cell each."""
    cells = size * size
    rows = np.arange(n)
    edge_towards = np.full((cells, 4), -1)
    for index, (low, high) in enumerate(edges):
        edge_towards[low, 2 if high - low == size else 1] = index
        edge_towards[high, 0 if high - low == size else 3] = index
    neighbour = np.arange(cells)[:, None] + np.array([-size, 1, size, -1])
    opened = np.zeros((n, len(edges)), dtype=bool)
    visited = np.zeros((n, cells), dtype=bool)
    stack = np.zeros((n, cells), dtype=np.int64)
    depth = np.zeros(n, dtype=np.int64)
    stack[:, 0] = rng.integers(cells, size=n)
    visited[rows, stack[:, 0]] = True
    for _ in range(2 * cells - 2):  # each step goes on to a new cell or one back
        here = stack[rows, depth]
        following = neighbour[here].clip(0, cells - 1)
        free = (edge_towards[here] >= 0) & ~visited[rows[:, None], following]
        choice = np.where(free, rng.random((n, 4)), -1.0).argmax(1)
        goes = free[rows, choice]
        depth = np.where(goes, depth + 1, np.maximum(depth - 1, 0))
        moved = rows[goes]
        new = following[rows, choice][goes]
        stack[moved, depth[goes]] = new
        visited[moved, new] = True
        opened[moved, edge_towards[here, choice][goes]] = True
    return opened


def kruskal(n: int, size: int, edges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which edges [n, E] are opened when all are visited in random order and those that join
    two parts are kept (Kruskal 1956).
    """
    rows = np.arange(n)
    part = np.tile(np.arange(size * size), (n, 1))
    order = rng.random((n, len(edges))).argsort(1)
    opened = np.zeros((n, len(edges)), dtype=bool)
    for edge in order.T:
        low = part[rows, edges[edge, 0]]
        high = part[rows, edges[edge, 1]]
        opened[rows, edge] = low != high
        part = np.where(part == high[:, None], low[:, None], part)
    return opened


def between(size: int) -> Tensor:
    """Return where in the flattened drawing the square lies that a move crosses.

    [S S, 4] int64 for cells and directions.
    """
    cell = torch.arange(size * size)
    squares = [
        (2 * (cell // size) + 1 + down) * (2 * size + 1) + 2 * (cell % size) + 1 + right
        for down, right in DIRECTIONS
    ]
    return torch.stack(squares, 1)


def passages(walls: Tensor) -> Tensor:
    """Return whether each cell is open in each direction: [n, S S, 4] bool."""
    index = between(walls.shape[-1] // 2).to(walls.device)
    return ~walls.flatten(1)[:, index]


def distances(walls: Tensor, cell: Tensor) -> Tensor:
    """Steps from every cell to `cell` [n] by the shortest path.

    [n, S S] float64, infinite where there is none.
    """
    return path_lengths(passages(walls), cell)


def path_lengths(is_open: Tensor, cell: Tensor) -> Tensor:
    """Steps to `cell` [n] from every cell [n, S S] float64 of grids whose open directions are
    `is_open` [n, S S, 4]; infinite: no path.
    """
    size = math.isqrt(is_open.shape[1])
    # Of a move in each direction, [n, S, S]
    price = torch.where(is_open, 1.0, torch.inf).unflatten(1, (size, size)).unbind(-1)
    padded = price[0].new_full((len(cell), size + 2, size + 2), torch.inf)
    reached = padded[:, 1:-1, 1:-1]
    reached[torch.arange(len(cell), device=cell.device), cell // size, cell % size] = 0.0
    for _ in range(is_open.shape[1] - 1):
        following = [
            padded[:, 1 + down : 1 + down + size, 1 + right : 1 + right + size] + price[way]
            for way, (down, right) in enumerate(DIRECTIONS)
        ]
        nearer = torch.minimum(reached, torch.stack(following).amin(0))
        if bool((nearer == reached).all()):
            break
        reached[:] = nearer
    return reached.flatten(1).to(torch.float64)


def neighbours(size: int) -> Tensor:
    """Return the cell in each direction.

    [S S, 4] int64; beyond the border, where all is closed, any cell.
    """
    offsets = torch.tensor([down * size + right for down, right in DIRECTIONS])
    return (torch.arange(size * size)[:, None] + offsets).clamp(0, size * size - 1)


def maze_bits(tasks: MazeTasks) -> np.ndarray:
    """Return a 64-bit number [n] for each maze with its start and goal.

    Alike mazes have the same, and others hardly ever.
    """
    parts = [
        tasks.walls.flatten(1).numpy().astype(np.uint64),
        tasks.start.numpy()[:, None],
        tasks.goal.numpy()[:, None],
    ]
    digits = np.concatenate([part.astype(np.uint64) for part in parts], 1)
    value = np.full(len(digits), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for digit in digits.T:  # SplitMix64's mixing (Steele et al. 2014) of one number after another
        value = (value ^ digit) * np.uint64(0xBF58476D1CE4E5B9)
        value ^= value >> np.uint64(29)
    return value


def parse_drawings(drawings: Sequence[str]) -> MazeTasks:
    """Mazes drawn by hand, one text each: "#" is a wall, "S" the start, "G" the goal, anything else
    is open.

    Args:
        drawings: texts of 2 S + 1 lines of 2 S + 1 squares, all alike in size.

    Raises:
        ValueError: a drawing that isn't such a square, an open border, no start or goal, or a goal
            that can't be reached.
    """
    if not drawings:
        raise ValueError("Draw at least one maze.")
    walls = []
    starts = []
    goals = []
    for number, drawing in enumerate(drawings):
        lines = drawing.strip("\n").splitlines()
        width = len(lines)
        if width < 5 or width % 2 == 0 or any(len(line) != width for line in lines):
            raise ValueError(
                f"Maze {number} must be a square of 2 S + 1 lines as long, S at least 2; it has"
                f" lines of {list(map(len, lines))}."
            )
        squares = np.array([list(line) for line in lines])
        wall = squares == "#"
        if not (
            wall[[0, -1]].all()
            and wall[:, [0, -1]].all()
            and wall[::2, ::2].all()
            and not wall[1::2, 1::2].any()
        ):
            raise ValueError(
                f"Maze {number} needs walls around it and at every corner of its cells, and none in"
                " a cell's middle."
            )
        places = {name: np.argwhere(squares == name) for name in "SG"}
        if any(len(place) != 1 or (place % 2 == 0).any() for place in places.values()):
            raise ValueError(
                f'Maze {number} needs one cell marked "S" for the start and one marked "G" for the'
                " goal."
            )
        start, goal = (
            int(place[0, 0] // 2 * (width // 2) + place[0, 1] // 2) for place in places.values()
        )
        walls.append(wall)
        starts.append(start)
        goals.append(goal)
    if len({wall.shape for wall in walls}) > 1:
        raise ValueError("Draw all mazes of one batch in the same size.")
    tasks = MazeTasks(
        torch.from_numpy(np.stack(walls)),
        torch.tensor(starts),
        torch.tensor(goals),
        torch.zeros(len(walls), dtype=torch.int64),
    )
    apart = distances(tasks.walls, tasks.goal)[torch.arange(len(tasks)), tasks.start]
    if bool(torch.isinf(apart).any()):
        raise ValueError(
            f"In maze {int(torch.isinf(apart).nonzero()[0])} no path leads from the start to the"
            " goal; open a wall."
        )
    return tasks
