"""Meta-gradients are learn2learn's (Arnold et al. 2020, arXiv 2008.12284) on the same model, loss and data, in float64."""

import warnings
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from metarl.learners.fomaml import fomaml_gradient
from metarl.learners.inner_loop import Problem
from metarl.learners.maml import maml_gradient
from metarl.learners.meta_sgd import meta_sgd_gradient
from metarl.learners.optimizers import SGD
from metarl.networks.image_network import ImageNetwork, ImageNetworkConfig
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from metarl.tasks.seeding import torch_generator
from metarl.tasks.supervised import Examples
from tests.learners.recurrent import Recurrent

TASKS, STEPS, LR = 3, 3, 0.1


class Case(NamedTuple):
    """A model with examples to adapt to and to be scored on."""

    network: nn.Module
    support: Examples
    query: Examples


@pytest.fixture(scope="module")
def algorithms():
    """learn2learn's algorithms."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Gym and torchvision, which it imports
        try:
            import learn2learn
        except ImportError:
            pytest.fail("learn2learn isn't installed, which these tests compare with: run `make learn2learn`.")
    return learn2learn.algorithms


def classes(outputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none").view(targets.shape)


def case(kind: str) -> Case:
    rng = torch_generator(0, kind)
    network, shape = {
        "perceptron, tanh": lambda: (Perceptron(3, 5, PerceptronConfig((16, 16)), rng), (3,)),
        "perceptron, one input": lambda: (Perceptron(1, 5, PerceptronConfig((16,), "relu"), rng), (1,)),
        "convolutional": lambda: (ImageNetwork((2, 12, 9), 5, ImageNetworkConfig(4, layers=2), rng), (2, 12, 9)),
        "convolutional, through vmap": lambda: (Convolutional(rng), (2, 8, 8)),
        "recurrent": lambda: (Recurrent(2, 8, 5, rng), (4, 2)),
    }[kind]()
    parts = [
        Examples(torch.randn(TASKS, m, *shape, generator=rng, dtype=torch.float64), torch.randint(5, (TASKS, m), generator=rng))
        for m in (6, 7)
    ]
    return Case(network.double(), *parts)


class Convolutional(nn.Module):
    """PyTorch's own layers, as a user would write them."""

    def __init__(self, rng):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(1000, (1,), generator=rng)))
            first, second = nn.Conv2d(2, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)
            self.layers = nn.Sequential(first, nn.ReLU(), second, nn.Tanh(), nn.Flatten(), nn.Linear(16, 5))

    def forward(self, images):
        return self.layers(images)


def theirs(learner, network: nn.Module, data: Case) -> None:
    """Leave in `network` the gradient that learn2learn finds, task by task."""
    for i in range(TASKS):
        clone = learner.clone()
        for _ in range(STEPS):
            clone.adapt(cross_entropy(clone(data.support.inputs[i]), data.support.targets[i]))
        (cross_entropy(clone(data.query.inputs[i]), data.query.targets[i]) / TASKS).backward()


every_kind = pytest.mark.parametrize(
    "kind", ["perceptron, tanh", "perceptron, one input", "convolutional", "convolutional, through vmap", "recurrent"]
)


def close(ours, wanted) -> None:
    assert any(float(gradient.abs().max()) > 1e-3 for gradient in wanted)
    for one, other in zip(ours, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-10)


@every_kind
@pytest.mark.parametrize("order", ["first", "second"])
def test_maml(algorithms, kind, order):
    data = case(kind)
    problem = Problem(PerTask(data.network), classes)
    initial, batches = problem.network.weights(), [data.support] * STEPS
    if order == "first":
        ours = fomaml_gradient(problem, initial, batches, data.query, SGD(LR)).gradients
    else:
        ours = maml_gradient(problem, initial, batches, data.query, LR).gradients
    theirs(algorithms.MAML(data.network, lr=LR, first_order=order == "first"), data.network, data)
    close(ours, [parameter.grad for parameter in data.network.parameters()])


@every_kind
def test_meta_sgd(algorithms, kind):
    data = case(kind)
    problem = Problem(PerTask(data.network), classes)
    initial = problem.network.weights()
    rates = [torch.full_like(weight, LR) for weight in initial]
    ours = meta_sgd_gradient(problem, initial, rates, [data.support] * STEPS, data.query).gradients
    learner = algorithms.MetaSGD(data.network, lr=LR)
    theirs(learner, data.network, data)
    close(ours, [*(parameter.grad for parameter in data.network.parameters()), *(rate.grad for rate in learner.lrs)])
