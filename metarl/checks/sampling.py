"""Checks of what a distribution says of itself and of the tasks that it draws."""

import json
import re
from collections.abc import Callable

import torch
from torch import Tensor

from metarl.checks.global_generators import global_generators_untouched
from metarl.checks.nested import difference, leaves
from metarl.checks.require import require
from metarl.core.errors import PlugInError
from metarl.core.registry import distribution_ids, make
from metarl.core.spaces import spaces_of
from metarl.core.task_distribution import SPLITS, TaskDistribution, Tasks
from metarl.envs.gymnasium_adapter import GymnasiumDistribution

__all__ = [
    "SAMPLING_CHECKS",
    "check_attributes",
    "check_config",
    "check_global_generators_while_sampling",
    "check_same_arguments_same_tasks",
    "check_splits_are_disjoint",
    "check_tasks",
    "check_unknown_split",
]

Make = Callable[[], TaskDistribution]


def check_attributes(make_distribution: Make) -> None:
    """Id, spaces, horizon and splits make sense."""
    distribution = make_distribution()
    name = type(distribution).__name__
    require(
        isinstance(distribution, TaskDistribution),
        f"{name} isn't a TaskDistribution.",
        "Derive it from metarl.TaskDistribution.",
    )
    for attribute in ("id", "observation_space", "action_space", "horizon"):
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
        named, f"The id {distribution.id!r} isn't a name with a version.", 'Name it like "Maze-v0".'
    )
    spaces_of(distribution)
    horizon = distribution.horizon
    require(
        isinstance(horizon, int) and horizon >= 1,
        f"{distribution.id}: horizon is {horizon!r}.",
        "Give the most steps of one episode, an integer of at least 1.",
    )
    require(
        distribution.has_success in (True, False, None),
        f"{distribution.id}: has_success is {distribution.has_success!r}.",
        "Say True or False: whether the family has a notion of success.",
    )
    splits = tuple(distribution.splits)
    require(
        {"train", "test"} <= set(splits) <= set(SPLITS),
        f"{distribution.id}: splits are {splits}.",
        f"Offer train and test, and others of {SPLITS} only.",
    )


def check_config(make_distribution: Make) -> None:
    """`config()` holds JSON values that build an equal distribution again."""
    distribution = make_distribution()
    config = distribution.config()
    try:
        config = json.loads(json.dumps(config))
    except TypeError as error:
        raise PlugInError(
            f"{distribution.id}: config() isn't made of JSON values ({error}). Return plain"
            " numbers, strings and lists."
        ) from error
    if distribution.id in distribution_ids():
        again = make(distribution.id, **config)
        way = f"metarl.make({distribution.id!r}, **config())"
    elif isinstance(distribution, GymnasiumDistribution):
        return  # made from functions and lists of tasks, which are the caller's to keep
    else:
        again = type(distribution)(**config)
        way = f"{type(distribution).__name__}(**config())"
    for name in ("id", "observation_space", "action_space", "horizon", "splits", "finite"):
        same = getattr(distribution, name) == getattr(again, name)
        require(
            same,
            f"{way} has another {name} than the distribution itself.",
            "Put every argument of __init__ into config().",
        )
    same = distribution.sample(8, "train", 1).fingerprint == again.sample(8, "train", 1).fingerprint
    require(
        same,
        f"{way} draws other tasks than the distribution itself.",
        "Put every argument of __init__ into config().",
    )


def check_unknown_split(make_distribution: Make) -> None:
    """Asking for a split that isn't there is a ValueError that names those that are."""
    distribution = make_distribution()
    try:
        distribution.sample(1, "validation-that-is-not-there", 0)
    except ValueError as error:
        require(
            "train" in str(error),
            f"{distribution.id}: the error for an unknown split doesn't name the known ones.",
            "Call metarl.core.task_distribution.check_split.",
        )
        return
    raise PlugInError(
        f"{distribution.id}: sample takes any name for a split. Call"
        " metarl.core.task_distribution.check_split in it, which raises ValueError."
    )


