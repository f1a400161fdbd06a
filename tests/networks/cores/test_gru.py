"""The GRU against `torch.nn.GRU`.

Outputs and every gradient, step by step and whole, alone and stacked through vmap.
"""

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from metarl.networks.cores.gru import GRU

T = 7
B = 5
F = 3
H = 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_gru(inputs=F, hidden_size=H, seed=0):
    """Return a GRU in float64 with biases that aren't zero."""
    core = GRU(inputs, hidden_size, generator(seed)).double()
    with torch.no_grad():
        for name, parameter in core.named_parameters():
            if "bias" in name:
                parameter.normal_(generator=generator(seed + 1))
    return core


def pytorchs(core):
    """`torch.nn.GRU` with the same weights.

    Its second hidden bias exists for the candidate only in ours.
    """
    theirs = nn.GRU(core.weight_input.shape[1], core.size).double()
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(core.weight_input.transpose(1, 2).flatten(0, 1))
        theirs.weight_hh_l0.copy_(core.weight_hidden.transpose(1, 2).flatten(0, 1))
        theirs.bias_ih_l0.copy_(core.bias.flatten())
        theirs.bias_hh_l0.copy_(
            torch.cat([torch.zeros(2 * core.size, dtype=torch.float64), core.bias_hidden])
        )
    return theirs


def gradients_like_ours(theirs, hidden_size):
    """Gradients of `torch.nn.GRU` in our layout, by name."""
    return {
        "weight_input": theirs.weight_ih_l0.grad.unflatten(0, (3, hidden_size)).transpose(1, 2),
        "weight_hidden": theirs.weight_hh_l0.grad.unflatten(0, (3, hidden_size)).transpose(1, 2),
        "bias": theirs.bias_ih_l0.grad.unflatten(0, (3, hidden_size)),
        "bias_hidden": theirs.bias_hh_l0.grad[2 * hidden_size :],
    }


def exactly(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("length", "rows", "inputs", "hidden_size"),
    [(T, B, F, H), (1, 2, 3, 4), (2, 1, 1, 1), (30, 3, 2, 16)],
)
def test_outputs_and_gradients_equal_pytorchs(length, rows, inputs, hidden_size):
    core = random_gru(inputs, hidden_size)
    theirs = pytorchs(core)
    features = torch.randn(length, rows, inputs, generator=generator(3), dtype=torch.float64)
    # A different gradient for each output
    weight = torch.randn(length, rows, hidden_size, generator=generator(4), dtype=torch.float64)
    ours_in = features.clone().requires_grad_()
    theirs_in = features.clone().requires_grad_()
    output = core.sequence(ours_in)
    wanted = theirs(theirs_in)[0]
    exactly(output, wanted)
    (weight * output.square()).sum().backward()
    (weight * wanted.square()).sum().backward()
    exactly(ours_in.grad, theirs_in.grad)
    for name, gradient in gradients_like_ours(theirs, hidden_size).items():
        exactly(getattr(core, name).grad, gradient)


def test_gradients_equal_numerical_ones():
    core = random_gru(2, 3)
    names, parameters = zip(*core.named_parameters(), strict=True)
    features = torch.randn(4, 2, 2, generator=generator(5), dtype=torch.float64, requires_grad=True)

    def sequence(features, *parameters):
        return functional_call(
            SequenceOf(core),
            {f"core.{name}": value for name, value in zip(names, parameters, strict=True)},
            (features,),
        )

    assert torch.autograd.gradcheck(sequence, (features, *parameters))


def test_a_gradient_that_skips_steps_is_right():
    core = random_gru()
    theirs = pytorchs(core)
    features = torch.randn(T, B, F, generator=generator(6), dtype=torch.float64)
    core.sequence(features)[2, 1].sum().backward()
    theirs(features)[0][2, 1].sum().backward()
    for name, gradient in gradients_like_ours(theirs, H).items():
        exactly(getattr(core, name).grad, gradient)


def test_backward_leaves_the_outputs_and_their_gradient_alone():
    core = random_gru()
    output = core.sequence(torch.randn(T, B, F, generator=generator(7), dtype=torch.float64))
    weight = torch.randn(T, B, H, generator=generator(8), dtype=torch.float64)
    before = output.detach().clone()
    kept = weight.clone()
    output.backward(weight)
    assert torch.equal(output.detach(), before)
    assert torch.equal(weight, kept)


