"""One network with weights of its own for each task gives each task what it would give alone."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from metarl.core.seeding import torch_generator
from metarl.networks.image_network import ImageNetwork, ImageNetworkConfig
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from tests.learners.recurrent import Recurrent

NETWORKS = {
    "perceptron": (lambda rng: Perceptron(3, 2, PerceptronConfig((8, 8)), rng), (3,)),
    "one input": (lambda rng: Perceptron(1, 2, PerceptronConfig((8,), "relu"), rng), (1,)),
    "linear": (lambda rng: Perceptron(3, 2, PerceptronConfig(()), rng), (3,)),
    "images": (lambda rng: ImageNetwork((3, 11, 8), 2, ImageNetworkConfig(4, 3), rng), (3, 11, 8)),
    "images, stride 1": (
        lambda rng: ImageNetwork((1, 5, 6), 2, ImageNetworkConfig(2, 2, 1), rng),
        (1, 5, 6),
    ),
    "recurrent, through vmap": (lambda rng: Recurrent(3, 4, 2, rng), (5, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_task_gets_what_its_weights_say(name):
    make, shape = NETWORKS[name]
    rng = torch_generator(0)
    network = make(rng).double()
    stacked = PerTask(network)
    weights = [torch.randn(4, *w.shape, generator=rng, dtype=w.dtype) for w in stacked.weights()]
    inputs = torch.randn(4, 6, *shape, generator=rng, dtype=torch.float64)
    together = stacked(weights, inputs)
    assert together.shape == (4, 6, 2)
    for i in range(4):
        own = dict(zip(stacked.names, (w[i] for w in weights), strict=True))
        torch.testing.assert_close(together[i], functional_call(network, own, (inputs[i],)))
    stacked.check(inputs, 2)


class Counting(nn.Module):
    """Changes a buffer whenever it computes."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2))
        self.register_buffer("calls", torch.zeros(()))

    def stacked(self, weights, inputs):
        self.calls += 1
        return weights[0][:, None].expand(*inputs.shape[:2], 2)


class Assigning(nn.Module):
    """Puts what it computed into a buffer, anew or in place."""

    def __init__(self, in_place):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.in_place = in_place
        self.register_buffer("total", torch.zeros(()))

    def forward(self, inputs):
        if self.in_place:
            self.total += inputs.sum()
        else:
            self.total = self.total + inputs.sum()
        return self.layer(inputs)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_buffer_changed_in_forward_is_named_and_the_users_module_left_alone(in_place):
    network = Assigning(in_place)
    with pytest.raises(ValueError, match="Assigning changes its buffer 'total' when it computes"):
        PerTask(network).check(torch.ones(2, 5, 3), 2)
    assert torch.equal(network.total, torch.zeros(()))


class Repeating(nn.Module):
    """One layer under two names, and two layers with one weight.

    A further parameter is not used.
    """

    def __init__(self):
        super().__init__()
        self.first = self.again = nn.Linear(3, 3)
        self.tied = nn.Linear(3, 3)
        self.last = nn.Linear(3, 2)
        self.tied.weight = self.first.weight
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, inputs):
        return self.last(
            torch.tanh(self.tied(torch.tanh(self.again(torch.tanh(self.first(inputs))))))
        )


