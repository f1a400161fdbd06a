"""The way out to learn2learn, supervised: a distribution's tasks as one of its task sets, labelled
images as one of its data sets.

learn2learn's training loops ask a task set for one task at a time, `data, labels = tasks.sample()`,
and divide its examples themselves into those to adapt to and those to be scored on. Here a task's
support comes first and its query after it, which is how learn2learn's `partition_task(data, labels,
shots)` divides them; or they alternate, for loops that take every second example.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from metarl.core.registry import supervised_distribution
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.supervised import Examples, SupervisedDistribution
from metarl.core.task_distribution import check_split
from metarl.interop.learn2learn import import_learn2learn

__all__ = ["TaskSet", "meta_dataset"]


class TaskSet:
    """Tasks of a supervised distribution, one at a time; has the methods of
    `learn2learn.data.Taskset` and needs no learn2learn.

    Task number i, its examples included, is a pure function of (distribution, split, seed, i).

    Args:
        distribution: where tasks come from.
        split: which split.
        num_tasks: how many there are, each the same whenever it comes again; -1 for tasks without
            end, of which `len` says 1 as there.
        seed: names the streams of tasks and of their order.
        alternate: support and query take turns, support first, rather than the query following the
            support.

    Raises:
        ValueError: an unknown split, no tasks, or a support and a query of different sizes that
            should alternate.
    """

    def __init__(
        self,
        distribution: SupervisedDistribution,
        split: str = "train",
        num_tasks: int = -1,
        seed: int = 0,
        alternate: bool = False,
    ):
        distribution = supervised_distribution(
            distribution, "metarl.interop.learn2learn_env makes it an environment."
        )
        check_split(distribution, split)
        if num_tasks < 1 and num_tasks != -1:
            raise ValueError(
                f"num_tasks must be at least 1, or -1 for tasks without end, not {num_tasks}."
            )
        self.distribution = distribution
        self.split = split
        self.num_tasks = num_tasks
        self.seed = seed
        self.alternate = alternate
        self._order = torch_generator(seed, "order")
        self._next = 0  # of the tasks without end
        support, query = self.examples(0)
        self.support = len(support.targets[0])  # examples of a task to adapt to
        if alternate and self.support != query.targets.shape[1]:
            raise ValueError(
                f"The support of {distribution.id} has {self.support} examples and its query"
                f" {query.targets.shape[1]}: they can't alternate. Leave alternate out."
            )

    def examples(self, i: int) -> tuple[Examples, Examples]:
        """Support and query [1, m, ...] of task number i, floating ones in float32."""
        tasks = self.distribution.sample(1, self.split, derive_seed(self.seed, "task", i)).to(
            "cpu", torch.float32
        )
        rng = torch_generator(self.seed, "examples", i)
        return self.distribution.support(tasks, rng), self.distribution.query(tasks, rng)

    def sample_task_description(self) -> int:
        """Return the number of a task: drawn from all there are, or the next one."""
        if self.num_tasks != -1:
            return int(torch.randint(self.num_tasks, (1,), generator=self._order))
        self._next += 1
        return self._next - 1

    def get_task(self, task_description: int) -> tuple[Tensor, Tensor]:
        """(data [m, *input], labels [m, *target]) of the task of that number.

        M counts support and query.
        """
        support, query = self.examples(task_description)
        if self.alternate:
            data, labels = (
                torch.stack(pair, 2).flatten(1, 2)[0] for pair in zip(support, query, strict=True)
            )
        else:
            data, labels = (torch.cat(pair, 1)[0] for pair in zip(support, query, strict=True))
        return data, labels

    def sample(self) -> tuple[Tensor, Tensor]:
        """(data, labels) of a task drawn from all there are, or of the next one."""
        return self.get_task(self.sample_task_description())

    def __len__(self) -> int:
        return max(self.num_tasks, 1)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if self.num_tasks == -1:
            return self.sample()
        if not -self.num_tasks <= i < self.num_tasks:
            raise IndexError(f"There are {self.num_tasks} tasks; {i} isn't among them.")
        return self.get_task(i % self.num_tasks)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        i = 0
        while self.num_tasks == -1 or i < self.num_tasks:
            yield self[i]
            i += 1


def meta_dataset(inputs: Tensor, labels: Tensor) -> Any:
    """Labelled examples as a `learn2learn.data.MetaDataset`, over which its own transforms (NWays,
    KShots, ...) define tasks.

    Args:
        inputs: [n, *input].
        labels: [n], whole numbers.

    Raises:
        ValueError: not one label an example, or learn2learn isn't installed.
    """
    if labels.dim() != 1 or len(labels) != len(inputs) or labels.is_floating_point():
        raise ValueError(
            f"Give one whole number as label for each of {len(inputs)} examples, not {labels.dtype}"
            f" of {tuple(labels.shape)}."
        )
    learn2learn = import_learn2learn("A MetaDataset")
    return learn2learn.data.MetaDataset(
        TensorDataset(inputs, labels), indices_to_labels=dict(enumerate(labels.tolist()))
    )
