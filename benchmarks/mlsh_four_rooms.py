"""Shared hierarchies in four rooms: is a master over trained sub-policies faster than PPO from scratch on goals never trained for?

    python benchmarks/mlsh_four_rooms.py --publish

MLSH trains on FourRooms-v0, four sub-policies, a choice every 50 steps: once with all goals in the room that the code of Frans et al. 2017
has its goals in, once in another room, by which no setting was chosen, and once with goals anywhere. On held-out goals agents then learn
from 12,000 steps in each task: a master over sub-policies that stay as they are; the same, where each task's copies of them learn on, from
all steps of the task; a single policy that was trained on all training goals and learns on; and one that learns from nothing by the same
PPO. All improve after every 200 steps, with the settings that were best for PPO from scratch on training goals. Runs lie in runs/mlsh; with
--publish, tables, figures and weights go to results/mlsh.
"""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console

from metarl.analysis.figures import curves_against_steps, save
from metarl.cli import plain_errors
from metarl.envs.agent import Agent
from metarl.envs.budget import Steps
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.statistics import mean, paired_difference
from metarl.experiments import mlsh_runs
from metarl.experiments.benchmark_folders import Storage, changed
from metarl.experiments.finished import check_folder, trained
from metarl.experiments.load import load_learner
from metarl.experiments.merit import record_estimate
from metarl.experiments.mlsh_runs import alone, four_rooms_run
from metarl.experiments.totals import write_arrays
from metarl.learners.mlsh import MLSH
from metarl.tasks.contract import TaskDistribution
from metarl.tasks.registry import make

ID, TEST_SEED = "FourRooms-v0", 1711
FIXED, TUNED, SHARED, SCRATCH = "MLSH", "MLSH, fine-tuned", "one policy, fine-tuned", "PPO from scratch"
PARTS = 12  # of the budget, that the figure has
GOALS = {"room": "in one room", "upper-room": "in another room", "any": "anywhere"}


@dataclass(frozen=True)
class Options:
    """What to compute.

    Attributes:
        goals: where they are: room, upper-room, any, or several of these.
        seeds: of the trainings, and of the single policies.
        num_tasks: test tasks. steps: that each agent plays in each.
        train: train what isn't trained; otherwise its figures are missing.
        device: where policies train; they are scored on the processor.
        storage: where tables, runs and weights lie.
    """

    goals: tuple[str, ...] = tuple(GOALS)
    seeds: tuple[int, ...] = (0, 1, 2)
    num_tasks: int = 52
    steps: int = 12_000
    train: bool = True
    device: str = "cpu"
    storage: Annotated[Storage, tyro.conf.arg(name="")] = field(default_factory=Storage)

    def __post_init__(self) -> None:
        horizon = make(ID).horizon
        if self.num_tasks < 2 or self.steps < 1 or self.steps % (PARTS * horizon):
            raise ValueError(f"Give at least two tasks, and a multiple of {PARTS * horizon:,} steps.")
        if not self.seeds or not self.goals or set(self.goals) - set(GOALS):
            raise ValueError(f"Give at least one seed, and goals of {', '.join(GOALS)}.")

    @property
    def folder(self) -> Path:
        """Where tables and figures go."""
        return self.storage.tables("mlsh")


def main(options: Options, console: Console) -> None:
    """Train, and let all learn in the same tasks."""
    for goals in options.goals:
        for seed in options.seeds:
            for one_policy in (False, True):
                check_folder(four_rooms_run(goals, seed, options.device, one_policy), *places_of(goals, seed, one_policy, options))
    options.folder.mkdir(parents=True, exist_ok=True)
    for goals in options.goals:
        compare(goals, options, console)


def places_of(goals: str, seed: int, one_policy: bool, options: Options) -> tuple[Path, Path]:
    """Where a training lies: our own, and the published one."""
    return options.storage.places("mlsh", f"four-rooms-{goals}{'-one-policy' if one_policy else ''}-seed{seed}")


