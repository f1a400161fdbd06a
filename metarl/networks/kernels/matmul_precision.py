"""Matrix products by the faster of the libraries that PyTorch carries.

On processors with AVX-512 that aren't Intel's, MKL keeps to narrower instructions, and oneDNN
multiplies float32 matrices about twice as fast, just as exactly. PyTorch hands products to oneDNN
only where lower precision is allowed, which oneDNN makes use of only with special units for
bfloat16. So lower precision is allowed here where, and only where, a trial shows that nothing gets
less precise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

__all__ = ["fast_matmul"]


@contextmanager
def fast_matmul() -> Iterator[None]:
    """Float32 products on a CPU by oneDNN inside, where that is as exact as without.

    A setting of the user's is left alone.
    """
    matmul: Any = getattr(torch.backends.mkldnn, "matmul", None)  # since PyTorch 2.9
    before = getattr(matmul, "fp32_precision", None)
    if before != "none" or not exact():
        yield
        return
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before


@cache
def exact() -> bool:
    """Return whether products keep float32's precision when lower precision is allowed."""
    matmul: Any = getattr(torch.backends.mkldnn, "matmul")  # noqa: B009
    rng = torch.Generator().manual_seed(0)
    left, right = (torch.rand(256, 256, generator=rng) for _ in range(2))
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        products = left @ right, left.t() @ right, torch.bmm(left[None], right[None])[0]
    finally:
        matmul.fp32_precision = before
    true = (
        left.double() @ right.double(),
        left.t().double() @ right.double(),
        left.double() @ right.double(),
    )
    return all(
        bool(((one - other).abs() <= 1e-5 * other).all())
        for one, other in zip(products, true, strict=True)
    )
