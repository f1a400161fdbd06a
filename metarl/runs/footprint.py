"""What an iteration takes, told before it begins: environment steps, rows, and memory within a
factor of two.

Sizes were measured on a CPU. Policies' part is what training keeps for its derivatives, which grows
with a minibatch; environments that are no tensors count one by one, in worker processes or in this
one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from metarl.core.capabilities import UsesWorkers
from metarl.envs.worker_memory import GIB, available_bytes
from metarl.learners.hierarchy.mlsh_agent import episodes_between
from metarl.networks.inputs import is_image
from metarl.runs.suggested import kind_of, observation_bytes

__all__ = ["Footprint", "check_it_fits", "footprint"]

MIB = 2**20
BASE = 330 * MIB  # Python, PyTorch and this package
RECORD = 80  # bytes of a step beside its observation and the policy's output
# A row that is an environment of a user's own, which are mostly light; of those measured, see
# below.
ENVIRONMENT = 2 * MIB
WORKER = 80 * MIB  # a process that plays rows
ENVIRONMENTS = {"arm": 60 * MIB, "levels": 60 * MIB, "stacked frames": 130 * MIB}
# Bytes that an encoder keeps of a pixel in a minibatch ...
PIXEL = {"nature": 40, "impala": 250, "none": 12}
PIXEL_OF_OTHERS = 100


class Footprint(NamedTuple):
    """What an iteration takes.

    Attributes:
        rows: environments side by side. steps: the most environment steps, of all rows.
        bytes: memory of all processes, roughly; 0 where nobody knows.
        lower: the config's field that memory grows with, as a flag. value: what it is now.
    """

    rows: int
    steps: int
    bytes: int
    lower: str
    value: int

    def sentence(self, iterations: int | None) -> str:
        """Return what is to be expected, for people."""
        parts = [
            f"{self.rows:,} rows" if self.rows else "",
            f"up to {self.steps:,} environment steps an iteration",
        ]
        if not self.rows:
            parts = [f"{self.steps:,} gradients of tasks an iteration"]
        if iterations is not None:
            parts.append(f"{iterations:,} iterations")
        if self.bytes:
            parts.append(f"about {_amount(self.bytes)} of memory")
        return (
            ", ".join(part for part in parts if part)
            + "; the time is told after the first iteration."
        )


def footprint(learner: str, config: Any, distribution: Any, num_seeds: int = 1) -> Footprint | None:
    """Return what an iteration of a learner takes; None of learners that aren't ours.

    Args:
        learner: its name. config: its settings. distribution: what it learns from.
        num_seeds: seeds that are trained in one batch.
    """
    measure = MEASURES.get(learner)
    return None if measure is None else measure(config, distribution, num_seeds)


def check_it_fits(expected: Footprint | None, about: str) -> None:
    """Look whether the machine has the memory.

    Raises:
        ValueError: it hasn't; says which flag to lower, and to what.
    """
    if expected is None or expected.bytes <= (available := available_bytes()):
        return
    growing = max(1, expected.bytes - BASE)
    fitting = int(expected.value * max(0, available - BASE) / growing)
    advice = (
        f"even {expected.lower} 1 won't fit, so free some memory, or take a machine that has more."
    )
    if fitting:
        fitting = 1 << (fitting.bit_length() - 1)
        advice = f"give {expected.lower} {fitting} or less instead of {expected.value}."
    raise ValueError(
        f"{about} needs about {_amount(expected.bytes)} of memory, and {_amount(available)} are"
        f" free: {advice}"
    )


def _amount(count: int) -> str:
    return (
        f"{count / GIB:,.1f} GB" if count >= GIB else f"{max(1, round(count / MIB / 10)) * 10} MB"
    )


def _environments(distribution: Any, rows: int) -> int:
    """Return the bytes of `rows` environments; of tensors, none to speak of."""
    if not distribution.env_per_row:
        return 0
    kind = kind_of(distribution)
    if kind in ENVIRONMENTS:
        return rows * ENVIRONMENTS[kind]
    workers = distribution.workers if isinstance(distribution, UsesWorkers) else 0
    return rows * ENVIRONMENT + min(rows, workers) * WORKER


def _record(distribution: Any) -> int:
    """Return the bytes that a step of a rollout takes, its parts and the stack of them."""
    return 2 * (observation_bytes(distribution) + RECORD)


def _pixels(distribution: Any, encoder: str) -> int:
    """Return the bytes that an encoder keeps of an observation; 0 of one that is no image."""
    height, width, _ = (
        distribution.observation_space.shape
        if is_image(distribution.observation_space)
        else (0, 0, 0)
    )
    return int(height * width) * PIXEL.get(encoder, PIXEL_OF_OTHERS)


def _rl2(config: Any, distribution: Any, num_seeds: int) -> Footprint:
    rows = config.num_envs * num_seeds
    length = config.episodes * distribution.horizon
    network = config.network
    width = {"attention": 20 * network.layers, "spatial_memory": 80}.get(
        network.core, 12
    ) * network.hidden_size
    if network.core == "attention":
        width += 2 * network.layers * network.heads * length
    kept = 4 * width
    kept += _pixels(distribution, network.encoder)
    steps = rows * length
    memory = steps * _record(distribution) + steps * kept // config.ppo.minibatches
    return Footprint(
        rows,
        steps,
        BASE + memory + _environments(distribution, rows),
        "--num-envs",
        config.num_envs,
    )


def _policy_initialisation(config: Any, distribution: Any, num_seeds: int) -> Footprint:
    from metarl.learners.policy_gradient.trust_region import TRPO

    rows = config.tasks * config.adaptation.episodes
    played = getattr(config, "inner_steps", 0) + 1
    steps = rows * distribution.horizon * played
    width = sum(config.network.hidden) * (24 if type(config.outer) is TRPO else 8)
    memory = steps * (_record(distribution) + width)
    return Footprint(
        rows, steps, BASE + memory + _environments(distribution, rows), "--tasks", config.tasks
    )


def _mlsh(config: Any, distribution: Any, num_seeds: int) -> Footprint:
    rows = config.tasks * episodes_between(config.steps, distribution.horizon)
    steps = rows * distribution.horizon
    memory = steps * (_record(distribution) + 4 * sum(config.network.hidden))
    return Footprint(
        rows, steps, BASE + memory + _environments(distribution, rows), "--tasks", config.tasks
    )


def _joint_ppo(config: Any, distribution: Any, num_seeds: int) -> Footprint:
    steps = config.num_envs * config.steps
    kept = 4 * 12 * config.network.hidden_size
    kept += _pixels(distribution, config.network.encoder)
    memory = steps * _record(distribution) + steps * kept // config.ppo.minibatches
    rows = config.num_envs
    return Footprint(
        rows, steps, BASE + memory + _environments(distribution, rows), "--num-envs", rows
    )


def _joint_rainbow(config: Any, distribution: Any, num_seeds: int) -> Footprint:
    rows = config.num_envs
    replay = config.rainbow.replay
    kept = 1.25 * replay.capacity * (observation_bytes(distribution) // replay.stack + RECORD)
    batch = config.rainbow.batch * _pixels(distribution, config.rainbow.network.encoder)
    memory = BASE + int(kept) + batch + _environments(distribution, rows)
    return Footprint(
        rows, rows * config.steps, memory, "--rainbow.replay.capacity", replay.capacity
    )


def _examples(config: Any, distribution: Any, num_seeds: int) -> Footprint:
    """Inputs of all tasks and inner steps, with what a network keeps of them."""
    task = distribution.sample(1, "train", 0)
    from metarl.core.seeding import torch_generator

    shown = distribution.support(task, torch_generator(0, "footprint")).inputs
    network = config.network
    numbers = shown[0].numel() * getattr(network, "filters", 8) // 2 + shown.shape[1] * 8 * sum(
        getattr(network, "hidden", (64,))
    )
    memory = 4 * 6 * numbers * config.tasks * config.inner_steps
    return Footprint(
        0, config.tasks * (config.inner_steps + 1), BASE + memory, "--tasks", config.tasks
    )


MEASURES: dict[str, Callable[[Any, Any, int], Footprint]] = {
    "rl2": _rl2,
    "mlsh": _mlsh,
    "joint-ppo": _joint_ppo,
    "joint-rainbow": _joint_rainbow,
    **dict.fromkeys(
        ("fomaml-rl", "joint-rl", "learn2learn-rl", "maml-rl", "reptile-rl"), _policy_initialisation
    ),
    **dict.fromkeys(("fomaml", "learn2learn", "maml", "meta-sgd", "reptile"), _examples),
}
