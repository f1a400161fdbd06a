"""What arguments and config fields may be: whole numbers, seeds, finite numbers, devices.

Whole numbers are Python's and NumPy's integers, and nothing that only looks like one.
"""

import math
import types
from dataclasses import is_dataclass
from functools import lru_cache
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    import torch

__all__ = [
    "LARGEST_COUNT",
    "LARGEST_SEED",
    "check_device",
    "check_fields",
    "check_seed",
    "check_whole",
]

LARGEST_SEED = 2**63 - 1
LARGEST_COUNT = 2**31 - 1


def check_whole(name: str, value: object, least: int = 1, most: int = LARGEST_COUNT) -> int:
    """Return `value` as Python's own integer.

    Raises:
        ValueError: it isn't a whole number (True, 3.0 and "3" aren't), or it lies outside [least,
            most]; `name` is named.
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
    """Return a seed as Python's own integer, from 0 to 2**63 - 1, or raise ValueError as
    `check_whole` does.
    """
    return check_whole(name, value, 0, LARGEST_SEED)


def check_device(device: "str | torch.device") -> None:
    """Raise ValueError, saying what to choose, unless PyTorch can compute on `device` here."""
    # Here, so that `metarl --help` needn't wait for it.
    import torch

    try:
        kind = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"There is no device {str(device)!r}; choose cpu, or cuda where there is a GPU."
        ) from error
    if kind.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError(
                "There is no CUDA device here, or this PyTorch was built without CUDA; choose cpu."
            )
        if (kind.index or 0) >= torch.cuda.device_count():
            raise ValueError(
                f"There is no device {str(device)!r}; this machine has cuda:0 to"
                f" cuda:{torch.cuda.device_count() - 1}."
            )
    elif kind.type != "cpu":
        raise ValueError(f"metarl computes on cpu or cuda, not on {str(device)!r}.")


def check_fields(config: Any, may_be_infinite: tuple[str, ...] = ()) -> None:
    """Raise ValueError unless fields declared as int hold whole numbers, those as float finite
    ones, and those as settings such settings.

    Args:
        config: a dataclass instance; tuples of numbers are looked through, and None is fine where
            it is declared.
        may_be_infinite: fields in which infinity has a meaning, such as a limit that is none.
    """
    for name, kinds in _settings_fields(type(config)).items():  # type: ignore[arg-type]
        if not isinstance(getattr(config, name), kinds):
            wanted = " or ".join(
                f"{kind.__name__}(...)" for kind in kinds if kind is not types.NoneType
            )
            raise ValueError(f"{name} must be {wanted}, not {getattr(config, name)!r:.80}.")
    for name, kind in _numeric_fields(type(config)).items():  # type: ignore[arg-type]
        value = getattr(config, name)
        for each in value if isinstance(value, tuple | list) else () if value is None else (value,):
            if kind is int and (isinstance(each, bool) or not isinstance(each, Integral)):
                raise ValueError(f"{name} must be a whole number, not {each!r}.")
            if kind is float and (
                isinstance(each, bool) or not isinstance(each, Real) or math.isnan(each)
            ):
                raise ValueError(f"{name} must be a number, not {each!r}.")
            if kind is float and math.isinf(each) and name not in may_be_infinite:
                raise ValueError(f"{name} must be finite, not {each!r}.")


@lru_cache
def _numeric_fields(kind: Any) -> dict[str, type]:
    """Return the fields of a dataclass that hold int or float, each with which.

    Optional ones and tuples of them too.
    """
    found: dict[str, type] = {}
    for name, hint in get_type_hints(kind).items():
        options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        inner = [
            each
            for option in options
            for each in (get_args(option) if get_origin(option) is tuple else (option,))
        ]
        for number in (float, int):
            if number in inner:
                found[name] = number
                break
    return found


@lru_cache
def _settings_fields(kind: Any) -> dict[str, tuple[type, ...]]:
    """Return the fields of a dataclass that hold settings of their own, each with the classes that
    it may be of.
    """
    found: dict[str, tuple[type, ...]] = {}
    for name, hint in get_type_hints(kind).items():
        options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        if any(is_dataclass(option) for option in options) and all(
            isinstance(option, type) for option in options
        ):
            found[name] = options
    return found
