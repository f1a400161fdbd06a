"""Initialisation learners in reinforcement learning: how much of the way from an unadapted policy
to a known goal a few updates go.

    python benchmarks/maml_rl/initialisation_rl.py --publish
    python benchmarks/maml_rl/initialisation_rl.py --families point-navigation \\
        --learners "MAML, TRPO" "FOMAML, TRPO"

Every learner plays the same test tasks as an agent: E episodes before each of three updates, and E
more, which are scored. The size of its updates is that of seven which is best on training tasks. It
draws its actions throughout: on training tasks that scores more than taking the most likely ones,
which may stop short of a goal. Beside: one policy trained on all tasks jointly and fine-tuned by as
many updates, RL² at its own number of episodes, the known goal where an agent for it exists, and
doing nothing. Runs lie in runs/initialisation_rl; with --publish, tables, every episode, figures
and weights go to results/initialisation_rl.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from benchmarks.maml_rl.runs import FAMILIES, RL2_NAME, adaptation_run
from metarl.agents.registry import agent_names, make_agent
from metarl.analysis.figures import curves_against_steps, save
from metarl.analysis.task_labels import task_label
from metarl.cli import plain_errors
from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.core.reveal import reveal
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.statistics import Estimate, mean, paired_difference, ratio_of_means
from metarl.learners.initialisation.adapting_policy import AdaptingPolicyAgent
from metarl.learners.memory.rl2 import RL2Agent
from metarl.runs.load import load_agent
from metarl.runs.store import write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import SuiteOptions
from metarl.suites.score_arrays import write_episodes

TEST_SEED = 1703
TRAIN_SEED = 1704
FEW = 3  # tasks, which a figure shows one by one
KNOWN_GOAL = "Known goal"
DO_NOTHING = "Do nothing"
CONTROL = "Joint training, fine-tuned"


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to compute.

    Attributes:
        families: all if left out.
        learners: as the table names them; all if left out.
        num_tasks: test tasks; 400 of PointNavigation and 100 of robots if left out, and a quarter
            as many training tasks for the sizes.
    """

    benchmark: ClassVar[str] = "initialisation_rl"
    script: ClassVar[str] = "maml_rl/initialisation_rl"

    families: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()
    num_tasks: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := sorted(set(self.families) - set(FAMILIES)):
            raise ValueError(f"There is no family {unknown[0]!r}; choose of {', '.join(FAMILIES)}.")
        known = {label: None for family in FAMILIES.values() for label in family.plans}
        if unknown := sorted(set(self.learners) - set(known)):
            raise ValueError(f"There is no learner {unknown[0]!r}; choose of {'; '.join(known)}.")

    def tasks(self, family: str) -> int:
        """Test tasks."""
        return self.num_tasks or (400 if family == "point-navigation" else 100)


def run_name(family: str, label: str) -> str:
    """Return the name of a run's folder."""
    return f"{family}/{label.lower().replace(', ', '-').replace(' ', '-').replace('²', '2')}-seed0"


def main(options: Options, console: Console) -> None:
    """Every family asked for."""
    families = options.families or tuple(FAMILIES)
    plans = {
        family: [
            label for label in FAMILIES[family].plans if label in (options.learners or (label,))
        ]
        for family in families
    }
    for family, labels in plans.items():
        for label in labels:
            options.check_run(
                run_name(family, label), adaptation_run(family, label, device=options.device)
            )
    options.folder.mkdir(parents=True, exist_ok=True)
    for family, labels in plans.items():
        console.rule(family)
        sizes: dict[str, float] = {}  # of each learner's updates
        played = {
            label: each
            for label in labels
            if (each := play(family, label, options, sizes)) is not None
        }
        if played:
            played |= designed(family, options)
            write_table(family, played, sizes, options, console)
            draw(family, played, options)
        record(family, labels, played, options)


