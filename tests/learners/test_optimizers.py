"""Optimisers as functions: the same steps as PyTorch's own."""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.learners.optimizers import SGD, Adam, moved_to

RNG = torch_generator(0)
START = [
    torch.randn(3, 4, 2, generator=RNG, dtype=torch.float64),
    torch.randn(3, 5, generator=RNG, dtype=torch.float64),
]
GRADIENTS = [[torch.randn(w.shape, generator=RNG, dtype=w.dtype) for w in START] for _ in range(4)]
PAIRS = {
    "sgd": (SGD(0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "momentum": (SGD(0.1, 0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
    "adam": (Adam(0.01), lambda p: torch.optim.Adam(p, 0.01)),
    "adam without a first moment": (
        Adam(0.01, beta1=0.0),
        lambda p: torch.optim.Adam(p, 0.01, betas=(0.0, 0.999)),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_steps_are_those_of_pytorch(name):
    ours, make = PAIRS[name]
    theirs = [torch.nn.Parameter(w.clone()) for w in START]
    optimizer = make(theirs)
    weights = [w.clone() for w in START]
    state = ours.start(START)
    for gradients in GRADIENTS:
        kept = [w.clone() for w in weights]
        before = weights
        weights, state = ours.step(weights, gradients, state)
        # Nothing is changed in place
        assert all(torch.equal(a, b) for a, b in zip(kept, before, strict=True))
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
    for a, b in zip(weights, theirs, strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("optimizer", [SGD(0.2), SGD(0.2, 0.5), Adam(0.2)])
def test_scale_multiplies_the_step(optimizer):
    half, _ = optimizer.step(START, GRADIENTS[0], optimizer.start(START), 0.5)
    whole, _ = optimizer.step(START, GRADIENTS[0], optimizer.start(START))
    for start, a, b in zip(START, half, whole, strict=True):
        torch.testing.assert_close(2 * (a - start), b - start)


def test_a_states_tensors_are_moved_and_its_numbers_kept():
    _, state = Adam(0.1).step(START, GRADIENTS[0], Adam(0.1).start(START))
    moved = moved_to(torch.device("meta"), state)
    assert moved["count"] == 1
    assert [part.device.type for name in ("first", "second") for part in moved[name]] == [
        "meta"
    ] * 4
    assert [part.device.type for part in state["first"]] == ["cpu"] * 2


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: SGD(0.0), "lr must be positive"),
        (lambda: SGD(float("nan")), "lr must be a number, not nan"),
        (lambda: Adam(epsilon=float("nan")), "epsilon must be a number, not nan"),
        (lambda: SGD(0.1, 1.0), "momentum must lie in"),
        (lambda: Adam(-1.0), "lr must be positive"),
        (lambda: Adam(beta1=1.0), "beta1 must lie in"),
        (lambda: Adam(epsilon=0.0), "epsilon must be positive"),
    ],
)
def test_bad_settings_get_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_adam_is_pytorchs_for_entries_that_count_their_steps_apart():
    rng = torch.Generator().manual_seed(0)
    start = torch.randn(3, 5, generator=rng)
    scale = torch.tensor([1.0, 0.5, 1.0])
    parameters = [row.clone().requires_grad_() for row in start]
    optimisers = [
        torch.optim.Adam([parameter], 0.01 * share)
        for parameter, share in zip(parameters, scale.tolist(), strict=True)
    ]
    adam = Adam(0.01)
    weights = [start]
    state = adam.start(weights, apart=True)
    for t in range(6):
        if t == 3:  # the last begins anew
            parameters[2] = start[2].clone().requires_grad_()
            optimisers[2] = torch.optim.Adam([parameters[2]], 0.01)
            weights[0][2] = start[2]
            state["first"][0][2] = 0
            state["second"][0][2] = 0
            state["count"][2] = 0
        gradient = torch.randn(3, 5, generator=rng)
        weights, state = adam.step(weights, [gradient], state, scale)
        for i, optimiser in enumerate(optimisers):
            parameters[i].grad = gradient[i].clone()
            optimiser.step()
    assert state["count"].tolist() == [6, 6, 3]
    assert torch.allclose(weights[0], torch.stack(parameters).detach(), atol=1e-6)
    assert moved_to(torch.device("cpu"), state)["count"].tolist() == [6, 6, 3]
