"""N-way K-shot classification: tell N classes apart after K images of each (Lake et al. 2015; as in
Nichol et al. 2018, section 6.1).

`FewShotClassification` makes tasks of any labelled images; the families differ in where their
images come from.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from metarl.core.seeding import numpy_generator
from metarl.core.supervised import Examples, SupervisedDistribution
from metarl.core.task_distribution import Tasks, check_draw, row_keys

__all__ = ["FewShotClassification", "FewShotTasks", "LabelledImages", "draw_distinct", "rotated"]


class LabelledImages(NamedTuple):
    """Images of many classes, class by class; the classes of the training split come first."""

    images: Tensor  # [images, C, H, W] uint8
    counts: Tensor  # [classes] int64: images of each
    names: tuple[str, ...]  # of the classes
    train: int  # classes of the training split; all others are the test split's


@dataclass(frozen=True, eq=False)
class FewShotTasks(Tasks):
    """n tasks.

    Label j of a task stands for its j-th class, so that the same class has another label in another
    task.
    """

    classes: Tensor  # [n, ways] int64
    support: Tensor  # [n, ways, shots] int64: which of a class's images
    query: Tensor  # [n, ways, queries] int64: none that the support shows
    white: Tensor  # [n] float64: what a pixel of 255 becomes, 1


class FewShotClassification(SupervisedDistribution):
    """Tasks of `ways` classes, drawn without repetition from the split's, with `shots` + `queries`
    different images of each.

    Inputs are images [C, H, W] in [0, 1], targets are labels from 0 to ways - 1 (int64), outputs
    one logit a label, and the loss is cross-entropy in nats. Examples come class by class. The same
    arguments of `sample` give the same classes, whatever shots and queries.

    Args:
        images: what tasks are made of.
        ways: N, classes of a task.
        shots: K, images of each class to learn from.
        queries: images of each class to be scored on.
        train_shots, train_queries: the same for the split `train`; as for `test` where None.

    Raises:
        ValueError: fewer than two ways, no shots or queries, a split with fewer classes than ways,
            or a class with too few images, by name.
    """

    def __init__(
        self,
        images: LabelledImages,
        ways: int = 5,
        shots: int = 1,
        queries: int = 1,
        train_shots: int | None = None,
        train_queries: int | None = None,
    ):
        self.settings = {
            "ways": ways,
            "shots": shots,
            "queries": queries,
            "train_shots": train_shots,
            "train_queries": train_queries,
        }
        for name, value in self.settings.items():
            least = 2 if name == "ways" else 1
            if value is not None and (not isinstance(value, int) or value < least):
                raise ValueError(
                    f"{name} must be a whole number of at least {least}, not {value!r}."
                )
        self.images = images
        self.ways = ways
        # Of a class in a task
        self.sizes = {
            "train": (train_shots or shots, train_queries or queries),
            "test": (shots, queries),
        }
        # Classes of a split
        self.ranges = {"train": (0, images.train), "test": (images.train, len(images.names))}
        for split in self.splits:
            self._check(split)
        self.input_shape = tuple(images.images.shape[1:])
        self.outputs = ways
        self.starts = images.counts.cumsum(0) - images.counts
        self._pixels = {torch.device("cpu"): images.images}

    def _check(self, split: str) -> None:
        first, end = self.ranges[split]
        if end - first < self.ways:
            raise ValueError(
                f"{self.id}: the split {split} has {end - first} classes, too few for tasks of"
                f" {self.ways} ways."
            )
        shots, queries = self.sizes[split]
        for name, count in zip(
            self.images.names[first:end], self.images.counts[first:end].tolist(), strict=True
        ):
            if count < shots + queries:
                raise ValueError(
                    f"{self.id}: the class {name!r} has {count} images, too few for tasks of the"
                    f" split {split}, which take {shots} to learn from and {queries} to be scored"
                    " on. Ask for fewer, or take the class away."
                )

    def config(self) -> dict[str, Any]:
        return dict(self.settings)

    def sample(self, n: int, split: str, seed: int) -> FewShotTasks:
        check_draw(self, n, split, seed)
        first, end = self.ranges[split]
        shots, queries = self.sizes[split]
        uniform = numpy_generator(seed, self.id, split, "classes").random((n, self.ways))
        classes = first + draw_distinct(uniform, np.asarray(end - first))
        uniform = numpy_generator(seed, self.id, split, "images").random(
            (n, self.ways, shots + queries)
        )
        chosen = torch.from_numpy(draw_distinct(uniform, self.images.counts.numpy()[classes]))
        white = torch.ones(n, dtype=torch.float64)
        return FewShotTasks(
            torch.from_numpy(classes),
            chosen[..., :shots].contiguous(),
            chosen[..., shots:].contiguous(),
            white,
        )

    def task_keys(self, tasks: FewShotTasks) -> np.ndarray:
        """Tasks are the same if their classes are, in whatever order and with whichever images."""
        return row_keys([tasks.classes.sort(1).values])

    def support(self, tasks: FewShotTasks, rng: Generator) -> Examples:
        return self._examples(tasks, tasks.support)

    def query(self, tasks: FewShotTasks, rng: Generator) -> Examples:
        return self._examples(tasks, tasks.query)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none").view(
            targets.shape
        )

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return outputs.argmax(-1) == targets

    def _examples(self, tasks: FewShotTasks, chosen: Tensor) -> Examples:
        """Return the images [n, ways, m] of each class, class by class."""
        n, ways, m = chosen.shape
        device = chosen.device
        if device not in self._pixels:  # copied once, gathered from ever after
            self._pixels[device] = self.images.images.to(device)
        index = self.starts.to(device)[tasks.classes][..., None] + chosen
        inputs = (
            self._pixels[device][index.flatten(1)].to(tasks.white.dtype)
            * (tasks.white / 255)[:, None, None, None, None]
        )
        return Examples(
            inputs, torch.arange(ways, device=device).repeat_interleave(m).expand(n, -1)
        )


def draw_distinct(uniform: np.ndarray, size: np.ndarray) -> np.ndarray:
    """k different whole numbers below `size` [...], in random order, from `uniform` [..., k] in [0,
    1).

    The i-th is drawn among the size - i that are left; the first few are the same whatever k is,
    for the same first numbers.
    """
    chosen = np.empty(uniform.shape, np.int64)
    for i in range(uniform.shape[-1]):
        place = (uniform[..., i] * (size - i)).astype(np.int64)
        taken = np.sort(chosen[..., :i], -1)
        for j in range(i):
            place += place >= taken[..., j]
        chosen[..., i] = place
    return chosen


def rotated(labelled: LabelledImages) -> LabelledImages:
    """Return the same with each training class four times, turned by 0, 90, 180 and 270 degrees.

    Classes of their own.
    """
    end = int(labelled.counts[: labelled.train].sum())
    own = labelled.images[:end]
    rest = labelled.images[end:]
    images = torch.cat([*(own.rot90(turns, (2, 3)) for turns in range(4)), rest])
    counts = torch.cat(
        [labelled.counts[: labelled.train].repeat(4), labelled.counts[labelled.train :]]
    )
    names = [
        f"{name}, turned by {degrees} degrees" if degrees else name
        for degrees in (0, 90, 180, 270)
        for name in labelled.names[: labelled.train]
    ]
    return LabelledImages(
        images, counts, (*names, *labelled.names[labelled.train :]), 4 * labelled.train
    )
