"""Shared hierarchies (MLSH): sub-policies discovered over tasks, scored as the paper does, after a master's warm-up and before any more.

    python benchmarks/mlsh.py --publish

On MovingBandits-v0, five seeds: the return of the 40 episodes after the last warm-up update, W = 9, N = 10, D = 2,000, on fresh test tasks;
how a master learns within a task, beside PPO from scratch and a shared policy that is fine-tuned, at equal steps; what each sub-policy does
all over the plane, and how much an option tells of the task; what is lost with each part of the method; and RL² and MAML on the same tasks.
Masters that learn draw their options; those that are scored take the most likely ones. Four rooms and ants are in mlsh_four_rooms.py and
mlsh_ants.py. Runs lie in runs/mlsh; with --publish, tables, every episode, figures and weights go to results/mlsh.
"""

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from metarl.analysis.figures import curves_against_steps, save
from metarl.analysis.option_maps import option_information, option_maps
from metarl.baselines.registry import make_agent
from metarl.cli import plain_errors
from metarl.envs.budget import Budget, Episodes, Steps
from metarl.evaluation.protocol import CHUNK, Evaluation, evaluate
from metarl.evaluation.recording import NotingOptions
from metarl.evaluation.scores import Scores, scores_of
from metarl.evaluation.statistics import Estimate, mean, paired_difference
from metarl.experiments import mlsh_runs
from metarl.experiments.benchmark_folders import Storage, changed
from metarl.experiments.finished import check_folder, trained
from metarl.experiments.load import load_agent, load_learner
from metarl.experiments.merit import record_estimate
from metarl.experiments.mlsh_runs import ABLATIONS, OTHERS, SEEDS, SHARED, bandits_run, other_run, shared_run
from metarl.experiments.run_config import RunConfig
from metarl.experiments.totals import write_arrays, write_episodes
from metarl.learners.mlsh import MLSH, PAPER, episodes_between
from metarl.learners.registry import make_learner
from metarl.results import record_figure, write_csv
from metarl.tasks.registry import make
from metarl.tasks.reveal import reveal

ID, TEST_SEED = "MovingBandits-v0", 1709
APART = 30.0  # a policy that can't tell the tasks apart returns 24 at most
WHOLE, SCRATCH, TUNED = "MLSH", "PPO from scratch", SHARED
KNOWN, BLIND, PRIMITIVES, RANDOM = "Known goal", "Always one goal", "Random master, known primitives", "Random"


@dataclass(frozen=True)
class Options:
    """What to compute.

    Attributes:
        seeds: of MLSH. ablation_seeds: of each ablation.
        ablations: which; all if left out.
        num_tasks: test tasks. fine_tuned_tasks: of agents that learn a whole policy in each task, which takes longest.
        train: train what isn't trained; otherwise its figures are missing.
        device: where policies train.
        storage: where tables, runs and weights lie.
    """

    seeds: tuple[int, ...] = SEEDS
    ablation_seeds: tuple[int, ...] = SEEDS[:3]
    ablations: tuple[str, ...] = tuple(ABLATIONS)
    num_tasks: int = 200
    fine_tuned_tasks: int = 10
    train: bool = True
    device: str = "cpu"
    storage: Annotated[Storage, tyro.conf.arg(name="")] = field(default_factory=Storage)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.ablations) - set(ABLATIONS)):
            raise ValueError(f"There is no ablation {unknown[0]!r}; choose of {'; '.join(ABLATIONS)}.")
        if not self.seeds or not min(self.num_tasks, self.fine_tuned_tasks) >= 2 or self.num_tasks > CHUNK:
            raise ValueError(f"Give at least one seed, and from two to {CHUNK} tasks.")

    @property
    def folder(self) -> Path:
        """Where tables and figures go."""
        return self.storage.tables("mlsh")

    @property
    def command(self) -> str:
        """What reruns the figures."""
        names = ("seeds", "ablation_seeds", "ablations", "num_tasks", "fine_tuned_tasks")
        return self.storage.command("mlsh", changed(self, *names))

    def places(self, name: str, seed: int) -> tuple[Path, Path]:
        """Where a run lies: our own, and the published one."""
        words = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name.lower().replace("²", "2"))
        return self.storage.places("mlsh", f"moving-bandits-{words}-seed{seed}")


