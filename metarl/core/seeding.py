"""Independent random streams named by a seed and a path; no global generator is ever touched."""

import hashlib
import random

import numpy as np
import torch

from metarl.core.arguments import check_seed

__all__ = ["derive_seed", "global_states", "numpy_generator", "torch_generator"]


def derive_seed(seed: int, *path: str | int) -> int:
    """Return a 63-bit seed for the stream `path` under `seed`; different paths give unrelated
    streams.

    Args:
        seed: a whole number from 0 to 2**63 - 1.
        path: names and counters, such as `("task noise", 3)`.

    Raises:
        ValueError: `seed` is no such number.
    """
    text = "\x1f".join([str(check_seed(seed)), *(f"{type(part).__name__}:{part}" for part in path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_generator(seed: int, *path: str | int) -> np.random.Generator:
    """Return a NumPy generator (PCG64) for the stream `path` under `seed`."""
    return np.random.default_rng(derive_seed(seed, *path))


def torch_generator(
    seed: int, *path: str | int, device: str | torch.device = "cpu"
) -> torch.Generator:
    """Return a PyTorch generator on `device` for the stream `path` under `seed`."""
    return torch.Generator(device).manual_seed(derive_seed(seed, *path))


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
