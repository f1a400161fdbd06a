"""Files that several processes change: each reads what is there, adds its own, and writes the
whole, so only one may be at it at a time.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metarl.runs.store import explained

__all__ = ["exclusively"]


@contextmanager
def exclusively(file: Path) -> Iterator[None]:
    """Make the folder of `file` if need be, and keep others that change files in it waiting.

    Read, change and write the file within this block, by `metarl.runs.store.write_file` or what is
    made of it: then concurrent writers lose nothing, and one that is killed loses its own change at
    most. The lock is the folder's own, so that none is left lying about; a kill releases it. A
    block within a block of the same folder would wait for itself.

    Raises:
        StorageError: the folder can't be made or written to.
    """
    with explained(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(file)
    try:
        for leftover in file.parent.glob(f".{file.name}.*.tmp"):  # of a writer that was killed
            leftover.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def _locked(file: Path) -> int:
    """Wait for the lock, and return its descriptor."""
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        # network file systems lock files that are open for writing, not folders
        os.close(descriptor)
        descriptor = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor
