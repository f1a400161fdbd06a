"""Where PyTorch can compute on this machine."""

import torch

__all__ = ["check_device"]


def check_device(device: str | torch.device) -> None:
    """Raise ValueError, saying what to choose, unless PyTorch can compute on `device` here."""
    try:
        kind = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"There is no device {str(device)!r}; choose cpu, or cuda where there is a GPU.") from error
    if kind.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError("There is no CUDA device here, or this PyTorch was built without CUDA; choose cpu.")
        if (kind.index or 0) >= torch.cuda.device_count():
            raise ValueError(f"There is no device {str(device)!r}; this machine has cuda:0 to cuda:{torch.cuda.device_count() - 1}.")
    elif kind.type != "cpu":
        raise ValueError(f"metarl computes on cpu or cuda, not on {str(device)!r}.")
