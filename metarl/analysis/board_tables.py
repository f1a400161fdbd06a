"""Leaderboards and comparisons as readers see them: on a terminal, and in LaTeX."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from metarl.analysis.tables import with_interval

__all__ = ["latex", "render_board", "render_comparison", "render_over_families"]

# What one table shows, and which of it tells two sets of tasks apart
PLAYED = ["family", "split", "budget", "score"]
TASKS = ["seed", "fingerprint"]
NARROWEST = 64  # letters of a table, so that its title isn't broken into many lines
NUMBERS = 2  # decimals of a normalised score


def render_board(board: pd.DataFrame) -> Iterator[Table]:
    """Return a table for each set of tasks and score of a leaderboard, for a terminal."""
    rival = board.attrs.get("against")
    for played, own in board.groupby([*PLAYED, *TASKS], sort=False):
        reference = own["reference"].dropna()
        heads = {
            "value": str(played[3]),
            "normalised": f"normalised (1 = {reference.iloc[0]})" if len(reference) else None,
            "iqm": "IQM",
            "gap": "gap" if own["gap"].notna().any() else None,
            "improvement": f"better than {rival}" if rival is not None else None,
        }
        shown = {name: head for name, head in heads.items() if head is not None}
        table = Table(
            title=f"{played[0]}, {played[2]}, {_tasks(own.iloc[0])}",
            caption=_board_caption(own, shown, board.attrs.get("level", 0.95)),
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("agent", overflow="fold")
        for head in shown.values():
            table.add_column(head, justify="right", overflow="fold")
        rows = own.rename(columns={"ci_low": "value_low", "ci_high": "value_high"})
        for row in rows.to_dict("records"):
            cells = [with_interval(row, name, _decimals(own[name])) for name in shown]
            table.add_row(f"{row['label']}{_seeds(row['seeds'])}", *cells)
        yield table


def _tasks(row: Any) -> str:
    """Return how many tasks were played, and of which split."""
    tasks = f"{row['tasks']:,} {row['split']} task{'' if row['tasks'] == 1 else 's'}"
    plays = row["plays"]
    return tasks if plays == row["tasks"] else f"{plays:,} plays of {tasks}"


def _seeds(seeds: int) -> str:
    """Return what follows an agent's name; nothing of one that isn't trained."""
    return f", {seeds} seed{'' if seeds == 1 else 's'}" if seeds else ""


def _board_caption(own: pd.DataFrame, shown: Mapping[str, str], level: float) -> str:
    """Return what a reader must know of one table."""
    words = [
        f"in brackets: {100 * level:g} % intervals over tasks, and over seeds if there are some"
    ]
    if "iqm" in shown:
        words.append("IQM: interquartile mean, of the middle half of all scores")
    if "gap" in shown:
        words.append("gap: mean on training tasks less the mean here")
    if "improvement" in shown:
        words.append(f"{shown['improvement']}: how often, on the same task, ties counted half")
    return "; ".join([*words, *_notes(own)]) + "."


def _notes(own: pd.DataFrame) -> list[str]:
    """Return the rows' notes, each once with the agents that it is about."""
    everyone = list(dict.fromkeys(own["label"]))
    notes: dict[str, dict[str, None]] = {}
    for label, note in zip(own["label"], own["note"], strict=True):
        for part in filter(None, note.split("; ")):
            notes.setdefault(part, {})[label] = None
    return [
        note if len(labels) == len(everyone) else f"{', '.join(labels)}: {note}"
        for note, labels in notes.items()
    ]


def _decimals(values: pd.Series) -> int:
    """Return as many decimals as give the largest value four digits."""
    largest = float(values.abs().max())
    return 3 if not np.isfinite(largest) or largest < 10 else 2 if largest < 100 else 1


def render_over_families(table: pd.DataFrame) -> Table:
    """Return the normalised scores over all families, for a terminal."""
    families = int(table["families"].max())
    shown = Table(
        title=f"Normalised scores over all {families} families, {table.attrs['split']} tasks",
        min_width=NARROWEST,
        caption=(
            "each family counts alike; in brackets:"
            f" {100 * table.attrs.get('level', 0.95):g} % intervals over seeds, for these families;"
            " there is none of agents with one seed in some family, or without training."
        ),
        title_justify="left",
        caption_justify="left",
    )
    shown.add_column("agent", overflow="fold")
    for head in ("mean", "IQM"):
        shown.add_column(head, justify="right", overflow="fold")
    for row in table.to_dict("records"):
        cells = [with_interval(row, name) for name in ("mean", "iqm")]
        shown.add_row(f"{row['label']}{_seeds(row['seeds'])}", *cells)
    return shown


