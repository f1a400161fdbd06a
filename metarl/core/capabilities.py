"""What a task distribution can do beyond being played, each thing a small protocol of its own.

A family has a capability by having its method: there is nothing to inherit and nothing to declare.
Whoever needs one asks `isinstance(distribution, HasOptimum)`; or calls the function below that
answers None for families without it as for those that can't say. A subclass takes a capability back
by setting its method to None.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

__all__ = [
    "MEMBERS",
    "NamesTasks",
    "UsesWorkers",
    "CountsTasks",
    "DrawsRows",
    "HasOdometry",
    "HasOptimum",
    "HasRelaxation",
    "HasSize",
    "HasUpperBound",
    "ListsTasks",
    "Odometry",
    "Renderable",
    "RendersPaths",
    "draws_rows",
    "every_task",
    "odometry_of",
    "optimum_of",
    "pass_on",
    "picture_of_path",
    "pictures_of",
    "relaxation_of",
    "task_count_of",
    "upper_bound_of",
]

# (pose [..., 3] int64: row, column, heading; observation [..., *obs]; the action taken on it [...])
# -> the next pose [..., 3]
Odometry = Callable[[Tensor, Tensor, Tensor], Tensor]


@runtime_checkable
class HasOptimum(Protocol):
    """A family whose Bayes-optimal score can be computed."""

    def optimum(self, episodes: int) -> float | None:
        """Return the best expected total return of `episodes` episodes of one task, for an agent
        that starts ignorant of it; None for more episodes than it can be computed for.

        Exact, in units of reward: no agent's expected total lies above it.
        """
        ...


@runtime_checkable
class HasUpperBound(Protocol):
    """A family that knows what an agent which is told the task can score."""

    def upper_bound(self, tasks: Any, episodes: int) -> Tensor | None:
        """Return the expected total return [n] of the best agent that knows each of `tasks`, over
        `episodes` episodes, or a number above it; None where these settings have none.

        Finite floats in units of reward: no agent's expected total in a task lies above its bound.
        """
        ...


@runtime_checkable
class HasRelaxation(Protocol):
    """A family with a bound on the optimum that may be tighter than the mean of `upper_bound`."""

    def relaxation(self, episodes: int) -> float | None:
        """Return a number that the optimum of `episodes` episodes doesn't exceed, in units of
        reward; None for more episodes than it can be computed for.
        """
        ...


@runtime_checkable
class HasOdometry(Protocol):
    """A family in which an agent walks about and can tell where its moves bring it."""

    @property
    def odometry(self) -> Odometry | None:
        """Return how moves lead on: a function of the agent's pose, its observation and the action
        taken on it, to the next pose; None where these settings don't let it tell.

        Poses [..., 3] int64 are row, column and heading (clockwise, below the family's `headings`),
        counted from where each episode begins, which is the same place in all episodes of a task. A
        step leads at most one place on. What is seen depends on task and pose only. Of a family
        that `HasSize`, no pose is `size` or more away. Memories of places and maps are built on
        this (`metarl.networks.policies.spatial_memory`).
        """
        ...


@runtime_checkable
class HasSize(Protocol):
    """A family of places to walk about in that says how many there are along a side."""

    size: int


@runtime_checkable
class Renderable(Protocol):
    """A tensor family that draws how its tasks stand."""

    def render(self, tasks: Any, state: Any) -> Tensor | None:
        """Return pictures [n, H, W, 3] uint8 of how `tasks` [n] stand in `state`; None where these
        settings have nothing to show.

        Each is drawn by its own task and state alone.
        """
        ...


@runtime_checkable
class RendersPaths(Protocol):
    """A tensor family whose episodes are paths, so that one picture shows all of an episode."""

    def render_path(self, tasks: Any, states: Any, moment: int) -> Tensor | None:
        """Return one picture [H, W, 3] uint8 of a path; None where these settings have none.

        Args:
            tasks: a batch of one.
            states: [T + 1, ...] of the whole episode, so that colours can tell early from late.
            moment: the path is drawn up to there, from 0 to T.
        """
        ...


@runtime_checkable
class DrawsRows(Protocol):
    """A family whose rows draw themselves, or don't, as its environments were made."""

    @property
    def draws(self) -> bool:
        """Return whether `EpisodeRows.render` gives pictures."""
        ...


@runtime_checkable
class CountsTasks(Protocol):
    """A family that draws tasks from a list, in some splits at least."""

    def task_count(self, split: str) -> int | None:
        """Return how many tasks `split` has; None where new ones come without end."""
        ...


@runtime_checkable
class ListsTasks(CountsTasks, Protocol):
    """A family that draws from a list, and gives it.

    One that only counts its tasks has a `sample` that plays each once before any twice.
    """

    def every_task(self, split: str, seed: int) -> Any:
        """Return all tasks of a split for which `task_count` gives a number, each once.

        In the order of `sample`, if that plays each once before any twice.
        """
        ...


@runtime_checkable
class UsesWorkers(Protocol):
    """A family whose rows are played in worker processes."""

    workers: int  # how many share the rows; 0 plays them in this process


@runtime_checkable
class NamesTasks(Protocol):
    """A family whose tasks stand for entries of lists."""

    def values(self, tasks: Any) -> list[Any]:
        """Return the entries that `tasks` stand for."""
        ...


# What a family has that has the capability
MEMBERS: dict[type, str] = {
    HasOptimum: "optimum",
    HasUpperBound: "upper_bound",
    HasRelaxation: "relaxation",
    HasOdometry: "odometry",
    HasSize: "size",
    Renderable: "render",
    RendersPaths: "render_path",
    DrawsRows: "draws",
    CountsTasks: "task_count",
    ListsTasks: "every_task",
    UsesWorkers: "workers",
    NamesTasks: "values",
}


def optimum_of(distribution: object, episodes: int) -> float | None:
    """Return the optimum of `episodes` episodes; None where the family doesn't know it."""
    return distribution.optimum(episodes) if isinstance(distribution, HasOptimum) else None


def upper_bound_of(distribution: object, tasks: Any, episodes: int) -> Tensor | None:
    """Return the upper bound [n] of each of `tasks`; None where the family knows none."""
    if not isinstance(distribution, HasUpperBound):
        return None
    return distribution.upper_bound(tasks, episodes)


def relaxation_of(distribution: object, episodes: int) -> float | None:
    """Return the family's relaxation of the optimum; None where it has none."""
    return distribution.relaxation(episodes) if isinstance(distribution, HasRelaxation) else None


def odometry_of(distribution: object) -> Odometry | None:
    """Return how moves lead an agent about; None where it can't tell, or doesn't walk."""
    return distribution.odometry if isinstance(distribution, HasOdometry) else None


def pictures_of(distribution: object, tasks: Any, state: Any) -> Tensor | None:
    """Return pictures [n, H, W, 3] uint8 of how `tasks` stand; None where nothing is drawn."""
    return distribution.render(tasks, state) if isinstance(distribution, Renderable) else None


def picture_of_path(distribution: object, tasks: Any, states: Any, moment: int) -> Tensor | None:
    """Return one picture [H, W, 3] uint8 of an episode's path; None where episodes aren't paths,
    and each moment is shown alone.
    """
    if not isinstance(distribution, RendersPaths):
        return None
    return distribution.render_path(tasks, states, moment)


def draws_rows(distribution: object) -> bool:
    """Return whether rows of this family draw pictures of how they stand.

    Those of a tensor family do where it is `Renderable`.
    """
    if isinstance(distribution, DrawsRows):
        return distribution.draws
    return isinstance(distribution, Renderable)


def task_count_of(distribution: object, split: str) -> int | None:
    """Return how many tasks `split` has; None where new ones come without end."""
    return distribution.task_count(split) if isinstance(distribution, CountsTasks) else None


def every_task(distribution: Any, split: str, seed: int) -> Any:
    """Return all tasks of a split that draws from a list, each once.

    Raises:
        ValueError: new tasks come without end.
    """
    count = task_count_of(distribution, split)
    if count is None:
        raise ValueError(
            f"{distribution!r} has no list of the tasks of {split!r}; sample some instead."
        )
    if isinstance(distribution, ListsTasks):
        return distribution.every_task(split, seed)
    return distribution.sample(count, split, seed)


def pass_on(wrapped: object, wrapper: object, capabilities: Iterable[type]) -> None:
    """Give `wrapper` those of `capabilities` that `wrapped` has, as the wrapped one's own.

    So a distribution that stands in for another can do what that can, and nothing beyond.
    """
    for capability in capabilities:
        if isinstance(wrapped, capability):
            name = MEMBERS[capability]
            setattr(wrapper, name, getattr(wrapped, name))
