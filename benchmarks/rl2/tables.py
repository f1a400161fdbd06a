"""RL²'s Tables 1 and 2 (Duan et al. 2016): every agent on the same held-out tasks, the paper's
figure beside each.

    python benchmarks/rl2/tables.py --table bandits --rows 10,5 10,10 --preset cpu

Free parameters of hand-designed agents are searched on training tasks. RL² is trained, or gone on
with, in runs/; finished runs there and published weights of the same settings are used as they are.
With --publish, tables, per-task totals, figures and weights go to results/rl2_tables; otherwise all
but the runs goes to runs/rl2_tables/PRESET/tables. Rows and agents left out keep their old cells.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from benchmarks.rl2.beside_paper import merge_lines, paper_note, render_beside_paper
from benchmarks.rl2.figures import NOT_RIVALS, all_rows_figure, shares
from benchmarks.rl2.published import NUM_TASKS, rl2_table
from benchmarks.rl2.rows import COLUMNS, PRESETS, RL2_ID, RL2_LABEL, WANTED, Column, Row, parse_row
from benchmarks.rl2.runs import rl2_run, start_row
from metarl.agents.registry import agent_class, make_agent
from metarl.analysis.figures import learning_curve, save, scores_figure
from metarl.cli import plain_errors
from metarl.core.capabilities import optimum_of, relaxation_of, upper_bound_of
from metarl.core.reveal import reveal
from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.search import search
from metarl.evaluation.statistics import (
    Estimate,
    beats,
    mean,
    median_over_seeds,
    median_seed,
    paired_difference,
)
from metarl.runs.exclusive import exclusively
from metarl.runs.load import load_agent
from metarl.runs.store import RunFolder, write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import SuiteOptions
from metarl.suites.score_arrays import write_scores

# of the test tasks that all agents share, and of the training tasks that parameters are searched on
TEST_SEED = 1611
SEARCH_SEED = 2779
SLOW_TASKS = 1000  # of slow agents in the longest rows
# Columns that are no hand-designed agents
NO_RIVALS = ("rl2", "random", "known-model", "bayes-optimal")
FIGURES = [
    "mean",
    "ci_low",
    "ci_high",
    "optimum",
    "upper_bound",
    "paper",
    "num_tasks",
    "num_seeds",
    "seed_low",
    "seed_high",
    "fingerprint",
    "run",
]


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to compute.

    Attributes:
        table: bandits (Table 1) or mdps (Table 2).
        rows: such as "10,5 10,10" (n,k) for bandits or "10 25" (n) for MDPs; all of them if left
            out.
        preset: how many tasks and seeds; smoke only shows that everything runs.
        agents: ids of the columns to compute, "rl2" among them; all of them if left out.
        train: train RL² where no finished run or published weights are found; otherwise its cells
            stay empty.
        seeds: of RL²'s runs; the preset's if left out. Without training, those of them that are
            finished are taken.
        redraw: draw the figures anew from the tables that are there; nothing is trained or played.
    """

    benchmark: ClassVar[str] = "rl2_tables"
    script: ClassVar[str] = "rl2/tables"

    table: Literal["bandits", "mdps"]
    rows: tuple[str, ...] = ()
    preset: Literal["smoke", "cpu", "paper"] = "cpu"
    agents: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    redraw: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        known = [column.agent for column in COLUMNS[self.table]]
        if unknown := sorted(set(self.agents) - set(known)):
            raise ValueError(
                f"The table of {self.table} has no agent {unknown[0]!r}; it has"
                f" {', '.join(dict.fromkeys(known))}."
            )
        if self.publish and self.preset == "smoke":
            raise ValueError(
                "The smoke preset plays too few tasks to publish; choose the preset cpu or paper."
            )
        self.chosen_rows()

    def chosen_rows(self) -> list[Row]:
        """Return the rows asked for, or all of the paper's."""
        keys = ["n", "k"] if self.table == "bandits" else ["n"]
        texts = [
            ",".join(map(str, key))
            for key in rl2_table(self.table)[keys].drop_duplicates().itertuples(index=False)
        ]
        return [parse_row(self.table, text) for text in self.rows or texts]

    def chosen_columns(self) -> list[Column]:
        """Return the columns asked for, or all."""
        return [
            column
            for column in COLUMNS[self.table]
            if not self.agents or column.agent in self.agents
        ]

    @property
    def run_seeds(self) -> tuple[int, ...]:
        """The seeds of RL²'s runs."""
        return tuple(dict.fromkeys(self.seeds)) or PRESETS[self.preset].seeds

    @property
    def within(self) -> str:
        """The folder of the preset's runs."""
        return self.preset


