"""Every learner by its name; other packages add theirs through the entry-point group `metarl.learners`."""

from typing import Any

from metarl.learners.contract import Learner
from metarl.tasks.contract import TaskDistribution
from metarl.tasks.entries import known_ids, look_up

__all__ = ["GROUP", "LEARNERS", "learner_class", "learner_names", "make_learner"]

GROUP = "metarl.learners"

LEARNERS = {
    "rl2": "metarl.learners.rl2:RL2",
}


def learner_names() -> list[str]:
    """All names that `make_learner` knows."""
    return known_ids(LEARNERS, GROUP)


def learner_class(name: str) -> Any:
    """The class registered under `name`; its `Config` attribute is its config dataclass."""
    return look_up("learner", name, LEARNERS, GROUP)


def make_learner(
    name: str, distribution: TaskDistribution, config: Any = None, seed: int | tuple[int, ...] = 0, device: str = "cpu"
) -> Learner:
    """Build the learner registered under `name`; `config` is an instance of its `Config`, default settings if left out."""
    kind = learner_class(name)
    return kind(kind.Config() if config is None else config, distribution, seed, device)
