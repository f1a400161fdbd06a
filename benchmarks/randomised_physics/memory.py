"""Randomised physics: does a policy with memory find out what it is dealing with?

    # Every family; finished runs and published weights are used
    python benchmarks/randomised_physics/memory.py
    python benchmarks/randomised_physics/memory.py --families cart-pole --publish

Three policies are trained for as many steps: recurrent (RL²), memoryless, and recurrent but told
the physics. They are scored on test tasks, whose physics lie in the range of training, and on tasks
outside it; the recurrent one also with its memory emptied between episodes. A linear probe reads
the physics out of the hidden state, beside the same probe on a network that was never trained and
on one that knows nothing but an actuator's direction. Runs lie in runs/randomised_physics; with
--publish, tables, figures and weights go to results/randomised_physics.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from benchmarks.randomised_physics.probe import (
    hidden_states,
    parameters_of,
    played_steps,
    probe,
    signs_apart,
)
from benchmarks.randomised_physics.runs import FAMILIES, POLICIES, physics_run
from metarl.analysis.figures import mean_curves, named_curves, save
from metarl.cli import plain_errors
from metarl.core.budget import Episodes
from metarl.evaluation.memory import ForgetfulAgent
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.statistics import mean, paired_difference
from metarl.runs.load import load_agent
from metarl.runs.store import write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import SuiteOptions
from metarl.suites.score_arrays import write_episodes

TEST_SEED = 1611
PROBE_SEED = 1612
PHYSICS_OF = {
    "test": "physics from the range of training",
    "extrapolate": "physics from outside the range of training",
}
EMPTIED = "RL², memory emptied between episodes"
PROBED = (0, 1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 600)  # steps of the meta-episode
# Of the tasks: where fewer still play, a probe has too few to go by, and they are a selection
LEAST_PLAYING = 0.1


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to compute.

    Attributes:
        families: all if left out.
        num_tasks: tasks of each split.
    """

    benchmark: ClassVar[str] = "randomised_physics"
    script: ClassVar[str] = "randomised_physics/memory"

    families: tuple[str, ...] = ()
    num_tasks: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := sorted(set(self.families) - set(FAMILIES)):
            raise ValueError(f"There is no family {unknown[0]!r}; choose of {', '.join(FAMILIES)}.")


def main(options: Options, console: Console) -> None:
    """Every family asked for."""
    families = options.families or tuple(FAMILIES)
    for family in families:
        for policy in POLICIES:
            options.check_run(
                f"{family}-{policy}", physics_run(family, policy, device=options.device)
            )
    options.folder.mkdir(parents=True, exist_ok=True)
    for family in families:
        console.rule(family)
        compare(family, options, console)
        read_memory(family, options, console)


def folder_of(family: str, policy: str, options: Options) -> Path | None:
    """Return the finished run of a policy."""
    return options.trained_run(
        f"{family}-{policy}", physics_run(family, policy, device=options.device)
    )


def compare(family: str, options: Options, console: Console) -> None:
    """Return per episode of the three policies, on test tasks and beyond."""
    budget = Episodes(FAMILIES[family].config.episodes, 0)
    folders = {
        policy: folder
        for policy in POLICIES
        if (folder := folder_of(family, policy, options)) is not None
    }
    lines = []
    for split in ("test", "extrapolate"):
        played: dict[str, Evaluation] = {}
        for policy, folder in folders.items():
            distribution = physics_run(family, policy).make_distribution()
            agent = load_agent(folder, budget)
            played[POLICIES[policy]] = evaluate(
                agent, distribution, split, options.num_tasks, TEST_SEED, budget
            )
            if policy == "recurrent":
                played[EMPTIED] = evaluate(
                    ForgetfulAgent(agent), distribution, split, options.num_tasks, TEST_SEED, budget
                )
        for label, evaluation in played.items():
            for episode, column in enumerate(evaluation.matrix().T):
                estimate = mean(column)
                line = {
                    "family": family,
                    "split": split,
                    "policy": label,
                    "episode": episode + 1,
                    "return": estimate.value,
                }
                line |= {
                    "ci_low": estimate.low,
                    "ci_high": estimate.high,
                    "num_tasks": options.num_tasks,
                }
                lines.append(line | {"fingerprint": evaluation.fingerprint})
        record_leads(family, split, played, options, console)
        if played:
            write_episodes(
                options.folder / f"{family}-{split}.npz",
                {label: [each] for label, each in played.items()},
            )
            curves = {label: each.matrix() for label, each in played.items() if label != EMPTIED}
            figure = mean_curves(
                curves,
                x="episode",
                y="mean return of an episode",
                title=f"{spoken(family)}: {PHYSICS_OF[split]}",
                note="one seed of each policy",
                from_zero=False,
                # A pole that never falls returns 1 a step, which is the most.
                possible=(
                    (0, distribution.horizon) if family.startswith("cart-pole") else (None, None)
                ),
            )
            save(figure, options.folder / f"{family}-{split}.png")
    if lines:
        table = pd.DataFrame(lines).round(3)
        write_csv(options.folder / f"{family}.csv", table)
        shown = table.assign(
            score=[
                f"{low:.1f} to {high:.1f}"
                for low, high in zip(table["ci_low"], table["ci_high"], strict=True)
            ]
        )
        console.print(
            shown.pivot(index=["split", "policy"], columns="episode", values="score").to_string(),
            highlight=False,
        )


