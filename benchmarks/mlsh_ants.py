"""Shared hierarchies of ants: sub-policies that learned to walk two ways, and an obstacle course whose reward they lead to.

    python benchmarks/mlsh_ants.py --publish

MLSH trains on AntTwoWalk-v0, in episodes of 200 steps (10 s), one choice long, with each seed. Then each sub-policy walks by itself: the
angle between its mean way and its own axis. On AntObstacle-v0, with 2,000 steps an episode, paid in the goal's square only, a master over
these sub-policies learns by itself, and beside it a single policy that learns by the same PPO from nothing; several rows of each, which
differ by their draws.
Runs lie in runs/mlsh; with --publish, tables, figures and weights go to results/mlsh.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from metarl.analysis import figures
from metarl.analysis.figures import curves_against_steps, save
from metarl.analysis.option_walks import angles, draw_walks, own_axes, walks
from metarl.cli import plain_errors
from metarl.envs.agent import Agent
from metarl.envs.budget import Steps
from metarl.evaluation.bootstrap import bootstrap
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.statistics import Estimate, mean, paired_difference
from metarl.experiments import mlsh_runs
from metarl.experiments.benchmark_folders import Storage, changed
from metarl.experiments.finished import check_folder, trained
from metarl.experiments.load import load_learner
from metarl.experiments.merit import record_estimate
from metarl.experiments.mlsh_runs import alone, two_walk_run
from metarl.learners.mlsh import MLSH
from metarl.results import RunFolder, write_csv
from metarl.tasks.ant_two_walk import GOALS
from metarl.tasks.registry import make

WALK, COURSE, TEST_SEED = "AntTwoWalk-v0", "AntObstacle-v0", 1710
WHOLE, SCRATCH = "MLSH, sub-policies of the two-way walk", "PPO from scratch"
A_WAY = 1.0  # m along an axis, below which an ant that stands or has fallen points somewhere, too
PARTS = 10  # of the training, and of the budget, that figures have
SMOOTH = 10  # iterations, of the curves of training


@dataclass(frozen=True)
class Options:
    """What to compute.

    Attributes:
        seeds: of the trainings.
        num_walks: of each sub-policy.
        num_rows: of each agent on the obstacle course. steps: that each row plays there.
        train: train what isn't trained; otherwise its figures are missing.
        device: where policies train; they are scored on the processor.
        storage: where tables, runs and weights lie.
    """

    seeds: tuple[int, ...] = (0, 1)
    num_walks: int = 20
    num_rows: int = 8
    steps: int = 80_000
    train: bool = True
    device: str = "cpu"
    storage: Annotated[Storage, tyro.conf.arg(name="")] = field(default_factory=Storage)

    def __post_init__(self) -> None:
        if min(self.num_walks, self.num_rows) < 2 or not self.seeds:
            raise ValueError("Give at least one seed; intervals need two walks and two rows at least.")

    @property
    def folder(self) -> Path:
        """Where tables and figures go."""
        return self.storage.tables("mlsh")

    @property
    def command(self) -> str:
        """What reruns the figures."""
        return self.storage.command("mlsh_ants", changed(self, "seeds", "num_walks", "num_rows", "steps"))


def main(options: Options, console: Console) -> None:
    """The walk, its sub-policies' ways, and the course."""
    for seed in options.seeds:
        check_folder(two_walk_run(seed, options.device), *places_of(seed, options))
    options.folder.mkdir(parents=True, exist_ok=True)
    folders = {seed: found(seed, options) for seed in options.seeds}
    record_training(folders, options)
    for seed, folder in folders.items():
        learner = None if folder is None else load_learner(folder)
        assert learner is None or isinstance(learner, MLSH), "it is a run of MLSH's"
        record_ways(seed, learner, options, console)
        record_course(seed, learner, options, console)


def places_of(seed: int, options: Options) -> tuple[Path, Path]:
    """Where a training lies: our own, and the published one."""
    return options.storage.places("mlsh", f"ant-two-walk-seed{seed}")


def found(seed: int, options: Options) -> Path | None:
    """The folder of a trained run; None where it isn't trained and mustn't be."""
    run, places = two_walk_run(seed, options.device), places_of(seed, options)
    return trained(run, *places, train_missing=options.train, publishes=options.storage.publish)


def record_training(folders: dict[int, Path | None], options: Options) -> None:
    """How far a task's ants come as training goes on, and what more of it costs."""
    curves, seconds = dict[str, pd.DataFrame](), make(WALK).step_seconds
    for seed, folder in folders.items():
        reached = speed = None
        if folder is not None:
            log = pd.read_csv(RunFolder(folder).metrics_file)
            ways = log["return"].to_numpy() * seconds
            curves[f"MLSH, seed {seed}"] = pd.DataFrame({"steps": log["steps"], "way": ways})
            reached, speed = mean(np.array_split(ways, PARTS)[-1]), mean(log["steps_per_second"].to_numpy())
        title = f"{WALK}, seed {seed}: way in the task's direction, m in 10 s, of the last tenth of training"
        record_estimate(options.folder, title, "shown", reached, None, options.command)
        title = f"{WALK}, seed {seed}: training, environment steps a second, as it was trained"
        record_estimate(options.folder, title, "shown", speed, None, options.command)
    if curves:
        tasks = mlsh_runs.TWO_WALK.tasks
        figure = figures.learning_curve(
            curves,
            y="way",
            label="way in the task's direction, m in 10 s",
            title="Two-way walk of an ant, in training",
            note=f"{tasks} training tasks an iteration; no intervals",
            smooth=SMOOTH,
        )
        save(figure, options.folder / "two-walk-training.png")