def compare(goals: str, options: Options, console: Console) -> None:
    """All agents on held-out goals."""
    place, budget = make(ID, goals=goals), Steps(options.steps)
    played: dict[str, list[np.ndarray]] = {}
    for seed in options.seeds:
        hierarchy, shared = (found(goals, seed, one_policy, options) for one_policy in (False, True))
        for name, agent in contestants(place, hierarchy, shared, seed, budget).items():
            evaluation = evaluate(agent, place, "test", options.num_tasks, TEST_SEED, budget)
            played.setdefault(name, []).append(returns_of(evaluation))
    returns = {name: np.stack(own) for name, own in played.items() if len(own) == len(options.seeds)}
    tasks = place.sample(options.num_tasks, "test", TEST_SEED)
    cells, (own_goals, first) = tasks.goal.numpy(), np.unique(tasks.goal.numpy(), return_index=True)
    write_arrays(options.folder / f"four-rooms-{goals}.npz", {"goal": cells, **{f"{name}/return": own for name, own in returns.items()}})
    by_goal = {name: np.stack([own[:, cells == cell].mean((0, 1)) for cell in own_goals]) for name, own in returns.items()}
    draw(goals, by_goal, place.upper_bound(tasks, 1).numpy()[first], options)
    record(goals, {name: own.mean(1) for name, own in by_goal.items()}, options, console)


def draw(goals: str, by_goal: dict[str, np.ndarray], bounds: np.ndarray, options: Options) -> None:
    """Returns [goals, episodes] against steps, as parts of `bounds` [goals], what can be had if the goal is known."""
    curves = {
        name: {(i + 1) * options.steps / PARTS: mean(part.mean(1)) for i, part in enumerate(np.split(own / bounds[:, None], PARTS, axis=1))}
        for name, own in by_goal.items()
    }
    title, axis = f"Four rooms, held-out goals {GOALS[goals]}", "return of an episode, part of a known goal's"
    note = f"over goals, of each the mean over {len(options.seeds)} seeds"
    # No goal's mean return lies above that of who knows it.
    levels, possible = {"goal known": 1.0}, (0, 1)
    figure = curves_against_steps(curves, levels=levels, y=axis, title=title, note=note, logarithmic=False, possible=possible)
    save(figure, options.folder / f"four-rooms-{goals}.png")


def found(goals: str, seed: int, one_policy: bool, options: Options) -> Path | None:
    """The folder of a trained run; None where it isn't trained and mustn't be."""
    run, places = four_rooms_run(goals, seed, options.device, one_policy), places_of(goals, seed, one_policy, options)
    return trained(run, *places, train_missing=options.train, publishes=options.storage.publish)


def contestants(place: TaskDistribution, hierarchy: Path | None, shared: Path | None, seed: int, budget: Steps) -> dict[str, Agent]:
    """Agents that learn by the same steps; those that were trained, where they were."""
    quick = mlsh_runs.FOUR_ROOMS_QUICK
    single = alone(quick, place.horizon)
    settings = {FIXED: (hierarchy, quick), TUNED: (hierarchy, replace(quick, fine_tune_after=0)), SHARED: (shared, single)}
    agents: dict[str, Agent] = {SCRATCH: MLSH(single, place, seed).agent(budget)}
    for name, (folder, config) in settings.items():
        if folder is not None:
            learner = MLSH(config, place, seed)
            learner.load_weights(load_learner(folder).weights())
            agents[name] = learner.agent(budget)
    return agents


def returns_of(evaluation: Evaluation) -> np.ndarray:
    """Returns [tasks, episodes]: every episode here has the same length."""
    return evaluation.returns.reshape(evaluation.num_tasks, -1).astype(np.float32)


def record(goals: str, scores: dict[str, np.ndarray], options: Options, console: Console) -> None:
    """The figures of merit, of scores [goals]: several tasks may have one goal, and intervals are over goals."""
    command = options.storage.command("mlsh_four_rooms", changed(options, "goals", "seeds", "num_tasks", "steps"))
    where = f"{ID}, goals {GOALS[goals]}"
    for name in (FIXED, TUNED, SHARED, SCRATCH):
        own = mean(scores[name]) if name in scores else None
        title = f"{where}, {name}: mean return of the episodes of {options.steps:,} steps on held-out goals"
        record_estimate(options.folder, title, "shown", own, None, command)
        console.print(f"{title}: {own}", highlight=False)
    for name, other, wanted in ((FIXED, SCRATCH, "shown"), (TUNED, SCRATCH, "> 0"), (TUNED, SHARED, "shown"), (SHARED, SCRATCH, "shown")):
        lead = paired_difference(scores[name], scores[other]).difference if name in scores and other in scores else None
        title = f"{where}: {name} minus {other} on held-out goals, paired"
        reached = None if lead is None or wanted == "shown" else lead.low > 0
        record_estimate(options.folder, title, wanted, lead, reached, command)
        console.print(f"{title}: {lead}", highlight=False)


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 140))
