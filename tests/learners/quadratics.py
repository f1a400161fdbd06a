"""Tasks whose losses are quadratic.

Minibatch j of a task costs (w - c_j)' H_j (w - c_j) / 2, so that every expectation is exact.
"""

from itertools import permutations

import torch
from torch import Tensor, nn

from metarl.core.seeding import torch_generator
from metarl.core.supervised import Examples
from metarl.learners.initialisation.inner_loop import Problem
from metarl.networks.per_task import PerTask

SIZE = 4


class Point(nn.Module):
    """A network that is one vector w; it gives w for every input."""

    def __init__(self):
        super().__init__()
        start = torch.randn(SIZE, generator=torch_generator(0, "point"), dtype=torch.float64)
        self.w = nn.Parameter(start)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.w.expand(len(inputs), SIZE)


class Quadratics:
    """A few tasks of `count` minibatches each, dealt out in every order there is.

    Attributes:
        batches: of each step, the examples [tasks x orders, 1, ...]; an input says nothing, a
            target is H and c side by side.
        gradient: AvgGrad, the mean gradient of a minibatch at w.
        inner: AvgGradInner, the mean over pairs of different minibatches of one task of H_j g_i.
    """

    def __init__(self, count: int, tasks: int = 3):
        rng = torch_generator(1, "quadratics")
        root = torch.randn(tasks, count, SIZE, SIZE, generator=rng, dtype=torch.float64)
        hessian = root @ root.mT / SIZE
        centre = torch.randn(tasks, count, SIZE, generator=rng, dtype=torch.float64)
        self.problem = Problem(PerTask(Point()), quadratic)
        self.initial = self.problem.network.weights()
        each = (hessian @ (self.initial[0] - centre)[..., None])[..., 0]  # [tasks, count, SIZE]
        self.gradient = each.mean((0, 1))
        pairs = [
            (hessian[:, j] @ each[:, i, :, None])[..., 0]
            for i in range(count)
            for j in range(count)
            if i != j
        ]
        self.inner = torch.stack(pairs).mean((0, 1))
        orders = torch.tensor(list(permutations(range(count))))
        # [tasks x orders, count, SIZE, SIZE + 1]
        targets = torch.cat([hessian, centre[..., None]], -1)[:, orders].flatten(0, 1)
        self.batches = [
            Examples(torch.zeros(len(targets), 1, 1), targets[:, j : j + 1]) for j in range(count)
        ]


def quadratic(outputs: Tensor, targets: Tensor) -> Tensor:
    away = (outputs - targets[..., -1])[..., None]
    return (away.mT @ targets[..., :-1] @ away)[..., 0, 0] / 2


def slope(function, size: float = 1e-4) -> Tensor:
    """Return the derivative of `function` at 0, by central differences."""
    return (function(size) - function(-size)) / (2 * size)
