"""Every learner by its name.

Other packages add theirs through the entry-point group `metarl.learners`.
"""

from typing import Any

from metarl.core.learner import Labelled, Learner, YieldsAdapters
from metarl.core.lookup import known_ids, look_up, name_of
from metarl.core.registry import as_distribution, has_examples
from metarl.core.task_distribution import TaskDistribution
from metarl.learners.settings import check_config

__all__ = [
    "GROUP",
    "LEARNERS",
    "SUPERVISED_LEARNERS",
    "check_fits",
    "learner_class",
    "learner_label",
    "learner_name",
    "learner_names",
    "learns_from_examples",
    "make_learner",
]

GROUP = "metarl.learners"

LEARNERS = {
    "fomaml-rl": "metarl.learners.initialisation.fomaml_rl:FOMAMLRL",
    "joint-ppo": "metarl.learners.transfer.joint_ppo:JointPPO",
    "joint-rainbow": "metarl.learners.transfer.joint_rainbow:JointRainbow",
    "joint-rl": "metarl.learners.initialisation.joint_rl:JointRL",
    "learn2learn-rl": "metarl.learners.initialisation.learn2learn_rl:Learn2LearnRL",
    "maml-rl": "metarl.learners.initialisation.maml_rl:MAMLRL",
    "mlsh": "metarl.learners.hierarchy.mlsh:MLSH",
    "reptile-rl": "metarl.learners.initialisation.reptile_rl:ReptileRL",
    "rl2": "metarl.learners.memory.rl2:RL2",
}
SUPERVISED_LEARNERS = {  # of examples rather than episodes: they yield adapters, not agents
    "fomaml": "metarl.learners.initialisation.fomaml:FOMAML",
    "learn2learn": "metarl.learners.initialisation.learn2learn:Learn2Learn",
    "maml": "metarl.learners.initialisation.maml:MAML",
    "meta-sgd": "metarl.learners.initialisation.meta_sgd:MetaSGD",
    "reptile": "metarl.learners.initialisation.reptile:Reptile",
}


def learner_names() -> list[str]:
    """Return all names that `make_learner` knows."""
    return known_ids({**LEARNERS, **SUPERVISED_LEARNERS}, GROUP)


def learner_class(name: str) -> Any:
    """Return the class registered under `name`; its `Config` attribute is its config dataclass."""
    return look_up("learner", name, {**LEARNERS, **SUPERVISED_LEARNERS}, GROUP, needs=("Config",))


def learner_label(name: str) -> str:
    """Return under which name scores of the learner `name` are shown: its `label`, or `name`."""
    kind = learner_class(name)
    return kind.label if isinstance(kind, Labelled) else name


def learner_name(learner: Learner) -> str:
    """Return the name under which `learner_class` finds the class of `learner`.

    Raises:
        ValueError: there is none.
    """
    return name_of("learner", type(learner), {**LEARNERS, **SUPERVISED_LEARNERS}, GROUP)


def learns_from_examples(name: str) -> bool:
    """Return whether the learner `name` yields adapters, not agents.

    This decides how its runs are scored.
    """
    kind = learner_class(name)
    return isinstance(kind, type) and issubclass(kind, YieldsAdapters)


def check_fits(name: str, distribution: Any) -> None:
    """Raise ValueError if the learner `name` is of episodes and the distribution of examples, or
    the other way round.
    """
    supervised = has_examples(distribution)
    if supervised and name in LEARNERS:
        raise ValueError(
            f"The learner {name!r} plays episodes; {distribution.id} has none. Choose one of"
            f" {', '.join(SUPERVISED_LEARNERS)}."
        )
    if not supervised and name in SUPERVISED_LEARNERS:
        other = f" or the learner {name}-rl" if f"{name}-rl" in LEARNERS else ""
        raise ValueError(
            f"The learner {name!r} learns from examples; {distribution.id} has episodes. Choose a"
            f" supervised distribution{other}."
        )


def make_learner(
    name: str,
    distribution: TaskDistribution | str,
    config: Any = None,
    seed: int | tuple[int, ...] = 0,
    device: str = "cpu",
) -> Any:
    """Build the learner registered under `name`, such as `make_learner("rl2",
    "BernoulliBandit-v0")`.

    Args:
        name: its id. distribution: what it trains on, or its id.
        config: an instance of its `Config`; its own defaults if left out, which are the same for
            every distribution: `metarl.suggested_config(name, distribution)` gives what `metarl
            train` takes.
        seed: names every random stream; some learners train one a seed of a tuple. device: "cpu" or
            "cuda".

    Raises:
        ValueError: unknown name, settings of another learner, or a distribution that it can't train
            on.
    """
    kind = learner_class(name)
    trained_on = as_distribution(distribution)
    check_fits(name, trained_on)
    config = kind.Config() if config is None else config
    check_config(name, kind.Config, config)
    learner: Learner = kind(config, trained_on, seed, device)
    return learner