class Ground(NamedTuple):
    """What all agents of a row are held against."""

    row: Row
    distribution: TaskDistribution
    num_tasks: int
    fingerprint: str  # of the test tasks
    optimum: float | None  # where it can be computed
    upper_bound: float  # the smaller of the known-task bound on these tasks and the relaxation


class Cell(NamedTuple):
    """One agent's figure in one row."""

    column: Column
    scores: np.ndarray  # [seeds, tasks] totals
    estimate: Estimate
    run: str  # searched parameters, or where the weights lie


def main(options: Options, console: Console) -> None:
    """Compute, write and print the rows.

    An agent's figure is on disk before the next agent starts.
    """
    rows = options.chosen_rows()
    columns = options.chosen_columns()
    if options.redraw:
        for row in rows:
            draw(row, read_row(row, options), options)
        draw_all(options)
        return
    if RL2_ID in [column.agent for column in columns]:
        for row in rows:
            check_runs(row, options)
    for row in rows:
        console.rule(f"{row.name}, preset {options.preset}")
        ground = ground_of(row, options)
        cells = []
        for column in columns:
            if column.agent == "bayes-optimal" and ground.optimum is None:
                continue
            cell = play(column, ground, options, console)
            write_line(ground, column, cell, options)
            if cell is not None:
                cells.append(cell)
                console.print(f"{column.label}: {cell.estimate}", highlight=False)
        lines = read_row(row, options)
        notes = notes_of(ground, cells)
        write_notes(row, notes, options)
        draw(row, lines, options)
        record(row, cells, options)
        record_lead(ground, options)
        draw_all(options)
        show(
            ground, lines[lines["agent"].isin([column.label for column in columns])], notes, console
        )


def ground_of(row: Row, options: Options) -> Ground:
    """Return the row's test tasks and their ceilings."""
    distribution = row.distribution()
    num_tasks = row.num_tasks(PRESETS[options.preset])
    tasks = distribution.sample(num_tasks, "test", TEST_SEED)
    known = upper_bound_of(distribution, tasks, row.n)
    relaxation = relaxation_of(distribution, row.n)
    assert known is not None, "both families have a known-task bound"
    bound = min(float(known.mean()), np.inf if relaxation is None else relaxation)
    return Ground(
        row, distribution, num_tasks, tasks.fingerprint, optimum_of(distribution, row.n), bound
    )


def play(column: Column, ground: Ground, options: Options, console: Console) -> Cell | None:
    """Return the column's agent on the row's test tasks; None for RL² where it isn't trained."""
    row = ground.row
    distribution = ground.distribution
    budget = ground.row.budget
    preset = PRESETS[options.preset]
    if column.agent == RL2_ID:
        found = [trained(row, seed, options, console) for seed in options.run_seeds]
        folders = [folder for folder in found if folder is not None]
        if not folders:
            return None
        agents = [load_agent(folder, budget) for folder in folders]
        scores = np.stack(
            [
                evaluate(agent, distribution, "test", ground.num_tasks, TEST_SEED, budget).scores()
                for agent in agents
            ]
        )
        estimate = median_over_seeds(scores, numpy_generator(TEST_SEED, "median over seeds"))
        return Cell(
            column,
            scores,
            estimate,
            " ".join(dict.fromkeys(folder.parent.as_posix() for folder in folders)),
        )
    if column.agent == "known-model":
        distribution = reveal(distribution)
    parameters = dict(column.parameters)
    most = SLOW_TASKS if column.slow and row.n > 50 else ground.num_tasks
    num_tasks = min(most, ground.num_tasks)
    num_searched = min(most, row.search_tasks(preset))
    if set(agent_class(column.agent).grid) - set(parameters):
        parameters |= search(
            column.agent, distribution, budget, num_searched, SEARCH_SEED, fixed=parameters
        ).best
        text = f"{column.label}: {described(parameters)} is best on {num_searched:,} training tasks"
        console.print(text, highlight=False)
    agent = make_agent(column.agent, distribution, budget, **parameters)
    scores = evaluate(agent, distribution, "test", num_tasks, TEST_SEED, budget).scores()
    return Cell(
        column,
        scores[None],
        mean(scores),
        f"{column.agent}({described(parameters)})" if parameters else column.agent,
    )


def check_runs(row: Row, options: Options) -> None:
    """Before anything is computed, refuse run folders that hold runs of other settings.

    Raises:
        ValueError: such a folder, and no published weights of the right settings.
    """
    before = start_row(row)
    if before is not None:
        check_runs(before, options)
    for seed in options.run_seeds:
        options.check_run(
            f"{row.name}/seed{seed}", rl2_run(row, options.preset, seed, options.device)
        )


