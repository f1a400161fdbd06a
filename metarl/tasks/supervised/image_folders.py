"""Labelled images from folders.

Which files are of which class, which classes are for training, and all of them in one tensor.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from metarl.core.paths import as_path
from metarl.core.seeding import derive_seed
from metarl.tasks.supervised.few_shot import LabelledImages, rotated

__all__ = ["SUFFIXES", "find_classes", "read_folder", "split_by_name"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".pgm", ".ppm")
TRAIN_SHARE = 0.75  # of the classes, where neither the folder nor the caller says
MODES = {1: "L", 3: "RGB"}  # as Pillow names them, by channels


class Classes(NamedTuple):
    """Files by class, for each split."""

    train: dict[str, tuple[Path, ...]]
    test: dict[str, tuple[Path, ...]]


def read_folder(
    folder: str | Path,
    size: int,
    channels: int,
    rotations: bool = False,
    train_classes: int | None = None,
) -> LabelledImages:
    """Return all images below `folder`, stretched to `size` x `size` pixels.

    Args:
        channels: 1 for grey, 3 for red, green and blue.
        rotations: have each training class four times, turned by quarters.
        train_classes: how many classes are for training, where the folder doesn't say.

    Raises:
        ValueError: no such folder, no images in it, nothing left for a split, a class in both
            splits or two that are the same, a link that leads nowhere or in a circle, or an image
            that can't be read, by name.
    """
    if size < 1 or channels not in MODES:
        raise ValueError(
            f"Images have a size of at least 1 pixel and 1 or 3 channels, not {size} and"
            f" {channels}."
        )
    classes = find_classes(as_path(folder), train_classes)
    named = {**classes.train, **classes.test}
    stamped = tuple(
        (str(file), file.stat().st_mtime_ns) for files in named.values() for file in files
    )
    counts = torch.tensor([len(files) for files in named.values()])
    labelled = LabelledImages(
        _read(stamped, size, channels), counts, tuple(named), len(classes.train)
    )
    return rotated(labelled) if rotations else labelled


def find_classes(folder: Path, train_classes: int | None = None) -> Classes:
    """Return a class is a folder that holds images, at any depth, named by its path: Omniglot's
    characters lie within alphabets.

    Links to folders and files count as what they lead to.

    Where `folder` has the subfolders train and test, as miniImageNet has, they are the splits, and
    anything beside them, such as val, is left out. Otherwise classes are ordered by a hash of their
    names, and the first are for training: `train_classes`, or three quarters.
    """
    if not folder.is_dir():
        raise ValueError(
            f"There is no folder {str(folder)!r}; name one that holds a folder of images for each"
            " class."
        )
    splits = [folder / name for name in ("train", "test")]
    if all(split.is_dir() for split in splits):
        if train_classes is not None:
            raise ValueError(
                f"{folder} has the folders train and test already; leave train_classes out."
            )
        found = [_classes_below(split) for split in splits]
        if shared := sorted(found[0].keys() & found[1].keys()):
            few = ", ".join(map(repr, shared[:3])) + (
                f" and {len(shared) - 3} more" if len(shared) > 3 else ""
            )
            raise ValueError(
                f"{folder} has classes of the same name in train and in test: {few}. A test task's"
                " classes must be new: take each out of one of the two, or, where one name stands"
                " for two different classes, rename one."
            )
    else:
        classes = _classes_below(folder)
        train = split_by_name(
            list(classes),
            round(TRAIN_SHARE * len(classes)) if train_classes is None else train_classes,
        )
        found = [
            {name: files for name, files in classes.items() if (name in train) == first}
            for first in (True, False)
        ]
    for name, part in zip(("train", "test"), found, strict=True):
        if not part:
            raise ValueError(
                f"{folder} leaves no class for the split {name}; each class needs a folder with"
                " images, and each split a class."
            )
    _check_apart({**found[0], **found[1]})
    return Classes(*found)


def split_by_name(names: list[str], count: int) -> set[str]:
    """Return the `count` names that come first in the order of a hash, which no other name has a
    say in.
    """
    if not 0 <= count <= len(names):
        raise ValueError(
            f"train_classes must lie between 1 and {len(names) - 1}, since there are {len(names)}"
            f" classes; it can't be {count}."
        )
    return set(sorted(names, key=lambda name: derive_seed(0, "split of classes", name))[:count])


def _classes_below(folder: Path) -> dict[str, tuple[Path, ...]]:
    classes: dict[str, list[Path]] = {}
    for file in sorted(_files_below(folder, (folder.resolve(),))):
        if file.suffix.lower() in SUFFIXES and file.parent != folder:
            classes.setdefault(file.parent.relative_to(folder).as_posix(), []).append(file)
    if not classes:
        raise ValueError(
            f"{folder} holds no images in folders of their own; put each class's images"
            f" ({', '.join(SUFFIXES)}) into one."
        )
    return {name: tuple(files) for name, files in classes.items()}


def _files_below(folder: Path, within: tuple[Path, ...]) -> Iterator[Path]:
    """Every file below `folder` that isn't hidden.

    Links count as what they lead to. `within`: the real folders down to this one.
    """
    entries = sorted(folder.iterdir())
    if not entries:
        raise ValueError(
            f"The folder {folder} is empty; put a class's images into it, or take it away."
        )
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            real = entry.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise ValueError(
                f"The link {entry} leads nowhere; restore what it leads to, or take it away."
            ) from error
        if not real.is_dir():
            yield entry
        elif real in within:
            raise ValueError(
                f"The link {entry} leads back to {real}, which it lies in; take it away."
            )
        else:
            yield from _files_below(entry, (*within, real))


def _check_apart(classes: dict[str, tuple[Path, ...]]) -> None:
    """Raise ValueError where two classes, by other names or through links, show mostly the same
    images.
    """
    files = [file for own in classes.values() for file in own]
    stamped = tuple(
        (str(file), stat.st_size, stat.st_mtime_ns) for file in files for stat in (file.stat(),)
    )
    contents = iter(_contents(stamped))
    seen: dict[bytes, dict[str, None]] = {}  # content -> the classes that have it
    distinct = {name: {next(contents) for _ in own} for name, own in classes.items()}
    for name, own in distinct.items():
        shared = Counter(other for content in own for other in seen.get(content, ()))
        for other, count in shared.items():
            if 2 * count >= min(len(own), len(distinct[other])):
                places = f"{classes[other][0].parent} and {classes[name][0].parent}"
                raise ValueError(
                    f"The classes {other!r} and {name!r} share {count} of their images, by links or"
                    f" as copies: {places}. Each class, and above all each test class, must be"
                    " another one: take one of the two away."
                )
        for content in own:
            seen.setdefault(content, {})[name] = None


@lru_cache(maxsize=2)
def _contents(stamped: tuple[tuple[str, int, int], ...]) -> tuple[bytes, ...]:
    """Return a hash of what each file holds, given (path, size, time of its last change).

    A size that no other file has says enough.
    """
    sizes = Counter(size for _, size, _ in stamped)
    contents = []
    for path, size, _ in stamped:
        if sizes[size] == 1:
            contents.append(b"%d" % size)
            continue
        with open(path, "rb") as file:
            contents.append(hashlib.file_digest(file, "sha256").digest())
    return tuple(contents)


@lru_cache(maxsize=2)
def _read(stamped: tuple[tuple[str, int], ...], size: int, channels: int) -> Tensor:
    """Return the images of files, with the times at which they changed last.

    Kept, since decoding takes a while.
    """
    images = np.empty((len(stamped), size, size, channels), np.uint8)
    for i, (file, _) in enumerate(stamped):
        try:
            with Image.open(file) as image:
                # Large JPEGs are decoded at a fraction of their size
                image.draft(MODES[channels], (size, size))
                small = image.convert(MODES[channels]).resize(
                    (size, size), Image.Resampling.BILINEAR
                )
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise ValueError(
                f"{file} can't be read as an image ({error}). Restore it from a copy, or take it"
                " away."
            ) from error
        images[i] = np.asarray(small).reshape(size, size, channels)
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
