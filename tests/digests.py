"""Print a digest of what every family shows and pays, and of what every learner learns.

Whoever changes code that should change no number runs this before and after, on one machine in
one sitting, and compares (floating-point sums differ between processors):

    OMP_NUM_THREADS=1 python -m tests.digests > before.csv

A row is `kind,name,digest`. Kinds: `family` (observations, rewards and ends of 24 random steps in
three rows), `scores` of a learner (what its updates measured and its agent's returns, whatever
their names are) and `weights` (every tensor of its state, whatever its name is).
"""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import metarl  # isort: skip - before torch
import numpy as np
import torch

from metarl.core.registry import SUPERVISED, make
from metarl.core.supervised import SupervisedDistribution
from metarl.core.task_distribution import fresh_tasks
from metarl.learners.registry import LEARNERS, SUPERVISED_LEARNERS
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.policies.policy import NetworkConfig
from tests.learners.tiny_configs import SMALL, tiny_config
from tests.playable import playable_ids
from tests.tasks.made_folders import flat
from tests.test_pairs import SMALLEST, VECTORS_ONLY

RL2 = SMALL["rl2"]
MLSH = SMALL["mlsh"]
VARIANTS = [  # learner, settings, family, arguments, seeds
    ("rl2", replace(RL2, network=NetworkConfig(core="lstm", hidden_size=8)), "GridNavi-v0", {}, 0),
    (
        "rl2",
        replace(RL2, network=NetworkConfig(core="attention", hidden_size=8)),
        "Pendulum-v0",
        {"horizon": 6},
        0,
    ),
    (
        "rl2",
        replace(RL2, network=NetworkConfig(core="none", hidden_size=8)),
        "PointNavigation-v0",
        {"horizon": 6},
        0,
    ),
    (
        "rl2",
        replace(RL2, network=NetworkConfig(core="per_pair_memory", hidden_size=8)),
        "BernoulliBandit-v0",
        {},
        0,
    ),
    (
        "rl2",
        replace(RL2, network=NetworkConfig(core="spatial_memory", hidden_size=8)),
        "GridMaze-v0",
        {"size": 3, "horizon": 6},
        0,
    ),
    (
        "rl2",
        replace(RL2, network=NetworkConfig(hidden_size=8)),
        "VisualMaze-v0",
        {"size": 2, "horizon": 6},
        0,
    ),
    ("rl2", RL2, "BernoulliBandit-v0", {}, (0, 1, 2)),
    ("rl2", replace(RL2, processes=2), "BernoulliBandit-v0", {}, 0),
    ("joint-ppo", SMALL["joint-ppo"], "VisualMaze-v0", {"size": 2, "horizon": 6}, 0),
    ("joint-rainbow", SMALL["joint-rainbow"], "VisualMaze-v0", {"size": 2, "horizon": 6}, 0),
    ("mlsh", MLSH, "FourRooms-v0", {"horizon": 8}, 0),
    ("mlsh", replace(MLSH, processes=2), "MovingBandits-v0", {"horizon": 8}, 0),
]


def digest(tensors: Iterator[Any]) -> str:
    """Return the hash of the numbers of `tensors`, in any order."""
    parts = []
    for tensor in tensors:
        array = np.ascontiguousarray(torch.as_tensor(tensor).cpu().numpy())
        parts.append(
            hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
        )
    return hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()[:16]


def tensors_of(state: Any) -> Iterator[torch.Tensor]:
    """Yield every tensor in nested dicts and lists."""
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from tensors_of(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from tensors_of(value)


def family(id: str) -> str:
    """Return the digest of 24 random steps in three rows, two episodes a task."""
    distribution = make(id, **SMALLEST.get(id, {}))
    env = metarl.MetaEpisodeEnv(
        distribution, metarl.Episodes(2), 3, torch.Generator().manual_seed(3)
    )
    agent = metarl.make_agent("random", distribution, metarl.Episodes(2))
    rng = torch.Generator().manual_seed(5)
    seen = []
    try:
        step = env.reset(fresh_tasks(distribution, "train", 3, 7))
        state = agent.initial_state(3)
        for _ in range(24):
            action, state = agent.act(step, state, rng)
            step, outcome = env.step(action)
            seen += [*step, outcome.reward, outcome.terminated, outcome.truncated, outcome.success]
    finally:
        env.close()
    return digest(iter(seen))


def learned(learner: Any) -> tuple[str, str]:
    """Return digests of scores and of weights after three updates."""
    measured = []
    for _ in range(3):
        metrics = learner.update()
        measured += [torch.tensor(value, dtype=torch.float64) for value in metrics.values()]
    state = learner.state_dict()
    budget = metarl.Episodes(1)
    played_on = learner.distribution
    if isinstance(played_on, SupervisedDistribution):
        examples = metarl.evaluate_supervised(learner, played_on, "test", 3, 0, 2)
        measured.append(torch.as_tensor(examples.losses))
    else:
        scored = metarl.evaluate(learner.agent(budget), played_on, "test", 3, 0, budget)
        measured.append(torch.as_tensor(scored.returns))
    getattr(learner, "close", lambda: None)()
    return digest(iter(measured)), digest(tensors_of(state))


def plans(folder: Path) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield name, learner, settings, distribution and seeds of every training."""
    for learner in sorted(LEARNERS):
        pixels = learner not in VECTORS_ONLY
        for id in ("CartPole-v0", "RandomMDP-v0", *(["GridMaze-v0"] if pixels else [])):
            arguments = SMALLEST.get(id, {"horizon": 4})
            yield learner, tiny_config(learner), make(id, **arguments), 0
    for learner in sorted(SUPERVISED_LEARNERS):
        yield learner, tiny_config(learner), make("SineRegression-v0"), 0
    images = make("ImageClassification-v0", folder=str(flat(folder)), ways=2)
    for learner in ("reptile", "maml"):
        network = ImageNetworkConfig(filters=4, layers=2)
        yield learner, replace(tiny_config(learner), network=network), images, 0
    for learner, config, id, arguments, seed in VARIANTS:
        yield learner, config, make(id, **arguments), seed


def main() -> None:
    """Print all rows, as they are computed."""
    torch.set_num_threads(1)
    for id in playable_ids():
        if id not in SUPERVISED:
            print(f"family,{id},{family(id)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, config, distribution, seed) in enumerate(plans(Path(folder))):
            where = f"{number} {name} on {distribution.id}"
            scores, weights = learned(metarl.make_learner(name, distribution, config, seed=seed))
            print(f"scores,{where},{scores}\nweights,{where},{weights}", flush=True)


if __name__ == "__main__":
    main()
