"""Two settings of the whole process, memory and waiting threads, that decide how fast training is."""

import ctypes
import os
import sys
import warnings

__all__ = ["tune_process"]

# How often a waiting OpenMP thread of PyTorch looks whether there is work before it sleeps. With
# libgomp's own 300,000, one competing process can slow training twentyfold; a short spin before
# sleeping costs nothing on a quiet machine.
SPIN_COUNT = "1000"

# glibc's malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3


def tune_process() -> None:
    """Tune this process, and those that it starts, for training on CPUs.

    Sets GOMP_SPINCOUNT, so that PyTorch's threads spin for a short while only before they sleep,
    and has glibc keep large blocks that were freed. Call it once, before torch is imported: the
    first setting is read while torch is loaded. What you have set yourself, by GOMP_SPINCOUNT or
    by MALLOC_TRIM_THRESHOLD_ or MALLOC_MMAP_THRESHOLD_, is left alone. The command `metarl` calls
    it; `import metarl` doesn't.

    Warns:
        UserWarning: torch is imported already. Its threads go on spinning in this process; only
            processes that it starts are tuned.
    """
    _shorten_spinning()
    _keep_freed_memory()


def _shorten_spinning() -> None:
    """Set GOMP_SPINCOUNT unless the user has; warn where torch has read it already."""
    if "GOMP_SPINCOUNT" in os.environ:
        return
    os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
    if "torch" in sys.modules:
        warnings.warn(
            "torch is imported already, and GOMP_SPINCOUNT is read while it is loaded: its threads "
            "go on spinning in this process, which makes training several times slower while other "
            "processes run. Call metarl.tune_process() before torch is imported.",
            stacklevel=3,
        )


def _keep_freed_memory() -> None:
    """Have glibc keep large freed blocks rather than hand them back.

    Fresh pages cost a rollout's buffers up to a third of the time. Nothing is done on systems
    without glibc.
    """
    if {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"} & set(os.environ):
        return
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(M_TRIM_THRESHOLD, 1 << 30)
    # some versions take at most 32 MiB
    if not mallopt(M_MMAP_THRESHOLD, 1 << 30):
        mallopt(M_MMAP_THRESHOLD, 1 << 25)
