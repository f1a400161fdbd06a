"""Checks of supervised distributions.

What they say of themselves, their tasks, and the examples and losses that they give.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import torch

from metarl.checks.global_generators import global_generators_untouched
from metarl.checks.require import require
from metarl.checks.sampling import (
    check_global_generators_while_sampling,
    check_same_arguments_same_tasks,
    check_splits_are_disjoint,
    check_tasks,
    check_unknown_split,
)
from metarl.core.errors import PlugInError
from metarl.core.registry import make, supervised_ids
from metarl.core.seeding import torch_generator
from metarl.core.supervised import Examples, SupervisedDistribution, correct_of
from metarl.core.task_distribution import SPLITS

__all__ = [
    "SUPERVISED_CHECKS",
    "check_examples",
    "check_examples_are_the_rows_own",
    "check_losses",
    "check_supervised_attributes",
    "check_supervised_config",
]

Make = Callable[[], SupervisedDistribution]
N = 5  # tasks that examples are asked of


def check_supervised_attributes(make_distribution: Make) -> None:
    """Id, shapes and splits make sense."""
    distribution = make_distribution()
    name = type(distribution).__name__
    derived = isinstance(distribution, SupervisedDistribution)
    require(
        derived,
        f"{name} isn't a SupervisedDistribution.",
        "Derive it from metarl.core.supervised.SupervisedDistribution.",
    )
    for attribute in ("id", "input_shape", "outputs"):
        require(
            hasattr(distribution, attribute),
            f"{name} has no {attribute}.",
            "Set it in the class or in __init__.",
        )
    named = (
        isinstance(distribution.id, str)
        and re.fullmatch(r"[\w/.-]+-v\d+", distribution.id) is not None
    )
    require(
        named,
        f"The id {distribution.id!r} isn't a name with a version.",
        'Name it like "Sines-v0".',
    )
    numbers = [*distribution.input_shape, distribution.outputs]
    require(
        isinstance(distribution.input_shape, tuple)
        and all(isinstance(number, int) and number >= 1 for number in numbers),
        f"{distribution.id}: input_shape is {distribution.input_shape!r} and outputs"
        f" {distribution.outputs!r}.",
        "Give a tuple of whole numbers of at least 1, and one such number.",
    )
    splits = tuple(distribution.splits)
    good = {"train", "test"} <= set(splits) <= set(SPLITS)
    require(
        good,
        f"{distribution.id}: splits are {splits}.",
        f"Offer train and test, and others of {SPLITS} only.",
    )


def check_supervised_config(make_distribution: Make) -> None:
    """`config()` holds JSON values that build an equal distribution again."""
    distribution = make_distribution()
    try:
        config = json.loads(json.dumps(distribution.config()))
    except TypeError as error:
        raise PlugInError(
            f"{distribution.id}: config() isn't made of JSON values ({error}). Return plain"
            " numbers, strings and lists."
        ) from error
    registered = distribution.id in supervised_ids()
    again: Any = make(distribution.id, **config) if registered else type(distribution)(**config)
    same = all(
        getattr(distribution, name) == getattr(again, name)
        for name in ("id", "input_shape", "outputs", "splits", "finite")
    )
    same = same and all(
        distribution.sample(8, s, 1).fingerprint == again.sample(8, s, 1).fingerprint
        for s in distribution.splits
    )
    require(
        same,
        f"{distribution.id}: what config() builds differs from the distribution itself.",
        "Put every argument into config().",
    )


def check_examples(make_distribution: Make) -> None:
    """Support and query have the shapes that the distribution says, finite, in the tasks' floating
    type, the same for equal generators.
    """
    distribution = make_distribution()
    for split in distribution.splits:
        for dtype in (torch.float32, torch.float64):
            tasks = distribution.sample(N, split, 0).to("cpu", dtype)
            for draw, name in ((distribution.support, "support"), (distribution.query, "query")):
                call = f"{distribution.id}: {name} of {N} {split} tasks in {dtype}"
                with global_generators_untouched(call):
                    examples = draw(tasks, torch_generator(0))
                require(
                    isinstance(examples, Examples),
                    f"{call} is a {type(examples).__name__}.",
                    "Return Examples(inputs, targets).",
                )
                inputs, targets = examples
                shapes = tuple(inputs.shape), tuple(targets.shape)
                fits = (
                    inputs.shape[0] == N
                    and inputs.shape[2:] == distribution.input_shape
                    and targets.shape[:2] == inputs.shape[:2]
                )
                require(
                    fits,
                    f"{call}: shapes are {shapes}.",
                    f"Give [{N}, m, *{distribution.input_shape}] and [{N}, m, ...].",
                )
                require(
                    inputs.dtype == dtype,
                    f"{call}: inputs are {inputs.dtype}.",
                    "Give them in the floating type of the tasks.",
                )
                finite = bool(inputs.isfinite().all()) and bool(targets.isfinite().all())
                require(finite, f"{call} isn't finite.", "Give finite numbers.")
                again = draw(tasks, torch_generator(0))
                same = all(
                    torch.equal(one, other) for one, other in zip(examples, again, strict=True)
                )
                require(
                    same,
                    f"{call} differs for equal generators.",
                    "Draw from the generator that is given alone.",
                )


def check_examples_are_the_rows_own(make_distribution: Make) -> None:
    """A task's examples don't depend on which other tasks are asked beside it."""
    distribution = make_distribution()
    for split in distribution.splits:
        tasks, others = (
            distribution.sample(N, split, seed).to("cpu", torch.float32) for seed in (0, 1)
        )
        mixed = tasks.where(torch.arange(N) > 0, others)
        for draw, name in ((distribution.support, "support"), (distribution.query, "query")):
            alone = draw(tasks, torch_generator(0))
            beside = draw(mixed, torch_generator(0))
            same = all(
                torch.equal(one[0], other[0]) for one, other in zip(alone, beside, strict=True)
            )
            require(
                same,
                f"{distribution.id}: the {name} of a {split} task changes with the tasks"
                " beside it.",
                "Draw noise in fixed shape for all rows, and use each row's own.",
            )


def check_losses(make_distribution: Make) -> None:
    """One finite loss an example, which no other example has a say in.

    And so with what is right, if anything is.
    """
    distribution = make_distribution()
    for split in distribution.splits:
        _check_losses_of(distribution, split)


def _check_losses_of(distribution: SupervisedDistribution, split: str) -> None:
    who = f"{distribution.id}: in its split {split!r}, "
    tasks = distribution.sample(N, split, 0).to("cpu", torch.float32)
    targets = distribution.query(tasks, torch_generator(0)).targets
    n, m = targets.shape[:2]
    outputs = torch.randn(n, m, distribution.outputs, generator=torch_generator(1))
    loss = distribution.loss(outputs, targets)
    right = correct_of(distribution, outputs, targets)
    good = loss.shape == (n, m) and bool(loss.isfinite().all())
    require(
        good,
        f"{who}the loss of {n} x {m} examples has shape {tuple(loss.shape)}.",
        "Give one finite loss an example.",
    )
    order = torch.arange(m - 1, -1, -1)
    same = torch.allclose(
        distribution.loss(outputs[:, order], targets[:, order]),
        loss[:, order],
        rtol=1e-5,
        atol=1e-6,
    )
    require(
        same,
        f"{who}an example's loss changes with the others' order.",
        "Don't average over examples.",
    )
    if right is not None:
        good = right.shape == (n, m) and right.dtype == torch.bool
        require(
            good,
            f"{who}correct is {right.dtype} of shape {tuple(right.shape)}.",
            "Give one truth value an example.",
        )


SUPERVISED_CHECKS: tuple[Callable[..., None], ...] = (
    check_supervised_attributes,
    check_supervised_config,
    check_unknown_split,
    check_tasks,
    check_same_arguments_same_tasks,
    check_splits_are_disjoint,
    check_global_generators_while_sampling,
    check_examples,
    check_examples_are_the_rows_own,
    check_losses,
)
