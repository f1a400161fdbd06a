"""The attention core.

Its cache against parallel training, causality, rows on clocks of their own, forgetting, its length.
"""

import pytest
import torch
from torch import nn
from torch.nn.functional import layer_norm

from metarl.networks.cores.attention import Attention
from metarl.networks.policies.policy import forget

T = 9
B = 4
F = 3
W = 8


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def attention(max_steps=T, layers=2, heads=2, width=W):
    """In float64, with positions that matter."""
    core = Attention(F, width, generator(), max_steps, layers, heads).double()
    with torch.no_grad():
        core.positions.normal_(generator=generator(1))
        for name, parameter in core.named_parameters():
            if "bias" in name:
                parameter.normal_(generator=generator(2))
    return core


def features(length=T, rows=B, seed=3):
    return torch.randn(length, rows, F, generator=generator(seed), dtype=torch.float64)


def step_by_step(core, given, state=None):
    state = core.initial_state(given.shape[1]) if state is None else state
    outputs = []
    for row in given:
        output, state = core(row, state)
        outputs.append(output)
    return torch.stack(outputs), state


def exactly(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("layers", "heads"), [(1, 1), (2, 2), (3, 8)])
@pytest.mark.parametrize("length", [1, 5, T])
@pytest.mark.parametrize("static", [False, True])
def test_step_by_step_with_the_cache_equals_parallel(layers, heads, length, static):
    core = attention(layers=layers, heads=heads)
    core.static_shapes = static
    exactly(step_by_step(core, features(length))[0], core.sequence(features(length)))


def test_equals_pytorchs_transformer_layers():
    core = attention()
    given = features()
    hidden = core.embed(given.transpose(0, 1)) + core.positions
    mask = nn.Transformer.generate_square_subsequent_mask(T, dtype=torch.float64)
    for block in core.blocks:
        layer = nn.TransformerEncoderLayer(
            W,
            2,
            block.expand.out_features,
            0.0,
            batch_first=True,
            norm_first=True,
            dtype=torch.float64,
        )
        with torch.no_grad():
            for ours, theirs in (
                (block.project.weight, layer.self_attn.in_proj_weight),
                (block.project.bias, layer.self_attn.in_proj_bias),
                (block.merge.weight, layer.self_attn.out_proj.weight),
                (block.merge.bias, layer.self_attn.out_proj.bias),
                (block.expand.weight, layer.linear1.weight),
                (block.expand.bias, layer.linear1.bias),
                (block.contract.weight, layer.linear2.weight),
                (block.contract.bias, layer.linear2.bias),
            ):
                theirs.copy_(ours)
        hidden = layer(hidden, mask, is_causal=True)
    exactly(core.sequence(given), layer_norm(hidden, (W,)).transpose(0, 1))


def test_no_output_reads_a_later_step():
    core = attention()
    given = features()
    before = core.sequence(given)
    for t in range(T):
        changed = given.clone()
        changed[t] += 1
        after = core.sequence(changed)
        exactly(after[:t], before[:t])
        assert not torch.allclose(after[t], before[t])


def test_every_output_reads_the_first_step():
    core = attention()
    given = features()
    changed = given.clone()
    changed[0] += 1
    assert ((core.sequence(changed) - core.sequence(given)).abs().amax((1, 2)) > 1e-6).all()


def test_the_order_of_steps_matters():
    core = attention()
    given = features()
    swapped = given[[1, 0, *range(2, T)]]
    assert not torch.allclose(core.sequence(given)[-1], core.sequence(swapped)[-1])


def test_rows_do_not_read_their_neighbours():
    core = attention()
    given = features()
    changed = given.clone()
    changed[:, 2] += 1
    exactly(core.sequence(given)[:, [0, 1, 3]], core.sequence(changed)[:, [0, 1, 3]])
    exactly(
        step_by_step(core, given)[0][:, [0, 1, 3]], step_by_step(core, changed)[0][:, [0, 1, 3]]
    )


@pytest.mark.parametrize("static", [False, True])
def test_rows_that_forgot_at_different_times_keep_clocks_of_their_own(static):
    core = attention()
    given = features()
    core.static_shapes = static
    starts = [0, 2, 5, 8]  # when each row starts its second meta-episode
    state = core.initial_state(B)
    outputs = []
    for t in range(T):
        output, state = core(given[t], forget(state, torch.tensor(starts) == t))
        outputs.append(output)
    assert state.clock.tolist() == [T - start for start in starts]
    for row, start in enumerate(starts):
        exactly(
            torch.stack(outputs)[start:, row], core.sequence(given[start:, row : row + 1])[:, 0]
        )


def test_forgetting_equals_an_empty_memory():
    core = attention()
    given = features()
    _, state = step_by_step(core, features(seed=4))
    again, _ = step_by_step(core, given, forget(state, torch.ones(B, dtype=torch.bool)))
    exactly(again, core.sequence(given))


def test_rows_that_are_over_idle_without_error_and_disturb_nobody():
    core = attention(max_steps=4)
    given = features(6)
    outputs, state = step_by_step(core, given)
    assert torch.isfinite(outputs).all()
    exactly(outputs[:4], core.sequence(given[:4]))
    fresh = forget(state, torch.tensor([False, True, False, False]))
    exactly(core(given[0], fresh)[0][1], core.sequence(given[:1])[0, 1])


def test_a_sequence_that_is_too_long_gets_a_sentence():
    with pytest.raises(ValueError, match=r"remembers 9 steps; it can't read 10"):
        attention().sequence(features(T + 1))


def test_a_width_that_heads_do_not_divide_gets_a_sentence():
    with pytest.raises(ValueError, match="multiple of its heads; 8 isn't one of 3"):
        attention(heads=3)


def test_gradients_equal_numerical_ones():
    core = attention(max_steps=3, width=4)
    assert torch.autograd.gradcheck(core.sequence, (features(3, 2).requires_grad_(),))


def test_weights_come_from_the_generator_alone():
    before = torch.get_rng_state()
    first, again, other = (Attention(F, W, generator(seed), T).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["positions"], other["positions"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_both_ways_equal_the_cpus():
    core = attention()
    given = features()
    wanted = core.sequence(given)
    core = core.cuda()
    exactly(core.sequence(given.cuda()).cpu(), wanted)
    exactly(step_by_step(core, given.cuda())[0].cpu(), wanted)