def trained(row: Row, seed: int, options: Options, console: Console) -> Path | None:
    """Return the folder of RL²'s finished run.

    One of our own, else a published one, else trained now; None where that isn't wanted.
    """
    before = start_row(row)
    start = None if before is None else partial(trained, before, seed, options, console)
    folder = options.trained_run(
        f"{row.name}/seed{seed}", rl2_run(row, options.preset, seed, options.device), start
    )
    if folder is not None:
        console.print(f"RL², seed {seed}: {folder.as_posix()}", highlight=False)
    return folder


def write_line(ground: Ground, column: Column, cell: Cell | None, options: Options) -> None:
    """The agent's line of the tidy table, empty where it isn't trained, and its per-task totals."""
    row = ground.row
    line: dict[str, Any] = {"n": row.n} if row.k is None else {"n": row.n, "k": row.k}
    keys = list(line)
    line |= {
        "agent": column.label,
        **dict.fromkeys(FIGURES),
        "paper": row.paper(column),
        "upper_bound": round(ground.upper_bound, 6),
    }
    line["optimum"] = None if ground.optimum is None else round(ground.optimum, 6)
    if cell is not None:
        figures = {
            "mean": cell.estimate.value,
            "ci_low": cell.estimate.low,
            "ci_high": cell.estimate.high,
        }
        line |= {name: round(value, 6) for name, value in figures.items()}
        line |= {"num_tasks": cell.estimate.n, "num_seeds": len(cell.scores), "run": cell.run}
        few = cell.estimate.n < ground.num_tasks  # a slow agent, on tasks of its own
        tasks = (
            ground.distribution.sample(cell.estimate.n, "test", TEST_SEED).fingerprint
            if few
            else ground.fingerprint
        )
        scores = cell.scores if column.agent == RL2_ID else cell.scores[0]
        file = totals_file(row, options)
        write_scores(
            file.with_stem(f"{file.stem}-{cell.estimate.n}-tasks") if few else file,
            column.key,
            scores,
            tasks,
            TEST_SEED,
        )
        line["fingerprint"] = tasks
        if column.agent == RL2_ID:
            line |= {
                "seed_low": round(float(scores.mean(1).min()), 6),
                "seed_high": round(float(scores.mean(1).max()), 6),
            }
    merge_lines(
        options.folder / f"{row.table}.csv",
        pd.DataFrame([line]),
        keys,
        [each.label for each in COLUMNS[row.table]],
    )


def totals_file(row: Row, options: Options) -> Path:
    """Return where the totals of a row's test tasks lie."""
    return options.folder / "totals" / f"{row.name}.npz"


def read_row(row: Row, options: Options) -> pd.DataFrame:
    """Return the row's lines of the tidy table."""
    whole = pd.read_csv(options.folder / f"{row.table}.csv").astype(
        {"num_tasks": "Int64", "num_seeds": "Int64"}
    )
    whole = whole[whole["n"] == row.n]
    return whole if row.k is None else whole[whole["k"] == row.k]


def draw(row: Row, lines: pd.DataFrame, options: Options) -> None:
    """The row's figure.

    Every agent's mean against the ceiling, as the table has them, whatever preset it is drawn with.
    """
    lines = lines.dropna(subset=["mean"])
    if lines.empty:
        return
    lines.attrs = {"score": "mean total"}
    exact = lines["optimum"].notna().all()
    levels = (
        {"optimum": float(lines["optimum"].iloc[0])}
        if exact
        else {"upper bound": float(lines["upper_bound"].iloc[0])}
    )
    note = "RL²: the median seed, its interval over tasks"
    unit = f"rewards in {row.n} pulls" if row.k else f"rewards in {row.n} episodes"
    save(
        scores_figure(lines, levels=levels, unit=unit, title=row.title, note=note),
        options.folder / f"{row.name}.png",
    )
    files = [
        options.run_folders(f"{row.name}/seed{seed}")[1] / "metrics.csv"
        for seed in options.run_seeds
    ]
    found = [file for file in files if file.exists()]
    means = lines.set_index("agent")["mean"]
    if found and len(
        rivals := means.drop([label for label in (RL2_LABEL, *NOT_RIVALS) if label in means])
    ):
        levels |= {str(rivals.idxmax()): float(rivals.max())}
        curves = {RL2_LABEL: [RunFolder(file.parent).metrics for file in found]}
        label = f"{unit}, training tasks, actions drawn"
        note = training_note(row, found[0].parent)
        figure = learning_curve(
            curves, levels=levels, label=label, smooth=3, title=row.title, note=note
        )
        save(figure, options.folder / f"{row.name}-training.png")


def training_note(row: Row, folder: Path) -> str:
    """Return how many tasks each iteration of a training has, and what it goes on from."""
    identity = RunFolder(folder).identity
    words = f"{identity['config']['num_envs']:,} tasks an iteration"
    if before := identity.get("start"):
        words += (
            f"; goes on from a training with {before['config']['episodes']}"
            f" {'pulls' if row.k else 'episodes'}"
        )
    return words


