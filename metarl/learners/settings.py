"""What learners ask of numbers that they are given, before any training starts."""

from dataclasses import is_dataclass
from inspect import isclass
from typing import Any

from metarl.core.arguments import check_seed, check_whole
from metarl.core.lookup import shown
from metarl.core.registry import supervised_distribution, task_distribution
from metarl.core.supervised import SupervisedDistribution
from metarl.core.task_distribution import TaskDistribution

__all__ = [
    "check_config",
    "check_counts",
    "check_step_sizes",
    "described",
    "only_seed",
    "settled",
    "settled_examples",
]

MOST = 1e38  # a larger step size can't be a factor of float32 numbers


def settled(kind: Any, config: Any, distribution: Any) -> TaskDistribution:
    """Return the distribution that a learner of class `kind` is to train on, made if an id names
    it; its config is checked too.

    Args:
        kind: the learner's class; `Config` is that of its settings.
        config, distribution: what it was built with.

    Raises:
        ValueError: settings of another learner or none, or no distribution of episodes.
    """
    check_config(kind.__name__, kind.Config, config)
    return task_distribution(distribution)


def settled_examples(kind: Any, config: Any, distribution: Any) -> SupervisedDistribution:
    """Return the same for a learner of examples.

    Raises:
        ValueError: settings of another learner or none, or no distribution of examples.
    """
    check_config(kind.__name__, kind.Config, config)
    instead = f"{kind.__name__} learns supervised tasks, such as SineRegression-v0."
    return supervised_distribution(distribution, instead)


def described(learner: Any) -> str:
    """Return one line on a learner.

    What it is, on what it trains, from which seeds, and how far it is.
    """
    seeds = ", ".join(map(str, learner.seeds))
    done = f"{learner.iteration} of {learner.config.iterations} iterations"
    return f"<{type(learner).__name__} on {learner.distribution!r}, seed {seeds}, {done}>"


def check_config(learner: str, kind: type, config: Any) -> None:
    """Raise ValueError unless `config` is an instance of `kind`, the settings of `learner`."""
    if isinstance(config, kind):
        return
    default = f"{kind.__name__}()"
    given = shown(config)
    if isclass(config) and issubclass(config, kind):
        advice = "Make one with ()."
    elif isinstance(config, dict):
        advice = f"Write {kind.__name__}(name=value, ...), or {kind.__name__}(**settings)."
    elif isinstance(config, str) or hasattr(config, "sample"):
        advice = (
            "Settings come before the distribution where a learner is built, RL2(config,"
            " distribution), and after it in make_learner."
        )
    elif is_dataclass(config):
        given = f"a {type(config).__name__}"
        advice = "Those are settings of another learner."
    else:
        advice = f"{default} has the default settings."
    raise ValueError(
        f"The learner {learner} takes its settings as {default}, not {given}. {advice}"
    )


def check_counts(**counts: int) -> None:
    """Raise ValueError unless all `counts` are whole numbers and at least 1.

    The first that isn't is named.
    """
    for name, value in counts.items():
        check_whole(name, value)


def check_step_sizes(most: float = MOST, **sizes: float) -> None:
    """Raise ValueError unless all `sizes` of optimisers' steps are positive and at most `most`, so
    that float32 holds them.
    """
    for name, value in sizes.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, not {value}.")
        if value > most:
            raise ValueError(f"{name} must be at most {most:g}, not {value}.")


def only_seed(learner: str, seed: int | tuple[int, ...]) -> int:
    """Return the seed of a learner that trains one at a time, alone or as a tuple of one.

    Raises:
        ValueError: several seeds, or something that is no seed.
    """
    only = seed[0] if isinstance(seed, tuple) and len(seed) == 1 else seed
    if isinstance(only, tuple | list):
        raise ValueError(f"{learner} trains one seed at a time; give an integer, not {seed!r}.")
    return check_seed(only)
