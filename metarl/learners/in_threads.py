"""Parts of a whole that don't depend on each other, each in a thread of its own.

PyTorch shares out every single operation among its threads, which then wait for each other; an operation of some thousand numbers gains
nothing by that. Parts that go through all their operations by themselves wait once, at the end.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

__all__ = ["in_threads"]

Made = TypeVar("Made")


def in_threads(work: Callable[[slice], Made], count: int, device: torch.device) -> list[Made]:
    """What `work` makes of each part of `count` entries, in order: as many parts as PyTorch has threads, on a GPU one.

    Each part gets its share of the threads. PyTorch's modes, such as no_grad, are a thread's own: `work` sets those it needs.
    """
    threads = torch.get_num_threads()
    parts = min(threads, count) if device.type == "cpu" else 1
    slices = [slice(*ends) for ends in pairwise(count * i // parts for i in range(parts + 1))]
    if parts == 1:
        return [work(slices[0])]

    def alone(part: slice) -> Made:
        torch.set_num_threads(threads // parts)  # this thread's; threads that begin later take it over
        return work(part)

    try:
        with ThreadPoolExecutor(parts) as pool:
            return list(pool.map(alone, slices))
    finally:
        torch.set_num_threads(threads)
