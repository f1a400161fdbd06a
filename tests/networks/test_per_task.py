"""One network with weights of its own for each task gives each task what it would give alone."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from metarl.networks.image_network import ImageNetwork, ImageNetworkConfig
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from metarl.tasks.seeding import torch_generator
from tests.learners.recurrent import Recurrent

NETWORKS = {
    "perceptron": (lambda rng: Perceptron(3, 2, PerceptronConfig((8, 8)), rng), (3,)),
    "one input": (lambda rng: Perceptron(1, 2, PerceptronConfig((8,), "relu"), rng), (1,)),
    "linear": (lambda rng: Perceptron(3, 2, PerceptronConfig(()), rng), (3,)),
    "images": (lambda rng: ImageNetwork((3, 11, 8), 2, ImageNetworkConfig(4, 3), rng), (3, 11, 8)),
    "images, stride 1": (lambda rng: ImageNetwork((1, 5, 6), 2, ImageNetworkConfig(2, 2, 1), rng), (1, 5, 6)),
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


def test_what_can_not_be_stacked_gets_a_sentence():
    rng = torch_generator(0)
    with pytest.raises(ValueError, match=r"The layer '1' \(BatchNorm1d\) keeps running statistics.*track_running_stats=False"):
        PerTask(nn.Sequential(Perceptron(3, 2, PerceptronConfig(), rng), nn.BatchNorm1d(2)))
    with pytest.raises(ValueError, match="Identity has no parameters"):
        PerTask(nn.Identity())
    with pytest.raises(ValueError, match="Counting changes its buffer 'calls'"):
        PerTask(Counting()).check(torch.zeros(2, 3, 1), 2)
    with pytest.raises(ValueError, match=r"Perceptron gives \(2, 5, 2\).*not \(2, 5, 4\)"):
        PerTask(Perceptron(3, 2, PerceptronConfig(), rng)).check(torch.zeros(2, 5, 3), 4)
    with pytest.raises(ValueError, match=r"Perceptron can't compute 2 tasks' inputs \(2, 5, 7\) at once"):
        PerTask(Perceptron(3, 2, PerceptronConfig(), rng)).check(torch.zeros(2, 5, 7), 2)
