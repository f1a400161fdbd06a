"""Scores of adapters by inner step, as data and on a terminal."""

from collections.abc import Mapping, Sequence

import pandas as pd
from rich.table import Table

from metarl.evaluation.statistics import mean
from metarl.evaluation.supervised import Score, SupervisedEvaluation

__all__ = ["render_inner_steps", "supervised_table"]

SHOWN = (0, 1, 2, 4, 8, 16, 32)


def supervised_table(evaluations: Mapping[str, SupervisedEvaluation], steps: Sequence[int] | None = None) -> pd.DataFrame:
    """One row an adapter, score and inner step: adapter, score, inner_step, mean, ci_low, ci_high, num_tasks, fingerprint.

    Args:
        evaluations: by label, of the same tasks. steps: which inner steps; powers of two and the last if left out.

    Raises:
        ValueError: none, or different tasks side by side.
    """
    if len({(each.fingerprint, each.seed, each.inner_steps) for each in evaluations.values()}) != 1:
        raise ValueError("Adapters stand side by side in a table if they were scored on the same tasks, one at least.")
    first = next(iter(evaluations.values()))
    chosen = [step for step in first.inner_steps if step in (*SHOWN, first.steps)] if steps is None else list(steps)
    scores: list[Score] = ["loss"] if first.accuracies is None else ["loss", "accuracy"]
    rows = []
    for label, evaluation in evaluations.items():
        for score in scores:
            for step in chosen:
                estimate = mean(evaluation.scores(step, score))
                row = {"adapter": label, "score": score, "inner_step": step, "mean": estimate.value, "ci_low": estimate.low}
                rows.append({**row, "ci_high": estimate.high, "num_tasks": evaluation.num_tasks, "fingerprint": evaluation.fingerprint})
    return pd.DataFrame(rows)


def render_inner_steps(table: pd.DataFrame, note: str = "") -> Table:
    """A `supervised_table` for a terminal: an inner step a column; `note` ends the caption."""
    steps = sorted(table["inner_step"].unique())
    caption = f"After so many inner steps; mean over {int(table['num_tasks'].iloc[0]):,} tasks, with 95 % intervals. {note}".rstrip()
    shown = Table("", "", *(str(step) for step in steps), caption=caption, caption_justify="left")
    for (label, score), part in table.groupby(["adapter", "score"], sort=False):
        cells = {int(row["inner_step"]): f"{row['mean']:.3f} ± {(row['ci_high'] - row['ci_low']) / 2:.3f}" for _, row in part.iterrows()}
        shown.add_row(str(label), str(score), *(cells[step] for step in steps))
    return shown
