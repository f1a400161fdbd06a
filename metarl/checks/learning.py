"""Checks of a learner.

Metrics, determinism, complete checkpoints, agents of their own, training tasks only, and that it
learns.
"""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metarl.checks.acting import ACTING_CHECKS, only_training_tasks
from metarl.checks.global_generators import global_generators_untouched
from metarl.checks.nested import difference
from metarl.checks.require import require
from metarl.core.agent import Agent
from metarl.core.budget import Budget
from metarl.core.errors import PlugInError
from metarl.core.learner import Metrics, PolicyLearner
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.protocol import evaluate
from metarl.runs.checkpoint import load_state, save_state
from metarl.tasks.mdps.identity import Identity

__all__ = [
    "LEARNING_CHECKS",
    "MakeLearner",
    "check_agent_of_its_own",
    "check_agent_passes_its_checks",
    "check_global_generators_while_learning",
    "check_learns_identity_terminated",
    "check_learns_identity_truncated",
    "check_metrics",
    "check_seeds",
    "check_state_is_complete",
    "check_trains_on_training_tasks",
    "check_weights",
    "through_files",
]

MakeLearner = Callable[[TaskDistribution, int], PolicyLearner]
MOST_UPDATES = 300  # of the learning checks
WANTED_SHARE = 0.9  # of the identity task's optimum


def check_metrics(
    make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget
) -> None:
    """`update` returns finite numbers, "steps" and "return" among them, and steps grow."""
    learner = make_learner(distribution, 0)
    who = type(learner).__name__
    require(
        isinstance(learner, PolicyLearner),
        f"{who} isn't a learner.",
        "Give it the methods of metarl.core.learner.PolicyLearner.",
    )
    before = 0.0
    for _ in range(2):
        metrics = learner.update()
        for name in ("steps", "return"):
            require(
                name in metrics,
                f"{who}.update() doesn't report {name!r}.",
                "Report environment steps so far and the mean training score.",
            )
        for name, value in metrics.items():
            finite = isinstance(value, int | float) and math.isfinite(value)
            require(
                isinstance(name, str) and finite,
                f"{who}.update() reports {name!r} as {value!r}.",
                "Report finite Python numbers by name.",
            )
        require(
            metrics["steps"] > before,
            f"{who}.update() reports steps {metrics['steps']} after {before}.",
            "Count all environment steps so far.",
        )
        before = metrics["steps"]
    require(
        isinstance(learner.finished, bool),
        f"{who}.finished is {learner.finished!r}.",
        "Make it a bool.",
    )


def check_seeds(make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget) -> None:
    """The same seed gives the same numbers bit for bit, another seed others, whatever ran in
    between.
    """
    histories = []
    for seed in (0, 1, 0):
        learner = make_learner(distribution, seed)
        metrics = _updates(learner, 2)
        histories.append((metrics, _data(learner.weights())))
    who = type(learner).__name__
    where = difference(histories[0], histories[2])
    require(
        where is None,
        f"{who} trains differently with the same seed (first at {where}).",
        "Derive every stream from `seed`, and seed nothing elsewhere.",
    )
    same = difference(histories[0], histories[1]) is None
    require(
        not same, f"{who} trains the same with seeds 0 and 1.", "Derive every stream from `seed`."
    )


def check_state_is_complete(
    make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget
) -> None:
    """`state_dict` is tensors and JSON values.

    A learner that loads it goes on bit for bit, even one that has trained before.
    """
    learner = make_learner(distribution, 0)
    who = type(learner).__name__
    _updates(learner, 2)
    state = through_files(learner.state_dict(), f"{who}.state_dict()")
    wanted = _updates(learner, 2)
    weights = _data(learner.weights())
    for trained in (0, 1):
        resumed = make_learner(distribution, 0)
        _updates(resumed, trained)
        resumed.load_state_dict(through_files(state, f"{who}.state_dict()"))
        went_on = _updates(resumed, 2)
        where = difference(wanted, went_on) or difference(weights, _data(resumed.weights()))
        require(
            where is None,
            f"{who} goes on differently after load_state_dict (first at {where}).",
            "Put everything that update depends on into state_dict: parameters, optimiser,"
            " normalisers, counters and random streams.",
        )


def check_weights(
    make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget
) -> None:
    """`weights` are tensors and JSON values.

    A learner with another seed that loads them gives the same agent.
    """
    learner = make_learner(distribution, 0)
    other = make_learner(distribution, 1)
    who = type(learner).__name__
    _updates(learner, 2)
    other.load_weights(through_files(learner.weights(), f"{who}.weights()"))
    same = (
        difference(
            _behaviour(learner.agent(budget), distribution, budget),
            _behaviour(other.agent(budget), distribution, budget),
        )
        is None
    )
    require(
        same,
        f"{who}: an agent made from published weights acts differently.",
        "Put all that acting needs into weights(), normalisers too.",
    )