def main(options: Options, console: Console) -> None:
    """MovingBandits: scores, curves, maps, ablations."""
    wanted: list[tuple[str, str | None, int]] = [(WHOLE, None, seed) for seed in options.seeds]
    wanted += [(name, name, seed) for name in options.ablations for seed in options.ablation_seeds]
    for name, ablation, seed in wanted:
        check_folder(bandits_run(ablation, seed, options.device), *options.places(name, seed))
    for name in OTHERS:
        check_folder(other_run(name, options.device), *options.places(name, 0))
    options.folder.mkdir(parents=True, exist_ok=True)
    folders = {(name, seed): found(bandits_run(ablation, seed, options.device), name, seed, options) for name, ablation, seed in wanted}
    scored = {key: score(folder, options) for key, folder in folders.items() if folder is not None}
    played = {key: evaluation for key, (evaluation, _) in scored.items()}
    fixed, others = designed(options), of_other_kinds(options)
    learned = within_a_task(folders, options)
    write_table(played, others, fixed, options, console)
    every = {name: [each for (own, _), each in played.items() if own == name] for name, _ in played}
    write_episodes(options.folder / "moving-bandits.npz", every | {name: [each] for name, each in (fixed | others).items()})
    write_arrays(
        options.folder / "within-a-task.npz",
        {f"{name}/return": np.stack([returns_of(each) for each in own]) for name, own in learned.items()},
    )
    draw(fixed, learned, options)
    first = folders[WHOLE, options.seeds[0]]
    if first is not None:
        note = f"one training, seed {options.seeds[0]}"
        save(option_maps(mlsh_of(first), note), options.folder / "sub-policies.png")
    correct = make(ID).sample(options.num_tasks, "test", TEST_SEED).correct.numpy()
    information = [option_information(chosen, correct) for (name, _), (_, chosen) in scored.items() if name == WHOLE]
    record(played, others, learned, information, options)


def found(run: RunConfig, name: str, seed: int, options: Options) -> Path | None:
    """The folder of a trained run; None where it isn't trained and mustn't be."""
    return trained(run, *options.places(name, seed), train_missing=options.train, publishes=options.storage.publish)


def score(folder: Path, options: Options) -> tuple[Evaluation, np.ndarray]:
    """The warm-up's episodes and those after it, of each test task; and the options [steps, tasks] of those after it."""
    learner = mlsh_of(folder, options.device)
    budget = Episodes(PAPER.warm_up * learner.episodes, after=learner.episodes)  # as much for ablations that have another warm-up
    agent = NotingOptions(load_agent(folder, budget))
    evaluation = evaluate(agent, make(ID), "test", options.num_tasks, TEST_SEED, budget)
    return evaluation, np.stack(agent.options)[-budget.after * make(ID).horizon :]


def mlsh_of(folder: Path, device: str = "cpu") -> MLSH:
    """The learner that a run trained."""
    learner = load_learner(folder, device=device)
    assert isinstance(learner, MLSH), "it is a run of MLSH's"
    return learner


def designed(options: Options) -> dict[str, Evaluation]:
    """Agents that don't learn, a few episodes of each task."""
    budget, plain, told = Episodes(between(), after=0), make(ID), reveal(make(ID))
    agents = {
        KNOWN: (make_agent("known-goal", told, budget), told),
        BLIND: (make_agent("shared-goal", plain, budget), plain),
        PRIMITIVES: (make_agent("random-master", plain, budget), plain),
        RANDOM: (make_agent("random", plain, budget), plain),
    }
    return {name: evaluate(agent, place, "test", options.num_tasks, TEST_SEED, budget) for name, (agent, place) in agents.items()}