def render_comparison(table: pd.DataFrame) -> Iterator[Table | str]:
    """Return a table for each set of tasks and score of a comparison, and then what its figures
    mean, for a terminal.
    """
    for row in table.to_dict("records"):
        shown = Table(
            title=f"{row['family']}, {row['budget']}, {_tasks(row)}: {row['score']}",
            caption=f"{row['note']}." if row["note"] else None,
            title_justify="left",
            caption_justify="left",
            show_header=False,
            min_width=NARROWEST,
        )
        shown.add_column("figure", overflow="fold")
        shown.add_column("value", justify="right", overflow="fold")
        for side in ("first", "second"):
            name = f"{row[side]}{_seeds(row[f'{side}_seeds'])}"
            shown.add_row(name, with_interval(row, f"{side}_mean"))
        shown.add_row("difference", with_interval(row, "difference"))
        shown.add_row("the first is better on a task", with_interval(row, "improvement"))
        shown.add_row("the first is better on average", _probability(row["higher"]))
        yield shown
    level = f"{100 * table.attrs.get('level', 0.95):g} %"
    less = "; of losses, less is better" if (table["score"] == "loss").any() else ""
    yield (
        f"In brackets: {level} intervals. Better on a task: how often, ties counted half. Better on"
        " average: how probable it is, by the t distribution of the difference, for someone who"
        f" knew nothing before{less}."
    )


def _probability(value: float) -> str:
    """Return a probability, which is never quite 0 or 1."""
    return "> 0.999" if value > 0.9995 else "< 0.001" if value < 0.0005 else f"{value:.3f}"


def latex(board: pd.DataFrame, *, split: str = "test") -> str:
    """Return a leaderboard as a LaTeX table: rows are agents, columns families.

    A family's scores are normalised where they can be, and as they are otherwise; its head says
    which. It needs the packages booktabs and graphicx.

    Args:
        board: from `metarl.analysis.leaderboard.leaderboard`, with one score for each family.
        split: of the tasks.

    Raises:
        ValueError: no row of that split.
    """
    rows = board[board["split"] == split]
    if rows.empty:
        raise ValueError(
            f"No {split} tasks were scored; splits are {', '.join(board['split'].unique())}."
        )
    columns = [(played, _of_most_agents(own)) for played, own in rows.groupby(PLAYED, sort=False)]
    rows = pd.concat([own for _, own in columns])
    agents = list(dict.fromkeys(rows["label"]))
    level = f"{100 * board.attrs.get('level', 0.95):g}"
    lines = [
        "% needs \\usepackage{booktabs,graphicx}",
        "\\begin{table}",
        "\\centering",
        "\\footnotesize",
        # as wide as it is, or as the page
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * len(columns)}}}",
        "\\toprule",
        " & ".join(["agent", *(_head(played, own) for played, own in columns)]) + " \\\\",
        "\\midrule",
    ]
    for agent in agents:
        cells = [_cell(own[own["label"] == agent], own) for _, own in columns]
        lines.append(" & ".join([_escaped(agent), *cells]) + " \\\\")
    seeds = sorted({int(count) for count in rows["seeds"] if count})
    told = (
        f" Learners: {' or '.join(map(str, seeds))} seed{'s' if seeds != [1] else ''}."
        if seeds
        else ""
    )
    notes = " ".join(f"{note[0].upper()}{note[1:]}." for note in _notes(rows))
    caption = (
        f"Scores on {split} tasks, with {level}\\,\\% intervals over seeds and tasks. Normalised:"
        f" 0 is random play, 1 the optimum or an upper bound.{told} {_escaped(notes)}"
    )
    return "\n".join(
        [
            *lines,
            "\\bottomrule",
            "\\end{tabular}}",
            f"\\caption{{{caption.strip()}}}",
            "\\end{table}",
            "",
        ]
    )


def _of_most_agents(own: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the set of tasks that most agents played."""
    sets = [rows for _, rows in own.groupby(TASKS, sort=False)]
    return max(sets, key=len)


def _is_normalised(own: pd.DataFrame) -> bool:
    return bool(own["normalised"].notna().all())


def _head(played: Any, own: pd.DataFrame) -> str:
    family, _, budget, score = played
    kind = f"normalised {score}" if _is_normalised(own) else score
    name, _, arguments = family.partition(" (")
    told = [f"({arguments}"] if arguments else []
    return _stacked([_escaped(line) for line in (name, *told, budget, kind)])


def _stacked(lines: Sequence[str]) -> str:
    """Return lines as one cell."""
    return "\\begin{tabular}{@{}r@{}}" + " \\\\ ".join(lines) + "\\end{tabular}"


def _cell(row: pd.DataFrame, own: pd.DataFrame) -> str:
    if row.empty:
        return "--"
    name, low, high = (
        ("normalised", "normalised_low", "normalised_high")
        if _is_normalised(own)
        else ("value", "ci_low", "ci_high")
    )
    decimals = NUMBERS if name == "normalised" else _decimals(own["value"]) - 1
    first = row.iloc[0]
    value = f"${first[name]:.{decimals}f}$"
    if pd.isna(first[low]):
        return value
    interval = f"[${first[low]:.{decimals}f}$, ${first[high]:.{decimals}f}$]"
    return _stacked([value, f"{{\\scriptsize {interval}}}"])


ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "²": r"\textsuperscript{2}",
    "ε": r"$\varepsilon$",
    "−": "$-$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def _escaped(text: str) -> str:
    """Return `text` as LaTeX prints it."""
    return re.sub("|".join(map(re.escape, ESCAPES)), lambda match: ESCAPES[match[0]], text)
