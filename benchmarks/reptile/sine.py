"""Sine regression: how well networks fit a wave that they have never seen from 10 of its points,
inner step by inner step.

    python benchmarks/reptile/sine.py --publish

Reptile, first-order MAML and MAML against a network trained on all waves jointly, which then takes
the same steps on the same points. Joint training converges to 0 everywhere, since waves of all
phases cancel; an initialisation from which 32 steps lead to a wave is what the others learn (Nichol
et al. 2018, section 4). Finished runs and published weights are used as they are. With --publish,
table, errors of every wave, figures and weights go to results/sine; otherwise to runs/sine/tables.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from benchmarks.reptile.figures import Fits, fit_wave, fits_figure
from benchmarks.reptile.runs import JOINT, SINE_TRAININGS, sine_run
from metarl.analysis.figures import mean_curves, save
from metarl.cli import plain_errors
from metarl.evaluation.statistics import Estimate, mean, median_seed, ratio_of_means
from metarl.evaluation.supervised import SupervisedEvaluation, evaluate_supervised
from metarl.learners.optimizers import SGD
from metarl.runs.config import RunConfig
from metarl.runs.load import load_learner
from metarl.runs.store import write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import SuiteOptions
from metarl.suites.score_arrays import write_scores
from metarl.tasks.supervised.sine_regression import SineRegression

TEST_SEED = 1803  # of the test waves
STEPS = 32
POINTS = 10
# The same for all; chosen on training waves, where joint training does best with it
INNER = SGD(0.02)
SHOWN = (0, 1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to compute.

    Attributes:
        preset: smoke only shows that everything runs.
        seeds: of the trainings.
        num_tasks: test waves; 10,000 if left out.
    """

    benchmark: ClassVar[str] = "sine"
    script: ClassVar[str] = "reptile/sine"

    preset: Literal["smoke", "cpu"] = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2)
    num_tasks: int | None = None

    @property
    def iterations(self) -> int | None:
        """Outer steps; None for each training's own."""
        return 20 if self.preset == "smoke" else None

    @property
    def waves(self) -> int:
        """Test waves."""
        return self.num_tasks or (50 if self.preset == "smoke" else 10_000)

    @property
    def within(self) -> str:
        """The folder of the preset's runs."""
        return self.preset


def run_name(label: str, seed: int) -> str:
    """Return the name of a run's folder."""
    return f"{label.lower().replace(' ', '-')}-seed{seed}"


def run_of(label: str, seed: int, options: Options) -> RunConfig:
    """Return a training on the device that was asked for."""
    return replace(sine_run(label, seed, options.iterations), device=options.device)


def main(options: Options, console: Console) -> None:
    """Train, score, print, save."""
    for label in SINE_TRAININGS:
        for seed in options.seeds:
            options.check_run(run_name(label, seed), run_of(label, seed, options))
    distribution = SineRegression(POINTS)
    played = dict[str, list[SupervisedEvaluation]]()
    fits = dict[str, Fits]()
    for label in SINE_TRAININGS:
        for seed in options.seeds:
            folder = options.trained_run(run_name(label, seed), run_of(label, seed, options))
            if folder is None:
                continue
            adapter = load_learner(folder).adapter(INNER)
            played.setdefault(label, []).append(
                evaluate_supervised(adapter, distribution, "test", options.waves, TEST_SEED, STEPS)
            )
            fits.setdefault(label, fit_wave(adapter, distribution, 0, TEST_SEED))
    options.folder.mkdir(parents=True, exist_ok=True)
    middle = {
        label: evaluations[median_seed([each.scores() for each in evaluations])]
        for label, evaluations in played.items()
    }
    if middle:
        write_table(middle, played, options, console)
        title = f"A test wave, learned from {POINTS} of its points"
        note = f"n = 1 wave; seed {options.seeds[0]} of each training; no intervals"
        save(fits_figure(fits, title=title, note=note), options.folder / "fits.png")
        curves = {label: evaluation.losses for label, evaluation in middle.items()}
        figure = mean_curves(
            curves,
            x="inner step",
            y="mean squared error",
            first=0,
            title=f"Test waves, {POINTS} points of each shown",
            note=f"the median of {len(options.seeds)} seeds",
        )
        save(figure, options.folder / "errors.png")
    record(middle, options)


def write_table(
    middle: dict[str, SupervisedEvaluation],
    played: dict[str, list[SupervisedEvaluation]],
    options: Options,
    console: Console,
) -> None:
    """Errors after several numbers of inner steps, of the median seed, with the lowest and highest
    seed.
    """
    lines = []
    for label, evaluation in middle.items():
        each = [one.scores().mean() for one in played[label]]
        for step in SHOWN:
            estimate = mean(evaluation.scores(step))
            line = {
                "learner": label,
                "inner_step": step,
                "error": estimate.value,
                "ci_low": estimate.low,
                "ci_high": estimate.high,
            }
            line |= {"seed_low": min(each), "seed_high": max(each)} if step == STEPS else {}
            lines.append(
                line
                | {
                    "num_tasks": evaluation.num_tasks,
                    "num_seeds": len(each),
                    "fingerprint": evaluation.fingerprint,
                }
            )
        write_scores(
            options.folder / "errors.npz",
            label,
            np.stack([one.scores() for one in played[label]]),
            evaluation.fingerprint,
            TEST_SEED,
        )
    table = pd.DataFrame(lines).round(5)
    write_csv(options.folder / "table.csv", table)
    halves = (table["ci_high"] - table["ci_low"]) / 2
    shown = table.assign(
        error=[
            f"{error:.3f} ± {half:.3f}" for error, half in zip(table["error"], halves, strict=True)
        ]
    )
    console.print(
        shown.pivot(index="learner", columns="inner_step", values="error")
        .loc[list(middle)]
        .to_string(),
        highlight=False,
    )


def record(middle: dict[str, SupervisedEvaluation], options: Options) -> None:
    """The figures of merit: errors after 32 steps, over joint training's."""
    joint = middle.get(JOINT)
    value: Estimate | None = None if joint is None else mean(joint.scores())
    where = f"mean squared error after {STEPS} steps on {POINTS} points"
    record_figure(
        options.folder, f"Sine, {JOINT}: {where}", "shown", value, None, options.command()
    )
    for label in SINE_TRAININGS:
        if label == JOINT:
            continue
        both = joint is not None and label in middle
        value = (
            ratio_of_means(middle[label].scores(), joint.scores())
            if joint is not None and both
            else None
        )
        reached = None if value is None else value.high <= 0.1
        record_figure(
            options.folder,
            f"Sine, {label}: {where}, over joint training's",
            "<= 0.1",
            value,
            reached,
            options.command(),
        )


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 140),
        )