def of_other_kinds(options: Options) -> dict[str, Evaluation]:
    """Other learners, in the steps that each of them needs."""
    folders = {name: found(other_run(name, options.device), name, 0, options) for name in OTHERS}
    return {
        name: evaluate(load_agent(folder, OTHERS[name].budget), make(ID), "test", options.num_tasks, TEST_SEED, OTHERS[name].budget)
        for name, folder in folders.items()
        if folder is not None
    }


def within_a_task(folders: dict[tuple[str, int], Path | None], options: Options) -> dict[str, list[Evaluation]]:
    """Agents that learn in the same few tasks for as many steps, and draw all they do; of MLSH one for each seed."""
    budget: Budget = Steps((PAPER.warm_up + 1) * mlsh_runs.MOVING_BANDITS.steps)
    run, place = shared_run(options.device), make(ID)
    agents = {WHOLE: [load_agent(folder, budget) for (name, _), folder in folders.items() if name == WHOLE and folder is not None]}
    agents[SCRATCH] = [make_learner(run.learner, place, run.config, 1).agent(budget)]
    folder = found(run, TUNED, 0, options)
    agents[TUNED] = [] if folder is None else [load_agent(folder, budget)]
    tasks = options.fine_tuned_tasks
    return {name: [evaluate(each, place, "test", tasks, TEST_SEED, budget) for each in own] for name, own in agents.items() if own}


