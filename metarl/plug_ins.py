"""What makes a user's own distributions, learners and agents known by an id, in the process that is
running.
"""

from inspect import isclass
from typing import Any, Literal

from metarl.agents.registry import AGENTS
from metarl.agents.registry import GROUP as AGENT_GROUP
from metarl.core.lookup import ARTICLES, add, shown
from metarl.core.registry import DISTRIBUTIONS, SUPERVISED
from metarl.core.registry import GROUP as DISTRIBUTION_GROUP
from metarl.core.supervised import SupervisedDistribution
from metarl.core.task_distribution import TaskDistribution
from metarl.interop.gymnasium_registration import register_with_gymnasium
from metarl.learners.registry import GROUP as LEARNER_GROUP
from metarl.learners.registry import LEARNERS, SUPERVISED_LEARNERS

__all__ = ["register"]

Kind = Literal["distribution", "learner", "agent"]


def register(id: str, factory: Any, kind: Kind = "distribution") -> None:
    """Make a distribution, learner or agent of your own known by `id`, as `register("MyMaze-v0",
    MyMaze)`.

    `metarl.make`, `make_learner`, `make_agent`, every argument that takes an id, and
    `gymnasium.make("metarl/MyMaze-v0")` know it from then on, in this process. Other processes,
    such as the command line, find it as "my_module:MyMaze"; packages register what they bring by
    entry point. What a notebook's cell defines anew takes the place of its former self.

    Args:
        id: such as "MyMaze-v0"; learners' and agents' are such as "my-learner".
        factory: a class or function that makes the distribution, or a distribution; a learner's or
            an agent's class.
        kind: what it is.

    Raises:
        ValueError: an id of another form or one that is taken, or something that isn't of its kind.
    """
    if kind not in NEEDS:
        raise ValueError(f"kind must be one of {', '.join(NEEDS)}, not {kind!r}.")
    _check_kind(factory, kind)
    if kind == "learner":
        add(kind, id, factory, {**LEARNERS, **SUPERVISED_LEARNERS}, LEARNER_GROUP)
    elif kind == "agent":
        add(kind, id, factory, AGENTS, AGENT_GROUP)
    else:
        add(kind, id, factory, {**DISTRIBUTIONS, **SUPERVISED}, DISTRIBUTION_GROUP)
        examples = issubclass(
            factory if isclass(factory) else type(factory), SupervisedDistribution
        )
        if not examples:
            register_with_gymnasium(id)


NEEDS = {  # kind -> the attributes that its classes have
    "distribution": (),
    "learner": ("Config", "update"),
    "agent": ("act", "initial_state", "supports"),
}


def _check_kind(factory: Any, kind: Kind) -> None:
    """Raise ValueError unless `factory` is of its kind."""
    if kind == "distribution":
        if isinstance(factory, str) or not (
            callable(factory) or isinstance(factory, TaskDistribution | SupervisedDistribution)
        ):
            raise ValueError(
                "A class or function that makes the distribution is needed, or a distribution, not"
                f" {shown(factory)}."
            )
        for other in ("learner", "agent"):
            if isclass(factory) and all(hasattr(factory, name) for name in NEEDS[other]):
                raise ValueError(
                    f"{factory.__name__} has what makes {ARTICLES[other]} {other}: register it with"
                    f' kind="{other}".'
                )
        return
    missing = [name for name in NEEDS[kind] if not hasattr(factory, name)]
    if not isclass(factory) or missing:
        lacking = f"; it lacks {', '.join(missing)}" if isclass(factory) else ""
        raise ValueError(
            f"The class of {ARTICLES[kind]} {kind} is needed, not {shown(factory)}{lacking}."
        )
