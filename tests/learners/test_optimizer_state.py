"""An optimiser's state to tensors and back."""

import torch

from metarl.learners.optimizer_state import load_optimizer_state, optimizer_state


def made():
    weights = [
        torch.nn.Parameter(torch.arange(3.0)),
        torch.nn.Parameter(torch.ones(2)),
        torch.nn.Parameter(torch.ones(1)),
    ]
    return weights, torch.optim.Adam(weights, 0.1)


def improve(weights, optimizer):
    for weight in weights[:2]:  # the third one never has a gradient
        weight.grad = weight.detach() + 1
    optimizer.step()


def test_an_optimiser_goes_on_as_if_nothing_had_happened():
    weights, optimizer = made()
    others, second = made()
    improve(weights, optimizer)
    state = optimizer_state(optimizer)
    assert set(state) == {"0", "1"}
    with torch.no_grad():
        for own, other in zip(weights, others, strict=True):
            other.copy_(own)
    load_optimizer_state(second, state)
    for _ in range(3):
        improve(weights, optimizer)
        improve(others, second)
    for own, other in zip(weights, others, strict=True):
        assert torch.equal(own, other)
    assert float(state["0"]["step"]) == 1  # a copy
