"""A value function for each task, linear in features of the observation and of time, fitted in closed form (Duan et al. 2016).

Benchmarking Deep Reinforcement Learning for Continuous Control, arXiv 1604.06778, supplement, section 2. Fitted anew to every batch of
episodes, it has nothing to train and nothing to save, so that an agent can fit one in a task it has never seen.
"""

import torch
from torch import Tensor

__all__ = ["baseline_features", "fit_baseline"]

RIDGE = 1e-5  # weight of the squared coefficients, beside the mean squared error


def baseline_features(observation: Tensor, time: Tensor) -> Tensor:
    """Features [..., 2 F + 4] of observations [..., F] seen after `time` [...] steps of an episode."""
    hundreds = (time.to(observation.dtype) / 100)[..., None]
    one = torch.ones_like(hundreds)
    return torch.cat([observation, observation.square(), hundreds, hundreds.square(), hundreds.pow(3), one], -1)


def fit_baseline(features: Tensor, returns: Tensor, valid: Tensor) -> Tensor:
    """Coefficients [n, D] of each task's ridge regression, in float64.

    Args:
        features: [n, m, D]. returns: [n, m]. valid: [n, m] bool, where not an entry doesn't count.
    """
    features = torch.where(valid[..., None], features.double(), 0)
    count = valid.sum(1).clamp_min(1)[:, None, None]
    squares = features.transpose(1, 2) @ features / count + RIDGE * torch.eye(
        features.shape[-1], dtype=torch.float64, device=features.device
    )
    projected = features.transpose(1, 2) @ torch.where(valid, returns.double(), 0)[..., None] / count
    return torch.linalg.solve(squares, projected)[..., 0]
