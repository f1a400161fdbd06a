"""States of learners as files: tensors and JSON values, never code.

A file is a safetensors file. Tensors lie under their path in the state, such as
"optimizer/0/exp_avg"; the rest, with the places of the tensors, is JSON in the file's metadata,
beside a format version and a SHA-256 over everything, so that damage is noticed.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.utils._pytree import tree_map

from metarl.runs.store import write_file

__all__ = [
    "FORMAT",
    "CheckpointError",
    "in_half_precision",
    "load_about",
    "load_state",
    "save_state",
]

FORMAT = 1
# what JSON has no word for
TENSOR = "__tensor__"
PAIRS = "__pairs__"
TUPLE = "__tuple__"


class CheckpointError(ValueError):
    """A checkpoint or weights file can't be used; the message says what to do."""


def in_half_precision(file: Path) -> bytes:
    """Return what `save_state` would have written of the same state, its float32 tensors rounded to
    float16; learners load it as it is.

    Raises:
        CheckpointError: as of `load_state`.
    """
    about, state = load_state(file)
    rounded = tree_map(
        lambda leaf: (
            leaf.half() if isinstance(leaf, Tensor) and leaf.dtype == torch.float32 else leaf
        ),
        state,
    )
    return packed(rounded, {**about, "precision": "float16"})


def save_state(file: Path, state: Any, about: dict[str, Any]) -> None:
    """Write `state` to `file`, whole or not at all.

    Args:
        file: where; an old file stays as it was until the new one is complete.
        state: nested dicts, lists and tuples of tensors and JSON values.
        about: JSON values that say what this is, given back by `load_state`.

    Raises:
        TypeError: something else is in `state`, named by its path. StorageError: the disk is full
            or read-only.
    """
    write_file(file, packed(state, about))


def packed(state: Any, about: dict[str, Any]) -> bytes:
    """Return the content of a file with `state` and `about`."""
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps({"about": about, "state": _encode(state, "", tensors)})
    metadata = {"metarl": str(FORMAT), "json": skeleton, "sha256": _digest(skeleton, tensors)}
    return bytes(save(tensors, metadata))


def load_about(file: Path) -> dict[str, Any]:
    """Read what `save_state` was told about a state, without the state.

    Raises:
        CheckpointError: as of `load_state`, but that damage of the tensors isn't seen.
    """
    if not file.is_file():
        raise CheckpointError(f"There is no file {file}.")
    with _opened(file) as stream:
        about: dict[str, Any] = json.loads(_skeleton(file, stream.metadata() or {}))["about"]
    return about


def load_state(file: Path) -> tuple[dict[str, Any], Any]:
    """Read what `save_state` wrote: (about, state), tensors on the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, truncated, newer than this package, or none
            of its kind.
    """
    if not file.is_file():
        raise CheckpointError(f"There is no file {file}.")
    with _opened(file) as stream:
        metadata = stream.metadata() or {}
        tensors = {name: stream.get_tensor(name).clone() for name in stream.keys()}  # noqa: SIM118 (not a dict)
    skeleton = _skeleton(file, metadata)
    if metadata.get("sha256") != _digest(skeleton, tensors):
        raise CheckpointError(
            f"{file} is damaged: its contents don't match their checksum. {_ADVICE}"
        )
    content = json.loads(skeleton)
    return content["about"], _decode(content["state"], tensors)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, "pt") as stream:
            yield stream
    except CheckpointError:
        raise
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{file} is damaged, cut short or no safetensors file ({error}). {_ADVICE}"
        ) from error


def _skeleton(file: Path, metadata: dict[str, str]) -> str:
    """Return the JSON of a file that this package can read."""
    if "metarl" not in metadata:
        raise CheckpointError(f"{file} was not written by metarl. {_ADVICE}")
    if not metadata["metarl"].isdigit() or int(metadata["metarl"]) > FORMAT:
        raise CheckpointError(
            f"{file} is a newer metarl's (format {metadata['metarl']}, this one reads {FORMAT});"
            " upgrade metarl."
        )
    return metadata.get("json", "")


_ADVICE = "Restore it from a copy, or delete it to start again."


def _digest(skeleton: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(skeleton.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _encode(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """JSON for `value`; its tensors go to `tensors` under their paths."""
    if isinstance(value, Tensor):
        tensors[path] = value.detach().to("cpu", copy=True).contiguous()
        return {TENSOR: path}
    if isinstance(value, dict):
        pairs = [
            (key, _encode(entry, f"{path}/{_escape(key)}" if path else _escape(key), tensors))
            for key, entry in value.items()
        ]
        if all(isinstance(key, str) and key not in (TENSOR, PAIRS, TUPLE) for key in value):
            return dict(pairs)
        return {PAIRS: [[_encode(key, f"{path}/key", tensors), entry] for key, entry in pairs]}
    if isinstance(value, (list, tuple)):
        entries = [
            _encode(entry, f"{path}/{i}" if path else str(i), tensors)
            for i, entry in enumerate(value)
        ]
        return {TUPLE: entries} if isinstance(value, tuple) else entries
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(
        f"A state holds tensors and JSON values only; {path or 'it'} is a {type(value).__name__}."
    )


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(entry, tensors) for entry in value]
    if not isinstance(value, dict):
        return value
    if TENSOR in value:
        return tensors[value[TENSOR]]
    if TUPLE in value:
        return tuple(_decode(entry, tensors) for entry in value[TUPLE])
    if PAIRS in value:
        return {_decode(key, tensors): _decode(entry, tensors) for key, entry in value[PAIRS]}
    return {key: _decode(entry, tensors) for key, entry in value.items()}


def _escape(key: Any) -> str:
    """Return a key within a path; keys of different types, and keys with slashes, stay apart."""
    text = str(key).replace("~", "~0").replace("/", "~1")
    return text if isinstance(key, str) else f"~{type(key).__name__}:{text}"
