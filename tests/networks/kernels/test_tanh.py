"""The fast hyperbolic tangent: PyTorch's up to rounding, in its argument's place."""

import pytest
import torch

from metarl.networks.kernels.tanh import tanh_in_place


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 3e-7), (torch.float64, 1e-15)])
def test_it_is_the_hyperbolic_tangent(dtype, error):
    inputs = torch.linspace(-30, 30, 100_001, dtype=dtype)
    wanted = torch.tanh(inputs.double())
    found = tanh_in_place(inputs)
    assert found is inputs
    assert float((found.double() - wanted).abs().max()) < error


def test_ends_and_what_is_no_number():
    found = tanh_in_place(
        torch.tensor([float("-inf"), -1e30, 0.0, 1e30, float("inf"), float("nan")])
    )
    assert found[:-1].tolist() == [-1, -1, 0, 1, 1]
    assert bool(found[-1].isnan())