def check_tasks(make_distribution: Make) -> None:
    """`sample` gives exactly n frozen tasks.

    Tensors [n, ...] on the CPU, finite, floating ones in float64.
    """
    distribution = make_distribution()
    for split in distribution.splits:
        for n in (1, 2, 17):
            call = f"{distribution.id}: sample({n}, {split!r}, 0)"
            tasks = distribution.sample(n, split, 0)
            require(
                isinstance(tasks, Tasks),
                f"{call} gave a {type(tasks).__name__}.",
                "Return a frozen dataclass derived from metarl.Tasks.",
            )
            require(len(tasks) == n, f"{call} gave {len(tasks)} tasks.", "Give exactly n.")
            for field, tensor in leaves(tasks):
                _check_field(f"{call}.{field}", tensor, n)
            part = tasks[[n - 1]]
            require(
                len(part) == 1,
                f"{call}[[{n - 1}]] holds {len(part)} tasks.",
                "Leave __getitem__ and __len__ as metarl.Tasks has them.",
            )
            moved = tasks.to("cpu").fingerprint == tasks.fingerprint
            require(
                moved,
                f"{call}: the fingerprint changes on the way to a device.",
                "Leave `fingerprint` and `to` as metarl.Tasks has them.",
            )


def check_same_arguments_same_tasks(make_distribution: Make) -> None:
    """The same arguments give the same tasks, whatever was drawn before.

    Another seed gives others.
    """
    first = make_distribution()
    second = make_distribution()
    for split in first.splits:
        wanted = first.sample(64, split, 3)
        first.sample(5, "train", 11)
        other = first.sample(64, split, 4)
        for which, again in (
            ("again", first.sample(64, split, 3)),
            ("by another instance", second.sample(64, split, 3)),
        ):
            where = difference(wanted, again)
            require(
                where is None,
                f"{first.id}: sample(64, {split!r}, 3) gives other tasks when it is called {which}"
                f" (field {where}).",
                "Draw from a generator made from the arguments alone, such as numpy_generator(seed,"
                " self.id, split).",
            )
        distinct = len(set(_keys(wanted))) > 1
        require(
            not distinct or other.fingerprint != wanted.fingerprint,
            f"{first.id}: sample gives the same {split} tasks for seeds 3 and 4.",
            "Make the generator from the seed too.",
        )


def check_splits_are_disjoint(make_distribution: Make) -> None:
    """No task is in two splits, unless the family declares `finite`."""
    distribution = make_distribution()
    if distribution.finite:
        return
    seen: dict[bytes, str] = {}
    for split in distribution.splits:
        for seed in range(4):
            for key in _keys(distribution.sample(256, split, seed)):
                require(
                    seen.setdefault(key, split) == split,
                    f"{distribution.id}: a task of split {split!r} is one of {seen[key]!r} too.",
                    "Draw each split from a stream of its own (the split's name in the generator's"
                    " path) or from its own list; a family with few tasks by nature says"
                    " finite=True to GymnasiumDistribution, or finite = True in its class.",
                )


def check_global_generators_while_sampling(make_distribution: Make) -> None:
    """Building the distribution and drawing tasks leaves the global random generators alone."""
    with global_generators_untouched("Building the distribution"):
        distribution = make_distribution()
    with global_generators_untouched(f"{distribution.id}.sample"):
        for split in distribution.splits:
            distribution.sample(4, split, 0)


SAMPLING_CHECKS = (
    check_attributes,
    check_config,
    check_unknown_split,
    check_tasks,
    check_same_arguments_same_tasks,
    check_splits_are_disjoint,
    check_global_generators_while_sampling,
)


def _check_field(name: str, tensor: object, n: int) -> None:
    require(
        isinstance(tensor, Tensor),
        f"{name} is a {type(tensor).__name__}.",
        "Fields of Tasks are tensors [n, ...].",
    )
    assert isinstance(tensor, Tensor)
    require(
        tensor.dim() >= 1 and len(tensor) == n,
        f"{name} has shape {tuple(tensor.shape)}.",
        f"Its first dimension must be the {n} tasks.",
    )
    require(
        tensor.device.type == "cpu",
        f"{name} is on {tensor.device}.",
        "Draw on the CPU; whoever plays the tasks moves them.",
    )
    if tensor.is_floating_point():
        require(
            tensor.dtype == torch.float64,
            f"{name} is {tensor.dtype}.",
            "Draw in float64, so that tasks are the same on every device.",
        )
        require(
            bool(torch.isfinite(tensor).all()),
            f"{name} is not finite (NaN or infinite).",
            "Draw finite parameters.",
        )


def _keys(tasks: Tasks) -> list[bytes]:
    """Return the bytes of each task."""
    columns = [tensor.contiguous().reshape(len(tasks), -1).numpy() for _, tensor in leaves(tasks)]
    return [b"".join(column[i].tobytes() for column in columns) for i in range(len(tasks))]
