"""Trained agents back from disk."""

from pathlib import Path

from metarl.envs.agent import Agent
from metarl.envs.budget import Budget, Episodes
from metarl.experiments.checkpoint import CheckpointError, load_state
from metarl.experiments.run import check_belongs, resume
from metarl.experiments.run_config import RunConfig
from metarl.learners.contract import Learner
from metarl.learners.registry import SUPERVISED_LEARNERS, learner_class
from metarl.results import RunFolder, RunFolderError

__all__ = ["default_budget", "load_agent", "load_learner"]


def load_agent(folder: str | Path, budget: Budget | None = None, member: int = 0, device: str = "cpu") -> Agent:
    """The trained agent of a run, ready to `act`.

    Args:
        folder: a run's, or a published one's; its weights are read, or the checkpoint of a run that isn't finished.
        budget: how long it will play; what it was trained for if left out.
        member: which of the run's seeds.
        device: where it acts.

    Raises:
        ValueError: no run, nothing trained yet, an unknown member, a damaged or foreign file.
    """
    place = RunFolder(folder)
    budget = budget or default_budget(RunConfig.from_identity(place.identity, device))
    alone = place.weights(member).exists()  # a learner from weights holds one member
    return load_learner(folder, member, device).agent(budget, 0 if alone else member)


def load_learner(folder: str | Path, member: int = 0, device: str = "cpu") -> Learner:
    """The learner of a run as far as it is trained: of supervised runs, whose adapters are scored in place of agents.

    Where there are weights, it holds those of `member` alone; otherwise the checkpoint's, of all members.

    Args:
        folder: a run's, or a published one's. member: which of the run's seeds. device: where it computes.

    Raises:
        ValueError: no run, nothing trained yet, an unknown member, a damaged or foreign file.
    """
    place = RunFolder(folder)
    run = RunConfig.from_identity(place.identity, device)
    if not 0 <= member < len(run.seeds):
        raise ValueError(f"{folder} has no member {member}; it trained {len(run.seeds)}, for seeds {', '.join(map(str, run.seeds))}.")
    file = place.weights(member)
    if not file.exists():
        if not place.checkpoint.exists():
            raise RunFolderError(f"{folder} has neither weights nor a checkpoint yet: train it first.")
        learner = run.make_learner(run.make_distribution())
        resume(learner, place)
        return learner
    about, weights = load_state(file)
    check_belongs(file, about, "weights", place)
    alone = RunConfig(
        run.learner, run.config, run.distribution, run.arguments, run.seeds[member], device
    )  # weights are there: no start is needed
    learner = alone.make_learner(run.make_distribution())
    try:
        learner.load_weights(weights)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file} doesn't fit the learner {run.learner!r} as it is now ({error}). Use the version of metarl that run.json names."
        ) from error
    return learner


def default_budget(run: RunConfig) -> Budget:
    """What the run's agent was trained for: its config's `episodes`, all of them scored; or its updates, and as many episodes after.

    The learner says it by a method `usual_budget(config, distribution)`, if it has one.

    Raises:
        ValueError: the learner doesn't train for a number of episodes.
    """
    if run.learner in SUPERVISED_LEARNERS:
        raise ValueError(
            f"The learner {run.learner!r} learned supervised tasks: score metarl.load_learner(folder).adapter() with "
            "metarl.evaluate_supervised."
        )
    usual = getattr(learner_class(run.learner), "usual_budget", None)
    if usual is not None:
        budget: Budget = usual(run.config, run.make_distribution())
        return budget
    episodes = getattr(run.config, "episodes", None)
    if not isinstance(episodes, int):
        raise ValueError(f"The learner {run.learner!r} isn't trained for a number of episodes; say for how long the agent will play.")
    return Episodes(episodes)