def play(family: str, label: str, options: Options, sizes: dict[str, float]) -> Evaluation | None:
    """Return a trained learner on the test tasks.

    None where it isn't trained. The size of its updates goes to `sizes`.
    """
    run = adaptation_run(family, label, device=options.device)
    folder = options.trained_run(run_name(family, label), run)
    if folder is None:
        return None
    distribution = run.make_distribution()
    chosen = FAMILIES[family]
    if label == RL2_NAME:
        budget = Episodes(run.config.episodes)
        rl2 = load_agent(folder, budget)
        assert isinstance(rl2, RL2Agent), "it is its learner's"
        rl2.mode = False  # it draws its actions, too
        return evaluate(rl2, distribution, "test", options.tasks(family), TEST_SEED, budget)
    budget = Episodes((chosen.updates + 1) * run.config.adaptation.episodes, after=0)
    agent = load_agent(folder, budget)
    assert isinstance(agent, AdaptingPolicyAgent), "every other learner adapts by gradients"
    few = max(1, options.tasks(family) // 4)
    scores = {
        lr: float(
            stages(
                family,
                label,
                evaluate(agent.with_inner_lr(lr), distribution, "train", few, TRAIN_SEED, budget),
            )[:, -1].mean()
        )
        for lr in chosen.inner_lrs
    }
    sizes[label] = max(scores, key=lambda lr: scores[lr])
    return evaluate(
        agent.with_inner_lr(sizes[label]),
        distribution,
        "test",
        options.tasks(family),
        TEST_SEED,
        budget,
    )


def designed(family: str, options: Options) -> dict[str, Evaluation]:
    """Agents that don't learn, an episode each."""
    distribution = make(FAMILIES[family].id, **FAMILIES[family].arguments)
    budget = Episodes(1)
    agents = {DO_NOTHING: (make_agent("do-nothing", distribution, budget), distribution)}
    if hasattr(distribution, "reset") and family == "point-navigation":
        told = reveal(distribution)
        assert "known-goal" in agent_names(told)
        agents[KNOWN_GOAL] = make_agent("known-goal", told, budget), told
    return {
        label: evaluate(agent, place, "test", options.tasks(family), TEST_SEED, budget)
        for label, (agent, place) in agents.items()
    }


def stages(family: str, label: str, evaluation: Evaluation) -> np.ndarray:
    """Mean returns [tasks, updates + 1] of the episodes before each update and after the last.

    Of RL² of each episode.
    """
    returns = evaluation.matrix()
    if label in (RL2_NAME, KNOWN_GOAL, DO_NOTHING):
        return returns
    return returns.reshape(len(returns), FAMILIES[family].updates + 1, -1).mean(2)


def write_table(
    family: str,
    played: dict[str, Evaluation],
    sizes: dict[str, float],
    options: Options,
    console: Console,
) -> None:
    """Returns by update, with the environment steps used by then, and every episode beside."""
    lines = []
    for label, evaluation in played.items():
        parts = stages(family, label, evaluation)
        lengths = evaluation.length.reshape(len(parts), parts.shape[1], -1).sum(2).mean(0)
        for i, column in enumerate(parts.T):
            estimate = mean(column)
            line = {
                "family": family,
                "agent": label,
                "inner_lr": sizes.get(label),
                "stage": i,
                "episodes_before": i * (evaluation.matrix().shape[1] // parts.shape[1]),
            }
            line |= {
                "steps_before": float(lengths[:i].sum()),
                "return": estimate.value,
                "ci_low": estimate.low,
                "ci_high": estimate.high,
            }
            line |= {
                "success": float(
                    evaluation.success.reshape(len(parts), parts.shape[1], -1)[:, i].mean()
                )
            }
            lines.append(line | {"num_tasks": len(parts), "fingerprint": evaluation.fingerprint})
    table = pd.DataFrame(lines).round(4)
    write_csv(options.folder / f"{family}.csv", table)
    write_episodes(
        options.folder / f"{family}.npz",
        {label: [evaluation] for label, evaluation in played.items()},
    )
    shown = table.assign(
        score=[
            f"{row['return']:.2f} ± {(row['ci_high'] - row['ci_low']) / 2:.2f}"
            for _, row in table.iterrows()
        ]
    )
    console.print(
        shown.pivot(index="agent", columns="stage", values="score")
        .loc[list(played)]
        .fillna("")
        .to_string(),
        highlight=False,
    )


def draw(family: str, played: dict[str, Evaluation], options: Options) -> None:
    """Returns against the environment steps that an agent has used in a task."""
    curves = {}
    for label, evaluation in played.items():
        if label in (KNOWN_GOAL, DO_NOTHING):
            continue
        parts = stages(family, label, evaluation)
        lengths = evaluation.length.reshape(len(parts), parts.shape[1], -1).sum(2).mean(0)
        for name, rows in each_task(family, evaluation).items():
            columns = np.asarray(parts)[rows].T if name else parts.T
            curves[f"{label}{name}"] = {
                float(lengths[:i].sum()): mean(column) for i, column in enumerate(columns)
            }
    note = "one seed of each learner"
    if any(evaluation.distinct_tasks <= FEW for evaluation in played.values()):
        note += "; n: plays of each task alone"
    levels = {
        label: float(played[label].matrix().mean())
        for label in (KNOWN_GOAL, DO_NOTHING)
        if label in played
    }
    figure = curves_against_steps(
        curves,
        levels=levels,
        y="mean return of an episode",
        title=f"{family.replace('-', ' ').capitalize()}, test tasks",
        note=note,
        panels=panels_of(list(curves)),
    )
    save(figure, options.folder / f"{family}.png")


def each_task(family: str, evaluation: Evaluation) -> dict[str, np.ndarray]:
    """Return which rows [num_tasks] are of each task, by its name, where there are few.

    Else all rows, by no name.
    """
    if evaluation.distinct_tasks > FEW:
        return {"": np.arange(evaluation.num_tasks)}
    distribution = make(FAMILIES[family].id)
    tasks = distribution.sample(evaluation.num_tasks, evaluation.split, evaluation.seed)
    names = np.array([", ".join(task_label(distribution, tasks[i])) for i in range(len(tasks))])
    return {f", {name}": np.flatnonzero(names == name) for name in np.unique(names)}


def panels_of(labels: list[str]) -> dict[str, list[str]] | None:
    """Return the panels of a figure with many learners.

    One for each outer step; the others stand in all.
    """
    steps = [
        step for step in ("TRPO", "PPO") if any(label.endswith(f", {step}") for label in labels)
    ]
    if len(labels) <= 4 or len(steps) < 2:
        return None
    of_all = [label for label in labels if not label.endswith(tuple(f", {step}" for step in steps))]
    return {
        f"outer step of {step}": [*(each for each in labels if each.endswith(f", {step}")), *of_all]
        for step in steps
    }


def record(family: str, labels: list[str], played: dict[str, Evaluation], options: Options) -> None:
    """The figures of merit."""
    updates = FAMILIES[family].updates
    command = options.command(families=(family,))
    control = stages(family, CONTROL, played[CONTROL])[:, -1] if CONTROL in played else None
    for label in labels:
        if label == RL2_NAME:
            continue
        value: Estimate | None = None
        adapted = stages(family, label, played[label]) if label in played else None
        if family == "point-navigation":
            wanted = ">= 0.8" if label in ("MAML, TRPO", "FOMAML, TRPO") else "shown"
            if adapted is not None:
                goal = played[KNOWN_GOAL].matrix()[:, 0]
                value = ratio_of_means(adapted[:, -1] - adapted[:, 0], goal - adapted[:, 0])
            name = (
                f"{family}, {label}: share of the gap from unadapted to known goal that {updates}"
                " updates close"
            )
            reached = value.low >= 0.8 if value is not None and wanted != "shown" else None
            record_figure(options.folder, name, wanted, value, reached, command)
        else:
            value = (
                None
                if adapted is None
                else paired_difference(adapted[:, -1], adapted[:, 0]).difference
            )
            name = f"{family}, {label}: return after {updates} updates minus before"
            record_figure(options.folder, name, "shown", value, None, command)
        if label != CONTROL:
            lead = (
                paired_difference(adapted[:, -1], control).difference
                if adapted is not None and control is not None
                else None
            )
            name = (
                f"{family}, {label} minus joint training with fine-tuning, return after {updates}"
                " updates, paired"
            )
            record_figure(options.folder, name, "shown", lead, None, command)


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 140),
        )
