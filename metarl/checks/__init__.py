"""Conformance checks for your own task distributions, agents and learners.

Call one function for all checks of a kind, or let pytest run each as a test of its own:

    from metarl.checks import check_distribution, parametrize_distribution_checks

    check_distribution(MyTasks)

    @parametrize_distribution_checks({"mine": MyTasks})
    def test_my_tasks(check):
        check()

A check that fails raises `PlugInError` with a sentence that says what is wrong and what to do.
"""

from collections.abc import Callable

from metarl.checks.acting import MakeAgent
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
from metarl.envs.budget import Budget, Episodes
from metarl.tasks.contract import PlugInError, TaskDistribution
from metarl.tasks.identity import Identity
from metarl.tasks.supervised import SupervisedDistribution

__all__ = [
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


def check_distribution(make: Callable[[], TaskDistribution]) -> None:
    """Run every check of task distributions that applies.

    Args:
        make: builds the distribution, alike at every call: a class whose arguments all have defaults, or a lambda.

    Raises:
        PlugInError: the first check that failed, or a family of examples, which has checks of its own.
    """
    distribution: object = make()
    if isinstance(distribution, SupervisedDistribution):
        raise PlugInError(f"{distribution!r} has examples rather than episodes; check it with metarl.checks.check_supervised_distribution.")
    for check in distribution_checks(make()):
        check(make)


def check_supervised_distribution(make: Callable[[], SupervisedDistribution]) -> None:
    """Run every check of supervised distributions: those of examples rather than episodes.

    Args:
        make: builds the distribution, alike at every call: a class whose arguments all have defaults, or a lambda.

    Raises:
        PlugInError: the first check that failed.
    """
    for check in supervised_checks():
        check(make)


def check_agent(make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget) -> None:
    """Run every check of agents.

    Args:
        make_agent: called as make_agent(distribution, budget), such as the agent's class.
        distribution, budget: what the agent plays; a small one, since it plays a thousand tasks.

    Raises:
        PlugInError: the first check that failed.
    """
    for check in agent_checks():
        check(make_agent, distribution, budget)


def check_learner(make_learner: MakeLearner, distribution: TaskDistribution | None = None, budget: Budget = Episodes(2)) -> None:
    """Run every check of learners.

    Args:
        make_learner: called as make_learner(distribution, seed); choose a configuration that trains on `budget` and that
            learns a small identity task within 300 updates.
        distribution: what it trains on but for the learning checks; a small identity task if left out.
        budget: what its agents play.

    Raises:
        PlugInError: the first check that failed.
    """
    distribution = Identity(numbers=3, horizon=4) if distribution is None else distribution
    for check in learner_checks():
        check(make_learner, distribution, budget)
