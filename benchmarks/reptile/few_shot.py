"""Few-shot classification: Reptile, first-order MAML, MAML and joint training, transductive and
not, beside the paper's table.

    # Glyphs, 5-way, 1-shot and 5-shot; finished runs are used as they are
    python benchmarks/reptile/few_shot.py
    python benchmarks/reptile/few_shot.py --preset paper --data omniglot \\
        --images data/omniglot --device cuda

Every learner is scored on the same test tasks, of characters that no training task holds, after as
many inner steps as its authors take. Glyphs aren't Omniglot: the paper's Omniglot columns stand
beside for the order of the algorithms, not for the height of the figures. Joint training sees as
many images; its network answers any task's labels alike until it is fine-tuned. Runs lie in
runs/few_shot; with --publish, table, figures, accuracies per task and weights go to
results/few_shot.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.reptile.published import few_shot_table
from benchmarks.reptile.runs import (
    DATA,
    LABELS,
    DataName,
    PresetName,
    Setting,
    few_shot_run,
    scoring,
    settings_of,
)
from metarl.analysis.figures import mean_curves, save
from metarl.cli import plain_errors
from metarl.core.registry import make
from metarl.evaluation.statistics import mean, paired_difference
from metarl.evaluation.supervised import SupervisedEvaluation, evaluate_supervised
from metarl.runs.config import RunConfig
from metarl.runs.exclusive import exclusively
from metarl.runs.load import load_learner
from metarl.runs.store import write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import SuiteOptions
from metarl.suites.score_arrays import write_scores

TEST_SEED = 1803  # of the test tasks
CHUNK = 50  # tasks adapted to side by side: what a core's cache holds
NUM_TASKS = {"smoke": 20, "cpu": 1000, "paper": 10_000}


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to compute.

    Attributes:
        preset: smoke only shows that everything runs; paper has the released commands' settings.
        data: glyphs for smoke and cpu; omniglot or miniimagenet for paper, the first if left out.
        images: where Omniglot's or miniImageNet's images are.
        learners: which; all if left out.
        num_tasks: test tasks of each setting; 1,000 for cpu and 10,000 for paper if left out.
    """

    benchmark: ClassVar[str] = "few_shot"
    script: ClassVar[str] = "reptile/few_shot"

    preset: PresetName = "cpu"
    data: DataName | None = None
    images: Path | None = None
    learners: tuple[str, ...] = ()
    num_tasks: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        settings_of(self.preset, self.data)
        if unknown := sorted(set(self.learners) - set(LABELS)):
            raise ValueError(
                f"There is no learner {unknown[0]!r} here; choose of {', '.join(LABELS)}."
            )
        if self.publish and self.preset == "smoke":
            raise ValueError("The preset smoke trains for a moment; there is nothing to publish.")

    @property
    def tasks(self) -> int:
        """How many test tasks."""
        return NUM_TASKS[self.preset] if self.num_tasks is None else self.num_tasks

    def run(self, setting: Setting, learner: str) -> tuple[str, RunConfig]:
        """Return a training: the name of its folder, and the run."""
        images = None if self.images is None else str(self.images)
        name, run = few_shot_run(self.preset, setting, learner, images, device=self.device)
        return name if self.preset != "smoke" else f"{name}-smoke", run


def main(options: Options, console: Console) -> None:
    """Every setting of the preset."""
    settings = settings_of(options.preset, options.data)
    learners = options.learners or tuple(LABELS)
    for setting in settings:
        for learner in learners:
            options.check_run(*options.run(setting, learner))
    options.folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for setting in settings:
        scored = {
            learner: found
            for learner in learners
            if (found := score(setting, learner, options, console)) is not None
        }
        for learner, each in scored.items():
            lines += [line_of(setting, learner, evaluation) for evaluation in each.values()]
            for transductive, evaluation in each.items():
                write_accuracies(setting, learner, transductive, evaluation, options)
        record_leads(setting, learners, scored, options)
        curves = {
            LABELS[learner]: accuracies
            for learner, each in scored.items()
            if (accuracies := each[True].accuracies) is not None
        }
        if curves:
            figure = mean_curves(
                curves,
                x="inner step",
                y="accuracy on test tasks, transductive",
                first=0,
                title=f"{setting.data.capitalize()}, {setting.name}",
                note="one seed",
            )
            save(figure, options.folder / f"{setting.data}-{setting.name.replace(' ', '-')}.png")
    if lines:
        file = options.folder / "table.csv"
        with exclusively(file):
            table = merged(file, pd.DataFrame(lines))
            write_csv(file, table)
        show(table, console)


def score(
    setting: Setting, learner: str, options: Options, console: Console
) -> dict[bool, SupervisedEvaluation] | None:
    """Return the test tasks' evaluations by whether they are transductive.

    None where nothing is trained.
    """
    folder = options.trained_run(*options.run(setting, learner))
    if folder is None:
        return None
    console.print(
        f"{setting.data}, {setting.name}, {LABELS[learner]}: {folder.as_posix()}", highlight=False
    )
    id, arguments = DATA[setting.data]
    where = {} if options.images is None else {"folder": str(options.images)}
    distribution = make(id, ways=setting.ways, shots=setting.shots, **where, **arguments)
    loaded: Any = load_learner(folder, device=options.device)
    how = scoring(setting, learner)
    adapter = loaded.adapter(how.optimizer, how.batch)
    steps = 2 if options.preset == "smoke" else how.steps
    return {
        transductive: evaluate_supervised(
            adapter,
            distribution,
            "test",
            options.tasks,
            TEST_SEED,
            steps,
            device=options.device,
            transductive=transductive,
            score_after=None if transductive else (0, steps),
            chunk=CHUNK,
        )
        for transductive in (True, False)
    }


