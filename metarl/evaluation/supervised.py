"""The one loop that scores adapters on supervised tasks.

Loss and accuracy on the query after each inner step, for the same examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import isclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from metarl.core.arguments import check_device, check_seed
from metarl.core.errors import PlugInError
from metarl.core.learner import SupervisedLearner
from metarl.core.lookup import shown
from metarl.core.registry import supervised_distribution
from metarl.core.seeding import torch_generator
from metarl.core.supervised import Examples, SupervisedDistribution, correct_of
from metarl.core.task_distribution import Tasks, check_split
from metarl.evaluation.scores import Scores, scores_of
from metarl.evaluation.statistics import Estimate, mean
from metarl.learners.initialisation.adapter import Adapter, TellsMemory
from metarl.learners.settings import check_counts

__all__ = ["CHUNK", "SupervisedEvaluation", "evaluate_supervised"]

# Most tasks whose examples are drawn at once; part of the protocol, since noise is drawn for a
# whole chunk
CHUNK = 1024
# Bytes that a chunk's examples may take, and as many for what adapts to them: 1 GiB in all
MEMORY = 2**29

Score = Literal["loss", "accuracy"]


@dataclass(frozen=True, eq=False)
class SupervisedEvaluation:
    """Every loss, and every accuracy where there is one, that an adapter was scored by.

    Attributes:
        distribution: id of the task distribution, with its arguments in `config`.
        config, split, seed, num_tasks: what was learned.
        fingerprint: of the tasks.
        finite: train and test may overlap, because the family has few tasks by nature.
        losses: [num_tasks, len(inner_steps)] float64, mean loss of the query after so many inner
            steps.
        accuracies: likewise, the share of the query that is right; None where answers aren't right
            or wrong.
        inner_steps: after which the query was scored, in order; 0 is before the first.
        transductive: a task's queries were computed as one batch; otherwise each one beside the
            support alone.
        task_keys: [num_tasks] uint64; those with equal keys are the same task, which was learned
            more than once.
    """

    distribution: str
    config: dict[str, Any]
    split: str
    seed: int
    num_tasks: int
    fingerprint: str
    finite: bool
    losses: np.ndarray
    accuracies: np.ndarray | None
    inner_steps: tuple[int, ...]
    transductive: bool
    task_keys: np.ndarray | None = None

    @property
    def distinct_tasks(self) -> int:
        """How many different tasks were learned; the others of `num_tasks` are repeats."""
        return self.num_tasks if self.task_keys is None else len(np.unique(self.task_keys))

    def __repr__(self) -> str:
        repeats = f"{self.num_tasks:,} plays of " if self.distinct_tasks < self.num_tasks else ""
        accuracy = (
            "" if self.accuracies is None else f", accuracy {mean(self.scores(score='accuracy'))}"
        )
        return (
            f"SupervisedEvaluation({self.distribution}, {self.split},"
            f" {repeats}{self.distinct_tasks:,} tasks, seed {self.seed}: after {self.steps} inner"
            f" steps loss {mean(self.scores())}{accuracy})"
        )

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Return the mean loss, and accuracy where there is one, after each scored inner step, with
        intervals over distinct tasks.

        Columns: score, inner_step, mean, ci_low, ci_high (NaN where there is one task), tasks
            (distinct ones), plays.
        """
        scores: list[Score] = ["loss"] if self.accuracies is None else ["loss", "accuracy"]
        lines = []
        for score in scores:
            for step, each in zip(self.inner_steps, self.curve(level, score), strict=True):
                low, high = (each.low, each.high) if each.known else (np.nan, np.nan)
                lines.append((score, step, each.value, low, high, each.n, self.num_tasks))
        return pd.DataFrame(
            lines, columns=["score", "inner_step", "mean", "ci_low", "ci_high", "tasks", "plays"]
        )

    @property
    def steps(self) -> int:
        """Inner steps taken in each task before it was scored last."""
        return self.inner_steps[-1]

    def rows(self) -> pd.DataFrame:
        """Return one row a scored inner step of a task, 0 being before the first.

        Task, inner_step, loss, and accuracy where there is one.
        """
        task, place = np.indices(self.losses.shape)
        rows = pd.DataFrame(
            {
                "task": task.ravel(),
                "inner_step": np.asarray(self.inner_steps)[place.ravel()],
                "loss": self.losses.ravel(),
            }
        )
        return rows if self.accuracies is None else rows.assign(accuracy=self.accuracies.ravel())

    def scores(self, step: int | None = None, score: Score = "loss") -> Scores:
        """Return the score of each task [num_tasks] after `step` inner steps, the last one if left
        out.

        Args:
            score: loss (lower is better), or accuracy (from 0 to 1).

        Raises:
            ValueError: the query wasn't scored after so many steps, or answers aren't right or
                wrong.
        """
        matrix = self.losses if score == "loss" else self.accuracies
        if matrix is None:
            raise ValueError(
                f"{self.distribution} has no accuracy: its answers aren't right or wrong. Ask for"
                " the loss."
            )
        if step is not None and step not in self.inner_steps:
            after = (
                ", ".join(map(str, self.inner_steps))
                if len(self.inner_steps) < 9
                else f"0 to {self.steps}"
            )
            raise ValueError(
                f"The query was scored after {after} inner steps; step can't be {step}."
            )
        return scores_of(
            np.array(matrix[:, -1 if step is None else self.inner_steps.index(step)]),
            self.task_keys,
        )

    def curve(self, level: float = 0.95, score: Score = "loss") -> list[Estimate]:
        """Return the mean score after each of `inner_steps`, with intervals over tasks."""
        return [mean(self.scores(step, score), level) for step in self.inner_steps]