def check_agent_of_its_own(
    make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget
) -> None:
    """An agent doesn't change when its learner trains on, and playing it doesn't change the
    training.
    """
    learner = make_learner(distribution, 0)
    undisturbed = make_learner(distribution, 0)
    who = type(learner).__name__
    _updates(learner, 1)
    agent = learner.agent(budget)
    before = _behaviour(agent, distribution, budget)
    trained = _updates(learner, 2)
    same = difference(before, _behaviour(agent, distribution, budget)) is None
    require(
        same,
        f"{who}: an agent acts differently after its learner trained on.",
        "Let agent() copy the weights.",
    )
    _updates(undisturbed, 1)
    same = difference(trained, _updates(undisturbed, 2)) is None
    require(
        same,
        f"{who} trains differently when its agent is played.",
        "Give the agent nothing that the learner goes on using: copy.",
    )


def check_agent_passes_its_checks(
    make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget
) -> None:
    """The agent that the learner yields passes every check of agents."""
    learner = make_learner(distribution, 0)
    _updates(learner, 1)
    for check in ACTING_CHECKS:
        check(lambda _, wanted: learner.agent(wanted), distribution, budget)


def check_trains_on_training_tasks(
    make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget
) -> None:
    """Building, training and taking the agent draw tasks of split train alone."""
    learner = make_learner(only_training_tasks(distribution, "The learner"), 0)
    _updates(learner, 2)
    learner.agent(budget)


def check_global_generators_while_learning(
    make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget
) -> None:
    """Building, training and acting leave the global random generators alone."""
    with global_generators_untouched("Building the learner"):
        learner = make_learner(distribution, 0)
    with global_generators_untouched(f"{type(learner).__name__}.update"):
        _updates(learner, 2)
    with global_generators_untouched(f"The agent of {type(learner).__name__}"):
        _behaviour(learner.agent(budget), distribution, budget)


def check_learns_identity_truncated(
    make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget
) -> None:
    """The learner reaches 0.9 of the optimum on the identity task whose episodes end at the
    horizon.
    """
    _check_learns(make_learner, Identity(numbers=3, horizon=4), budget)


def check_learns_identity_terminated(
    make_learner: MakeLearner, distribution: TaskDistribution, budget: Budget
) -> None:
    """The learner reaches 0.9 of the optimum on the identity task whose episodes terminate."""
    _check_learns(make_learner, Identity(numbers=3, horizon=4, terminates=True), budget)


LEARNING_CHECKS = (
    check_metrics,
    check_seeds,
    check_state_is_complete,
    check_weights,
    check_agent_of_its_own,
    check_agent_passes_its_checks,
    check_trains_on_training_tasks,
    check_global_generators_while_learning,
    check_learns_identity_truncated,
    check_learns_identity_terminated,
)


def through_files(state: dict[str, Any], what: str) -> dict[str, Any]:
    """Return what a checkpoint file gives back.

    Raises:
        PlugInError: something in `state` is neither a tensor nor a JSON value; it is named by its
            path.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.safetensors"
        try:
            save_state(file, state, {})
        except TypeError as error:
            raise PlugInError(f"{what} can't be saved: {error}") from error
        return load_state(file)[1]


def _check_learns(make_learner: MakeLearner, identity: Identity, budget: Budget) -> None:
    learner = make_learner(identity, 0)
    share = 0.0
    updates = 0
    while not learner.finished and updates < MOST_UPDATES:
        learner.update()
        updates += 1
        if updates & (updates - 1) == 0 or learner.finished or updates == MOST_UPDATES:
            result = evaluate(learner.agent(budget), identity, "test", 256, 0, budget)
            share = float(result.returns.sum()) / (identity.horizon * len(result.returns))
            if share >= WANTED_SHARE:
                return
    raise PlugInError(
        f"{type(learner).__name__} reaches {share:.2f} of the optimum of {identity!r} after"
        f" {updates} updates, not {WANTED_SHARE}. It must learn to name what it sees: check"
        " rewards, advantages, and how ends of episodes are treated."
    )


def _updates(learner: PolicyLearner, count: int) -> list[Metrics]:
    return [{name: float(value) for name, value in learner.update().items()} for _ in range(count)]


def _data(weights: dict[str, Any]) -> dict[str, Any]:
    """Return a copy that later updates can't change."""
    return through_files(weights, "weights()")


def _behaviour(agent: Agent, distribution: TaskDistribution, budget: Budget) -> Tensor:
    """Actions in a fixed evaluation."""
    actions = evaluate(agent, distribution, "train", 24, 9, budget, record_actions=True).actions
    return torch.as_tensor(actions)