def record_leads(
    family: str, split: str, played: dict[str, Evaluation], options: Options, console: Console
) -> None:
    """The recurrent policy's lead over the memoryless one, what the told one gets beyond it, and
    what it carries into later episodes.
    """
    rl2, without, told = POLICIES.values()
    totals = {label: evaluation.scores() for label, evaluation in played.items()}
    later = {label: evaluation.matrix()[:, 1:].mean(1) for label, evaluation in played.items()}
    first = {rl2: played[rl2].matrix()[:, 0]} if rl2 in played else {}
    for name, wanted, better, worse in (
        (
            f"mean return of a meta-episode, {rl2} minus {without}, paired",
            "> 0",
            totals.get(rl2),
            totals.get(without),
        ),
        (
            f"mean return of a meta-episode, {told} minus {rl2}, paired",
            "shown",
            totals.get(told),
            totals.get(rl2),
        ),
        (
            (
                "mean return of an episode after the first, RL² with its memory kept minus emptied"
                " between episodes, paired"
            ),
            "shown",
            later.get(rl2),
            later.get(EMPTIED),
        ),
        (
            "mean return of RL², episode 2 minus episode 1, paired",
            "shown",
            second_of(played.get(rl2)),
            first.get(rl2),
        ),
    ):
        lead = (
            None if better is None or worse is None else paired_difference(better, worse).difference
        )
        reached = lead.low > 0 if lead is not None and wanted == "> 0" else None
        record_figure(
            options.folder,
            f"{family}, {split}: {name}",
            wanted,
            lead,
            reached,
            options.command(families=(family,)),
        )
        if lead is not None:
            console.print(f"{split}: {name}: {lead}", highlight=False)


def second_of(evaluation: Evaluation | None) -> np.ndarray | None:
    """Return the return [tasks] of each second episode."""
    return None if evaluation is None else evaluation.matrix()[:, 1]


def read_memory(family: str, options: Options, console: Console) -> None:
    """R² of the probe over time, of the trained network and of one that was never trained; both
    read the trained one's steps.

    An actuator's direction and strength are read separately. Its signed torque is read too, beside
    what its true direction alone would tell of it. Only tasks whose meta-episode isn't over at a
    step are read there.
    """
    folder = folder_of(family, "recurrent", options)
    if folder is None:
        return
    run = physics_run(family, "recurrent")
    distribution = run.make_distribution()
    budget = Episodes(run.config.episodes, 0)
    tasks = distribution.sample(2 * options.num_tasks, "test", PROBE_SEED)
    agent = load_agent(folder, budget)
    untrained = run.make_learner(distribution).agent(budget)
    played = played_steps(agent, distribution, tasks, budget, PROBE_SEED)
    playing = played.playing.numpy()
    times = [
        t
        for t in PROBED
        if t < len(playing) and playing[t].sum() >= max(4, LEAST_PLAYING * len(tasks))
    ]
    signed = parameters_of(tasks)
    apart = signs_apart(signed)
    targets = apart | {name: values for name, values in signed.items() if name not in apart}
    lines = []
    for label, policy in (("trained", agent.policy), ("never trained", untrained.policy)):  # type: ignore[attr-defined]
        policy.inputs.load_state_dict(agent.policy.inputs.state_dict())  # type: ignore[attr-defined]
        for t, hidden in hidden_states(policy, played.steps, times).items():
            lines += lines_of(label, t, hidden.double().numpy(), targets, playing[t])
    for name in signed.keys() - apart.keys():
        for t in times:
            lines += lines_of(
                "the true direction alone",
                t,
                apart[f"{name}, direction"][:, None],
                {name: signed[name]},
                playing[t],
            )
    table = pd.DataFrame(lines)
    write_csv(options.folder / f"{family}-probe.csv", table)
    console.print(
        table.pivot(index=["parameter", "network"], columns="step", values="r2").to_string(),
        highlight=False,
    )
    curves: dict[str, dict[float, float]] = {
        f"{name}, {label}": dict(zip(part["step"], part["r2"].clip(lower=0), strict=True))
        for (name, label), part in table[table["parameter"].isin(apart)].groupby(
            ["parameter", "network"], sort=False
        )
    }
    figure = named_curves(
        curves,
        x="step of the meta-episode",
        y="R² of a linear probe (0 where below)",
        title=f"{spoken(family)}: what can be read out of the hidden state",
        note=(
            f"n = {options.num_tasks:,} test tasks fit a probe, as many others, if they still play,"
            " score it; one seed"
        ),
    )
    save(figure, options.folder / f"{family}-probe.png")


def spoken(family: str) -> str:
    """Return a family's name as titles write it."""
    name = family.replace("-one-way", ", actuator never reversed")
    return name[:1].upper() + name[1:]


def lines_of(
    label: str, step: int, known: np.ndarray, targets: dict[str, np.ndarray], rows: np.ndarray
) -> list[dict[str, object]]:
    """Return a line a parameter.

    How well it is read out of what is `known` [tasks, H] at a step, among the tasks of `rows`
    [tasks].
    """
    scores = probe(known[rows], {name: values[rows] for name, values in targets.items()})
    return [
        {
            "network": label,
            "step": step,
            "parameter": name,
            "r2": round(score, 4),
            "num_tasks": int(rows.sum()),
        }
        for name, score in scores.items()
    ]


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 140),
        )
