"""What `make_env` has to return: a Gymnasium environment with spaces, another one in each call.

Imports no PyTorch, so that workers start fast.
"""

from typing import Any
from weakref import WeakValueDictionary

import gymnasium as gym

__all__ = [
    "OLD_GYM",
    "is_of_old_gym",
    "own_limit",
    "problem_of_environment",
    "problem_of_reuse",
    "remember",
]

OLD_GYM = (
    "made with Gym, Gymnasium's predecessor. Import gymnasium in place of gym and let it follow"
    " Gymnasium's interface, or wrap it: shimmy.GymV26CompatibilityV0(env=env), or"
    " shimmy.GymV21CompatibilityV0(env=env) where step returns four values"
)
# All innermost environments that `make_env` has returned in this process and that are still there,
# by their ids
_RETURNED: "WeakValueDictionary[int, gym.Env]" = WeakValueDictionary()


def problem_of_environment(env: Any) -> str | None:
    """Return what is wrong with what `make_env` returned, in words.

    None if it is an environment with spaces.
    """
    if not isinstance(env, gym.Env):
        return f"make_env must return a gymnasium.Env, not {_kind(env)}"
    for name in ("observation_space", "action_space"):
        try:
            space = getattr(env, name)
        except AttributeError:
            space = None
        if space is None:
            return (
                f"has no {name}; make_env must return a gymnasium.Env with an observation_space and"
                " an action_space"
            )
    return None


def problem_of_reuse(env: gym.Env) -> str | None:
    """Words about an environment that `make_env` has returned before, in whatever wrapper.

    None if it is new.
    """
    if id(env.unwrapped) not in _RETURNED:
        return None
    return (
        f"is the same environment ({type(env.unwrapped).__name__}) that make_env has returned"
        " before; rows would play into each other, and environments are closed after use: let"
        " make_env make a new one in each call"
    )


def remember(env: gym.Env) -> None:
    """Take note that `make_env` has returned `env`."""
    _RETURNED[id(env.unwrapped)] = env.unwrapped


def is_of_old_gym(thing: Any) -> bool:
    """Return whether an environment or a space is one of Gym rather than of Gymnasium."""
    return any(kind.__module__.partition(".")[0] == "gym" for kind in type(thing).__mro__)


def own_limit(env: gym.Env) -> int | None:
    """Most steps of an episode by the environment's own word.

    Its TimeLimit wrappers', else its spec's; None if it has none.
    """
    limits = []
    layer = env
    while isinstance(layer, gym.Wrapper):
        if isinstance(layer, gym.wrappers.TimeLimit):
            limits.append(layer._max_episode_steps)
        layer = layer.env
    if not limits and layer.spec is not None and layer.spec.max_episode_steps is not None:
        limits.append(layer.spec.max_episode_steps)
    return min(limits, default=None)


def _kind(thing: Any) -> str:
    if thing is None:
        return "None, as functions without a return do"
    if isinstance(thing, type):
        return f"the class {thing.__name__}; let it call the class"
    if is_of_old_gym(thing):
        return f"a {type(thing).__name__} {OLD_GYM}"
    if isinstance(thing, gym.vector.VectorEnv):
        return (
            f"a {type(thing).__name__}, which holds several; metarl itself plays several side by"
            " side"
        )
    return f"a {type(thing).__name__}"