def record_ways(seed: int, learner: MLSH | None, options: Options, console: Console) -> None:
    """Where sub-policies walk to by themselves, and how far from their own axes."""
    away: list[Estimate] = []
    far: list[Estimate] = []
    if learner is not None:
        walked = walks(learner, learner.distribution, options.num_walks, TEST_SEED)
        save(draw_walks(walked, f"one training, seed {seed}"), options.folder / f"two-walk-ways-seed{seed}.png")
        ways = walked.displacement
        axes = own_axes(ways, np.array(GOALS))
        each = walked.paths[:, :, -1] - walked.paths[:, :, 0]
        away = [angle(own, axis) for own, axis in zip(each, axes, strict=True)]
        far = [mean(own @ axis / np.linalg.norm(axis)) for own, axis in zip(each, axes, strict=True)]
        columns = {"sub_policy": np.arange(len(ways)) + 1, "right_m": ways[:, 0], "up_m": ways[:, 1]}
        table = pd.DataFrame(columns | {"angle_degrees": [own.value for own in away], "walks": options.num_walks}).round(2)
        write_csv(options.folder / f"two-walk-ways-seed{seed}.csv", table)
        console.print(f"seed {seed}", table.to_string(index=False), sep="\n", highlight=False)
    for k in range(mlsh_runs.TWO_WALK.sub_policies):
        title = f"{WALK}, seed {seed}, sub-policy {k + 1}: angle between its mean displacement and its own axis, degrees"
        reached = away[k].value <= 30 and far[k].value >= A_WAY if away else None
        record_estimate(
            options.folder, title, f"<= 30, of a way of {A_WAY:g} m or more", away[k] if away else None, reached, options.command
        )
        title = f"{WALK}, seed {seed}, sub-policy {k + 1}: way along its own axis in 10 s, m"
        record_estimate(options.folder, title, "shown", far[k] if far else None, None, options.command)


def angle(ways: np.ndarray, axis: np.ndarray) -> Estimate:
    """Degrees between the mean of ways [n, 2] and an axis [2]; walks are redrawn for the interval."""

    def of_counts(numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return angles(counts @ ways[numbers.astype(int)], axis)

    return bootstrap(np.arange(len(ways)), of_counts, np.random.default_rng(TEST_SEED))


def record_course(seed: int, learner: MLSH | None, options: Options, console: Console) -> None:
    """The obstacle course, by a hierarchy and by a single policy."""
    course, budget = make(COURSE), Steps(options.steps)
    single = MLSH(alone(mlsh_runs.TWO_WALK, course.horizon), course, seed)
    agents: dict[str, Agent] = {}
    if learner is not None:
        whole = MLSH(learner.config, course, seed)
        whole.load_weights(learner.weights())
        single.hierarchy.inputs.load_state_dict(whole.hierarchy.inputs.state_dict())  # both see observations normalised alike
        agents[WHOLE] = whole.agent(budget)
    agents[SCRATCH] = single.agent(budget)
    played = {name: evaluate(agent, course, "test", options.num_rows, TEST_SEED, budget) for name, agent in agents.items()}
    curves = {name: learning_curve(evaluation, options.steps) for name, evaluation in played.items()}
    figure = curves_against_steps(
        curves,
        y="mean return of an episode",
        title=f"Obstacle course of an ant, with sub-policies of seed {seed}",
        note="over rows that learn side by side",
        logarithmic=False,
        possible=(0, None),
    )
    save(figure, options.folder / f"obstacle-course-seed{seed}.png")
    for name in (WHOLE, SCRATCH):
        own = mean(learnings(played[name])) if name in played else None
        title = f"{COURSE}, seed {seed}, {name}: mean return of the episodes of {options.steps:,} steps"
        record_estimate(options.folder, title, "shown", own, None, options.command)
        console.print(f"{title}: {own}", highlight=False)
    lead = None
    if WHOLE in played:
        whole_scores, single_scores = (learnings(played[name]) for name in (WHOLE, SCRATCH))
        lead = paired_difference(whole_scores, single_scores).difference
    title = f"{COURSE}, seed {seed}: {WHOLE}, minus {SCRATCH}, paired by row"
    record_estimate(options.folder, title, "> 0", lead, None if lead is None else lead.low > 0, options.command)


def learnings(evaluation: Evaluation) -> np.ndarray:
    """The score of each row: there is one course, in which every row learns anew, so that intervals are over these learnings."""
    return np.asarray(evaluation.scores("budget_mean"))


def learning_curve(evaluation: Evaluation, steps: int) -> dict[float, Estimate]:
    """Mean returns of the episodes that begin in each part of the budget, by the steps at its end."""
    part, curve = evaluation.start_step * PARTS // steps, {}
    for number in range(PARTS):
        rows = evaluation.rows()[part == number]
        if len(rows):
            curve[(number + 1) * steps / PARTS] = mean(rows.groupby("task")["return"].mean().to_numpy())
    return curve


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 140))
