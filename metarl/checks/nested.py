"""Nested tuples, dicts and dataclasses of tensors.

Walk through them, copy them, compare them bit for bit.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["clone", "difference", "floats", "leaves"]


def leaves(nested: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every (path, leaf) of `nested`, in order.

    A leaf is whatever isn't a tuple, list, dict or dataclass.
    """
    if is_dataclass(nested) and not isinstance(nested, type):
        parts: Any = [(field.name, getattr(nested, field.name)) for field in fields(nested)]
    elif isinstance(nested, dict):
        parts = nested.items()
    elif isinstance(nested, tuple) and hasattr(nested, "_fields"):
        parts = zip(nested._fields, nested, strict=True)
    elif isinstance(nested, tuple | list):
        parts = enumerate(nested)
    else:
        yield path, nested
        return
    for name, part in parts:
        yield from leaves(part, f"{path}.{name}" if path else str(name))


def clone(nested: Any) -> Any:
    """Return the same tuples, lists, dicts and dataclasses around copies of the tensors."""
    if isinstance(nested, Tensor):
        return nested.detach().clone()
    if is_dataclass(nested) and not isinstance(nested, type):
        return type(nested)(
            **{field.name: clone(getattr(nested, field.name)) for field in fields(nested)}
        )
    if isinstance(nested, dict):
        return {name: clone(part) for name, part in nested.items()}
    if isinstance(nested, tuple) and hasattr(nested, "_fields"):
        return type(nested)(*(clone(part) for part in nested))
    if isinstance(nested, tuple | list):
        return type(nested)(clone(part) for part in nested)
    return nested


def difference(one: Any, other: Any) -> str | None:
    """Return where `one` and `other` differ.

    None if they are equal bit for bit (NaN equals NaN).
    """
    ones = list(leaves(one))
    others = list(leaves(other))
    if [path for path, _ in ones] != [path for path, _ in others]:
        return "the structure"
    for (path, a), (_, b) in zip(ones, others, strict=True):
        if not _equal(a, b):
            return path or "the value"
    return None


def floats(tensor: Tensor) -> Tensor:
    """`tensor` [n, ...] as float64 [n, features]."""
    return tensor.to(torch.float64).reshape(len(tensor), -1)


def _equal(a: Any, b: Any) -> bool:
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return type(a) is type(b) and (a is b or bool(a == b) or bool(a != a and b != b))
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    same = a == b
    return bool((same | (a.isnan() & b.isnan()) if a.is_floating_point() else same).all())
