"""What learners ask of numbers that they are given, before any training starts."""

from metarl.tasks.whole_numbers import check_seed, check_whole

__all__ = ["check_counts", "check_step_sizes", "only_seed"]

MOST = 1e38  # a larger step size can't be a factor of float32 numbers


def check_counts(**counts: int) -> None:
    """Raise ValueError unless all `counts` are whole numbers and at least 1; the first that isn't is named."""
    for name, value in counts.items():
        check_whole(name, value)


def check_step_sizes(most: float = MOST, **sizes: float) -> None:
    """Raise ValueError unless all `sizes` of optimisers' steps are positive and at most `most`, so that float32 holds them."""
    for name, value in sizes.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, not {value}.")
        if value > most:
            raise ValueError(f"{name} must be at most {most:g}, not {value}.")


def only_seed(learner: str, seed: int | tuple[int, ...]) -> int:
    """The seed of a learner that trains one at a time, alone or as a tuple of one.

    Raises:
        ValueError: several seeds, or something that is no seed.
    """
    only = seed[0] if isinstance(seed, tuple) and len(seed) == 1 else seed
    if isinstance(only, tuple | list):
        raise ValueError(f"{learner} trains one seed at a time; give an integer, not {seed!r}.")
    return check_seed(only)
