"""Two agents side by side on what both were scored on: how far one is ahead, and how surely."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from metarl.analysis.leaderboard import ScoredAgent, shown_score
from metarl.evaluation.statistics import (
    Comparison,
    Estimate,
    generalisation_gap,
    mean_over_seeds,
    paired_difference,
    probability_of_improvement,
)
from metarl.runs.evaluations import budget_in_words, family_in_words

__all__ = ["Pair", "comparison_table", "pairs_of"]


class Pair(NamedTuple):
    """Two agents that were scored on the same family, split and budget.

    Attributes:
        first, second: the agents.
        paired: whether they played the very same tasks.
    """

    first: ScoredAgent
    second: ScoredAgent
    paired: bool


def pairs_of(first: Sequence[ScoredAgent], second: Sequence[ScoredAgent]) -> list[Pair]:
    """Return what can be compared of two sides, each one agent or several on whatever they played.

    Where a side has several agents, those of one name are compared with each other; a single one
    is, with all of the other side. The same tasks are compared where there are some, else others of
    the same family, split and budget.
    """
    pairs = [Pair(*each, paired=True) for each in _matches(first, second, _tasks)]
    known = {_kind(pair.first) for pair in pairs}
    others = [Pair(*each, paired=False) for each in _matches(first, second, _kind)]
    return pairs + [pair for pair in others if _kind(pair.first) not in known]


def _tasks(agent: ScoredAgent) -> Any:
    return agent.first.played


def _kind(agent: ScoredAgent) -> Any:
    """What was played, whichever tasks were drawn."""
    first = agent.first
    return first.distribution, str(first.config), first.split, first.budget


def _matches(
    first: Sequence[ScoredAgent], second: Sequence[ScoredAgent], key: Any
) -> Iterator[tuple[ScoredAgent, ScoredAgent]]:
    for played in dict.fromkeys(map(key, first)):
        own = [agent for agent in first if key(agent) == played]
        others = [agent for agent in second if key(agent) == played]
        alone = len(own) == 1 or len(others) == 1
        for one in own:
            for other in others:
                if one is not other and (alone or one.label == other.label):
                    yield one, other


def comparison_table(
    pairs: Sequence[Pair],
    *,
    names: tuple[str, str],
    score: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return a row for each pair: family, split, budget, score, first and second (names), the mean
    of each, their difference, improvement (how often the first scores more than the second on the
    same task, ties counted half), each with its interval, higher (the probability that the first
    has the higher mean), seeds of both, tasks (distinct ones), plays, and note.

    `higher` is one less the one-sided p-value of the difference: what is to be believed of the true
    means by someone who knew nothing of them before.

    Args:
        pairs: from `pairs_of`.
        names: of the two sides, added where both agents have one label.
        score: total, after_k and so on; what the evaluations were made for if left out.
        level: of the intervals.

    Raises:
        ValueError: nothing to compare by that score.
    """
    rows = []
    for pair in pairs:
        there = set(pair.first.first.scores_there) & set(pair.second.first.scores_there)
        shown = shown_score([pair.first, pair.second], score)
        if shown in there:
            rows.append(_row(pair, names, shown, level))
    if not rows:
        asked = "" if score is None else f" by the score {score!r}"
        raise ValueError(f"{names[0]} and {names[1]} have nothing to compare{asked}.")
    table = pd.DataFrame(rows)
    table.attrs = {"level": level, "names": names}
    return table


def _row(pair: Pair, names: tuple[str, str], score: str, level: float) -> dict[str, Any]:
    x, y = pair.first.scores(score), pair.second.scores(score)
    labels = [pair.first.label, pair.second.label]
    if labels[0] == labels[1]:
        labels = [f"{label} ({name})" for label, name in zip(labels, names, strict=True)]
    sign = -1 if score == "loss" else 1
    difference, improvement = _compared(
        [sign * each for each in x], [sign * each for each in y], pair, level
    )
    played = pair.first.first
    first, second = mean_over_seeds(x, level), mean_over_seeds(y, level)
    return {
        "family": family_in_words(played.distribution, played.config),
        "split": played.split,
        "budget": budget_in_words(played.budget),
        "score": score,
        "first": labels[0],
        "second": labels[1],
        **_columns("first_mean", first),
        **_columns("second_mean", second),
        **_columns("difference", _signed(difference.difference, sign)),
        **_columns("improvement", improvement),
        "higher": 1 - difference.p_value,
        "first_seeds": pair.first.seeds,
        "second_seeds": pair.second.seeds,
        "tasks": min(first.n, second.n),
        "plays": min(played.num_tasks, pair.second.first.num_tasks),
        "note": "; ".join(_notes(pair)),
    }


def _compared(x: list[Any], y: list[Any], pair: Pair, level: float) -> tuple[Comparison, Estimate]:
    """Return how far the first is ahead, and how often, where more is better."""
    if pair.paired:
        return paired_difference(x, y, level), probability_of_improvement(x, y, level=level)
    own, other = sum(x) / len(x), sum(y) / len(y)
    return (
        generalisation_gap(own, other, level),
        probability_of_improvement(own, other, paired=False, level=level),
    )


def _signed(estimate: Estimate, sign: int) -> Estimate:
    """Return a difference in the score's own direction."""
    low, high = sorted((sign * estimate.low, sign * estimate.high))
    return estimate._replace(value=sign * estimate.value, low=low, high=high)


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    known = estimate.known
    return {
        name: estimate.value,
        f"{name}_low": estimate.low if known else np.nan,
        f"{name}_high": estimate.high if known else np.nan,
    }


def _notes(pair: Pair) -> Iterator[str]:
    """What a reader must know of a comparison."""
    if not pair.paired:
        yield "other tasks on both sides: nothing is paired, and intervals are over tasks alone"
        return
    alone = [agent.label for agent in (pair.first, pair.second) if agent.seeds == 1]
    if alone:
        yield f"one seed of {' and '.join(dict.fromkeys(alone))}: nothing is known of other seeds"
