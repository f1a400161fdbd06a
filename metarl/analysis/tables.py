"""Score tables: agents on the same tasks, with intervals, normalised scores and the ceiling, as data and on a terminal."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from rich.table import Table

from metarl.envs.budget import Episodes
from metarl.evaluation.ceiling import ceiling_of, normalised_score, nothing_to_normalise
from metarl.evaluation.protocol import Evaluation
from metarl.evaluation.statistics import Estimate, mean_over_seeds
from metarl.tasks.contract import TaskDistribution

__all__ = ["caption", "render", "render_leaderboard", "score_table"]

Entry = tuple[str, Evaluation | Sequence[Evaluation]]


def score_table(
    entries: Sequence[Entry], distribution: TaskDistribution, *, score: str = "total", random: str = "Random", level: float = 0.95
) -> pd.DataFrame:
    """One row an agent: agent, mean, ci_low, ci_high, normalised and its interval, num_tasks (plays), distinct_tasks, num_seeds.

    Intervals are NaN where there is one task only. Normalised scores are NaN where random play can't be told from the ceiling. `attrs`
    say what the numbers mean: score, budget, ceiling (None where unknown), reference ("optimum" or "upper bound"), not_normalised (why, if
    so), finite, fingerprint, distribution.

    Args:
        entries: (label, evaluation), in the order of the rows. Several evaluations stand for as many seeds of one learner: its figure is
            the mean over seeds and tasks, with an interval that covers both, as `mean_over_seeds` has it.
        distribution: what was played.
        score: `total`, `after_k`, `budget_mean` or `success`.
        random: the label of the random agent's entry, which normalised scores count as 0; without such an entry they are NaN.
        level: of the intervals.

    Raises:
        ValueError: no entries, or entries of different tasks.
    """
    if not entries:
        raise ValueError("A score table needs at least one (label, evaluation).")
    groups = [(label, [part] if isinstance(part, Evaluation) else list(part)) for label, part in entries]
    first = groups[0][1][0]
    for label, parts in groups:
        for part in parts:
            if (part.fingerprint, part.seed, part.budget) != (first.fingerprint, first.seed, first.budget):
                raise ValueError(
                    f"{label} was scored on other tasks than {groups[0][0]}: {_played(part)}, not {_played(first)}. "
                    "Evaluate all agents with the same split, num_tasks, seed and budget."
                )
    ceiling = ceiling_of(first, distribution, score)
    scores = {label: np.stack([part.scores(score) for part in parts]) for label, parts in groups}  # each [seeds, tasks]
    zero, why_not = scores.get(random), None
    if ceiling is not None and zero is not None:
        why_not = nothing_to_normalise(zero[0], ceiling, level)
    rows = []
    for label, x in scores.items():
        estimate = mean_over_seeds(x, level)
        row = {"agent": label, "mean": estimate.value, **_interval("ci", estimate)}
        row |= {"normalised": np.nan, "normalised_low": np.nan, "normalised_high": np.nan}
        if ceiling is not None and zero is not None and why_not is None:
            normalised = normalised_score(x if len(x) > 1 else x[0], zero[0], ceiling, level).estimate
            row |= {"normalised": normalised.value, **_interval("normalised", normalised)}
        rows.append({**row, "num_tasks": x.shape[1], "distinct_tasks": estimate.n, "num_seeds": len(x)})
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
    }
    return table


def render(table: pd.DataFrame, title: str = "", decimals: int = 3) -> Table:
    """The score table for a terminal: print it with `rich.print` or a `rich.console.Console`."""
    reference, ceiling = table.attrs.get("reference"), table.attrs.get("ceiling")
    shown = Table(title=title or None, caption=caption(table), caption_justify="left", title_justify="left")
    # names are never cut, however narrow the terminal
    shown.add_column("agent", overflow="fold")
    for name in (
        table.attrs.get("score", "mean"),
        f"{100 * table.attrs.get('level', 0.95):g} % interval",
        f"normalised (1 = {reference})" if reference else "normalised",
    ):
        shown.add_column(name, justify="right", overflow="fold")
    for row in table.to_dict("records"):
        normalised = "" if pd.isna(row["normalised"]) else f"{row['normalised']:.3f}"
        interval = "" if pd.isna(row["ci_low"]) else f"{row['ci_low']:.{decimals}f} to {row['ci_high']:.{decimals}f}"
        shown.add_row(row["agent"], f"{row['mean']:.{decimals}f}", interval, normalised)
    if ceiling is not None:
        shown.add_section()
        one = "" if table.attrs.get("not_normalised") else "1.000"
        shown.add_row(f"[italic]{reference}[/italic]", f"{ceiling:.{decimals}f}", "", one)
    return shown


def render_leaderboard(board: pd.DataFrame) -> Table:
    """A leaderboard of `metarl.experiments.level_scores` for a terminal: agents by game and steps, the best first."""
    view = Table(title="Mean return of all episodes on each level, mean over levels; played: levels x seeds", title_justify="left")
    for name in ("game", "agent", "steps", "score", "95 % interval", "played"):
        word = name in ("game", "agent")
        view.add_column(name, justify="left" if word else "right", no_wrap=not word, overflow="fold")
    for _, own in board.groupby(["game", "split", "steps"], sort=False):
        for row in own.to_dict("records"):
            game = row["game"] if row["split"] == "test" else f"{row['game']} ({row['split']})"
            one = row["levels"] * row["seeds"] == 1
            interval = "one score" if one else "" if pd.isna(row["ci_low"]) else f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
            view.add_row(game, row["agent"], f"{row['steps']:,}", f"{row['score']:.2f}", interval, f"{row['levels']} x {row['seeds']}")
        view.add_section()
    return view


def caption(table: pd.DataFrame) -> str:
    """What a reader must know: the score, how many tasks, what intervals cover, and whether training tasks may be among them."""
    plays, seeds = int(table["num_tasks"].max()), int(table["num_seeds"].max())
    distinct = int(table.get("distinct_tasks", table["num_tasks"]).max())
    tasks = f"{distinct:,} tasks" if distinct == plays else f"{plays:,} plays of {distinct:,} distinct tasks"
    text = (
        f"{_MEANING.get(table.attrs.get('score', ''), 'score')}, mean over the same {tasks.replace('1 tasks', 'one task')} for every agent"
    )
    if distinct == 1:
        text += "; one task says nothing of others, so there are no intervals"
    elif seeds > 1:
        counts = sorted(set(table["num_seeds"]) - {1})
        text += f"; learners: mean of {' or '.join(map(str, counts))} seeds, intervals over seeds and tasks; agents of one seed: over tasks"
    else:
        text += "; intervals over tasks, of one seed"
    if reason := table.attrs.get("not_normalised"):
        text += f"; {reason}"
    return text + ("; the family has few tasks, so training and test tasks overlap" if table.attrs.get("finite") else "") + "."


def _interval(name: str, estimate: Estimate) -> dict[str, float]:
    """Columns of an interval; NaN where there is none."""
    return {f"{name}_low": estimate.low if estimate.known else np.nan, f"{name}_high": estimate.high if estimate.known else np.nan}


_MEANING = {
    "total": "total: sum of all rewards of a meta-episode",
    "after_k": "after_k: return of the episodes that follow learning",
    "budget_mean": "budget_mean: return of the episodes within the step budget",
    "success": "success: share of episodes that succeed",
}


def _played(evaluation: Evaluation) -> str:
    budget = evaluation.budget
    length = f"{budget.learning} + {budget.after} episodes" if isinstance(budget, Episodes) else f"{budget.total} steps"
    return f"{evaluation.num_tasks} tasks {evaluation.fingerprint} with seed {evaluation.seed} and {length}"