def stages(evaluation: Evaluation) -> Scores:
    """Mean returns [tasks, 10] of the episodes before each update and after the last; a column for agents that don't learn."""
    returns = returns_of(evaluation)
    return returns.reshape(len(returns), max(1, returns.shape[1] // between()), -1).mean(2)


def returns_of(evaluation: Evaluation) -> Scores:
    """Returns [tasks, episodes]: every episode here has the same length, and every task as many."""
    returns = evaluation.rows().pivot(index="task", columns="episode", values="return").to_numpy(np.float32)
    return scores_of(returns, evaluation.task_keys)


def between() -> int:
    """Episodes between updates."""
    return episodes_between(mlsh_runs.MOVING_BANDITS.steps, make(ID).horizon)


def over_seeds(played: dict[tuple[str, int], Evaluation], name: str) -> np.ndarray:
    """Scores after the last update [seeds, tasks]; none where nothing is trained."""
    found = [stages(evaluation)[:, -1] for (own, _), evaluation in played.items() if own == name]
    return np.stack(found) if found else np.array(found)


def estimate(scores: np.ndarray) -> Estimate:
    """The mean of scores [seeds, tasks], with an interval over seeds where there are several."""
    return mean(scores.mean(1)) if len(scores) > 1 else mean(scores[0])


def write_table(
    played: dict[tuple[str, int], Evaluation],
    others: dict[str, Evaluation],
    fixed: dict[str, Evaluation],
    options: Options,
    console: Console,
) -> None:
    """The score of each agent and seed, after as many steps in the task."""
    lines = []
    for (name, seed), evaluation in played.items():
        parts = stages(evaluation)
        lines.append(line(name, seed, PAPER.warm_up * mlsh_runs.MOVING_BANDITS.steps, parts[:, -1], evaluation, parts[:, 0].mean()))
    for name, evaluation in others.items():
        steps = OTHERS[name].budget.learning * make(ID).horizon
        lines.append(line(name, 0, steps, evaluation.scores("after_k"), evaluation, evaluation.matrix()[:, 0].mean()))
    for name, evaluation in fixed.items():
        lines.append(line(name, None, 0, stages(evaluation).mean(1), evaluation))
    table = pd.DataFrame(lines).round(3)
    write_csv(options.folder / "moving-bandits.csv", table)
    console.print(table.drop(columns="fingerprint").to_string(index=False), highlight=False)


def line(name: str, seed: int | None, steps: int, scores: np.ndarray, evaluation: Evaluation, first: float | None = None) -> dict[str, Any]:
    """A row of the table: scores [tasks] after `steps` steps in a task; `first` is what was returned at the beginning."""
    own = mean(scores)
    values = {"return_first": first, "steps_before": steps, "return": own.value, "ci_low": own.low, "ci_high": own.high}
    return {"agent": name, "seed": seed, **values, "num_tasks": len(scores), "fingerprint": evaluation.fingerprint}


def draw(fixed: dict[str, Evaluation], learned: dict[str, list[Evaluation]], options: Options) -> None:
    """Returns against the steps that an agent has played in a task, with intervals over seeds: the family has two tasks only."""
    steps, curves = float(mlsh_runs.MOVING_BANDITS.steps), {}
    for name, own in learned.items():
        parts = np.stack([np.asarray(stages(each)).mean(0) for each in own])  # [seeds, 10], over plays
        curves[name] = {steps * i: mean(column) for i, column in enumerate(parts.T)}
    levels = {name: float(returns_of(evaluation).mean()) for name, evaluation in fixed.items()}
    note = f"over seeds; of each seed the mean over {options.fine_tuned_tasks} plays of the two tasks there are"
    figure = curves_against_steps(
        curves,
        levels=levels,
        y="mean return of an episode",
        title="Moving bandits: learning within a test task",
        note=note,
        logarithmic=False,
        possible=(0, make(ID).horizon),
    )
    save(figure, options.folder / "within-a-task.png")


def record(
    played: dict[tuple[str, int], Evaluation],
    others: dict[str, Evaluation],
    learned: dict[str, list[Evaluation]],
    information: list[float],
    options: Options,
) -> None:
    """The figures of merit."""
    command, scores = options.command, over_seeds(played, WHOLE)
    value = estimate(scores) if len(scores) else None
    title = f"{ID}: return of the episodes after the last warm-up update, mean of {len(options.seeds)} seeds"
    all_there = value is not None and len(scores) == len(options.seeds)
    record_estimate(options.folder, title, "> 40", value, value.low > 40 if value is not None and all_there else None, command)
    last = {name: np.stack([stages(each)[:, -1] for each in own]).mean(0) for name, own in learned.items()}  # of the same tasks
    for name in (WHOLE, SCRATCH, TUNED):
        own = last.get(name)
        title = f"{ID}, {name}: return from step 18,000 to 20,000, all drawn"
        record_estimate(options.folder, title, "shown", None if own is None else mean(own), None, command)
        if name == WHOLE:
            continue
        lead = paired_difference(last[WHOLE], own).difference if WHOLE in last and own is not None else None
        title = f"{ID}: MLSH minus {name}, from step 18,000 to 20,000, paired by task"
        record_estimate(options.folder, title, "shown", lead, None, command)
    bits = mean(np.array(information)) if len(information) > 1 else None
    title = f"{ID}: bits that the option tells of the correct goal, of 1"
    record_estimate(options.folder, title, ">= 0.5", bits, None if bits is None else bits.low >= 0.5, command)
    for name in options.ablations:
        own = over_seeds(played, name)
        record_estimate(options.folder, f"{ID}, {name}: return", "shown", estimate(own) if len(own) else None, None, command)
        apart = float((own.mean(-1) > APART).sum()) if len(own) else math.nan
        record_figure(
            options.folder,
            f"{ID}, {name}: trainings whose sub-policies come apart",
            wanted="shown",
            value=apart,
            ci_low=math.nan,
            ci_high=math.nan,
            n=len(own),
            reached=None,
            command=command,
        )
    for name in OTHERS:
        own = others.get(name)
        record_estimate(
            options.folder, f"{ID}, {name}: return", "shown", None if own is None else mean(own.scores("after_k")), None, command
        )


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 140))
