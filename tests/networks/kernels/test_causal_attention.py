"""Causal attention against PyTorch's own, in values and gradients."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from metarl.core.seeding import torch_generator
from metarl.networks.kernels.causal_attention import CHUNK, causal_attention


def parts(length: int, dtype: torch.dtype = torch.float64, rows: int = 3) -> list[torch.Tensor]:
    rng = torch_generator(0, "causal attention", length)
    return [
        torch.randn(rows, 2, length, 4, generator=rng, dtype=dtype).requires_grad_()
        for _ in range(3)
    ]


@pytest.mark.parametrize("length", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
def test_equals_pytorchs(length):
    inputs = parts(length)
    weight = torch.randn(3, 2, length, 4, generator=torch_generator(1), dtype=torch.float64)
    ours = causal_attention(*inputs)
    theirs = scaled_dot_product_attention(*inputs, is_causal=True)
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((theirs * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_gradients_equal_numerical_ones():
    assert torch.autograd.gradcheck(causal_attention, parts(5))


def test_large_scores_stay_finite():
    query, key, value = (part.detach() * 1e3 for part in parts(CHUNK + 3, torch.float32))
    assert torch.isfinite(causal_attention(query, key, value)).all()


def test_vmap_equals_a_loop():
    inputs = [torch.stack([part.detach(), 2 * part.detach()]) for part in parts(CHUNK + 2)]
    together = torch.func.vmap(causal_attention)(*inputs)
    alone = torch.stack([causal_attention(*(part[i] for part in inputs)) for i in range(2)])
    torch.testing.assert_close(together, alone)


def test_an_output_that_nobody_uses_costs_no_gradient():
    inputs = parts(3)
    loss = causal_attention(*inputs).sum() * 0 + inputs[0].sum()
    loss.backward()
    torch.testing.assert_close(inputs[0].grad, torch.ones_like(inputs[0]))
