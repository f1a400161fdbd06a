"""How much memory a worker process takes, and whether there is enough for as many as are wanted."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["available_bytes", "check_memory", "own_bytes", "plainly_enough"]

GIB = 2**30
PLENTY = GIB  # more than a worker takes, of all environments that we know


def available_bytes() -> int:
    """Memory that new processes can have.

    The machine's, or what its container's limit leaves, if that is less.
    """
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):  # Linux counts what it could take back from its caches too
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        available = int(lines["MemAvailable"].split()[0]) * 1024
    with suppress(OSError, ValueError):  # no such files, or "max"
        limit, used = (
            int(Path(f"/sys/fs/cgroup/memory.{name}").read_text()) for name in ("max", "current")
        )
        available = min(available, max(limit - used, 0))
    return available


def own_bytes() -> int:
    """Memory of this process that no other shares."""
    with suppress(OSError):
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def plainly_enough(workers: int) -> bool:
    """Return whether so many workers fit even if they took far more than any does, so that there is
    no need to measure.
    """
    return workers * PLENTY <= available_bytes()


def check_memory(id: str, workers: int, first: int) -> None:
    """Look at the memory for `workers` worker processes when one of them runs.

    Args:
        id: of the distribution. first: bytes that the first worker takes.

    Raises:
        ValueError: there isn't enough for the others; says how many there is room for.
    """
    available = available_bytes() + first
    if workers * first > available:
        raise ValueError(
            f"{id}: {workers} worker processes need about {workers * first / GIB:.1f} GiB of memory"
            f" ({first / 2**20:.0f} MiB each, as the first one shows), and {available / GIB:.1f}"
            f" GiB are free; use at most {available // first}: set fewer workers, or fewer rows"
            " where each row has a worker of its own."
        )
