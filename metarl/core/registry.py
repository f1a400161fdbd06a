"""Every task distribution by its id.

Other packages add theirs through the entry-point group `metarl.distributions`.
"""

from dataclasses import is_dataclass
from inspect import Parameter, signature
from numbers import Integral, Real
from types import NoneType
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from metarl.core.arguments import LARGEST_COUNT
from metarl.core.lookup import known_ids, look_up, shown

if TYPE_CHECKING:  # the ids must be known without importing PyTorch
    from typing import TypeGuard

    from metarl.core.supervised import SupervisedDistribution
    from metarl.core.task_distribution import TaskDistribution

__all__ = [
    "DISTRIBUTIONS",
    "GROUP",
    "SUPERVISED",
    "as_distribution",
    "check_arguments",
    "distribution_class",
    "distribution_ids",
    "has_examples",
    "make",
    "name_of_distribution",
    "supervised_distribution",
    "supervised_ids",
    "task_distribution",
]

GROUP = "metarl.distributions"
REVEALED = "/revealed"
NAMESPACE = "metarl/"  # before ids in Gymnasium's registry
EXAMPLE = 'metarl.make("BernoulliBandit-v0", arms=5) or "BernoulliBandit-v0"'

DISTRIBUTIONS = {
    "Acrobot-v0": "metarl.tasks.control.acrobot:Acrobot",
    "Airstriker-v0": "metarl.tasks.games.airstriker:Airstriker",
    "AntDirection-0to360-h200-v0": "metarl.tasks.mujoco.goals:ant_any_direction",
    "AntDirection-2way-h200-v0": "metarl.tasks.mujoco.goals:AntDirection",
    "AntGoal-radius3-h200-v0": "metarl.tasks.mujoco.goals:AntGoal",
    "AntMaze-v0": "metarl.tasks.mujoco.ant_courses:ant_maze",
    "AntObstacle-v0": "metarl.tasks.mujoco.ant_courses:ant_obstacle",
    "AntPhysics-v0": "metarl.tasks.mujoco.physics:ant_physics",
    "AntTwoWalk-v0": "metarl.tasks.mujoco.ant_two_walk:AntTwoWalk",
    "AtariFlavours-v0": "metarl.tasks.games.atari_flavours:AtariFlavours",
    "BernoulliBandit-v0": "metarl.tasks.bandits.bernoulli_bandit:BernoulliBandit",
    "CartPole-v0": "metarl.tasks.control.cart_pole:CartPole",
    "CoinRun-v0": "metarl.tasks.games.coin_run:CoinRun",
    "FourRooms-v0": "metarl.tasks.mazes.four_rooms:FourRooms",
    "GaussianBandit-v0": "metarl.tasks.bandits.gaussian_bandit:GaussianBandit",
    "GridMaze-v0": "metarl.tasks.mazes.grid_maze:GridMaze",
    "GridNavi-v0": "metarl.tasks.mazes.grid_navi:GridNavi",
    "HalfCheetahDirection-2way-h200-v0": "metarl.tasks.mujoco.goals:HalfCheetahDirection",
    "HalfCheetahPhysics-v0": "metarl.tasks.mujoco.physics:half_cheetah_physics",
    "HalfCheetahVelocity-0to2-h200-v0": "metarl.tasks.mujoco.goals:half_cheetah_velocity_0to2",
    "HalfCheetahVelocity-0to3-h200-v0": "metarl.tasks.mujoco.goals:HalfCheetahVelocity",
    "HopperPhysics-v0": "metarl.tasks.mujoco.physics:hopper_physics",
    "Identity-v0": "metarl.tasks.mdps.identity:Identity",
    "MetaWorldML1-v0": "metarl.tasks.metaworld.meta_world:MetaWorldML1",
    "MetaWorldML10-v0": "metarl.tasks.metaworld.meta_world:MetaWorldML10",
    "MetaWorldML45-v0": "metarl.tasks.metaworld.meta_world:MetaWorldML45",
    "MountainCar-v0": "metarl.tasks.control.mountain_car:MountainCar",
    "MovingBandits-v0": "metarl.tasks.control.moving_bandits:MovingBandits",
    "Pendulum-v0": "metarl.tasks.control.pendulum:Pendulum",
    "PointNavigation-v0": "metarl.tasks.control.point_navigation:PointNavigation",
    "RandomMDP-v0": "metarl.tasks.mdps.random_mdp:RandomMDP",
    "Sonic-v0": "metarl.tasks.games.sonic:Sonic",
    "VisualMaze-v0": "metarl.tasks.mazes.visual_maze:VisualMaze",
    "Walker2dPhysics-v0": "metarl.tasks.mujoco.physics:walker2d_physics",
}