def test_layers_used_twice_share_a_weight_and_keep_the_users_own():
    rng = torch_generator(0)
    network = Repeating()
    own = dict(network.named_parameters())
    stacked = PerTask(network)
    weights = [torch.randn(4, *w.shape, generator=rng) for w in stacked.weights()]
    inputs = torch.randn(4, 5, 3, generator=rng)
    stacked.check(inputs, 2)
    together = stacked(weights, inputs)
    for name, parameter in network.named_parameters(remove_duplicate=False):
        assert isinstance(parameter, nn.Parameter), name
        assert parameter is own.get(name, parameter)
    assert network.again.weight is network.first.weight is network.tied.weight
    for i in range(4):
        with torch.no_grad():
            for parameter, weight in zip(network.parameters(), weights, strict=True):
                parameter.copy_(weight[i])
        torch.testing.assert_close(together[i], network(inputs[i]).detach())


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
        lambda: NETWORKS["perceptron"][0](torch_generator(0)),
    ],
)
def test_frozen_parameters_are_not_among_the_weights(make):
    network = make()
    first = next(iter(network.parameters()))
    first.requires_grad_(False)
    stacked = PerTask(network)
    rng = torch_generator(0)
    assert len(stacked.names) == len(stacked.weights()) == len(list(network.parameters())) - 1
    weights = [torch.randn(4, *w.shape, generator=rng) for w in stacked.weights()]
    inputs = torch.randn(4, 6, 3, generator=rng)
    together = stacked(weights, inputs)
    for i in range(4):
        own = dict(zip(stacked.names, (w[i] for w in weights), strict=True))
        torch.testing.assert_close(together[i], functional_call(network, own, (inputs[i],)))
    if stacked.gradients is not None:
        found = stacked.gradients(weights, inputs, torch.ones_like)
        leaves = [weight.clone().requires_grad_() for weight in weights]
        for one, other in zip(
            found, torch.autograd.grad(stacked(leaves, inputs).sum(), leaves), strict=True
        ):
            torch.testing.assert_close(one, other)
    network.requires_grad_(False)
    with pytest.raises(
        ValueError, match=r"are frozen: there is nothing to train. Call requires_grad_\(\)"
    ):
        PerTask(network)


class Noisy(nn.Module):
    """Draws numbers without a layer for it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, inputs):
        return nn.functional.dropout(self.layer(inputs), 0.5)


def test_recurrent_layers_and_dropout_get_a_sentence_that_says_what_to_do():
    for layer in (nn.RNN(3, 2), nn.GRU(3, 2), nn.LSTM(3, 2), nn.LSTMCell(3, 2)):
        with pytest.raises(
            ValueError,
            match=(
                rf"The layer '0' \({type(layer).__name__}\) can't be stacked .*write the"
                r" recurrence out"
            ),
        ):
            PerTask(nn.Sequential(layer))
    drops = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.1))
    with pytest.raises(
        ValueError,
        match=(
            r"The layer '1' \(Dropout\) draws from the global generator.*set its p to 0, or call"
            r" eval\(\)"
        ),
    ):
        PerTask(drops)
    PerTask(drops.eval()).check(torch.zeros(2, 5, 3), 2)
    with pytest.raises(ValueError, match="Draw no numbers in forward"):
        PerTask(Noisy()).check(torch.zeros(2, 5, 3), 2)
    PerTask(nn.Sequential(nn.GRUCell(3, 2))).check(torch.zeros(2, 5, 3), 2)


def test_what_can_not_be_stacked_gets_a_sentence():
    rng = torch_generator(0)
    with pytest.raises(
        ValueError,
        match=r"The layer '1' \(BatchNorm1d\) keeps running statistics.*track_running_stats=False",
    ):
        PerTask(nn.Sequential(Perceptron(3, 2, PerceptronConfig(), rng), nn.BatchNorm1d(2)))
    with pytest.raises(ValueError, match="Identity has no parameters"):
        PerTask(nn.Identity())
    with pytest.raises(ValueError, match="Counting changes its buffer 'calls'"):
        PerTask(Counting()).check(torch.zeros(2, 3, 1), 2)
    with pytest.raises(ValueError, match=r"Perceptron gives \(2, 5, 2\).*not \(2, 5, 4\)"):
        PerTask(Perceptron(3, 2, PerceptronConfig(), rng)).check(torch.zeros(2, 5, 3), 4)
    with pytest.raises(
        ValueError, match=r"Perceptron can't compute 2 tasks' inputs \(2, 5, 7\) at once"
    ):
        PerTask(Perceptron(3, 2, PerceptronConfig(), rng)).check(torch.zeros(2, 5, 7), 2)
