"""learn2learn's MAML for `initialisation_speed.py`: it adapts a clone to each task in turn, as its
examples do; prints one JSON line.

L2LENV/bin/python benchmarks/opponents/learn2learn_maml.py --model sine --order second --seconds 3
"""

import argparse
import json
import time
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")  # of Gym and torchvision, which learn2learn imports
import learn2learn
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss


def sine() -> tuple[nn.Module, list[Tensor]]:
    """Return a perceptron, and tasks: 10 points of sines to adapt to and 50 to be scored on."""
    x = [torch.rand(32, m, 1) * 10 - 5 for m in (10, 50)]
    network = nn.Sequential(
        nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
    )
    return network, [x[0], x[0].sin(), x[1], x[1].sin()]


def images(channels: int) -> tuple[nn.Module, list[Tensor]]:
    """Return the Omniglot network, and tasks: one image of each of five classes, twice."""
    layers: list[nn.Module] = []
    for i in range(4):
        convolution = nn.Conv2d(channels if i else 1, channels, 3, 2, 1)
        layers += [convolution, nn.BatchNorm2d(channels, track_running_stats=False), nn.ReLU()]
    x, y = [torch.rand(32, 5, 1, 28, 28) for _ in range(2)], torch.arange(5).expand(32, 5)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 4, 5)), [x[0], y, x[1], y]


def main() -> None:
    """Meta-updates for `--seconds` of processor time after one to warm up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=("sine", "images"), default="sine")
    parser.add_argument("--order", choices=("first", "second"), default="second")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--tasks", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    network, (x, y, query_x, query_y) = (
        sine() if chosen.model == "sine" else images(chosen.channels)
    )
    loss = mse_loss if chosen.model == "sine" else cross_entropy
    maml = learn2learn.algorithms.MAML(network, lr=0.02, first_order=chosen.order == "first")
    optimizer = torch.optim.Adam(maml.parameters(), 1e-3)

    def update() -> None:
        optimizer.zero_grad()
        for i in range(chosen.tasks):
            clone = maml.clone()
            for _ in range(5):
                clone.adapt(loss(clone(x[i]), y[i]))
            (loss(clone(query_x[i]), query_y[i]) / chosen.tasks).backward()
        optimizer.step()

    update()
    updates = 0
    wall = time.perf_counter()
    start = time.process_time()
    while time.process_time() - start < chosen.seconds:
        update()
        updates += 1
    seconds = {"seconds": time.process_time() - start, "wall_seconds": time.perf_counter() - wall}
    print(
        json.dumps(
            {"updates": updates, **seconds, "version": f"learn2learn {version('learn2learn')}"}
        )
    )


if __name__ == "__main__":
    main()
