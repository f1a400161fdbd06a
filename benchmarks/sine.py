"""Sine regression: how well networks fit a wave that they have never seen from 10 of its points, inner step by inner step.

    python benchmarks/sine.py --publish

Reptile, first-order MAML and MAML against a network trained on all waves jointly, which then takes the same steps on the same points.
Joint training converges to 0 everywhere, since waves of all phases cancel; an initialisation from which 32 steps lead to a wave is what
the others learn (Nichol et al. 2018, section 4). Finished runs and published weights are used as they are. With --publish, table, errors
of every wave, figures and weights go to results/sine; otherwise to runs/sine/tables.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from metarl.analysis.figures import mean_curves, save
from metarl.analysis.sine_fits import Fits, fit_wave, fits_figure
from metarl.cli import plain_errors
from metarl.evaluation.statistics import Estimate, mean, median_member, ratio_of_means
from metarl.evaluation.supervised import SupervisedEvaluation, evaluate_supervised
from metarl.experiments.benchmark_folders import Storage
from metarl.experiments.finished import check_folder, trained
from metarl.experiments.load import load_learner
from metarl.experiments.merit import record_estimate
from metarl.experiments.sine_runs import JOINT, SINE_TRAININGS, sine_run
from metarl.experiments.totals import write_totals
from metarl.learners.optimizers import SGD
from metarl.results import write_csv
from metarl.tasks.sine_regression import SineRegression

TEST_SEED = 1803  # of the test waves
STEPS, POINTS = 32, 10
INNER = SGD(0.02)  # the same for all; chosen on training waves, where joint training does best with it
SHOWN = (0, 1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Options:
    """What to compute.

    Attributes:
        preset: smoke only shows that everything runs.
        seeds: of the trainings.
        num_tasks: test waves; 10,000 if left out.
        train: train what isn't trained; otherwise its figures are missing.
        storage: where tables, runs and weights lie.
    """

    preset: Literal["smoke", "cpu"] = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2)
    num_tasks: int | None = None
    train: bool = True
    storage: Annotated[Storage, tyro.conf.arg(name="")] = field(default_factory=Storage)

    @property
    def iterations(self) -> int | None:
        """Outer steps; None for each training's own."""
        return 20 if self.preset == "smoke" else None

    @property
    def waves(self) -> int:
        """Test waves."""
        return self.num_tasks or (50 if self.preset == "smoke" else 10_000)

    @property
    def folder(self) -> Path:
        """Where tables and figures go."""
        return self.storage.tables("sine")

    @property
    def command(self) -> str:
        """What reruns this."""
        preset = None if self.preset == Options.preset else self.preset
        seeds = None if self.seeds == Options.seeds else self.seeds
        return self.storage.command("sine", {"preset": preset, "num_tasks": self.num_tasks or None, "seeds": seeds})

    def places(self, label: str, seed: int) -> tuple[Path, Path]:
        """Where a run lies: our own, and the published one."""
        return self.storage.places("sine", f"{label.lower().replace(' ', '-')}-seed{seed}", within=self.preset)


def main(options: Options, console: Console) -> None:
    """Train, score, print, save."""
    for label in SINE_TRAININGS:
        for seed in options.seeds:
            check_folder(sine_run(label, seed, options.iterations), *options.places(label, seed))
    distribution, played, fits = SineRegression(POINTS), dict[str, list[SupervisedEvaluation]](), dict[str, Fits]()
    for label in SINE_TRAININGS:
        for seed in options.seeds:
            run = sine_run(label, seed, options.iterations)
            folder = trained(run, *options.places(label, seed), train_missing=options.train, publishes=options.storage.publish)
            if folder is None:
                continue
            adapter = load_learner(folder).adapter(INNER)  # type: ignore[attr-defined]
            played.setdefault(label, []).append(evaluate_supervised(adapter, distribution, "test", options.waves, TEST_SEED, STEPS))
            fits.setdefault(label, fit_wave(adapter, distribution, 0, TEST_SEED))
    options.folder.mkdir(parents=True, exist_ok=True)
    middle = {label: evaluations[median_member([each.scores() for each in evaluations])] for label, evaluations in played.items()}
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
    middle: dict[str, SupervisedEvaluation], played: dict[str, list[SupervisedEvaluation]], options: Options, console: Console
) -> None:
    """Errors after several numbers of inner steps, of the median seed, with the lowest and highest seed."""
    lines = []
    for label, evaluation in middle.items():
        each = [one.scores().mean() for one in played[label]]
        for step in SHOWN:
            estimate = mean(evaluation.scores(step))
            line = {"learner": label, "inner_step": step, "error": estimate.value, "ci_low": estimate.low, "ci_high": estimate.high}
            line |= {"seed_low": min(each), "seed_high": max(each)} if step == STEPS else {}
            lines.append(line | {"num_tasks": evaluation.num_tasks, "num_seeds": len(each), "fingerprint": evaluation.fingerprint})
        write_totals(
            options.folder / "errors.npz", label, np.stack([one.scores() for one in played[label]]), evaluation.fingerprint, TEST_SEED
        )
    table = pd.DataFrame(lines).round(5)
    write_csv(options.folder / "table.csv", table)
    halves = (table["ci_high"] - table["ci_low"]) / 2
    shown = table.assign(error=[f"{error:.3f} ± {half:.3f}" for error, half in zip(table["error"], halves, strict=True)])
    console.print(shown.pivot(index="learner", columns="inner_step", values="error").loc[list(middle)].to_string(), highlight=False)


def record(middle: dict[str, SupervisedEvaluation], options: Options) -> None:
    """The figures of merit: errors after 32 steps, over joint training's."""
    joint = middle.get(JOINT)
    value: Estimate | None = None if joint is None else mean(joint.scores())
    where = f"mean squared error after {STEPS} steps on {POINTS} points"
    record_estimate(options.folder, f"Sine, {JOINT}: {where}", "shown", value, None, options.command)
    for label in SINE_TRAININGS:
        if label == JOINT:
            continue
        both = joint is not None and label in middle
        value = ratio_of_means(middle[label].scores(), joint.scores()) if joint is not None and both else None
        reached = None if value is None else value.high <= 0.1
        record_estimate(options.folder, f"Sine, {label}: {where}, over joint training's", "<= 0.1", value, reached, options.command)


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 140))