def evaluate_supervised(
    adapter: Adapter | SupervisedLearner,
    distribution: SupervisedDistribution | str,
    split: str,
    num_tasks: int,
    seed: int,
    steps: int = 32,
    *,
    device: str | torch.device = "cpu",
    transductive: bool = True,
    score_after: Sequence[int] | None = None,
    chunk: int | None = None,
) -> SupervisedEvaluation:
    """Adapt to each of `num_tasks` tasks of `split` by `steps` inner steps on its support, and
    score its query after each of them.

    Tasks and examples depend on (split, num_tasks, seed) alone, so that differences between
    adapters are paired; the adapter draws from a stream of its own.

    Args:
        adapter: what learns; or a learner, whose adapter does.
        distribution: of what, or its id.
        transductive: compute a task's queries as one batch; otherwise each one beside the support
            alone.
        score_after: score the query after these inner steps only, 0 being before the first;
            predictions may cost more than steps.
        chunk: tasks adapted to side by side; fewer need less memory. Examples and the adapter's
            numbers are drawn chunk by chunk, so it is part of the protocol: compare scores of the
            same chunk. Left out, examples are drawn for 1,024 tasks at once, or fewer where these
            would take more than half a gibibyte, whatever the adapter; and it adapts to as many of
            them side by side as its weights and activations fit into another half, if it can tell
            (`GradientAdapter.task_bytes`).

    Raises:
        ValueError: unknown split or device, no tasks or steps, a family that isn't supervised, or
            an inner loop that diverges, named by task and step. PlugInError: predictions of a shape
            that the loss can't read.
    """
    distribution = supervised_distribution(distribution, "score agents on it with metarl.evaluate.")
    adapter = _adapter_of(adapter)
    check_split(distribution, split)
    check_device(device)
    check_counts(num_tasks=num_tasks, steps=steps, chunk=CHUNK if chunk is None else chunk)
    num_tasks = int(num_tasks)
    steps = int(steps)
    seed = check_seed(seed)
    inner_steps = (
        tuple(range(steps + 1)) if score_after is None else tuple(sorted(set(score_after)))
    )
    if not inner_steps or not 0 <= inner_steps[0] <= inner_steps[-1] <= steps:
        raise ValueError(
            f"score_after names inner steps between 0 and {steps}, one at least, not {score_after}."
        )
    tasks = distribution.sample(num_tasks, split, seed)
    losses, accuracies = (np.full((num_tasks, len(inner_steps)), np.nan) for _ in range(2))
    # Adapters that know of no other way needn't know the word
    flag = {} if transductive else {"transductive": False}
    drawn = (
        _tasks_drawn(distribution, tasks[:1].to(device, torch.float32), device)
        if chunk is None
        else chunk
    )
    for first in range(0, num_tasks, drawn):
        part = tasks[first : first + drawn].to(device, torch.float32)
        noise = torch_generator(seed, "examples", split, first, device=device)
        support = distribution.support(part, noise)
        query = distribution.query(part, noise)
        beside = _tasks_beside(adapter, support, query) if chunk is None else drawn
        for start in range(0, len(part), beside):
            learned, asked = (_rows(examples, start, beside) for examples in (support, query))
            state = adapter.begin(
                learned,
                steps,
                torch_generator(seed, "adapter", split, first + start, device=device),
            )
            rows = slice(first + start, first + start + len(learned.inputs))
            for step in range(inner_steps[-1] + 1):
                state = adapter.step(state) if step else state
                if step not in inner_steps:
                    continue
                place = rows, inner_steps.index(step)
                outputs = adapter.predict(state, asked.inputs, **flag)
                losses[place] = _mean_loss(distribution, outputs, asked, type(adapter).__name__)
                if (right := correct_of(distribution, outputs, asked.targets)) is not None:
                    accuracies[place] = right.double().mean(1).cpu().numpy()
    bad = np.argwhere(~np.isfinite(losses))
    if len(bad):
        task, column = bad[bad[:, 1].argmin()]
        after = inner_steps[column]
        loss = losses[task, column]
        raise ValueError(
            f"The inner loop diverged: after {after} steps in task {task} the loss is {loss}. Use a"
            " smaller inner lr."
        )
    return SupervisedEvaluation(
        distribution=distribution.id,
        config=distribution.config(),
        split=split,
        seed=seed,
        num_tasks=num_tasks,
        fingerprint=tasks.fingerprint,
        finite=distribution.finite,
        losses=losses,
        accuracies=None if np.isnan(accuracies).any() else accuracies,
        inner_steps=inner_steps,
        transductive=transductive,
        task_keys=distribution.task_keys(tasks),
    )


