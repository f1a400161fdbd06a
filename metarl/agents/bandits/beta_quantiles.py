"""Draws from Beta posteriors by a table of their quantiles: fast, and one number of noise for each,
whatever it is.

Rejection sampling would share a stream between rows or cost ten times as much. A Beta(1 + s, 1 + f)
draw is F⁻¹(Φ(z)) for standard normal z, a smooth function of z that a few nodes describe well: a
cubic through four of them errs by less than 1e-4.
"""

from functools import lru_cache

import numpy as np
import torch
from scipy.special import betaincinv, ndtr
from torch import Tensor

__all__ = ["MOST_PULLS", "beta_quantiles"]

MOST_PULLS = 500  # the table's largest; posteriors of more pulls are these, narrowed
NODES = 41
# The nodes span normal deviates -5.6 to 5.6; what lies beyond the last node but one, a draw in 10
# million, is cut there
REACH = 5.6
SPACING = 2 * REACH / (NODES - 1)


def beta_quantiles(successes: Tensor, pulls: Tensor, normal: Tensor, most_pulls: int) -> Tensor:
    """Return the Beta(1 + s, 1 + f) quantiles that lie at Φ(normal).

    Args:
        successes, pulls: s and s + f, whole numbers as floats, any one shape.
        normal: of that shape; standard normal noise gives draws.
        most_pulls: no pulls exceed it; the table is made for it. Beyond `MOST_PULLS` the posterior
            takes its shape from the one with that many pulls and as much skew, moved and narrowed
            to the right mean and standard deviation.
    """
    table = _table(min(most_pulls, MOST_PULLS), str(normal.device))
    if most_pulls <= MOST_PULLS:
        return _interpolate(table, successes, pulls, normal)
    share = (successes + 1) / (pulls + 2)
    fewer = pulls.clamp_max(MOST_PULLS)
    # Of a posterior, up to a factor
    skew = (1 - 2 * share) / (share * (1 - share)).sqrt() * ((fewer + 2) / (pulls + 2)).sqrt()
    like = (0.5 - 0.5 * skew / (4 + skew.square()).sqrt()) * (fewer + 2) - 1
    like = torch.where(pulls <= MOST_PULLS, successes, like).round().clamp_min(0)
    like_share = (like + 1) / (fewer + 2)
    narrowing = (
        share * (1 - share) * (fewer + 3) / (like_share * (1 - like_share) * (pulls + 3))
    ).sqrt()
    return (share + (_interpolate(table, like, fewer, normal) - like_share) * narrowing).clamp_(
        0, 1
    )


def _interpolate(table: Tensor, successes: Tensor, pulls: Tensor, normal: Tensor) -> Tensor:
    # Exact in float32 up to MOST_PULLS
    state = (0.5 * pulls * (pulls + 1) + pulls - successes).to(torch.int32)
    position = ((normal + REACH) / SPACING).clamp_(1, NODES - 2.001)
    node = position.to(torch.int32)
    w = position - node
    first = (state * NODES + node - 1).flatten()
    y0, y1, y2, y3 = (table.index_select(0, first + i).view(w.shape) for i in range(4))
    # Lagrange's polynomial through nodes at -1, 0, 1, 2
    w0 = w + 1
    w1 = w - 1
    w2 = w - 2
    outer = (y3 * w0 - y0 * w2) * (w * w1 / 6)
    inner = (y1 * w1 - y2 * w) * (w0 * w2 / 2)
    return (outer + inner).clamp_(0, 1)


@lru_cache(maxsize=8)
def _table(pulls: int, device: str) -> Tensor:
    """Quantiles [states * NODES] float32 of all states with up to `pulls` pulls, in the order of
    `bandit_bounds.pair_code`.
    """
    if device != "cpu":
        return _table(pulls, "cpu").to(device)
    levels = ndtr(np.linspace(-REACH, REACH, NODES))
    layers = []
    for made in range(pulls + 1):
        half = np.arange(made // 2 + 1)  # failures; the other half mirrors it
        lower = betaincinv((made - half + 1.0)[:, None], (half + 1.0)[:, None], levels)
        layers.append(np.concatenate([lower, 1 - lower[::-1, ::-1][(made + 1) % 2 :]])[: made + 1])
    return torch.from_numpy(np.concatenate(layers).astype(np.float32).ravel())
