"""What `metarl table` and `metarl export` do, and their flags."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from metarl.analysis.board_tables import latex
from metarl.analysis.figures import performance_profiles, save
from metarl.analysis.leaderboard import (
    ScoredAgent,
    leaderboard,
    scored_agents,
    shown_score,
)
from metarl.analysis.tables import MEANING
from metarl.core.paths import as_path
from metarl.runs.evaluations import budget_in_words, family_in_words, stored_evaluations
from metarl.runs.listing import runs_table
from metarl.runs.store import explained, write_file

__all__ = ["ExportOptions", "TableOptions", "chosen_board", "export", "write_profiles"]


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Which scores to show.

    Attributes:
        score: total, after_k, budget_mean, success, loss or accuracy; all for a table each; if left
            out, what the agents were scored for.
        split: only tasks of this split, such as test.
        family: only these families, such as GridMaze-v0.
        against: name of an agent in the table, such as Random: shows how often each other one
            scores more on the same task.
    """

    score: str | None = None
    split: str | None = None
    family: tuple[str, ...] = ()
    against: str | None = None


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What to write, and where.

    Attributes:
        format: csv, parquet or latex.
        out: the file; printed if left out, but for parquet.
        what: table, a line for each agent on everything that it was scored on; runs, a line a run
            with its settings; scores, a line for each task that an agent played. LaTeX has the
            table alone.
        score: of the table, as in `metarl table`.
        split: of the table in LaTeX.
    """

    format: Literal["csv", "parquet", "latex"] = "csv"
    out: Path | None = None
    what: Literal["table", "runs", "scores"] = "table"
    score: str | None = None
    split: str = "test"


def chosen_board(roots: Sequence[Path], options: TableOptions) -> pd.DataFrame:
    """Return the leaderboard of what lies in `roots`, as far as `options` ask for it.

    Raises:
        ValueError: nothing is as asked.
    """
    board = leaderboard(roots, score=options.score, against=options.against)
    chosen = board
    if options.split is not None:
        chosen = chosen[chosen["split"] == options.split]
    if options.family:
        chosen = chosen[chosen["distribution"].isin(options.family)]
    if chosen.empty:
        raise ValueError(
            f"Nothing was scored so; families are {', '.join(board['distribution'].unique())},"
            f" splits are {', '.join(board['split'].unique())}."
        )
    chosen.attrs = board.attrs
    return chosen


def write_profiles(roots: Sequence[Path], options: TableOptions, folder: Path) -> list[Path]:
    """Draw the performance profiles of the agents on each family, a figure each; returns the files.

    Raises:
        ValueError: nothing is as asked.
    """
    tables: dict[tuple[object, ...], list[ScoredAgent]] = {}
    for agent in scored_agents(roots):
        first = agent.first
        wanted = (options.split in (None, first.split)) and (
            not options.family or first.distribution in options.family
        )
        if wanted:
            tables.setdefault(first.played, []).append(agent)
    files: list[Path] = []
    for beside in tables.values():
        score = shown_score(beside, options.score)
        own = [agent for agent in beside if score in agent.first.scores_there]
        if not own:
            continue
        played = own[0].first
        family = family_in_words(played.distribution, played.config)
        figure = performance_profiles(
            {agent.label: agent.scores(score) for agent in own},
            x=MEANING.get(score, score),
            note="of losses, less is better" if score == "loss" else "",
            title=f"{family}, {played.split} tasks, {budget_in_words(played.budget)}",
        )
        name = f"{family}-{played.split}-{score}-{played.fingerprint[:6]}"
        plain = "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in name)
        files.append(save(figure, as_path(folder) / f"{plain}.png"))
    if not files:
        raise ValueError("Nothing was scored so; `metarl table` without flags shows what was.")
    return files


def export(roots: Sequence[Path], options: ExportOptions) -> str | None:
    """Write what `options` ask for to their file; without one, return it as text.

    Raises:
        ValueError: a format without what was asked for, or without its package.
        StorageError: the file can't be written.
    """
    if options.format == "latex" and options.what != "table":
        raise ValueError("LaTeX has the table alone: leave --what out, or choose csv or parquet.")
    if options.format == "parquet" and options.out is None:
        raise ValueError("Parquet isn't text: name a file with --out.")
    content = _content(roots, options)
    if options.out is None:
        return content.decode()
    file = as_path(options.out)
    with explained(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, content)
    return None


def _content(roots: Sequence[Path], options: ExportOptions) -> bytes:
    if options.what == "table":
        board = leaderboard(roots, score=options.score)
        if options.format == "latex":
            return latex(board, split=options.split).encode()
        table = board.assign(runs=board["runs"].map(" ".join))
    elif options.what == "runs":
        table = pd.concat([runs_table(root) for root in roots], ignore_index=True)
        if table.empty:
            raise ValueError(f"{' and '.join(map(str, roots))} holds no run.")
        nested = [
            str(name)
            for name in table
            if table[name].map(lambda value: isinstance(value, dict | list)).any()
        ]
        table = table.assign(**{name: table[name].map(json.dumps) for name in nested})
    else:
        table = _every_score(roots)
    if options.format == "csv":
        return table.to_csv(index=False, lineterminator="\n").encode()
    return _parquet(table)


def _every_score(roots: Sequence[Path]) -> pd.DataFrame:
    """Return a line for each task that an agent played."""
    tables = []
    for each in stored_evaluations(roots):
        told = {
            "agent": each.agent,
            "label": each.label,
            "training_seed": each.training_seed,
            "run": "" if each.run is None else str(each.run),
            "distribution": each.distribution,
            "arguments": json.dumps(each.config, sort_keys=True),
            "split": each.split,
            "budget": budget_in_words(each.budget),
            "seed": each.seed,
            "fingerprint": each.fingerprint,
        }
        rest = each.table.drop(columns=[name for name in told if name in each.table])
        tables.append(pd.DataFrame({**told, "task": rest["task"]}).join(rest.drop(columns="task")))
    if not tables:
        raise ValueError(
            f"{' and '.join(map(str, roots))} holds no evaluation yet; `metarl evaluate` scores a"
            " run's agent."
        )
    return pd.concat(tables, ignore_index=True)


def _parquet(table: pd.DataFrame) -> bytes:
    """Return the content of a Parquet file.

    Raises:
        ValueError: no package that writes one is here.
    """
    stream = io.BytesIO()
    try:
        table.to_parquet(stream, index=False)
    except ImportError as error:
        raise ValueError(
            "Parquet files are written by pyarrow, which isn't here: `pip install -e '.[parquet]'` in"
            " metarl's folder, or choose --format csv."
        ) from error
    return stream.getvalue()
