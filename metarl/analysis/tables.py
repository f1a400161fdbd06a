"""Score tables.

Agents on the same tasks, with intervals, normalised scores and the ceiling, as data and on a
terminal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from metarl.core.budget import Episodes
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.ceiling import ceiling_of, normalised_score, nothing_to_normalise
from metarl.evaluation.protocol import Evaluation
from metarl.evaluation.statistics import (
    Estimate,
    generalisation_gap,
    interquartile_mean,
    mean_over_seeds,
    probability_of_improvement,
)

__all__ = ["MEANING", "caption", "render", "render_leaderboard", "score_table", "with_interval"]

Entry = tuple[str, Evaluation | Sequence[Evaluation]]


def score_table(
    entries: Sequence[Entry],
    distribution: TaskDistribution,
    *,
    score: str = "total",
    random: str = "Random",
    level: float = 0.95,
    training: Sequence[Entry] = (),
    against: str | None = None,
) -> pd.DataFrame:
    """Return one row an agent: agent, mean, ci_low, ci_high, normalised and its interval, iqm and
    its interval, num_tasks (plays), distinct_tasks, num_seeds; gap and its interval where training
    tasks were scored; improvement and its interval where there is a rival.

    `iqm` is the interquartile mean, the mean of the middle half of all scores. `gap` is the mean on
    training tasks less the mean here. `improvement` is how often the agent scores more than the
    rival on the same task, ties counted half. Intervals are NaN where there is one task only.
    Normalised scores are NaN where random play can't be told from the ceiling. `attrs` say what the
    numbers mean: score, budget, ceiling (None where unknown), reference ("optimum" or "upper
    bound"), not_normalised (why, if so), finite, fingerprint, distribution, against.

    Args:
        entries: (label, evaluation), in the order of the rows. Several evaluations stand for as
            many seeds of one learner: its figure is the mean over seeds and tasks, with an interval
            that covers both, as `mean_over_seeds` has it.
        distribution: what was played.
        score: `total`, `after_k`, `budget_mean` or `success`.
        random: the label of the random agent's entry, which normalised scores count as 0; without
            such an entry they are NaN.
        level: of the intervals.
        training: the same agents on training tasks, by the same labels; some may be missing.
        against: label of the rival.

    Raises:
        ValueError: no entries, or entries of different tasks, or a rival that isn't among them.
    """
    if not entries:
        raise ValueError("A score table needs at least one (label, evaluation).")
    groups = _grouped(entries)
    first = groups[0][1][0]
    _check_same_tasks(groups)
    ceiling = ceiling_of(first, distribution, score)
    scores = _scores(groups, score)
    known = _scores(_grouped(training), score)
    zero = scores.get(random)
    why_not = None
    if ceiling is not None and zero is not None:
        why_not = nothing_to_normalise(zero[0], ceiling, level)
    if against is not None and against not in scores:
        raise ValueError(
            f"There is no agent {against!r} to compare with; the agents are {', '.join(scores)}."
        )
    rows = []
    for label, x in scores.items():
        estimate = mean_over_seeds(x, level)
        row = {"agent": label, "mean": estimate.value, **_interval("ci", estimate)}
        row |= {"normalised": np.nan, "normalised_low": np.nan, "normalised_high": np.nan}
        if ceiling is not None and zero is not None and why_not is None:
            normalised = normalised_score(
                x if len(x) > 1 else x[0], zero[0], ceiling, level
            ).estimate
            row |= _columns("normalised", normalised)
        row |= _columns("iqm", interquartile_mean(x, level))
        if label in known:
            row |= _columns("gap", generalisation_gap(known[label], x, level).difference)
        if against is not None and label != against:
            wins = probability_of_improvement(x, scores[against], level=level)
            row |= _columns("improvement", wins)
        rows.append(
            {**row, "num_tasks": x.shape[1], "distinct_tasks": estimate.n, "num_seeds": len(x)}
        )
    table = pd.DataFrame(rows)
    table.attrs = {
        "score": score,
        "level": level,
        "budget": str(first.budget),
        "ceiling": None if ceiling is None else ceiling.value,
        "reference": None if ceiling is None else ceiling.kind,
        "not_normalised": why_not,
        "finite": first.finite,
        "fingerprint": first.fingerprint,
        "distribution": repr(distribution),
        "against": against,
    }
    return table


def _grouped(entries: Sequence[Entry]) -> list[tuple[str, list[Evaluation]]]:
    """Return each agent's evaluations, one a seed, by its label."""
    return [
        (label, [part] if isinstance(part, Evaluation) else list(part)) for label, part in entries
    ]


def _scores(groups: Sequence[tuple[str, list[Evaluation]]], score: str) -> dict[str, np.ndarray]:
    """Return scores [seeds, tasks] by label."""
    return {label: np.stack([part.scores(score) for part in parts]) for label, parts in groups}


def _check_same_tasks(groups: Sequence[tuple[str, list[Evaluation]]]) -> None:
    """Raise ValueError where evaluations are of different tasks."""
    name, (first, *_) = groups[0]
    for label, parts in groups:
        for part in parts:
            if (part.fingerprint, part.seed, part.budget) != (
                first.fingerprint,
                first.seed,
                first.budget,
            ):
                raise ValueError(
                    f"{label} was scored on other tasks than {name}: {_played(part)}, not"
                    f" {_played(first)}. Evaluate all agents with the same split, num_tasks, seed"
                    " and budget."
                )


def render(table: pd.DataFrame, title: str = "", decimals: int = 3) -> Table:
    """Return the score table for a terminal.

    Print it with `rich.print` or a `rich.console.Console`.
    """
    reference = table.attrs.get("reference")
    ceiling = table.attrs.get("ceiling")
    extra = {
        name: head
        for name, head in {
            "iqm": "IQM",
            "gap": "gap",
            "improvement": f"better than {table.attrs.get('against')}",
        }.items()
        if name in table
    }
    shown = Table(
        title=title or None, caption=caption(table), caption_justify="left", title_justify="left"
    )
    # names are never cut, however narrow the terminal
    shown.add_column("agent", overflow="fold")
    score = table.attrs.get("score", "mean")
    interval = f"{100 * table.attrs.get('level', 0.95):g} % interval"
    # with many columns, the mean's interval stands in brackets as the others' do
    crowded = len(extra) > 1
    for name in (
        *((f"{score} ({interval})",) if crowded else (score, interval)),
        f"normalised (1 = {reference})" if reference else "normalised",
        *extra.values(),
    ):
        shown.add_column(name, justify="right", overflow="fold")
    rows = table.rename(columns={"ci_low": "mean_low", "ci_high": "mean_high"}).to_dict("records")
    for row in rows:
        first = [with_interval(row, "mean", decimals)]
        if not crowded:
            first = [f"{row['mean']:.{decimals}f}", _interval_of(row, "mean", decimals)]
        normalised = "" if pd.isna(row["normalised"]) else f"{row['normalised']:.3f}"
        cells = [with_interval(row, name, decimals) for name in extra]
        shown.add_row(row["agent"], *first, normalised, *cells)
    if ceiling is not None:
        shown.add_section()
        one = "" if table.attrs.get("not_normalised") else "1.000"
        cells = [f"{ceiling:.{decimals}f}", *([] if crowded else [""]), one]
        shown.add_row(f"[italic]{reference}[/italic]", *cells)
    return shown


def with_interval(row: Mapping[Any, Any], name: str, decimals: int = 3) -> str:
    """Return the figure `name` of a row with its interval, in a cell that may be broken between."""
    if pd.isna(row[name]):
        return ""
    interval = _interval_of(row, name, decimals)
    return f"{row[name]:.{decimals}f}" + (f" ({interval})" if interval else "")


def _interval_of(row: Mapping[Any, Any], name: str, decimals: int) -> str:
    if pd.isna(row[f"{name}_low"]):
        return ""
    return f"{row[f'{name}_low']:.{decimals}f} to {row[f'{name}_high']:.{decimals}f}"


def render_leaderboard(board: pd.DataFrame) -> Table:
    """Return a leaderboard of `metarl.runs.level_scores` for a terminal.

    Agents by game and steps, the best first.
    """
    view = Table(
        title="Mean return of all episodes on each level, mean over levels; played: levels x seeds",
        title_justify="left",
    )
    for name in ("game", "agent", "steps", "score", "95 % interval", "played"):
        word = name in ("game", "agent")
        view.add_column(
            name, justify="left" if word else "right", no_wrap=not word, overflow="fold"
        )
    for _, own in board.groupby(["game", "split", "steps"], sort=False):
        for row in own.to_dict("records"):
            game = row["game"] if row["split"] == "test" else f"{row['game']} ({row['split']})"
            one = row["levels"] * row["seeds"] == 1
            interval = (
                "one score"
                if one
                else (
                    "" if pd.isna(row["ci_low"]) else f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
                )
            )
            view.add_row(
                game,
                row["agent"],
                f"{row['steps']:,}",
                f"{row['score']:.2f}",
                interval,
                f"{row['levels']} x {row['seeds']}",
            )
        view.add_section()
    return view


def caption(table: pd.DataFrame) -> str:
    """Return what a reader must know.

    The score, how many tasks, what intervals cover, and whether training tasks may be among them.
    """
    plays = int(table["num_tasks"].max())
    seeds = int(table["num_seeds"].max())
    distinct = int(table.get("distinct_tasks", table["num_tasks"]).max())
    tasks = (
        f"{distinct:,} tasks"
        if distinct == plays
        else f"{plays:,} plays of {distinct:,} distinct tasks"
    )
    text = (
        f"{MEANING.get(table.attrs.get('score', ''), 'score')}, mean over the same"
        f" {tasks.replace('1 tasks', 'one task')} for every agent"
    )
    if distinct == 1:
        text += "; one task says nothing of others, so there are no intervals"
    elif seeds > 1:
        counts = sorted(set(table["num_seeds"]) - {1})
        text += (
            f"; learners: mean of {' or '.join(map(str, counts))} seeds, intervals over seeds and"
            " tasks; agents of one seed: over tasks"
        )
    else:
        text += "; intervals over tasks, of one seed"
    if "iqm" in table:
        text += "; IQM: interquartile mean, of the middle half of all scores"
    if "gap" in table:
        text += "; gap: mean on training tasks less the mean here"
    if "improvement" in table:
        rival = table.attrs.get("against")
        text += f"; better than {rival}: how often, on the same task, ties counted half"
    if reason := table.attrs.get("not_normalised"):
        text += f"; {reason}"
    return (
        text
        + (
            "; the family has few tasks, so training and test tasks overlap"
            if table.attrs.get("finite")
            else ""
        )
        + "."
    )


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    """Columns of a figure and its interval."""
    return {name: estimate.value, **_interval(name, estimate)}


def _interval(name: str, estimate: Estimate) -> dict[str, float]:
    """Columns of an interval; NaN where there is none."""
    return {
        f"{name}_low": estimate.low if estimate.known else np.nan,
        f"{name}_high": estimate.high if estimate.known else np.nan,
    }


MEANING = {
    "total": "total: sum of all rewards of a meta-episode",
    "after_k": "after_k: return of the episodes that follow learning",
    "budget_mean": "budget_mean: return of the episodes within the step budget",
    "success": "success: share of episodes that succeed",
    "loss": "loss after the last inner step",
    "accuracy": "accuracy after the last inner step",
}


def _played(evaluation: Evaluation) -> str:
    budget = evaluation.budget
    length = (
        f"{budget.learning} + {budget.after} episodes"
        if isinstance(budget, Episodes)
        else f"{budget.total} steps"
    )
    return (
        f"{evaluation.num_tasks} tasks {evaluation.fingerprint} with seed {evaluation.seed} and"
        f" {length}"
    )