# Families of examples rather than episodes: no environments, so Gymnasium isn't told of them
SUPERVISED = {
    "GlyphClassification-v0": "metarl.tasks.supervised.glyph_classification:GlyphClassification",
    "ImageClassification-v0": "metarl.tasks.supervised.image_classification:ImageClassification",
    "SineRegression-v0": "metarl.tasks.supervised.sine_regression:SineRegression",
}

ALIKE = (
    "config",
    "splits",
    "finite",
    "horizon",
    "observation_space",
    "action_space",
    "input_shape",
    "outputs",
)  # in distributions that are

# what a distribution's arguments are declared as: in words, as values may be, and what makes them
# Python's own
KINDS: dict[Any, tuple[str, Any, Any]] = {
    int: ("a whole number", Integral, int),
    float: ("a number", Real, float),
    float | None: (
        "a number or None",
        (Real, NoneType),
        lambda value: None if value is None else float(value),
    ),
    bool: ("true or false", (bool, np.bool_), bool),
}


def distribution_ids() -> list[str]:
    """Return all ids of distributions with episodes that `make` knows."""
    return known_ids(DISTRIBUTIONS, GROUP)


def supervised_ids() -> list[str]:
    """Return all ids of supervised distributions that `make` knows."""
    return sorted(SUPERVISED)


def distribution_class(id: str) -> Any:
    """Return the class or factory registered under `id`."""
    return look_up("distribution", id, {**DISTRIBUTIONS, **SUPERVISED}, GROUP)


def make(id: str, **arguments: Any) -> Any:
    """Build the distribution registered under `id`, such as `make("BernoulliBandit-v0", arms=10)`.

    It is a `metarl.core.task_distribution.TaskDistribution`, or a
    `metarl.core.supervised.SupervisedDistribution`.

    "BernoulliBandit-v0/revealed" is that distribution with each task told to the agent
    (`metarl.core.reveal`), and "my_module:MyMaze" what the class or function MyMaze makes, or the
    distribution MyMaze itself.

    Raises:
        ValueError: unknown id, arguments that the distribution refuses, or something that isn't a
            distribution.
    """
    id = id.removeprefix(NAMESPACE) if isinstance(id, str) else id
    if isinstance(id, str) and id.endswith(REVEALED):
        from metarl.core.reveal import reveal  # the ids must be known without importing PyTorch

        return reveal(make(id.removesuffix(REVEALED), **arguments))
    factory = distribution_class(id)
    if _is_distribution(factory):
        if arguments:
            raise ValueError(
                f"{id} is made already and takes no arguments; {', '.join(arguments)} can't be"
                " changed."
            )
        return factory
    if not callable(factory):
        raise ValueError(
            f"{id} is {shown(factory)}, which makes no distribution: name a class or a function"
            " that does."
        )
    arguments = check_arguments(id, factory, arguments)
    try:
        made = factory(**arguments)
    except TypeError as error:
        needed = _needed(id, factory, arguments)
        advice = "" if hasattr(factory, "config") else _advice(factory)
        raise ValueError(
            f"{id} can't be made with {arguments}: {needed or f'{error}.'}{advice}"
        ) from error
    if not _is_distribution(made):
        raise ValueError(
            f"{id} should make a TaskDistribution or a SupervisedDistribution; it made"
            f" {shown(made)}.{_advice(made)}"
        )
    return made


def as_distribution(value: Any) -> Any:
    """Return the distribution that `value` is, or the one that it names by its id: of episodes or
    of examples.

    Raises:
        ValueError: it is neither; the message says what to give instead.
    """
    if isinstance(value, str):
        return make(value)
    if _is_distribution(value):
        return value
    raise ValueError(
        f"A distribution or its id is needed, such as {EXAMPLE}, not"
        f" {shown(value)}.{_advice(value)}"
    )


def task_distribution(value: Any) -> "TaskDistribution":
    """Return the distribution of episodes that `value` is, or that it names by its id.

    Raises:
        ValueError: it is neither, or has examples rather than episodes.
    """
    distribution = as_distribution(value)
    if has_examples(distribution):
        raise ValueError(
            f"{distribution!r} has examples rather than episodes, so that nothing can be played."
            " Its learners are maml, reptile and so on; score their adapters with"
            " metarl.evaluate_supervised."
        )
    episodes: TaskDistribution = distribution
    return episodes


def supervised_distribution(value: Any, instead: str) -> "SupervisedDistribution":
    """Return the distribution of examples that `value` is, or that it names by its id.

    Raises:
        ValueError: it is neither, or has episodes rather than examples; the sentence `instead` says
            what to do then.
    """
    distribution = as_distribution(value)
    if has_examples(distribution):
        return distribution
    raise ValueError(f"{distribution!r} has episodes rather than examples; {instead}")


