"""What a task is made of, whatever container its numbers come in, so that the same task is known
again.

Equal are: tensors, arrays, lists and tuples of equal numbers and shape; whole, floating and truth
values; dicts in any order of their keys; sets; named tuples and tuples; a path and its text. Data
classes and objects are equal if their class and their fields are. An object whose class says what
is equal (`__eq__` and `__hash__`) is equal to what it calls so, too.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from numbers import Complex, Integral, Number, Real
from stat import S_ISREG
from types import BuiltinFunctionType, FunctionType
from typing import Any

import cloudpickle
import numpy as np

__all__ = ["coarsest_precision", "content_key", "group_by_content"]

EXACT = 52  # bits behind the leading one in a float64
# Bytes of a file that are compared; larger files are told apart by where they lie
LARGEST_READ = 2**26
UNORDERED = 2**53  # floating numbers beyond aren't told apart from their neighbours

Groups = dict[str, np.ndarray]


def group_by_content(lists: Mapping[str, Sequence[Any]]) -> Groups:
    """Number the tasks of all splits by their content.

    Args:
        lists: split -> tasks.

    Returns:
        split -> int64 [number of tasks]; equal numbers stand for equal tasks, within a split and
        across splits.
    """
    every = [task for tasks in lists.values() for task in tasks]
    plain = all(type(task) is int for task in every)  # thousands of levels by number
    precision = EXACT if plain else min(map(coarsest_precision, every), default=EXACT)
    known: dict[Any, int] = {}
    groups: Groups = {}
    for split, tasks in lists.items():
        numbers = []
        for task in tasks:
            keys = (
                [task]
                if plain
                else [content_key(task, precision, files=True), *_own_equality(task)]
            )
            number = min((known[key] for key in keys if key in known), default=len(known))
            for key in keys:
                known.setdefault(key, number)
            numbers.append(number)
        groups[split] = np.array(numbers, np.int64)
    return groups


def content_key(value: Any, precision: int = EXACT, files: bool = False) -> bytes:
    """Return 16 bytes that equal contents share.

    Args:
        value: of any type. What can't be looked into, such as a lock, is equal to itself only.
        precision: bits that floating numbers are rounded to, so that 0.1 in float32 and in float64
            are the same.
        files: take texts that name a file for the file: other ways to name it, links and copies are
            equal.
    """
    return _Reader(precision, files).key(value)


def coarsest_precision(value: Any) -> int:
    """Return the bits of the coarsest floating type in `value`.

    52 of float64 and Python's own, 23 of float32.
    """
    if isinstance(value, str | bytes | int | float | Enum):
        return EXACT if not isinstance(value, np.floating) else int(np.finfo(value.dtype).nmant)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        if not value.is_floating_point():
            return EXACT
        return min(EXACT, round(-float(np.log2(torch.finfo(value.dtype).eps))))
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fc":
        return min(EXACT, int(np.finfo(value.dtype).nmant))
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return EXACT
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, Set) or (isinstance(value, Sequence) and not isinstance(value, range)):
        parts = value
    elif isinstance(value, np.ndarray):
        parts = value.ravel().tolist()
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name, None) for field in fields(value)]
    elif isinstance(getattr(value, "__dict__", None), dict) and not isinstance(
        value, type | FunctionType
    ):
        parts = vars(value).values()
    try:
        return min(map(coarsest_precision, parts), default=EXACT)
    except RecursionError:
        return EXACT


def _own_equality(task: Any) -> list[Any]:
    """Return the task itself, where its class says what is equal to it."""
    kind = type(task)
    if kind.__module__ in ("builtins", "numpy", "torch") or kind.__eq__ is object.__eq__:
        return []
    with suppress(Exception):
        hash(task)
        if task == task:
            return [("equal", kind, task)]
    return []


class _Reader:
    """Walks through one value."""

    def __init__(self, precision: int, files: bool):
        self.precision = precision
        self.files = files
        # Ids of the objects that the walk is within, which may hold themselves
        self.open: list[int] = []

    def key(self, value: Any) -> bytes:
        read = self.read(value)
        return _numbers_key(read) if isinstance(read, np.ndarray) else read

    def read(self, value: Any) -> np.ndarray | bytes:
        """Return an array of int64 or float64 where `value` is made of numbers only, else its key."""
        if isinstance(value, Enum):
            return _digest("enum", _name(type(value)), value.name.encode())
        if isinstance(value, str):
            return self._text(value)
        if value is None or value is Ellipsis:
            return _digest("constant", repr(value).encode())
        if isinstance(value, bytes | bytearray | memoryview):
            return _digest("bytes", bytes(value))
        if isinstance(value, Number) and not isinstance(value, np.generic):
            return self._number(value)
        if id(value) in self.open:
            return _digest(
                "within itself", str(len(self.open) - self.open.index(id(value))).encode()
            )
        self.open.append(id(value))
        try:
            return self._container(value)
        except RecursionError:
            return _digest("too deep", str(id(value)).encode())
        finally:
            self.open.pop()

    def _container(self, value: Any) -> np.ndarray | bytes:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            value = value.detach().cpu().to_dense().resolve_conj().resolve_neg()
            return self._array(
                (value.to(torch.float32) if value.dtype == torch.bfloat16 else value).numpy()
            )
        if isinstance(value, np.ndarray | np.generic):
            return self._array(np.asarray(value))
        if isinstance(value, range):
            return self._array(np.asarray(value))
        if isinstance(value, os.PathLike):
            path = os.fspath(value)
            return self._text(path if isinstance(path, str) else os.fsdecode(path))
        if isinstance(value, Mapping):
            return _digest(
                "dict", *sorted(self.key(name) + self.key(part) for name, part in value.items())
            )
        if isinstance(value, Set):
            return _digest("set", *sorted(map(self.key, value)))
        if isinstance(value, Sequence):
            return self._sequence(list(value))
        if is_dataclass(value) and not isinstance(value, type):
            compared = [field.name for field in fields(value) if field.compare]
            return _digest(
                "object", _name(type(value)), *(self.key(getattr(value, name)) for name in compared)
            )
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return _code(value)
        return self._object(value)

    def _text(self, text: str) -> bytes:
        if self.files and text:
            with suppress(OSError, ValueError):  # it names no file
                return _file(os.path.expanduser(text))
        return _digest("text", text.encode("utf-8", "surrogatepass"))

    def _number(self, value: Any) -> np.ndarray | bytes:
        if isinstance(value, Integral) and -(2**63) <= int(value) < 2**63:
            return np.array(int(value), np.int64)
        floating: float | None = None
        with suppress(OverflowError, TypeError, ValueError):
            floating = float(value)
        if floating is not None and (isinstance(value, float) or floating == value):
            return self._array(np.array(floating))
        if isinstance(value, Complex) and not isinstance(value, Real):
            return self._complex(np.array(complex(value)))
        return _digest("number", str(value).encode())

    def _array(self, array: np.ndarray) -> np.ndarray | bytes:
        if array.dtype.names:
            return _digest(
                "dict",
                *sorted(self.key(name) + self.key(array[name]) for name in array.dtype.names),
            )
        if array.dtype.kind == "c":
            return self._complex(array)
        if array.dtype.kind in "bi" or (array.dtype.kind == "u" and (array < 2**63).all()):
            return np.asarray(array, np.int64)
        if array.dtype.kind == "f":
            return _whole_if_it_is(_rounded(np.asarray(array, np.float64), self.precision))
        return self.read(
            array.item() if array.dtype.kind in "OuUSmM" and array.ndim == 0 else array.tolist()
        )

    def _complex(self, array: np.ndarray) -> np.ndarray | bytes:
        if not array.imag.any():
            return self._array(array.real)
        return _digest("complex", self.key(array.real), self.key(array.imag))

    def _sequence(self, parts: list[Any]) -> np.ndarray | bytes:
        read = [self.read(part) for part in parts]
        arrays = [part for part in read if isinstance(part, np.ndarray)]
        if len(arrays) == len(read) and len({part.shape for part in arrays}) <= 1:
            exact = all(part.dtype == np.int64 for part in arrays)
            if exact or all(
                part.dtype == np.float64 or (np.abs(part) < UNORDERED).all() for part in arrays
            ):
                return np.stack(arrays) if arrays else np.zeros(0, np.int64)
        return _digest(
            "sequence",
            *(_numbers_key(part) if isinstance(part, np.ndarray) else part for part in read),
        )

    def _object(self, value: Any) -> bytes:
        with suppress(Exception):  # what can't be taken apart is looked at as a whole
            if hasattr(value, "__array__") and not hasattr(value, "columns"):
                return self.key(np.asarray(value))
        with suppress(Exception):
            parts: Any = value.__reduce_ex__(4)
            if isinstance(parts, str):
                return _digest("global", _name(type(value)), parts.encode())
            make, arguments, state, items, entries = [*parts, None, None, None][:5]
            more = [
                None if items is None else list(items),
                None if entries is None else dict(entries),
            ]
            return _digest("object", *map(self.key, [make, arguments, state, *more]))
        return _digest("itself", str(id(value)).encode())


def _digest(kind: str, *parts: bytes) -> bytes:
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()[:16]


def _numbers_key(array: np.ndarray) -> bytes:
    whole = _whole_if_it_is(array)
    return _digest("numbers", repr((whole.shape, whole.dtype.kind)).encode(), whole.tobytes())


def _whole_if_it_is(array: np.ndarray) -> np.ndarray:
    """Return an array of float64 as int64 where all its numbers are whole.

    Without signed zeros, and with one kind of NaN.
    """
    if array.dtype != np.float64:
        return array
    whole = np.isfinite(array) & (np.abs(array) < 2.0**63)
    if whole.all() and (array == np.trunc(array)).all():
        return array.astype(np.int64)
    return np.asarray(np.where(np.isnan(array), np.nan, array + 0.0))


def _rounded(array: np.ndarray, bits: int) -> np.ndarray:
    """Numbers with `bits` behind their leading one."""
    if bits >= EXACT:
        return array
    mantissa, exponent = np.frexp(array)
    return np.asarray(np.ldexp(np.round(np.ldexp(mantissa, bits + 1)), exponent - bits - 1))


def _file(path: str) -> bytes:
    """Return the key of a file that is there: of what it holds, or of where it lies."""
    found = os.stat(path)
    if S_ISREG(found.st_mode) and 0 < found.st_size <= LARGEST_READ:
        with open(path, "rb") as file:
            return _digest("file", hashlib.file_digest(file, "sha256").digest())
    return _digest("place", f"{found.st_dev} {found.st_ino}".encode())


def _name(kind: Any) -> bytes:
    return f"{kind.__module__}.{kind.__qualname__}".encode()


def _code(value: type | Callable[..., Any]) -> bytes:
    """Return the key of a class or function.

    Its name, where a name leads to it, else what it is made of.
    """
    name = f"{value.__module__}.{value.__qualname__}"
    if "<" not in name:
        return _digest("code", name.encode())
    with suppress(Exception):
        return _digest("code", cloudpickle.dumps(value))
    return _digest("itself", str(id(value)).encode())
