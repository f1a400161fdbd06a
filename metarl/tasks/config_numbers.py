"""What every config asks of its numbers, before anything is made of them."""

import math
import types
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = ["check_numbers"]


def check_numbers(config: Any, may_be_infinite: tuple[str, ...] = ()) -> None:
    """Raise ValueError unless fields that are declared as int hold whole numbers, and those declared as float finite ones.

    Args:
        config: a dataclass instance; tuples of numbers are looked through, and None is fine where it is declared.
        may_be_infinite: fields in which infinity has a meaning, such as a limit that is none.
    """
    for name, kind in _numeric_fields(type(config)).items():  # type: ignore[arg-type]
        value = getattr(config, name)
        for each in value if isinstance(value, tuple | list) else () if value is None else (value,):
            if kind is int and (isinstance(each, bool) or not isinstance(each, Integral)):
                raise ValueError(f"{name} must be a whole number, not {each!r}.")
            if kind is float and (isinstance(each, bool) or not isinstance(each, Real) or math.isnan(each)):
                raise ValueError(f"{name} must be a number, not {each!r}.")
            if kind is float and math.isinf(each) and name not in may_be_infinite:
                raise ValueError(f"{name} must be finite, not {each!r}.")


@lru_cache
def _numeric_fields(kind: Any) -> dict[str, type]:
    """The fields of a dataclass that hold int or float, each with which; optional ones and tuples of them too."""
    found: dict[str, type] = {}
    for name, hint in get_type_hints(kind).items():
        options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        inner = [each for option in options for each in (get_args(option) if get_origin(option) is tuple else (option,))]
        for number in (float, int):
            if number in inner:
                found[name] = number
                break
    return found
