"""Whether anything drew from the random generators of Python, NumPy or PyTorch that all code shares."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from metarl.checks.require import require

__all__ = ["global_generators_untouched"]


@contextmanager
def global_generators_untouched(who: str) -> Iterator[None]:
    """Fail if the block within draws from a global generator, or seeds it.

    Args:
        who: what runs in the block, for the message.

    Raises:
        PlugInError: names the generator that was touched.
    """
    before = _states()
    yield
    touched = [name for name, state in _states().items() if state != before[name]]
    require(
        not touched,
        f"{who} touched the global generator of {' and '.join(touched)}.",
        "Draw from the generator or the seed that is given as an argument (see metarl.tasks.seeding).",
    )


def _states() -> dict[str, object]:
    kind, key, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002 - looked at, not drawn from
    return {
        "Python's random": random.getstate(),
        "NumPy": (kind, np.asarray(key).tobytes(), position, has_gauss, gauss),
        "PyTorch": bytes(torch.get_rng_state().numpy()),
    }
