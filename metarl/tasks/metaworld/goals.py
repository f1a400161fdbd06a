"""The tasks of Meta-World's benchmarks, drawn by Meta-World's own code."""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from metarl.tasks.metaworld.env import Variation

__all__ = ["benchmark_tasks", "check_task_name"]

MISSING = (
    "Meta-World isn't installed; `pip install -e '.[metaworld]'` in metarl's folder brings it; see"
    " `metarl info`."
)


def check_task_name(name: str) -> None:
    """Raise ValueError, with near matches, unless Meta-World has a task `name`.

    Raises:
        ValueError: there is no such task, or no Meta-World.
    """
    known = list(_meta_world().env_dict.ALL_V3_ENVIRONMENTS)
    if name not in known:
        near = get_close_matches(str(name), known, 3, 0.4)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(known)}."
        )
        raise ValueError(f"Meta-World has no task {name!r}; {hint}")


@lru_cache(maxsize=16)
def benchmark_tasks(
    benchmark: str, seed: int, name: str | None = None
) -> dict[str, tuple[Variation, ...]]:
    """Return the training and test tasks of a benchmark: 50 variations of each of its task names.

    Args:
        benchmark: "ML1", "ML10" or "ML45".
        seed: of Meta-World's draw of start and goal positions; test ones of ML1 are drawn with seed
            + 1, as Meta-World does.
        name: of ML1's task.

    Raises:
        ValueError: there is no Meta-World.
    """
    make = getattr(_meta_world(), benchmark)
    # Meta-World seeds NumPy's global generator by `seed` and puts its state back
    with _without_settling():
        drawn = make(seed=seed) if name is None else make(name, seed=seed)
    return {
        "train": tuple(_numbered(drawn.train_tasks)),
        "test": tuple(_numbered(drawn.test_tasks)),
    }


def _numbered(tasks: list[Any]) -> Iterator[Variation]:
    counts: dict[str, int] = {}
    for task in tasks:
        number = counts[task.env_name] = counts.get(task.env_name, -1) + 1
        yield Variation(task.env_name, number, task.data)


@contextmanager
def _without_settling() -> Iterator[None]:
    """Have Meta-World's resets simulate one step, rather than 50, in which the arm comes to rest.

    It draws variations by resetting 50 environments 50 times each; no variation depends on the arm,
    and this is four times as fast.
    """
    from metaworld.sawyer_xyz_env import SawyerXYZEnv

    arm: Any = SawyerXYZEnv
    settle = arm._reset_hand
    arm._reset_hand = lambda env, steps=1: settle(env, 1)
    try:
        yield
    finally:
        arm._reset_hand = settle


def _meta_world() -> Any:
    try:
        import metaworld
    except ImportError as error:
        raise ValueError(MISSING) from error
    return metaworld
