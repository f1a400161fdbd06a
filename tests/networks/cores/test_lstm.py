"""The LSTM against `torch.nn.LSTM`: outputs and every gradient, step by step and whole."""

import pytest
import torch
from torch import nn

from metarl.networks.cores.lstm import LSTM

T = 7
B = 5
F = 3
H = 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_lstm(seed=0):
    core = LSTM(F, H, generator(seed)).double()
    with torch.no_grad():
        core.bias.normal_(generator=generator(seed + 1))
    return core


def in_pytorchs_order(gates):
    """Columns input, forget, output, candidate as PyTorch's rows input, forget, candidate, output."""
    enter, forget, leave, candidate = gates.chunk(4, -1)
    return (
        torch.cat([enter, forget, candidate, leave], -1).mT
        if gates.dim() > 1
        else torch.cat([enter, forget, candidate, leave])
    )


def pytorchs(core):
    theirs = nn.LSTM(F, H).double()
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(in_pytorchs_order(core.weight_input))
        theirs.weight_hh_l0.copy_(in_pytorchs_order(core.weight_hidden))
        theirs.bias_ih_l0.copy_(in_pytorchs_order(core.bias))
        theirs.bias_hh_l0.zero_()
    return theirs


def exactly(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_outputs_and_gradients_equal_pytorchs():
    core = random_lstm()
    theirs = pytorchs(core)
    features = torch.randn(T, B, F, generator=generator(3), dtype=torch.float64)
    weight = torch.randn(T, B, H, generator=generator(4), dtype=torch.float64)
    ours_in = features.clone().requires_grad_()
    theirs_in = features.clone().requires_grad_()
    output = core.sequence(ours_in)
    wanted = theirs(theirs_in)[0]
    exactly(output, wanted)
    (weight * output.square()).sum().backward()
    (weight * wanted.square()).sum().backward()
    exactly(ours_in.grad, theirs_in.grad)
    exactly(in_pytorchs_order(core.weight_input.grad), theirs.weight_ih_l0.grad)
    exactly(in_pytorchs_order(core.weight_hidden.grad), theirs.weight_hh_l0.grad)
    exactly(in_pytorchs_order(core.bias.grad), theirs.bias_ih_l0.grad)


def test_step_by_step_equals_the_sequence_and_pytorchs_last_state():
    core = random_lstm()
    features = torch.randn(T, B, F, generator=generator(5), dtype=torch.float64)
    state = core.initial_state(B)
    outputs = []
    for t in range(T):
        output, state = core(features[t], state)
        outputs.append(output)
    exactly(torch.stack(outputs), core.sequence(features))
    _, (hidden, cell) = pytorchs(core)(features)
    exactly(state.hidden, hidden[0])
    exactly(state.cell, cell[0])


def test_forget_gates_start_open_and_weights_come_from_the_generator():
    core, again, other = (LSTM(F, H, generator(seed)) for seed in (1, 1, 2))
    assert core.bias.tolist() == [0] * H + [1] * H + [0] * 2 * H
    for gate in core.weight_hidden.chunk(4, 1):
        torch.testing.assert_close(gate @ gate.T, torch.eye(H), rtol=0, atol=1e-5)
    assert torch.equal(core.weight_input, again.weight_input)
    assert not torch.equal(core.weight_input, other.weight_input)


def test_rows_do_not_read_their_neighbours():
    core = random_lstm()
    features = torch.randn(T, B, F, generator=generator(6), dtype=torch.float64)
    changed = features.clone()
    changed[:, 2] += 1
    others = [0, 1, 3, 4]
    exactly(core.sequence(features)[:, others], core.sequence(changed)[:, others])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_outputs_equal_the_cpus():
    core = random_lstm()
    features = torch.randn(T, B, F, generator=generator(7), dtype=torch.float64)
    wanted = core.sequence(features)
    exactly(core.cuda().sequence(features.cuda()).cpu(), wanted)
