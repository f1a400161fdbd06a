"""Products by the faster library: as exact as before, and the user's setting comes back."""

from types import SimpleNamespace

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.networks.kernels import matmul_precision as products
from metarl.networks.kernels.matmul_precision import fast_matmul


@pytest.fixture
def matmul(monkeypatch):
    """PyTorch's own setting, or where it has none (before 2.9) one that stands in for it.

    Products are exact either way.
    """
    monkeypatch.setattr(products, "exact", lambda: True)
    if not hasattr(torch.backends.mkldnn, "matmul"):
        monkeypatch.setattr(
            torch.backends.mkldnn, "matmul", SimpleNamespace(fp32_precision="none"), raising=False
        )
    return torch.backends.mkldnn.matmul


def test_the_setting_comes_back_even_after_an_error(matmul):
    with fast_matmul():
        assert matmul.fp32_precision == "bf16"
    with pytest.raises(RuntimeError, match="on purpose"), fast_matmul():
        raise RuntimeError("on purpose")
    assert matmul.fp32_precision == "none"


def test_a_setting_of_the_users_is_left_alone(matmul):
    matmul.fp32_precision = "ieee"
    try:
        with fast_matmul():
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "ieee"
    finally:
        matmul.fp32_precision = "none"


def test_nothing_is_allowed_where_products_lose_precision(matmul, monkeypatch):
    monkeypatch.setattr(products, "exact", lambda: False)
    with fast_matmul():
        assert matmul.fp32_precision == "none"


def test_the_trial_notices_lost_precision(monkeypatch):
    if not hasattr(torch.backends.mkldnn, "matmul"):
        monkeypatch.setattr(
            torch.backends.mkldnn, "matmul", SimpleNamespace(fp32_precision="none"), raising=False
        )

    def rounded(self: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        product = (
            torch.mm(self.to(torch.bfloat16).to(self.dtype), other)
            if self.dtype == torch.float32
            else torch.mm(self, other)
        )
        return product

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert not products.exact.__wrapped__()


def test_products_inside_are_exact_to_float32():
    rng = torch_generator(0)
    left, right = (torch.randn(300, 70, generator=rng) for _ in range(2))
    with fast_matmul():
        product = left @ right.t()
    torch.testing.assert_close(
        product.double(), left.double() @ right.double().t(), rtol=1e-5, atol=1e-4
    )