def has_examples(distribution: Any) -> "TypeGuard[SupervisedDistribution]":
    """Return whether a distribution has examples to learn from rather than episodes to play."""
    # The ids must be known without importing PyTorch
    from metarl.core.supervised import SupervisedDistribution

    return isinstance(distribution, SupervisedDistribution)


def name_of_distribution(distribution: Any) -> str | None:
    """Return the id or the "module:attribute" from which `make`, with `distribution.config()`,
    gives its like; None where nothing does.
    """
    kind = type(distribution)
    for name in (distribution.id, f"{kind.__module__}:{kind.__qualname__}"):
        if kind.__module__ == "__main__" and ":" in name:  # another process has another main module
            continue
        try:
            again = make(name, **distribution.config())
        except (ValueError, OSError):
            continue
        if type(again) is kind and all(
            _same(getattr(again, part, None), getattr(distribution, part, None)) for part in ALIKE
        ):
            return name
    return None


def _same(one: Any, other: Any) -> bool:
    return bool(one() == other()) if callable(one) and callable(other) else bool(one == other)


def _is_distribution(value: Any) -> bool:
    from metarl.core.supervised import SupervisedDistribution

    # The ids must be known without importing PyTorch
    from metarl.core.task_distribution import TaskDistribution

    return isinstance(value, TaskDistribution | SupervisedDistribution)


def _advice(value: Any) -> str:
    """Say what to do with something that isn't a distribution."""
    from metarl.core.supervised import SupervisedDistribution
    from metarl.core.task_distribution import TaskDistribution

    is_class = isinstance(value, type)
    if is_class and issubclass(value, TaskDistribution | SupervisedDistribution):
        return f" Make one: {value.__name__}()."
    if (is_class and issubclass(value, gym.Env)) or isinstance(
        value, gym.Env | gym.vector.VectorEnv
    ):
        return (
            " Environments of Gymnasium become one by metarl.GymnasiumDistribution(id, make_env,"
            " {'train': [...], 'test': [...]})."
        )
    if is_dataclass(value):
        return (
            " Settings come before the distribution where a learner is built, RL2(config,"
            " distribution), and after it in make_learner."
        )
    if callable(getattr(value, "update", None)):
        return " This is a learner; it trains on the distribution that it was built with."
    return ""


def _needed(id: str, factory: Any, arguments: dict[str, Any]) -> str:
    """Say which arguments `factory` can't do without and wasn't given; "" where there are none."""
    try:
        parameters = signature(factory).parameters.values()
    except (TypeError, ValueError):  # it doesn't say what it takes
        return ""
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    lacking = [
        each.name
        for each in parameters
        if each.kind in named and each.default is Parameter.empty and each.name not in arguments
    ]
    if not lacking:
        return ""
    given = [f"{name}=..." for name in lacking]
    return (
        f"it needs {' and '.join(lacking)}, metarl.make({id!r}, {', '.join(given)}) or"
        f" --distribution-args {' '.join(given)}."
    )


def check_arguments(what: str, factory: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `factory`, numbers as Python's own; `what` is named where it can't be
    made with them.

    Raises:
        ValueError: a name isn't among the factory's, or a value isn't the number or truth value
            that it declares.
    """
    try:
        parameters = signature(factory, eval_str=True).parameters
    except (NameError, TypeError, ValueError):  # it doesn't say what it takes
        return arguments
    named = {
        name: each
        for name, each in parameters.items()
        if each.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    }
    takes_any = any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values())
    wrong = [
        f"there is no argument {name}" for name in arguments if name not in named and not takes_any
    ]
    if wrong:
        wrong.append(f"its arguments are {', '.join(named)}" if named else "it takes none")
    checked = {}
    for name, value in arguments.items():
        word, kinds, convert = KINDS.get(
            named[name].annotation if name in named else None, ("", (), None)
        )
        checked[name] = (
            convert(value) if convert is not None and isinstance(value, kinds) else value
        )
        if convert is None:
            continue
        truth = isinstance(value, bool | np.bool_)
        if not isinstance(value, kinds) or truth != (convert is bool):
            wrong.append(f"{name} must be {word}, not {value!r}")
        elif convert is int and not -LARGEST_COUNT <= value <= LARGEST_COUNT:
            wrong.append(
                f"{name} must lie between -{LARGEST_COUNT} and {LARGEST_COUNT}, not {value}"
            )
    if wrong:
        raise ValueError(f"{what} can't be made with {arguments}: {'; '.join(wrong)}.")
    return checked
