"""RL² (Duan et al. 2016): the tables of bandits and random MDPs, and mazes."""

from functools import partial

from rich.console import Console

from benchmarks.rl2 import mazes, tables
from benchmarks.rl2.runs import TRAININGS, maze_run, rl2_run, start_row
from metarl.suites.job import FilledSuite
from metarl.suites.suite import FixedRun, Preset, Suite

__all__ = ["SUITE"]

TABLES = ("bandits", "mdps")


def preset(name: str) -> Preset:
    """Return the trainings of both tables, and of mazes."""
    runs = [
        _table_run(options, row, seed)
        for table in TABLES
        for options in [tables.Options(table=table, preset=name)]  # type: ignore[arg-type]
        for row in options.chosen_rows()
        for seed in options.run_seeds
    ]
    return Preset((*runs, *(_mazes() if name != "smoke" else ())))


def fill(filled: FilledSuite) -> None:
    """Let every agent play the same test tasks, the paper's figures beside them."""
    console = Console()
    seeds = {"seeds": filled.seeds} if filled.seeds else {}
    for table in TABLES:
        options = tables.Options.of(filled, table=table, preset=filled.preset, **seeds)
        tables.main(options, console)
    if filled.preset != "smoke":
        mazes.main(mazes.Options.of(filled), console)


def _table_run(options: tables.Options, row: tables.Row, seed: int) -> FixedRun:
    before = start_row(row)
    return options.fixed_run(
        f"{row.name}/seed{seed}",
        rl2_run(row, options.preset, seed),
        None if before is None else _table_run(options, before, seed),
    )


def _mazes() -> list[FixedRun]:
    return [_maze_run(name, seed) for name, each in TRAININGS.items() for seed in each.seeds]


def _maze_run(name: str, seed: int) -> FixedRun:
    before = TRAININGS[name].start
    return mazes.Options().fixed_run(
        f"{name}/seed{seed}",
        maze_run(name, seed),
        None if before is None else _maze_run(before, seed),
    )


SUITE = Suite(
    "rl2",
    {name: partial(preset, name) for name in ("smoke", "cpu", "paper")},
    fill,
    "RL² on bandits, random MDPs and mazes (Duan et al. 2016)",
)
