"""Scores of adapters by inner step, as data and on a terminal."""

from collections.abc import Mapping, Sequence

import pandas as pd
from rich.table import Table

from metarl.evaluation.statistics import mean_over_seeds
from metarl.evaluation.supervised import Score, SupervisedEvaluation

__all__ = ["render_inner_steps", "supervised_table"]

SHOWN = (0, 1, 2, 4, 8, 16, 32)


Scored = SupervisedEvaluation | Sequence[SupervisedEvaluation]


def supervised_table(evaluations: Mapping[str, Scored], steps: Sequence[int] | None = None) -> pd.DataFrame:
    """One row an adapter, score and inner step.

    Columns: adapter, score, inner_step, mean, ci_low, ci_high (NaN where there is one task), num_tasks, distinct_tasks, num_seeds,
    fingerprint.

    Args:
        evaluations: by label, of the same tasks; several stand for as many seeds of one learner, whose mean they are, with an interval
            over seeds and tasks. steps: which inner steps; powers of two and the last if left out.

    Raises:
        ValueError: none, or different tasks side by side.
    """
    groups = {label: [part] if isinstance(part, SupervisedEvaluation) else list(part) for label, part in evaluations.items()}
    everyone = [each for parts in groups.values() for each in parts]
    if len({(each.fingerprint, each.seed, each.inner_steps) for each in everyone}) != 1:
        raise ValueError("Adapters stand side by side in a table if they were scored on the same tasks, one at least.")
    first = everyone[0]
    chosen = [step for step in first.inner_steps if step in (*SHOWN, first.steps)] if steps is None else list(steps)
    scores: list[Score] = ["loss"] if first.accuracies is None else ["loss", "accuracy"]
    rows = []
    for label, parts in groups.items():
        for score in scores:
            for step in chosen:
                estimate = mean_over_seeds([part.scores(step, score) for part in parts])
                low, high = (estimate.low, estimate.high) if estimate.known else (float("nan"),) * 2
                row = {"adapter": label, "score": score, "inner_step": step, "mean": estimate.value, "ci_low": low, "ci_high": high}
                counts = {"num_tasks": first.num_tasks, "distinct_tasks": estimate.n, "num_seeds": len(parts)}
                rows.append({**row, **counts, "fingerprint": first.fingerprint})
    return pd.DataFrame(rows)


def render_inner_steps(table: pd.DataFrame, note: str = "") -> Table:
    """A `supervised_table` for a terminal: an inner step a column; `note` ends the caption."""
    steps = sorted(table["inner_step"].unique())
    plays, distinct = int(table["num_tasks"].iloc[0]), int(table["distinct_tasks"].iloc[0])
    tasks = f"{plays:,} tasks" if plays == distinct else f"{plays:,} plays of {distinct:,} distinct tasks"
    over = "over seeds and tasks where there are several seeds" if table["num_seeds"].max() > 1 else "over tasks, of one seed"
    intervals = "without intervals, since one task says nothing of others" if distinct == 1 else f"with 95 % intervals {over}"
    caption = f"After so many inner steps; mean over {tasks}, {intervals}. {note}".rstrip()
    shown = Table("", "", *(str(step) for step in steps), caption=caption, caption_justify="left")
    for column in shown.columns:
        # nothing is cut, however narrow the terminal
        column.overflow = "fold"
    for (label, score), part in table.groupby(["adapter", "score"], sort=False):
        cells = {int(row["inner_step"]): _cell(row) for _, row in part.iterrows()}
        shown.add_row(str(label), str(score), *(cells[step] for step in steps))
    return shown


def _cell(row: pd.Series) -> str:
    """The mean, and half the interval where there is one."""
    return f"{row['mean']:.3f}" if pd.isna(row["ci_low"]) else f"{row['mean']:.3f} ± {(row['ci_high'] - row['ci_low']) / 2:.3f}"