def test_second_derivatives_are_refused_rather_than_wrong():
    core = random_gru()
    features = torch.randn(T, B, F, generator=generator(8), dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(core.sequence(features).square().sum(), features, create_graph=True)


def test_step_by_step_equals_the_sequence():
    core = random_gru()
    features = torch.randn(T, B, F, generator=generator(9), dtype=torch.float64)
    state = core.initial_state(B)
    outputs = []
    for t in range(T):
        output, state = core(features[t], state)
        outputs.append(output)
    exactly(torch.stack(outputs), core.sequence(features))


def test_gradients_flow_through_single_steps_too():
    core = random_gru()
    whole = random_gru()
    features = torch.randn(T, B, F, generator=generator(10), dtype=torch.float64)
    state = core.initial_state(B)
    total = 0
    for t in range(T):
        output, state = core(features[t], state)
        total = total + output.square().sum()
    total.backward()
    whole.sequence(features).square().sum().backward()
    for ours, theirs in zip(core.parameters(), whole.parameters(), strict=True):
        exactly(ours.grad, theirs.grad)


class SequenceOf(nn.Module):
    """A module whose call reads whole sequences."""

    def __init__(self, core):
        super().__init__()
        self.core = core

    def forward(self, features):
        return self.core.sequence(features)


@pytest.mark.parametrize("shared_features", [False, True])
def test_stacked_weights_equal_separate_networks(shared_features):
    cores = [random_gru(seed=10 * i) for i in range(3)]
    features = torch.randn(T, 3, B, F, generator=generator(11), dtype=torch.float64)
    if shared_features:
        features = features[:, :1]
    weight = torch.randn(T, 3, B, H, generator=generator(12), dtype=torch.float64)
    stacked_in = features.clone().requires_grad_()
    template = SequenceOf(random_gru(seed=99))
    parameters, _ = stack_module_state([SequenceOf(core) for core in cores])
    parameters = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    output = vmap(
        lambda own, rows: functional_call(template, own, (rows,)),
        in_dims=(0, None if shared_features else 1),
        out_dims=1,
    )(parameters, stacked_in[:, 0] if shared_features else stacked_in)
    (weight * output.square()).sum().backward()
    total = torch.zeros_like(features)
    for i, core in enumerate(cores):
        apart_in = features[:, 0 if shared_features else i].clone().requires_grad_()
        apart = core.sequence(apart_in)
        exactly(output[:, i], apart)
        (weight[:, i] * apart.square()).sum().backward()
        total[:, 0 if shared_features else i] += apart_in.grad
        for name, parameter in core.named_parameters():
            exactly(parameters[f"core.{name}"].grad[i], parameter.grad)
    exactly(stacked_in.grad, total)


def test_rows_do_not_read_their_neighbours():
    core = random_gru()
    features = torch.randn(T, B, F, generator=generator(13), dtype=torch.float64)
    changed = features.clone()
    changed[:, 2] += 1
    before = core.sequence(features)
    after = core.sequence(changed)
    others = [0, 1, 3, 4]
    exactly(before[:, others], after[:, others])
    assert not torch.allclose(before[:, 2], after[:, 2])


def test_float32_stays_close_to_float64():
    core = random_gru(F, 32)
    features = torch.randn(50, B, F, generator=generator(14), dtype=torch.float64)
    wanted = core.sequence(features)
    torch.testing.assert_close(
        core.float().sequence(features.float()).double(), wanted, rtol=0, atol=1e-5
    )


def test_saturated_gates_stay_finite():
    core = random_gru().float()
    features = 1e4 * torch.randn(T, B, F, generator=generator(15))
    output = core.sequence(features)
    output.sum().backward()
    assert torch.isfinite(output).all()
    assert output.abs().max() <= 1
    assert all(torch.isfinite(parameter.grad).all() for parameter in core.parameters())


def test_recurrent_weights_start_orthogonal_and_are_drawn_from_the_generator():
    core, again, other = (GRU(F, 6, generator(seed)) for seed in (1, 1, 2))
    for gate in core.weight_hidden:
        torch.testing.assert_close(gate @ gate.T, torch.eye(6), rtol=0, atol=1e-5)
    assert torch.equal(core.weight_input, again.weight_input)
    assert not torch.equal(core.weight_input, other.weight_input)


def test_features_of_size_zero_are_read():
    core = GRU(0, H, generator())
    assert core.sequence(torch.zeros(T, B, 0)).shape == (T, B, H)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_outputs_and_gradients_equal_the_cpus():
    core = random_gru()
    other = random_gru().cuda()
    features = torch.randn(T, B, F, generator=generator(16), dtype=torch.float64)
    output = core.sequence(features)
    there = other.sequence(features.cuda())
    exactly(there.cpu(), output)
    output.square().sum().backward()
    there.square().sum().backward()
    for ours, theirs in zip(core.parameters(), other.parameters(), strict=True):
        exactly(theirs.grad.cpu(), ours.grad)
    exactly(other(features[0].cuda(), other.initial_state(B))[0].cpu(), output[0])
