"""Shared hierarchies in four rooms: is a master over trained sub-policies faster than PPO from scratch on goals never trained for?

    python benchmarks/mlsh_four_rooms.py --publish

MLSH trains on FourRooms-v0, four sub-policies, a choice every 25 steps. On held-out goals agents then learn from 24,000 steps in each task:
a master over sub-policies that stay as they are; the same, where each task's copies of them learn on after the first update; and a single
policy that learns from nothing by the same PPO. All improve after every 500 steps, with the settings that were best for PPO from scratch on
training goals. Runs lie in runs/mlsh; with --publish, tables, figures and weights go to results/mlsh.
"""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console

from metarl.analysis.figures import curves_against_steps, save
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
from metarl.tasks.registry import make

ID, TEST_SEED = "FourRooms-v0", 1711
FIXED, TUNED, SCRATCH = "MLSH", "MLSH, fine-tuned", "PPO from scratch"
PARTS = 12  # of the budget, that the figure has


@dataclass(frozen=True)
class Options:
    """What to compute.

    Attributes:
        seed: of the training.
        num_tasks: test tasks. steps: that each agent plays in each.
        train: train what isn't trained; otherwise its figures are missing.
        device: where policies train; they are scored on the processor.
        storage: where tables, runs and weights lie.
    """

    seed: int = 0
    num_tasks: int = 52
    steps: int = 24_000
    train: bool = True
    device: str = "cpu"
    storage: Annotated[Storage, tyro.conf.arg(name="")] = field(default_factory=Storage)

    def __post_init__(self) -> None:
        horizon = make(ID).horizon
        if self.num_tasks < 2 or self.steps < 1 or self.steps % (PARTS * horizon):
            raise ValueError(f"Give at least two tasks, and a multiple of {PARTS * horizon:,} steps.")

    @property
    def folder(self) -> Path:
        """Where tables and figures go."""
        return self.storage.tables("mlsh")


def main(options: Options, console: Console) -> None:
    """Train, and let all learn in the same tasks."""
    run, places = four_rooms_run(options.seed, options.device), options.storage.places("mlsh", f"four-rooms-seed{options.seed}")
    check_folder(run, *places)
    folder = trained(run, *places, train_missing=options.train, publishes=options.storage.publish)
    options.folder.mkdir(parents=True, exist_ok=True)
    place, budget = make(ID), Steps(options.steps)
    agents = {name: agent for name, agent in contestants(folder, options).items() if agent is not None}
    played = {name: evaluate(agent, place, "test", options.num_tasks, TEST_SEED, budget) for name, agent in agents.items()}
    returns = {name: returns_of(evaluation) for name, evaluation in played.items()}
    write_arrays(options.folder / "four-rooms.npz", {f"{name}/return": own for name, own in returns.items()})
    curves = {
        name: {(i + 1) * options.steps / PARTS: mean(part.mean(1)) for i, part in enumerate(np.split(own, PARTS, axis=1))}
        for name, own in returns.items()
    }
    bound = float(place.upper_bound(place.sample(options.num_tasks, "test", TEST_SEED), 1).mean())
    levels = {"goal known": bound}
    figure = curves_against_steps(curves, levels=levels, y="mean return of an episode", title=f"{ID}, held-out goals", logarithmic=False)
    save(figure, options.folder / "four-rooms.png")
    record(returns, options, console)


def contestants(folder: Path | None, options: Options) -> dict[str, Agent | None]:
    """Agents that learn by the same steps; None where nothing is trained."""
    place, budget, quick = make(ID), Steps(options.steps), mlsh_runs.FOUR_ROOMS_QUICK
    single = MLSH(alone(quick, place.horizon), place, options.seed)
    agents: dict[str, Agent | None] = {FIXED: None, TUNED: None, SCRATCH: single.agent(budget)}
    if folder is not None:
        for name, after in ((FIXED, None), (TUNED, 1)):
            learner = MLSH(replace(quick, fine_tune_after=after), place, options.seed)
            learner.load_weights(load_learner(folder).weights())
            agents[name] = learner.agent(budget)
    return agents


def returns_of(evaluation: Evaluation) -> np.ndarray:
    """Returns [tasks, episodes]: every episode here has the same length."""
    return evaluation.returns.reshape(evaluation.num_tasks, -1).astype(np.float32)


def record(returns: dict[str, np.ndarray], options: Options, console: Console) -> None:
    """The figures of merit."""
    command = options.storage.command("mlsh_four_rooms", changed(options, "seed", "num_tasks", "steps"))
    scores = {name: own.mean(1) for name, own in returns.items()}
    for name in (FIXED, TUNED, SCRATCH):
        own = mean(scores[name]) if name in scores else None
        title = f"{ID}, {name}: mean return of the episodes of {options.steps:,} steps on held-out goals"
        record_estimate(options.folder, title, "shown", own, None, command)
        console.print(f"{title}: {own}", highlight=False)
    for name in (FIXED, TUNED):
        lead = paired_difference(scores[name], scores[SCRATCH]).difference if name in scores else None
        title = f"{ID}: {name} minus {SCRATCH} on held-out goals, paired"
        record_estimate(options.folder, title, "> 0", lead, None if lead is None else lead.low > 0, command)
        console.print(f"{title}: {lead}", highlight=False)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 140))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
