"""Pytest decorators.

One test id for each check and each thing that is checked. Pytest is needed only when one is used.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from metarl.checks.acting import ACTING_CHECKS, MakeAgent
from metarl.checks.adapted import ADAPTED_CHECKS
from metarl.checks.boundary import BOUNDARY_CHECKS, TENSOR_BOUNDARY_CHECKS
from metarl.checks.bounds import BOUND_CHECKS
from metarl.checks.every_split import EVERY_SPLIT_CHECKS
from metarl.checks.information import INFORMATION_CHECKS
from metarl.checks.learning import LEARNING_CHECKS, MakeLearner
from metarl.checks.pictures import PICTURE_CHECKS
from metarl.checks.playing import has_tensor_steps
from metarl.checks.sampling import SAMPLING_CHECKS
from metarl.checks.scoring import SCORING_CHECKS
from metarl.checks.stepping import STEPPING_CHECKS
from metarl.checks.supervised import SUPERVISED_CHECKS
from metarl.checks.walking import WALKING_CHECKS
from metarl.core.budget import Budget
from metarl.core.supervised import SupervisedDistribution
from metarl.core.task_distribution import TaskDistribution
from metarl.envs.gymnasium_adapter import GymnasiumDistribution

__all__ = [
    "agent_checks",
    "distribution_checks",
    "learner_checks",
    "parametrize_agent_checks",
    "parametrize_distribution_checks",
    "parametrize_learner_checks",
    "parametrize_supervised_checks",
    "supervised_checks",
]

Check = Callable[..., Any]


def distribution_checks(distribution: TaskDistribution | None = None) -> Iterable[Check]:
    """Every check(make_distribution), or those that apply to `distribution` (tensor family or
    adapted environments).
    """
    yield from SAMPLING_CHECKS
    yield from EVERY_SPLIT_CHECKS
    yield from BOUNDARY_CHECKS
    yield from INFORMATION_CHECKS
    yield from SCORING_CHECKS
    if distribution is None or has_tensor_steps(distribution):
        yield from STEPPING_CHECKS
        yield from TENSOR_BOUNDARY_CHECKS
        yield from BOUND_CHECKS
        yield from PICTURE_CHECKS
        yield from WALKING_CHECKS
    if distribution is None or isinstance(distribution, GymnasiumDistribution):
        yield from ADAPTED_CHECKS


def supervised_checks() -> Iterable[Check]:
    """Every check(make_distribution) of supervised distributions."""
    yield from SUPERVISED_CHECKS


def agent_checks() -> Iterable[Check]:
    """Every check(make_agent, distribution, budget)."""
    yield from ACTING_CHECKS


def learner_checks() -> Iterable[Check]:
    """Every check(make_learner, distribution, budget)."""
    yield from LEARNING_CHECKS


def parametrize_distribution_checks(makes: Mapping[str, Callable[[], TaskDistribution]]) -> Any:
    """Decorate `def test_...(check).

    Check()`; `makes` maps a name for the test's id to a function that builds the distribution.
    """
    return _parametrize(
        [
            (name, check, (make,))
            for name, make in makes.items()
            for check in distribution_checks(make())
        ]
    )


def parametrize_supervised_checks(makes: Mapping[str, Callable[[], SupervisedDistribution]]) -> Any:
    """Return the same for supervised distributions."""
    return _parametrize(
        [(name, check, (make,)) for name, make in makes.items() for check in supervised_checks()]
    )


def parametrize_agent_checks(
    cases: Mapping[str, tuple[MakeAgent, TaskDistribution, Budget]],
) -> Any:
    """Decorate `def test_...(check).

    Check()`; `cases` maps a name to (make_agent, distribution, budget).
    """
    return _parametrize(
        [(name, check, case) for name, case in cases.items() for check in agent_checks()]
    )


def parametrize_learner_checks(
    cases: Mapping[str, tuple[MakeLearner, TaskDistribution, Budget]],
) -> Any:
    """Decorate `def test_...(check).

    Check()`; `cases` maps a name to (make_learner, distribution, budget).
    """
    return _parametrize(
        [(name, check, case) for name, case in cases.items() for check in learner_checks()]
    )


def _parametrize(tests: list[tuple[str, Check, tuple[Any, ...]]]) -> Any:
    import pytest

    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(partial(check, *arguments), id=f"{name}-{check.__name__}")
            for name, check, arguments in tests
        ],
    )
