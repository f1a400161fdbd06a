"""Trained agents back from disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from metarl.core.agent import Agent
from metarl.core.budget import Budget, Episodes, as_budget
from metarl.core.learner import Learner, PolicyLearner, SaysUsualBudget, TrainsOn
from metarl.core.registry import as_distribution
from metarl.core.task_distribution import TaskDistribution
from metarl.learners.registry import learner_class, learns_from_examples
from metarl.runs.checkpoint import CheckpointError, load_state
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolder, RunFolderError
from metarl.runs.training import check_belongs, resume

__all__ = ["check_trained", "default_budget", "load_agent", "load_learner"]


def load_agent(
    folder: str | Path,
    budget: Budget | int | None = None,
    seed_index: int = 0,
    device: str = "cpu",
    *,
    distribution: TaskDistribution | str | None = None,
    learner: Learner | None = None,
) -> Agent:
    """Return the trained agent of a run, ready to `act`.

    Args:
        folder: a run's, or a published one's; its weights are read, or the checkpoint of a run that
            isn't finished.
        budget: how long it will play; what it was trained for if left out.
        seed_index: which of the run's seeds.
        device: where it acts.
        distribution: what it was trained on, where only your code can make it.
        learner: a learner made as the one that was trained, where only your code can make it, such
            as one with a network of your own; it takes the weights over.

    Raises:
        ValueError: no run, nothing trained yet, an unknown seed, a damaged or foreign file.
    """
    place = RunFolder(folder)
    trained = load_learner(folder, seed_index, device, distribution=distribution, learner=learner)
    if not isinstance(trained, PolicyLearner):
        raise ValueError(
            f"{type(trained).__name__} yields no agent: score metarl.load_learner(folder).adapter()"
            " with metarl.evaluate_supervised."
        )
    if budget is None:
        played = distribution
        if played is None and isinstance(trained, TrainsOn):
            played = trained.distribution
        budget = default_budget(RunConfig.from_identity(place.identity, device), played)
    one_seed = place.weights(seed_index).exists()  # a learner from weights holds one seed
    return trained.agent(as_budget(budget), 0 if one_seed else seed_index)


def load_learner(
    folder: str | Path,
    seed_index: int = 0,
    device: str = "cpu",
    *,
    distribution: TaskDistribution | str | None = None,
    learner: Learner | None = None,
) -> Any:
    """Return the learner of a run as far as it is trained: of supervised runs, whose adapters are
    scored in place of agents.

    Where there are weights, it holds those of `seed_index` alone; otherwise the checkpoint's, of
    all seeds.

    Args:
        folder: a run's, or a published one's. seed_index: which of the run's seeds. device: where
            it computes.
        distribution, learner: parts that only your code can make, as of `load_agent`.

    Raises:
        ValueError: no run, nothing trained yet, an unknown seed, a damaged or foreign file.
    """
    place = RunFolder(folder)
    run = RunConfig.from_identity(place.identity, device)
    if not 0 <= seed_index < len(run.seeds):
        raise ValueError(
            f"{folder} has no seed number {seed_index}; it trained {len(run.seeds)}, for seeds"
            f" {', '.join(map(str, run.seeds))}."
        )
    file = place.weights(seed_index)
    if not file.exists():
        if not place.checkpoint.exists():
            raise RunFolderError(
                f"{folder} has neither weights nor a checkpoint yet: train it first."
            )
        whole = _made(run, distribution, learner)
        resume(whole, place)
        return whole
    about, weights = load_state(file)
    check_belongs(file, about, "weights", place)
    # Weights are there: no start is needed
    learner = _made(replace(run, seed=run.seeds[seed_index], start=None), distribution, learner)
    try:
        learner.load_weights(weights)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file} doesn't fit the learner {run.learner!r} as it is now ({error}). Use the"
            " version of metarl that run.json names."
        ) from error
    return learner


def check_trained(folder: str | Path) -> None:
    """Raise ValueError where a run's trained state can't be read.

    There is none, or a file is damaged or another run's.
    """
    place = RunFolder(folder)
    for seed_index in range(len(place.identity["seeds"])):
        kind, file = (
            ("weights", place.weights(seed_index))
            if place.weights(seed_index).exists()
            else ("checkpoint", place.checkpoint)
        )
        if not file.exists():
            raise RunFolderError("it has neither weights nor a checkpoint yet")
        check_belongs(file, load_state(file)[0], kind, place)


def _made(
    run: RunConfig, distribution: TaskDistribution | str | None, learner: Learner | None
) -> Learner:
    """Return an untrained learner of `run`: the one given, or one made on the distribution given or
    on the run's own.

    Raises:
        ValueError: parts are missing that only the user's code can make, or those given are of
            another run.
    """
    if learner is not None:
        given = RunConfig.of(learner)
        if (given.learner, given.distribution) != (run.learner, run.distribution):
            raise ValueError(
                f"The run trained {run.learner} on {run.distribution}; the learner given is"
                f" {learner!r}."
            )
        return learner
    if parts := [part for part in run.own if part != "distribution"]:
        raise ValueError(
            f"This run was trained with {' and '.join(parts)}, which only the code that trained it"
            " has: give a learner that is made as that one was, metarl.load_agent(folder,"
            " learner=...)."
        )
    if distribution is None:
        return run.make_learner(run.make_distribution())
    given_in_its_place = as_distribution(distribution)
    if "distribution" in run.own and given_in_its_place.id != run.distribution:
        raise ValueError(f"The run trained on {run.distribution}, not on {given_in_its_place!r}.")
    return run.make_learner(given_in_its_place)


def default_budget(run: RunConfig, distribution: TaskDistribution | str | None = None) -> Budget:
    """Return what the run's agent was trained for: its config's `episodes`, all of them scored; or
    its updates, and as many episodes after.

    The learner says it by a method `usual_budget(config, distribution)`, if it has one.

    Raises:
        ValueError: the learner doesn't train for a number of episodes.
    """
    if learns_from_examples(run.learner):
        raise ValueError(
            f"The learner {run.learner!r} learned supervised tasks: score"
            " metarl.load_learner(folder).adapter() with metarl.evaluate_supervised."
        )
    kind = learner_class(run.learner)
    if isinstance(kind, SaysUsualBudget):
        return kind.usual_budget(
            run.config,
            run.make_distribution() if distribution is None else as_distribution(distribution),
        )
    episodes = getattr(run.config, "episodes", None)
    if not isinstance(episodes, int):
        raise ValueError(
            f"The learner {run.learner!r} isn't trained for a number of episodes; say for how long"
            " the agent will play."
        )
    return Episodes(episodes)
