"""Whether anything drew from the random generators of Python, NumPy or PyTorch that all code
shares.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from metarl.checks.require import require
from metarl.core.seeding import global_states

__all__ = ["global_generators_untouched"]

# Code that seeds a global generator leaves no trace if it stands at that seed already. So each
# stands, while it is watched, where nobody's seed puts it.
_NOBODYS_SEED = 0x6D65_7461


@contextmanager
def global_generators_untouched(who: str) -> Iterator[None]:
    """Fail if the block within draws from a global generator, or seeds it.

    Afterwards the generators stand where they stood before, whatever the block did to them.

    Args:
        who: what runs in the block, for the message.

    Raises:
        PlugInError: names the generator that was touched.
    """
    with _generators_put_back():
        before = global_states()
        yield
        touched = [name for name, state in global_states().items() if state != before[name]]
    require(
        not touched,
        f"{who} touched the global generator of {' and '.join(touched)}.",
        "Draw from the generator or the seed that is given as an argument (see"
        " metarl.core.seeding).",
    )


@contextmanager
def _generators_put_back() -> Iterator[None]:
    """Seed the global generators as nobody does, and restore their states in the end."""
    python = random.getstate()
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002
    gpus = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=gpus):
        random.seed(f"{_NOBODYS_SEED}")
        np.random.seed([_NOBODYS_SEED, _NOBODYS_SEED])  # noqa: NPY002
        torch.random.default_generator.manual_seed(_NOBODYS_SEED)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(_NOBODYS_SEED)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
