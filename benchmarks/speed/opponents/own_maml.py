"""metarl's own side of `initialisation_speed.py`.

The meta-updates that `learn2learn_maml.py` makes; prints one JSON line.
"""

import metarl

metarl.tune_process()  # before torch is imported

import argparse
import json
import time
from collections.abc import Sequence

import metarl  # before torch: it sets how long PyTorch's threads spin  # isort: skip
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from metarl.core.seeding import torch_generator
from metarl.core.supervised import Examples
from metarl.learners.initialisation.fomaml import fomaml_gradient
from metarl.learners.initialisation.inner_loop import MetaGradient, Problem
from metarl.learners.initialisation.maml import maml_gradient
from metarl.learners.optimizers import SGD, Adam
from metarl.networks.image_network import ImageNetwork, ImageNetworkConfig
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from metarl.tasks.supervised.sine_regression import SineRegression


def sine(tasks: int) -> tuple[Problem, Examples, Examples]:
    """Return a perceptron, and tasks: 10 points of sines to adapt to and 50 to be scored on."""
    family = SineRegression()
    rng = torch_generator(0)
    drawn = family.sample(tasks, "train", 0).to("cpu", torch.float32)
    problem = Problem(
        PerTask(Perceptron(1, 1, PerceptronConfig((64, 64)), rng)),
        family.loss,
        family.loss_and_grad,
    )
    return problem, family.support(drawn, rng), family.query(drawn, rng)


def images(tasks: int, channels: int) -> tuple[Problem, Examples, Examples]:
    """Return the Omniglot network, and tasks: one image of each of five classes, twice."""
    rng = torch_generator(0)
    network = PerTask(ImageNetwork((1, 28, 28), 5, ImageNetworkConfig(channels), rng))
    support, query = (
        Examples(torch.rand(tasks, 5, 1, 28, 28, generator=rng), torch.arange(5).expand(tasks, 5))
        for _ in range(2)
    )
    return Problem(network, classes), support, query


def classes(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each example."""
    return cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none").view(
        targets.shape
    )


def meta_gradient(
    order: str, problem: Problem, weights: Sequence[Tensor], support: Examples, query: Examples
) -> MetaGradient:
    """After five inner steps."""
    if order == "first":
        return fomaml_gradient(problem, weights, [support] * 5, query, SGD(0.02))
    return maml_gradient(problem, weights, [support] * 5, query, 0.02)


def main() -> None:
    """Meta-updates for `--seconds` of processor time after two to warm up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=("sine", "images"), default="sine")
    parser.add_argument("--order", choices=("first", "second"), default="second")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--tasks", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    problem, support, query = (
        sine(chosen.tasks) if chosen.model == "sine" else images(chosen.tasks, chosen.channels)
    )
    outer = Adam(1e-3)
    weights = problem.network.weights()
    state = outer.start(weights)

    def update() -> None:
        nonlocal weights, state
        found = meta_gradient(chosen.order, problem, weights, support, query)
        weights, state = outer.step(weights, found.gradients, state)

    for _ in range(2):
        update()
    updates = 0
    wall = time.perf_counter()
    start = time.process_time()
    while time.process_time() - start < chosen.seconds:
        update()
        updates += 1
    seconds = {"seconds": time.process_time() - start, "wall_seconds": time.perf_counter() - wall}
    print(json.dumps({"updates": updates, **seconds, "version": f"metarl {metarl.__version__}"}))


if __name__ == "__main__":
    main()
