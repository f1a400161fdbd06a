"""Several ranks as threads of one process, each with its own end of a process group.

No process needs to be started.
"""

from concurrent.futures import ThreadPoolExecutor

from torch.distributed import HashStore

from metarl.learners.process_groups import gloo_group

__all__ = ["in_ranks"]


def in_ranks(size, function):
    """Return what `function(group)` gives in each of `size` ranks, which run at once."""
    store = HashStore()
    with ThreadPoolExecutor(size) as pool:
        runs = [
            pool.submit(lambda rank=rank: function(gloo_group(store, rank, size)))
            for rank in range(size)
        ]
        return [run.result(60) for run in runs]