def _adapter_of(adapter: Any) -> Adapter:
    """Return `adapter`, or the one of a learner that is given in its place.

    Raises:
        ValueError: it is neither.
    """
    learner = isinstance(adapter, SupervisedLearner) and not isclass(adapter)
    ready: Adapter = adapter.adapter() if learner else adapter
    missing = [
        name for name in ("begin", "step", "predict") if not callable(getattr(ready, name, None))
    ]
    if missing or isclass(ready):
        raise ValueError(
            "An adapter is needed, such as learner.adapter() of a learner of examples, or that"
            f" learner itself, not {shown(adapter)}; agents are scored by metarl.evaluate."
        )
    return ready


def _tasks_drawn(
    distribution: SupervisedDistribution, task: Tasks, device: str | torch.device
) -> int:
    """Return how many tasks' examples are drawn at once.

    A matter of the family alone, so that all adapters see the same ones.
    """
    noise = torch_generator(0, "size of examples", device=device)
    size = sum(
        examples.inputs.nbytes
        for examples in (distribution.support(task, noise), distribution.query(task, noise))
    )
    return _fitting(size)


def _tasks_beside(adapter: Adapter, support: Examples, query: Examples) -> int:
    """Return how many tasks are adapted to side by side."""
    if not isinstance(adapter, TellsMemory):
        return CHUNK
    return _fitting(adapter.task_bytes(support, query))


def _fitting(size: int) -> int:
    """Return the largest power of two tasks of `size` bytes each that memory holds, between 1 and
    CHUNK.
    """
    most = MEMORY // max(size, 1)
    return CHUNK if most >= CHUNK else 2 ** (max(most, 1).bit_length() - 1)


def _rows(examples: Examples, start: int, count: int) -> Examples:
    """Return the examples of `count` tasks."""
    if start == 0 and count >= len(examples.inputs):
        return examples
    return Examples(examples.inputs[start : start + count], examples.targets[start : start + count])


def _mean_loss(
    distribution: SupervisedDistribution, outputs: Tensor, query: Examples, name: str
) -> np.ndarray:
    """Return the mean loss [n] of each task's query, for the outputs of the adapter called `name`."""
    each = distribution.loss(outputs, query.targets)
    if each.shape != query.inputs.shape[:2]:
        raise PlugInError(
            f"{distribution.id} has a loss of shape {tuple(each.shape)} for the predictions of"
            f" {name}; it takes one loss an example, {tuple(query.inputs.shape[:2])}."
        )
    averages: np.ndarray = each.double().mean(1).cpu().numpy()
    return averages
