"""Which mazes are for training and which for tests.

Frozen sets, as many as wanted, or your own, and never one in both.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import STREAMS, check_draw, join_tasks
from metarl.tasks.mazes.layouts import ALGORITHMS, MazeTasks, draw_mazes, maze_bits, parse_drawings

__all__ = ["MazeSplits"]

FEWEST_CELLS = 4  # along a side, for mazes to be left that the frozen ones aren't
BLOCK = 500  # frozen mazes are drawn in blocks, so that the first 10 of 1,000 are the 10 of 10


class MazeSplits:
    """Mazes of one kind, split by a hash of their walls, start and goal: one in four is for tests.
    Or mazes drawn by hand.

    Those for tests that aren't in the frozen set are for validation, where there is such a set and
    mazes aren't small.

    Args:
        size: S, cells along a side; of mazes drawn by hand, theirs.
        algorithm: "depth-first" or "kruskal".
        loops: chance of a wall between two cells to be opened beyond the perfect maze.
        train_mazes, test_mazes: how many frozen mazes each split has; 0 for as many as are drawn.
        drawings, test_drawings: mazes drawn by hand, as `parse_drawings` reads them, in place of
            all that; without test_drawings the same ones are for training and for tests, which is
            declared as `finite`.

    Raises:
        ValueError: arguments that no maze fits, a drawing that is no maze, or the same one in both
            splits.
    """

    def __init__(
        self,
        size: int,
        algorithm: str,
        loops: float,
        train_mazes: int,
        test_mazes: int,
        drawings: Sequence[str] = (),
        test_drawings: Sequence[str] = (),
    ):
        if size < 2:
            raise ValueError(
                "A maze needs a size of at least 2 cells a side, for a start and a goal, not"
                f" {size}."
            )
        if algorithm not in ALGORITHMS:
            raise ValueError(
                f"There is no maze algorithm {algorithm!r}; choose {' or '.join(ALGORITHMS)}."
            )
        if not 0 <= loops <= 1:
            raise ValueError(
                f"loops is the chance of a wall to be opened, from 0 to 1, not {loops}."
            )
        if min(train_mazes, test_mazes) < 0:
            raise ValueError(
                "train_mazes and test_mazes can't be negative; 0 draws new mazes without end, not"
                f" {train_mazes}, {test_mazes}."
            )
        self.size = size
        self.algorithm = algorithm
        self.loops = loops
        self.frozen = {"train": train_mazes, "test": test_mazes}
        self._sets: dict[str, MazeTasks] = {}
        frozen_tests = test_mazes > 0 and size >= FEWEST_CELLS and not drawings
        self.splits = STREAMS if frozen_tests else STREAMS[:2]
        self.drawings = {
            name: _texts(name, texts)
            for name, texts in (("drawings", drawings), ("test_drawings", test_drawings))
            if texts
        }
        self.finite = "drawings" in self.drawings and "test_drawings" not in self.drawings
        if self.drawings:
            self._sets = _drawn_by_hand(self.drawings)
            self.size, self.frozen = (
                self._sets["train"].size,
                {split: len(mazes) for split, mazes in self._sets.items()},
            )

    def config(self) -> dict[str, Any]:
        """Return the arguments.

        Those that mazes drawn by hand leave without effect are left out.
        """
        if self.drawings:
            return {name: list(texts) for name, texts in self.drawings.items()}
        counts = {"train_mazes": self.frozen["train"], "test_mazes": self.frozen["test"]}
        return {"size": self.size, "algorithm": self.algorithm, "loops": self.loops, **counts}

    def sample(self, distribution: Any, n: int, split: str, seed: int) -> MazeTasks:
        """n mazes; of a frozen set, each comes once before any comes twice."""
        check_draw(distribution, n, split, seed)
        rng = numpy_generator(seed, "mazes", split)
        if not self.frozen.get(split):
            return self._draw(n, split, rng)
        mazes = self.frozen_set(split)
        order = [rng.permutation(len(mazes)) for _ in range(-(-n // len(mazes)))]
        return mazes[torch.from_numpy(np.concatenate([np.zeros(0, dtype=np.int64), *order])[:n])]

    def count(self, split: str) -> int | None:
        """Return how many mazes a frozen split has; None where they are drawn without end."""
        return self.frozen.get(split) or None

    def frozen_set(self, split: str) -> MazeTasks:
        """Return the split's mazes, always the same."""
        if split not in self._sets:
            blocks = range(-(-self.frozen[split] // BLOCK))
            name = f"{self.algorithm}, {self.size} cells, loops {self.loops!r}"
            drawn = [
                self._draw(BLOCK, split, numpy_generator(0, "frozen mazes", name, split, block))
                for block in blocks
            ]
            self._sets[split] = join_tasks(drawn)[: self.frozen[split]]
        return self._sets[split]

    def _draw(self, n: int, split: str, rng: np.random.Generator) -> MazeTasks:
        parts: list[MazeTasks] = []
        while sum(map(len, parts)) < n or not parts:
            drawn = draw_mazes(
                8 + (2 * n if split == "train" else 4 * n),
                self.size,
                self.algorithm,
                self.loops,
                rng,
            )
            bits = maze_bits(drawn)
            wanted = ((bits >> np.uint64(40)) % np.uint64(4) == 0) == (split != "train")
            if split == "validation":
                wanted &= ~np.isin(bits, maze_bits(self.frozen_set("test")))
            parts.append(drawn[torch.from_numpy(wanted)])
        return join_tasks(parts)[:n]


def _texts(name: str, texts: Sequence[str]) -> tuple[str, ...]:
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError(
            f"{name} must be a list of texts, one a maze with a line a row, not {texts!r:.80}."
        )
    return tuple(texts)


def _drawn_by_hand(drawings: dict[str, tuple[str, ...]]) -> dict[str, MazeTasks]:
    """Split -> its mazes."""
    if "drawings" not in drawings:
        raise ValueError(
            "test_drawings are the tests of those who train on drawings; give drawings too."
        )
    read = {}
    for name, texts in drawings.items():
        try:
            read[name] = parse_drawings(texts)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    train = read["drawings"]
    test = read.get("test_drawings", read["drawings"])
    if train.size != test.size:
        raise ValueError(
            f"drawings have {train.size} cells a side and test_drawings {test.size}; draw all mazes"
            " in the same size."
        )
    if "test_drawings" in read:
        both = np.isin(maze_bits(test), maze_bits(train))
        if both.any():
            raise ValueError(
                f"test_drawings: maze {int(both.argmax())} is among drawings too; keep mazes for"
                " tests apart."
            )
    return {"train": train, "test": test}
