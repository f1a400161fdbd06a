"""Recompute published cells of RL²'s Tables 1 and 2 and hold them against the published figures.

    # The RL² column, from the committed weights, on 2,000 tasks a row
    python benchmarks/rl2/recompute.py
    # Every cell, on as many tasks as were published
    python benchmarks/rl2/recompute.py --full
    python benchmarks/rl2/recompute.py --full --rows bandits-n10-k5

The first takes minutes; it plays other numbers of tasks than were published, so it asks whether the
intervals fit. The second plays the very same tasks, so that every figure must come out as it was
published; it takes hours. Exits with 1 if a figure doesn't fit.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.rl2.rows import COLUMNS, RL2_LABEL, Row
from benchmarks.rl2.tables import TEST_SEED
from benchmarks.rl2.tables import Options as TableOptions
from benchmarks.rl2.tables import main as compute
from metarl.cli import plain_errors
from metarl.core.seeding import numpy_generator
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import Estimate, median_over_seeds
from metarl.runs.load import load_agent


@dataclass(frozen=True)
class Options:
    """What to recompute.

    Attributes:
        full: every cell, on the published number of tasks.
        rows: such as "bandits-n10-k5 mdps-n25"; all that were published if left out.
        tasks: test tasks a row, unless `full`.
        results: folder of published results.
    """

    full: bool = False
    rows: tuple[str, ...] = ()
    tasks: int = 2000
    results: Path = field(default=Path("results"))


def main(options: Options, console: Console) -> bool:
    """Recompute and print; whether everything fits."""
    fits = True
    tables = {
        name: pd.read_csv(options.results / "rl2_tables" / f"{name}.csv")
        for name in ("bandits", "mdps")
    }
    known = [
        row_of(name, entry).name
        for name, table in tables.items()
        for entry in table.to_dict("records")
    ]
    if unknown := sorted(set(options.rows) - set(known)):
        raise ValueError(
            f"No row {unknown[0]!r} was published; choose of {', '.join(dict.fromkeys(known))}."
        )
    for name in tables:
        published = tables[name].dropna(subset=["mean"])
        if not options.full:
            published = published[published["agent"] == RL2_LABEL]
        if options.rows:
            published = published[
                [row_of(name, entry).name in options.rows for entry in published.to_dict("records")]
            ]
        if published.empty:
            continue
        table = Table(
            "row", "agent", "published", "recomputed", "95 % interval", "fits", title=name
        )
        for entry, found in zip(
            published.to_dict("records"), recomputed(name, published, options, console), strict=True
        ):
            fit = found is not None and agrees(entry, found, options)
            fits &= fit
            k = f",{entry['k']}" if "k" in entry else ""
            shown = (
                ("missing", "")
                if found is None
                else (f"{found.value:.3f}", f"[{found.low:.3f}, {found.high:.3f}]")
            )
            table.add_row(
                f"{entry['n']}{k}",
                entry["agent"],
                f"{entry['mean']:.3f}",
                *shown,
                "yes" if fit else "NO",
            )
        console.print(table)
    return fits


def recomputed(
    name: str, published: pd.DataFrame, options: Options, console: Console
) -> list[Estimate | None]:
    """Return each published figure once more; None where its weights are missing."""
    estimates: list[Estimate | None] = []
    # An agent's variants are computed together
    cells: dict[tuple[Row, str], dict[str, Estimate]] = {}
    for entry in published.to_dict("records"):
        row = row_of(name, entry)
        agent = str(entry["agent"])
        console.print(f"{row.name}, {agent}", highlight=False)
        if not options.full:
            estimates.append(learned(row, int(entry["num_seeds"]), options))
            continue
        column = next(column for column in COLUMNS[name] if column.label == agent)
        if (row, column.agent) not in cells:
            cells[row, column.agent] = again(row, column.agent, options)
        estimates.append(cells[row, column.agent].get(agent))
    return estimates


def row_of(table: Any, entry: Mapping[Any, Any]) -> Row:
    """Return the row of a published line."""
    return Row(table, int(entry["n"]), int(entry["k"]) if "k" in entry else None)


def again(row: Row, agent: str, options: Options) -> dict[str, Estimate]:
    """Return an agent's cells of a row, by label, as `tables.py` computes them, in a folder that is
    thrown away.
    """
    with tempfile.TemporaryDirectory() as folder:
        text = str(row.n) if row.k is None else f"{row.n},{row.k}"
        chosen = TableOptions(
            row.table,
            (text,),
            "paper",
            (agent,),
            train=False,
            runs=Path(folder),
            results=options.results,
        )
        compute(chosen, Console(quiet=True))
        fresh = pd.read_csv(chosen.folder / f"{row.table}.csv").dropna(subset=["mean"])
    return {
        str(entry["agent"]): Estimate(
            float(entry["mean"]),
            float(entry["ci_low"]),
            float(entry["ci_high"]),
            int(entry["num_tasks"]),
        )
        for entry in fresh.to_dict("records")
    }


def learned(row: Row, seeds: int, options: Options) -> Estimate | None:
    """RL²'s figure from the weights of as many seeds as were published."""
    folders = sorted((options.results / "rl2_tables" / "weights" / row.name).glob("seed*"))[:seeds]
    if len(folders) < seeds:
        return None
    agents = [load_agent(folder, row.budget) for folder in folders]
    scores = [
        evaluate(agent, row.distribution(), "test", options.tasks, TEST_SEED, row.budget).scores()
        for agent in agents
    ]
    return median_over_seeds(np.stack(scores), numpy_generator(TEST_SEED, "median over seeds"))


def agrees(entry: Mapping[Any, Any], again: Estimate, options: Options) -> bool:
    """Return the same figure where the same tasks were played.

    Otherwise a difference within both intervals, a little widened.
    """
    if options.full:
        return abs(entry["mean"] - again.value) <= 1e-4 * abs(entry["mean"])
    spread = np.hypot((entry["ci_high"] - entry["ci_low"]) / 2, (again.high - again.low) / 2)
    return bool(abs(entry["mean"] - again.value) <= 1.5 * spread)


if __name__ == "__main__":
    with plain_errors():
        sys.exit(
            0
            if main(
                tyro.cli(Options, description=__doc__),
                Console(width=None if sys.stdout.isatty() else 120),
            )
            else 1
        )
