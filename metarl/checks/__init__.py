"""Conformance checks for your own task distributions, agents and learners.

Call one function for all checks of a kind, or let pytest run each as a test of its own:

    from metarl.checks import check_distribution, parametrize_distribution_checks

    print(check_distribution(MyTasks))

    @parametrize_distribution_checks({"mine": MyTasks})
    def test_my_tasks(check):
        check()

A check that fails raises `PlugInError` with a sentence that says what is wrong and what to do.
"""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from metarl.checks.acting import MakeAgent
from metarl.checks.every_split import SplitPlay, check_every_split
from metarl.checks.learning import MakeLearner
from metarl.checks.parametrize import (
    agent_checks,
    distribution_checks,
    learner_checks,
    parametrize_agent_checks,
    parametrize_distribution_checks,
    parametrize_learner_checks,
    parametrize_supervised_checks,
    supervised_checks,
)
from metarl.core.agent import Agent
from metarl.core.budget import Budget, Episodes
from metarl.core.errors import PlugInError
from metarl.core.lookup import shown
from metarl.core.registry import as_distribution
from metarl.core.supervised import SupervisedDistribution
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.mdps.identity import Identity

__all__ = [
    "CheckReport",
    "agent_checks",
    "check_agent",
    "check_distribution",
    "check_learner",
    "check_supervised_distribution",
    "distribution_checks",
    "learner_checks",
    "parametrize_agent_checks",
    "parametrize_distribution_checks",
    "parametrize_learner_checks",
    "parametrize_supervised_checks",
    "supervised_checks",
]


@dataclass(frozen=True)
class CheckReport:
    """What a call of this module did; everything in it passed.

    Attributes:
        what: what was checked.
        checks: the first sentence of each check.
        plays: what random play of each split came to, for task distributions.
    """

    what: str
    checks: tuple[str, ...]
    plays: tuple[SplitPlay, ...] = ()

    def __str__(self) -> str:
        played = [f"  played {play}" for play in self.plays]
        return "\n".join(
            [
                f"{self.what}: {len(self.checks)} checks passed.",
                *played,
                *(f"  - {check}" for check in self.checks),
            ]
        )

    __repr__ = __str__


def check_distribution(
    distribution: TaskDistribution | Callable[[], TaskDistribution],
) -> CheckReport:
    """Run every check of task distributions that applies; tasks of every split are played.

    Args:
        distribution: what to check, or better what builds it alike at every call: a class whose
            arguments all have defaults, or a lambda. Of a distribution itself, copies are compared.

    Returns:
        what was done, to be printed.

    Raises:
        PlugInError: the first check that failed, something that is no distribution, or a family of
            examples, which has checks of its own.
    """
    make = _builder(distribution, TaskDistribution)
    made: object = make()
    if isinstance(made, SupervisedDistribution):
        raise PlugInError(
            f"{made!r} has examples rather than episodes; check it with"
            " metarl.checks.check_supervised_distribution."
        )
    checks = tuple(distribution_checks(make()))
    plays: list[SplitPlay] = []
    for check in checks:
        outcome = check(make)
        if check is check_every_split:
            plays = outcome
    return CheckReport(repr(made), _sentences(checks), tuple(plays))


def check_supervised_distribution(
    distribution: SupervisedDistribution | Callable[[], SupervisedDistribution],
) -> CheckReport:
    """Run every check of supervised distributions: those of examples rather than episodes, in every
    split.

    Args:
        distribution: as for `check_distribution`.

    Returns:
        what was done, to be printed.

    Raises:
        PlugInError: the first check that failed, something that is no distribution, or a family of
            episodes.
    """
    make = _builder(distribution, SupervisedDistribution)
    made: object = make()
    if isinstance(made, TaskDistribution):
        raise PlugInError(
            f"{made!r} has episodes rather than examples; check it with"
            " metarl.checks.check_distribution."
        )
    checks = tuple(supervised_checks())
    for check in checks:
        check(make)
    return CheckReport(repr(made), _sentences(checks))


def check_agent(
    make_agent: MakeAgent | Agent, distribution: TaskDistribution, budget: Budget
) -> CheckReport:
    """Run every check of agents.

    Args:
        make_agent: called as make_agent(distribution, budget), such as the agent's class; or an
            agent made for them.
        distribution, budget: what the agent plays; a small one, since it plays a thousand tasks.

    Returns:
        what was done, to be printed.

    Raises:
        PlugInError: the first check that failed, or something that is neither an agent nor makes
            one.
    """
    make: Any = make_agent
    if isinstance(make_agent, Agent) and not isinstance(make_agent, type):
        make = _Same(make_agent)
    if not callable(make):
        raise PlugInError(
            "Give an agent, or what makes one as make_agent(distribution, budget), not"
            f" {make_agent!r}."
        )
    checks = tuple(agent_checks())
    for check in checks:
        check(make, distribution, budget)
    return CheckReport(
        f"{type(make(distribution, budget)).__name__} on {distribution!r}, {budget}",
        _sentences(checks),
    )


def check_learner(
    make_learner: MakeLearner,
    distribution: TaskDistribution | None = None,
    budget: Budget = Episodes(2),
) -> CheckReport:
    """Run every check of learners.

    Args:
        make_learner: called as make_learner(distribution, seed); choose a configuration that trains
            on `budget` and that learns a small identity task within 300 updates.
        distribution: what it trains on but for the learning checks; a small identity task if left
            out.
        budget: what its agents play.

    Returns:
        what was done, to be printed.

    Raises:
        PlugInError: the first check that failed, or a learner in place of what makes one.
    """
    if not callable(make_learner):
        raise PlugInError(
            "Give what makes the learner, such as lambda distribution, seed: MyLearner(...), not"
            f" {make_learner!r}."
        )
    distribution = Identity(numbers=3, horizon=4) if distribution is None else distribution
    checks = tuple(learner_checks())
    for check in checks:
        check(make_learner, distribution, budget)
    return CheckReport(
        f"{type(make_learner(distribution, 0)).__name__} on {distribution!r}, {budget}",
        _sentences(checks),
    )


class _Same:
    """Gives copies of one object, whatever it is called with."""

    def __init__(self, original: Any):
        self.original = original

    def __call__(self, *arguments: Any) -> Any:
        """A copy; or the object itself, where it can't be copied."""
        try:
            return copy.deepcopy(self.original)
        except Exception:
            return self.original


def _builder(distribution: Any, kind: type) -> Callable[[], Any]:
    """Return what makes the distribution, which may be given itself or by its id."""
    if isinstance(distribution, str):
        distribution = as_distribution(distribution)
    if isinstance(distribution, TaskDistribution | SupervisedDistribution):
        return _Same(distribution)
    if not callable(distribution):
        raise PlugInError(
            f"Give a {kind.__name__}, or a class or function that makes one, not {distribution!r}."
        )
    try:
        made = distribution()
    except ValueError:
        raise
    except Exception as error:
        raise PlugInError(
            f"{shown(distribution)}, called without arguments, raised {type(error).__name__}:"
            f" {error}. Give a {kind.__name__}, or a class or function without arguments that makes"
            " one."
        ) from error
    if not isinstance(made, TaskDistribution | SupervisedDistribution):
        raise PlugInError(
            f"{distribution!r} makes a {type(made).__name__}, which isn't a {kind.__name__}. Derive"
            " it from metarl's."
        )
    return distribution


def _sentences(checks: Iterable[Callable[..., Any]]) -> tuple[str, ...]:
    return tuple((check.__doc__ or check.__name__).strip().splitlines()[0] for check in checks)
