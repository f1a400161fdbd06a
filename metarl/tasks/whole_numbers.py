"""What counts as a whole number, and as a seed, everywhere: Python's and NumPy's integers, and nothing that only looks like one."""

from numbers import Integral

__all__ = ["LARGEST_COUNT", "LARGEST_SEED", "check_seed", "check_whole"]

LARGEST_SEED = 2**63 - 1
LARGEST_COUNT = 2**31 - 1


def check_whole(name: str, value: object, least: int = 1, most: int = LARGEST_COUNT) -> int:
    """Return `value` as Python's own integer.

    Raises:
        ValueError: it isn't a whole number (True, 3.0 and "3" aren't), or it lies outside [least, most]; `name` is named.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be a whole number, not {value!r}.")
    number = int(value)
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}.")
    if number > most:
        raise ValueError(f"{name} must be at most {most}, not {number}.")
    return number


def check_seed(value: object, name: str = "seed") -> int:
    """Return a seed as Python's own integer, from 0 to 2**63 - 1, or raise ValueError as `check_whole` does."""
    return check_whole(name, value, 0, LARGEST_SEED)
