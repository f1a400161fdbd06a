"""A memory for each key.

Each write goes on from the last one with the same key, and gradients are right.
"""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.networks.cores.gru import GRU
from metarl.networks.cores.keyed_memory import KeyedMemory, places_of


@pytest.fixture
def case():
    rng = torch_generator(0)
    gru = GRU(3, 4, rng).double()
    features = torch.randn(9, 5, 3, generator=rng, dtype=torch.float64)
    return gru, features, torch.randint(3, (9, 5), generator=rng)


def weights_of(gru):
    return gru.weight_input, gru.weight_hidden, gru.bias, gru.bias_hidden


def by_hand(gru, features, key):
    memories = torch.zeros(5, 3, 4, dtype=torch.float64)
    written = [torch.zeros(5, 4, dtype=torch.float64)]
    for t in range(1, len(features)):
        new = gru(features[t], memories[torch.arange(5), key[t]])[0]
        memories = memories.index_put((torch.arange(5), key[t]), new)
        written.append(new)
    return torch.stack(written)


def test_it_equals_memories_kept_apart_and_so_do_its_gradients(case):
    gru, features, key = case
    weight = torch.randn(9, 5, 4, generator=torch_generator(1), dtype=torch.float64)
    results = []
    for hidden in (
        by_hand(gru, features, key),
        KeyedMemory.apply(features, key, 3, *weights_of(gru))[0],
    ):
        results.append([hidden, *torch.autograd.grad((hidden * weight).sum(), weights_of(gru))])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_written_out_gradients_equal_numerical_ones(case):
    gru, features, key = case
    own = [weight.detach().clone().requires_grad_() for weight in weights_of(gru)]
    assert torch.autograd.gradcheck(
        lambda *weights: KeyedMemory.apply(features, key, 3, *weights)[0], own
    )


def test_places_lie_one_row_after_another():
    assert places_of(torch.tensor([[0, 2], [1, 0]]), 3).tolist() == [[0, 5], [1, 3]]
