"""The inner loop for all tasks at once does what it does for each alone."""

import pytest
import torch
from torch import nn

from metarl.core.seeding import torch_generator
from metarl.core.supervised import Examples
from metarl.learners.initialisation.fomaml import fomaml_gradient
from metarl.learners.initialisation.inner_loop import (
    Problem,
    adapt,
    check_converges,
    minibatches,
    task_gradients,
)
from metarl.learners.initialisation.maml import maml_gradient
from metarl.learners.optimizers import SGD, Adam
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from metarl.tasks.supervised.sine_regression import SineRegression


def sines(n=4):
    family = SineRegression()
    rng = torch_generator(0)
    network = Perceptron(1, 1, PerceptronConfig((8,)), rng).double()
    return (
        network,
        Problem(PerTask(network), family.loss),
        family.support(family.sample(n, "train", 0), rng),
    )


@pytest.mark.parametrize(
    ("ours", "make"), [(SGD(0.05), torch.optim.SGD), (Adam(0.05), torch.optim.Adam)]
)
def test_each_task_ends_where_it_would_alone(ours, make):
    network, problem, support = sines()
    adapted = adapt(problem, problem.network.weights(), [support] * 6, ours)
    for i in range(4):
        network.load_state_dict(
            dict(zip(problem.network.names, problem.network.weights(), strict=True))
        )
        optimizer = make(network.parameters(), 0.05)
        start = problem.network.weights()
        for step in range(6):
            loss = torch.nn.functional.mse_loss(network(support.inputs[i]), support.targets[i])
            torch.testing.assert_close(adapted.losses[step, i], loss.detach())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for end, parameter in zip(adapted.weights, network.parameters(), strict=True):
            torch.testing.assert_close(end[i], parameter.detach())
        network.load_state_dict(dict(zip(problem.network.names, start, strict=True)))


def test_gradients_without_a_graph_leave_none():
    _, problem, support = sines()
    weights = [w.expand(4, *w.shape) for w in problem.network.weights()]
    assert not any(g.requires_grad for g in task_gradients(problem, weights, support).gradients)
    assert all(
        g.requires_grad
        for g in task_gradients(problem, weights, support, create_graph=True).gradients
    )


@pytest.mark.parametrize(
    "shape", [((8, 8), "tanh"), ((8,), "relu"), ((), "tanh"), ((1, 3), "relu")]
)
def test_gradients_without_autograd_are_autograds(shape):
    family = SineRegression()
    rng = torch_generator(0)
    problem = Problem(
        PerTask(Perceptron(1, 1, PerceptronConfig(*shape), rng).double()), family.loss
    )
    support = family.support(family.sample(4, "train", 0), rng)
    weights = [
        torch.randn(4, *w.shape, generator=rng, dtype=w.dtype) for w in problem.network.weights()
    ]
    direct, through = (
        task_gradients(problem, weights, support, create_graph=graph) for graph in (False, True)
    )
    torch.testing.assert_close(direct.loss, through.loss)
    for one, other in zip(direct.gradients, through.gradients, strict=True):
        torch.testing.assert_close(one, other.detach())


class Spare(nn.Module):
    """Computes without one of its parameters."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Parameter(torch.ones(3))
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs):
        return self.layer(inputs)


def test_an_unused_parameter_gets_no_gradient_and_stays_where_it_is():
    family = SineRegression()
    rng = torch_generator(0)
    problem = Problem(PerTask(Spare().double()), family.loss)
    support = family.support(family.sample(4, "train", 0), rng)
    initial = problem.network.weights()
    spare = problem.network.names.index("spare")
    ends = adapt(problem, initial, [support] * 2, SGD(0.1)).weights
    assert torch.equal(ends[spare], torch.ones(4, 3, dtype=torch.float64))
    first = fomaml_gradient(problem, initial, [support], support, SGD(0.1))
    second = maml_gradient(problem, initial, [support], support, 0.1)
    for found in (first, second):
        assert [bool(gradient.any()) for gradient in found.gradients] == [
            name != "spare" for name in problem.network.names
        ]


def test_minibatches_deal_out_all_examples_before_any_comes_again():
    examples = Examples(torch.arange(12.0).view(2, 6, 1), torch.arange(12.0).view(2, 6, 1))
    batches = minibatches(examples, 2, 6, torch_generator(0))
    assert [tuple(batch.inputs.shape) for batch in batches] == [(2, 2, 1)] * 6
    for i in range(2):
        order = torch.cat([batch.inputs[i, :, 0] for batch in batches])
        for deal in (order[:6], order[6:]):
            assert sorted(deal.tolist()) == [6.0 * i + j for j in range(6)]
        assert not torch.equal(order[:6], order[6:])
    assert all(torch.equal(*batch) for batch in batches)  # targets go with their inputs


@pytest.mark.parametrize("size", [None, 6, 7])
def test_whole_batches(size):
    examples = Examples(torch.zeros(2, 6, 1), torch.zeros(2, 6, 1))
    assert [
        len(batch.inputs[0]) for batch in minibatches(examples, size, 3, torch_generator(0))
    ] == [6, 6, 6]


def test_a_diverging_loop_is_named_by_task_and_step():
    losses = torch.ones(4, 3)
    check_converges(losses, "in iteration 1")
    losses[2:, 1] = torch.nan
    with pytest.raises(
        ValueError,
        match=(
            "diverged in iteration 1: after 2 steps in task 1 the loss is nan. Use a smaller"
            " inner lr"
        ),
    ):
        check_converges(losses, "in iteration 1")
