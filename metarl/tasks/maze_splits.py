"""Which mazes are for training and which for tests: frozen sets, or as many as wanted, and never one in both."""

from typing import Any

import numpy as np
import torch

from metarl.tasks.contract import check_split, join_tasks
from metarl.tasks.maze_layouts import ALGORITHMS, MazeTasks, draw_mazes, maze_bits
from metarl.tasks.seeding import numpy_generator

__all__ = ["MazeSplits"]

BLOCK = 500  # frozen mazes are drawn in blocks, so that the first 10 of 1,000 are the 10 of 10


class MazeSplits:
    """Mazes of one kind, split by a hash of their walls, start and goal: one in four is for tests.

    Args:
        size: S, cells along a side.
        algorithm: "depth-first" or "kruskal".
        loops: chance of a wall between two cells to be opened beyond the perfect maze.
        train_mazes, test_mazes: how many frozen mazes each split has; 0 for as many as are drawn.

    Raises:
        ValueError: arguments that no maze fits.
    """

    def __init__(self, size: int, algorithm: str, loops: float, train_mazes: int, test_mazes: int):
        if size < 2:
            raise ValueError(f"A maze needs a size of at least 2 cells a side, for a start and a goal, not {size}.")
        if algorithm not in ALGORITHMS:
            raise ValueError(f"There is no maze algorithm {algorithm!r}; choose {' or '.join(ALGORITHMS)}.")
        if not 0 <= loops <= 1:
            raise ValueError(f"loops is the chance of a wall to be opened, from 0 to 1, not {loops}.")
        if min(train_mazes, test_mazes) < 0:
            raise ValueError(
                f"train_mazes and test_mazes can't be negative; 0 draws new mazes without end, not {train_mazes}, {test_mazes}."
            )
        self.size, self.algorithm, self.loops = size, algorithm, loops
        self.frozen = {"train": train_mazes, "test": test_mazes}
        self._sets: dict[str, MazeTasks] = {}

    def config(self) -> dict[str, Any]:
        """The arguments."""
        counts = {"train_mazes": self.frozen["train"], "test_mazes": self.frozen["test"]}
        return {"size": self.size, "algorithm": self.algorithm, "loops": self.loops, **counts}

    def sample(self, distribution: Any, n: int, split: str, seed: int) -> MazeTasks:
        """n mazes; of a frozen set, each comes once before any comes twice."""
        check_split(distribution, split)
        rng = numpy_generator(seed, "mazes", split)
        if not self.frozen[split]:
            return self._draw(n, split, rng)
        mazes = self.frozen_set(split)
        order = [rng.permutation(len(mazes)) for _ in range(-(-n // len(mazes)))]
        return mazes[torch.from_numpy(np.concatenate([np.zeros(0, dtype=np.int64), *order])[:n])]

    def frozen_set(self, split: str) -> MazeTasks:
        """The split's mazes, always the same."""
        if split not in self._sets:
            blocks = range(-(-self.frozen[split] // BLOCK))
            name = f"{self.algorithm}, {self.size} cells, loops {self.loops!r}"
            drawn = [self._draw(BLOCK, split, numpy_generator(0, "frozen mazes", name, split, block)) for block in blocks]
            self._sets[split] = join_tasks(drawn)[: self.frozen[split]]
        return self._sets[split]

    def _draw(self, n: int, split: str, rng: np.random.Generator) -> MazeTasks:
        parts: list[MazeTasks] = []
        while sum(map(len, parts)) < n or not parts:
            drawn = draw_mazes(8 + (4 * n if split == "test" else 2 * n), self.size, self.algorithm, self.loops, rng)
            for_tests = (maze_bits(drawn) >> np.uint64(40)) % np.uint64(4) == 0
            parts.append(drawn[torch.from_numpy(for_tests == (split == "test"))])
        return join_tasks(parts)[:n]