def line_of(setting: Setting, learner: str, evaluation: SupervisedEvaluation) -> dict[str, Any]:
    """Return one line of the table, with the paper's figure (percent) beside it.

    Omniglot's beside glyphs'.
    """
    accuracy = mean(evaluation.scores(score="accuracy"))
    before = mean(evaluation.scores(0, "accuracy"))
    line: dict[str, Any] = {
        "data": setting.data,
        "ways": setting.ways,
        "shots": setting.shots,
        "algorithm": LABELS[learner],
    }
    line |= {"transductive": evaluation.transductive, "inner_steps": evaluation.steps}
    line |= {
        "accuracy": round(accuracy.value, 4),
        "ci_low": round(accuracy.low, 4),
        "ci_high": round(accuracy.high, 4),
    }
    line |= {
        "before": round(before.value, 4),
        "loss": round(float(evaluation.scores().mean()), 4),
        "num_tasks": evaluation.num_tasks,
    }
    line |= {"fingerprint": evaluation.fingerprint}
    beside: dict[str, Any] = {
        "data": "omniglot" if setting.data == "glyphs" else setting.data,
        "ways": setting.ways,
        "shots": setting.shots,
    }
    beside |= {"algorithm": LABELS[learner], "transductive": evaluation.transductive}
    table = few_shot_table()
    cell = table[(table[list(beside)] == pd.Series(beside)).all(axis=1)]
    paper = {
        f"paper_{name}": float(cell[name].iloc[0]) if len(cell) else np.nan
        for name in ("accuracy", "error")
    }
    return line | {"paper_data": beside["data"], **paper}


def write_accuracies(
    setting: Setting,
    learner: str,
    transductive: bool,
    evaluation: SupervisedEvaluation,
    options: Options,
) -> None:
    """The number of right answers in each task, in one file a setting."""
    key = f"{learner}-{'transductive' if transductive else 'alone'}"
    right = np.round(evaluation.scores(score="accuracy") * setting.ways)  # one query of each class
    file = options.folder / f"{setting.data}-{setting.name.replace(' ', '-')}.npz"
    write_scores(file, key, right, evaluation.fingerprint, TEST_SEED)


def record_leads(
    setting: Setting,
    learners: tuple[str, ...],
    scored: dict[str, dict[bool, SupervisedEvaluation]],
    options: Options,
) -> None:
    """Accuracies, what the batch's company is worth, and leads over joint training, paired."""
    begin = f"{setting.data}, {setting.name}"
    for learner in learners:
        command = options.command(learners=(learner,))
        label = LABELS[learner]
        each = scored.get(learner)
        for transductive, how in ((True, "transductive"), (False, "not transductive")):
            estimate = mean(each[transductive].scores(score="accuracy")) if each else None
            record_figure(
                options.folder,
                f"{begin}, {label}, {how}: accuracy",
                "shown",
                estimate,
                None,
                command,
            )
        worth = (
            paired_difference(
                each[True].scores(score="accuracy"), each[False].scores(score="accuracy")
            ).difference
            if each
            else None
        )
        record_figure(
            options.folder,
            f"{begin}, {label}: accuracy, transductive minus not, paired",
            "shown",
            worth,
            None,
            command,
        )
        if learner == "joint" or "joint" not in learners:
            continue
        name = f"{begin}, {label} minus joint training: accuracy, not transductive, paired"
        joint = scored.get("joint")
        lead = None
        if each and joint:
            lead = paired_difference(
                each[False].scores(score="accuracy"), joint[False].scores(score="accuracy")
            ).difference
        record_figure(
            options.folder,
            name,
            "> 0",
            lead,
            None if lead is None else lead.low > 0,
            options.command(learners=("joint",)),
        )


def merged(file: Path, fresh: pd.DataFrame) -> pd.DataFrame:
    """Return the table with `fresh` lines in their old ones' places."""
    key = ["data", "ways", "shots", "algorithm", "transductive"]
    old = pd.read_csv(file) if file.exists() else fresh.iloc[:0]
    both = pd.concat([old, fresh]) if len(old) else fresh
    return (
        both.drop_duplicates(key, keep="last")
        .sort_values(["data", "ways", "shots"], kind="stable")
        .reset_index(drop=True)
    )


def show(table: pd.DataFrame, console: Console) -> None:
    """Accuracies in percent, with half the width of their intervals."""
    printed = Table(
        "data",
        "tasks",
        "algorithm",
        "transductive",
        "accuracy",
        "before",
        "the paper's",
        "on",
        title="Few-shot classification",
    )
    for line in table.to_dict("records"):
        half = 50 * (line["ci_high"] - line["ci_low"])
        paper = line["paper_accuracy"]
        beside = (
            ("", "")
            if np.isnan(paper)
            else (f"{paper:.2f} ± {line['paper_error']:.2f}", line["paper_data"])
        )
        tasks = f"{line['shots']}-shot {line['ways']}-way"
        cells = [
            tasks,
            line["algorithm"],
            "yes" if line["transductive"] else "no",
            f"{100 * line['accuracy']:.1f} ± {half:.1f}",
        ]
        printed.add_row(line["data"], *cells, f"{100 * line['before']:.1f}", *beside)
    console.print(printed)


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 140),
        )
