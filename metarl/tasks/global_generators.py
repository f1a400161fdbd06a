"""Where the random generators of Python, NumPy and PyTorch stand that all code shares: looked at, never drawn from."""

import random

import numpy as np
import torch

__all__ = ["global_states"]


def global_states() -> dict[str, object]:
    """Return the state of each by name, in a form that `==` compares."""
    kind, key, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002 - looked at, not drawn from
    states: dict[str, object] = {
        "Python's random": random.getstate(),
        "NumPy": (kind, np.asarray(key).tobytes(), position, has_gauss, gauss),
        "PyTorch": bytes(torch.get_rng_state().numpy()),
    }
    if torch.cuda.is_initialized():
        states["PyTorch on the GPU"] = bytes(torch.cuda.get_rng_state().numpy())
    return states
