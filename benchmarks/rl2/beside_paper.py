"""Our figures beside a paper's.

Tidy tables that grow row by row, notes where the two differ, and how they print.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from metarl.evaluation.statistics import Estimate
from metarl.runs.exclusive import exclusively
from metarl.runs.store import write_csv

__all__ = ["differs_from_paper", "merge_lines", "paper_note", "render_beside_paper"]

TOLERANCE = 0.01  # relative difference from which on a note is due


def merge_lines(
    file: Path, lines: pd.DataFrame, keys: Sequence[str], order: Sequence[str]
) -> pd.DataFrame:
    """Put `lines` into the tidy CSV `file` in place of those with the same keys and agent; all
    others stay.

    Args:
        file: made if it isn't there.
        lines: with the columns `keys`, agent and more.
        keys: what names a row of the paper's table, such as ["n", "k"].
        order: of the agents within a row; others come last.

    Returns:
        What the file now holds.

    Raises:
        ValueError: the file has other columns.
    """
    names = [*keys, "agent"]
    with exclusively(file):
        if file.exists():
            old = pd.read_csv(file)
            if list(old.columns) != list(lines.columns):
                raise ValueError(
                    f"{file} has the columns {', '.join(old.columns)}, not"
                    f" {', '.join(lines.columns)}; move it away first."
                )
            replaced = old[names].apply(tuple, axis=1).isin(set(lines[names].apply(tuple, axis=1)))
            lines = pd.concat([old[~replaced], lines]) if (~replaced).any() else lines
        place = {agent: i for i, agent in enumerate(order)}
        whole = lines.assign(_place=lines["agent"].map(place).fillna(len(place))).sort_values(
            [*keys, "_place"], kind="stable"
        )
        whole = whole.drop(columns="_place").reset_index(drop=True)
        counts = [name for name in ("num_tasks", "num_seeds") if name in whole]
        whole = whole.astype(dict.fromkeys(counts, "Int64"))
        write_csv(file, whole)
    return whole


def differs_from_paper(estimate: Estimate, paper: float | None) -> bool:
    """Return whether the paper's figure lies outside the interval and more than 1 % away."""
    if paper is None or not np.isfinite(paper):
        return False
    return (
        abs(estimate.value - paper) > TOLERANCE * abs(paper)
        and not estimate.low <= paper <= estimate.high
    )


def paper_note(
    estimate: Estimate,
    paper: float | None,
    spread: float,
    paper_tasks: int,
    optimum: float | None,
    reason: str = "",
) -> str:
    """Why our figure isn't the paper's; empty where the two agree.

    Args:
        estimate: ours.
        paper: theirs, None if there is none.
        spread: standard deviation of one task's score.
        paper_tasks: how many tasks the paper's mean is over, which tells its noise.
        optimum: what no agent exceeds in expectation, where it is known.
        reason: what is known of the difference.
    """
    if not differs_from_paper(estimate, paper):
        return ""
    assert paper is not None
    error = spread / np.sqrt(paper_tasks)
    difference = f"{estimate.value / paper - 1:+.1%} against the paper's {paper:g}"
    parts = [
        f"{difference}, whose mean of {paper_tasks:,} tasks has a standard error of about"
        f" {error:.2g}"
    ]
    if optimum is not None and paper > optimum:
        parts.append(
            f"the paper's figure lies above the exact optimum {optimum:.3f}, which only chance or"
            " rounding can do"
        )
    if abs(estimate.value - paper) <= 3 * np.hypot(error, (estimate.high - estimate.low) / 4):
        parts.append("chance alone may explain it")
    parts += [reason] if reason else [] if "chance" in parts[-1] else ["the reason is not known"]
    return "; ".join(parts) + "."


def render_beside_paper(
    lines: pd.DataFrame, notes: Mapping[str, str], title: str, decimals: int = 3
) -> Table:
    """Return one row of a paper's table for a terminal, an agent a line, with numbered notes below.

    Args:
        lines: agent, mean, ci_low, ci_high, paper, num_tasks, num_seeds; an empty mean means not
            trained.
        notes: by agent.
    """
    numbers = {
        agent: i
        for i, agent in enumerate((agent for agent in lines["agent"] if notes.get(agent)), 1)
    }
    caption = "\n".join(f"{i} {agent}: {notes[agent]}" for agent, i in numbers.items())
    shown = Table(
        title=title, caption=caption or None, title_justify="left", caption_justify="left"
    )
    shown.add_column("agent", overflow="fold")
    for name in ("mean", "95 % interval", "paper", "difference", "tasks", "seeds"):
        shown.add_column(name, justify="right", no_wrap=True)
    for line in lines.to_dict("records"):
        agent = line["agent"]
        mean = line["mean"]
        paper = line["paper"]
        theirs = "" if pd.isna(paper) else f"{paper:g}"
        if pd.isna(mean):
            shown.add_row(agent, "", "not trained", theirs, "", "", "")
            continue
        mark = f" ({numbers[agent]})" if agent in numbers else ""
        difference = "" if pd.isna(paper) else f"{mean / paper - 1:+.1%}{mark}"
        interval = f"{line['ci_low']:.{decimals}f} to {line['ci_high']:.{decimals}f}"
        shown.add_row(
            agent,
            f"{mean:.{decimals}f}",
            interval,
            theirs,
            difference or mark.strip(),
            f"{line['num_tasks']:,}",
            f"{line['num_seeds']}",
        )
    return shown
