"""Environments that a script registered with Gymnasium, made known in its worker processes, which
don't run the script.
"""

import copy
import sys
import warnings
from contextlib import suppress

import cloudpickle
import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

__all__ = ["register_in_worker", "registered_by_script", "unknown_to_workers"]

# Modules of entry points that every process registers by itself
KNOWN_TO_ALL = ("gymnasium.", "metarl.")


def registered_by_script() -> list[bytes]:
    """Return what this process has registered beyond Gymnasium's and metarl's environments, each
    pickled.

    What can't be pickled is left out; `unknown_to_workers` tells of it where it is missed.
    """
    pickled = []
    for spec in gym.registry.values():
        if isinstance(spec.entry_point, str) and spec.entry_point.startswith(KNOWN_TO_ALL):
            continue
        with suppress(Exception):
            pickled.append(cloudpickle.dumps(_with_objects(spec)))
    return pickled


def register_in_worker(pickled: list[bytes]) -> None:
    """Register what `registered_by_script` gave in another process.

    What can't be loaded here is left out. A module that registers the same when it is imported here
    overrides it without a warning.
    """
    warnings.filterwarnings("ignore", r"(?s).*Overriding environment .* already in registry")
    for each in pickled:
        with suppress(Exception):
            spec = cloudpickle.loads(each)
            gym.registry[spec.id] = spec


def unknown_to_workers(error: BaseException | None) -> str:
    """Return what to do where an environment isn't registered in a worker.

    Nothing for any other error.
    """
    if not isinstance(error, gym.error.UnregisteredEnv):
        return ""
    return (
        " A worker process knows what your script registered with Gymnasium only where that can be"
        " pickled: call gymnasium.register in make_env, or in a module that make_env imports, or"
        " use workers=0."
    )


def _with_objects(spec: EnvSpec) -> EnvSpec:
    """Return the same with the script's own objects in place of their names.

    "__main__:Maze" is nothing in another process.
    """
    own = copy.copy(spec)
    for field in ("entry_point", "vector_entry_point"):
        named = getattr(spec, field)
        if isinstance(named, str) and named.startswith("__main__:"):
            setattr(own, field, getattr(sys.modules["__main__"], named.split(":")[1]))
    return own