def draw_all(options: Options) -> None:
    """All rows of both tables in one picture."""
    files = {table: options.folder / f"{table}.csv" for table in ("bandits", "mdps")}
    tables = {table: pd.read_csv(file) for table, file in files.items() if file.exists()}
    if len(shares(tables)):
        save(all_rows_figure(tables), options.folder / "all_rows.png")


def notes_of(ground: Ground, cells: list[Cell]) -> dict[str, str]:
    """By agent: why its figure differs from the paper's, and whether it is too good to be true."""
    notes = {}
    ceiling, kind = (
        (ground.upper_bound, "upper bound")
        if ground.optimum is None
        else (ground.optimum, "optimum")
    )
    simulated = [cell.scores[0] for cell in cells if cell.column.agent == "bayes-optimal"]
    for cell in cells:
        paper = ground.row.paper(cell.column)
        text = paper_note(
            cell.estimate,
            paper,
            float(cell.scores.std()),
            NUM_TASKS,
            ground.optimum,
            cell.column.differs,
        )
        scores = cell.scores.mean(0)
        # The second is paired, and sharper
        if beats(scores, ceiling) or any(beats(scores, best) for best in simulated):
            text = (
                f"Scores above the {kind} {ceiling:.3f}, by more than chance: the simulator, the"
                f" agent or the bound is wrong. {text}"
            )
        notes[cell.column.label] = text
    return notes


def write_notes(row: Row, notes: dict[str, str], options: Options) -> None:
    """The notes, in a file beside the table."""
    file = options.folder / f"{row.table}_notes.csv"
    with exclusively(file):
        old = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["row", "agent", "note"])
        old = old[~((old["row"] == row.name) & old["agent"].isin(list(notes)))]
        new = pd.DataFrame(
            [
                {"row": row.name, "agent": agent, "note": text}
                for agent, text in notes.items()
                if text
            ],
            columns=old.columns,
        )
        write_csv(file, pd.concat([old, new]))


def record(row: Row, cells: list[Cell], options: Options) -> None:
    """RL²'s figures of merit in this row; missing ones where it isn't trained."""
    if RL2_ID not in [column.agent for column in options.chosen_columns()]:
        return
    learned = next((cell for cell in cells if cell.column.agent == RL2_ID), None)
    where = f"n={row.n}, k={row.k}" if row.k else f"n={row.n}"
    command = options.command(rows=(row.text,), agents=(RL2_ID,))
    for called, wanted in WANTED.get(row.name, ()):
        name = f"RL² mean total reward, {row.table} {where}, median over seeds, against {called}"
        goal = f">= {wanted:g}"
        value = None if learned is None else learned.estimate
        record_figure(
            options.folder,
            name,
            goal,
            value,
            None if value is None else value.value >= wanted,
            command,
        )


def record_lead(ground: Ground, options: Options) -> None:
    """RL²'s lead over the best hand-designed agent on the same tasks, from the totals on disk.

    Of the seed whose mean is the median.
    """
    row = ground.row
    file = totals_file(ground.row, options)
    if not file.exists():
        return
    with np.load(file) as totals:
        if RL2_ID not in totals or str(totals["fingerprint"]) != ground.fingerprint:
            return
        seeds = totals[RL2_ID]  # [seeds, tasks]
        columns = {
            column.key: column
            for column in COLUMNS[row.table]
            if column.agent not in NO_RIVALS and column.key in totals
        }
        rivals = {key: totals[key] for key in columns}
    if not rivals:
        return
    learned = seeds[median_seed(seeds)]
    best = max(rivals, key=lambda key: rivals[key].mean(dtype=np.float64))
    where = f"n={row.n}, k={row.k}" if row.k else f"n={row.n}"
    others = {"the best hand-designed agent": best} | (
        {"posterior-mean Greedy": "mdp-greedy"} if "mdp-greedy" in rivals else {}
    )
    for called, key in others.items():
        lead = paired_difference(learned, rivals[key]).difference
        name = f"RL² minus {called}, {row.table} {where}, paired, median seed"
        command = options.command(rows=(row.text,), agents=(columns[key].agent, RL2_ID))
        record_figure(
            options.folder, name, f"shown (over {columns[key].label})", lead, None, command
        )


def show(ground: Ground, lines: pd.DataFrame, notes: dict[str, str], console: Console) -> None:
    """Print the row."""
    best = "" if ground.optimum is None else f"optimum {ground.optimum:.3f}, "
    decimals = 3 if ground.optimum is not None else 1
    console.print(
        render_beside_paper(
            lines,
            notes,
            f"{ground.row.title}: {best}upper bound {ground.upper_bound:.2f}",
            decimals,
        )
    )


def described(parameters: dict[str, Any]) -> str:
    """Such as "c=0.2"."""
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 120),
        )
