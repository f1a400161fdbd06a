"""What `metarl compare` does, and its flags."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from metarl.analysis.comparison import Pair, comparison_table, pairs_of
from metarl.analysis.figures import performance_profiles, save
from metarl.analysis.leaderboard import ScoredAgent, scored_agents, shown_score
from metarl.analysis.tables import MEANING
from metarl.core.paths import as_path
from metarl.runs.evaluations import budget_in_words, family_in_words

__all__ = ["CompareOptions", "compare"]


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """How to compare two agents.

    Attributes:
        root: folder of the runs that agents are looked for in, where they are named by their names
            in `metarl table`, or by ids such as thompson.
        score: total, after_k, budget_mean, success, loss or accuracy; if left out, what the agents
            were scored for.
        split: only tasks of this split, such as test.
        figure: file of a figure of both performance profiles, such as profiles.png; where they
            played several families, of the first.
    """

    root: Path = Path("runs")
    score: str | None = None
    split: str | None = None
    figure: Path | None = None


def compare(first: str, second: str, options: CompareOptions) -> pd.DataFrame:
    """Return how far `first` is ahead of `second`, as `comparison_table` has it, and draw the figure
    that was asked for.

    Args:
        first, second: folders of runs, or agents' names or ids.
        options: where to look, and for what.

    Raises:
        ValueError: nobody is called so, or nothing can be compared.
    """
    sides = [_agents(name, options) for name in (first, second)]
    pairs = pairs_of(sides[0], sides[1])
    if not pairs:
        raise ValueError(
            f"{first} and {second} were scored on nothing in common. Score both on the same tasks,"
            f" such as by {_advice(first, second)}."
        )
    table = comparison_table(pairs, names=_names(first, second), score=options.score)
    if options.figure is not None:
        _draw(pairs[0], _names(first, second), options)
    return table


def _agents(name: str, options: CompareOptions) -> list[ScoredAgent]:
    """Return the agents that a folder, a name or an id stands for."""
    if as_path(name).is_dir():
        found = scored_agents(name)
        trained = [agent for agent in found if agent.trained]
        if not found:
            raise ValueError(
                f"{name} holds no evaluation yet; `metarl evaluate {shlex.quote(name)}` makes some."
            )
        chosen = trained or found
    else:
        found = scored_agents(options.root)
        chosen = [agent for agent in found if name.lower() == agent.label.lower()]
        chosen = chosen or [agent for agent in found if agent.first.agent == name]
        if not chosen:
            known = ", ".join(dict.fromkeys(agent.label for agent in found)) or "none"
            raise ValueError(
                f"There is no folder {name!r}, and no agent of that name or id was scored in"
                f" {options.root}; agents there: {known}. --root names another folder."
            )
    if options.split is not None:
        chosen = [agent for agent in chosen if agent.first.split == options.split]
        if not chosen:
            raise ValueError(f"{name} wasn't scored on {options.split} tasks.")
    return chosen


def _names(first: str, second: str) -> tuple[str, str]:
    """Return how both sides are called, briefly where that tells them apart."""
    short = [as_path(name).name if as_path(name).is_dir() else name for name in (first, second)]
    return (short[0], short[1]) if short[0] != short[1] else (first, second)


def _advice(first: str, second: str) -> str:
    folders = [name for name in (first, second) if as_path(name).is_dir()]
    ids = [name for name in (first, second) if name not in folders]
    beside = ["--beside", *ids] if ids else []
    return f"`{shlex.join(['metarl', 'evaluate', *(folders or ['FOLDER']), *beside])}`"


def _draw(pair: Pair, names: tuple[str, str], options: CompareOptions) -> None:
    """Draw both performance profiles."""
    score = shown_score([pair.first, pair.second], options.score)
    labels = [pair.first.label, pair.second.label]
    if labels[0] == labels[1]:
        labels = [f"{label} ({name})" for label, name in zip(labels, names, strict=True)]
    played = pair.first.first
    figure = performance_profiles(
        {
            label: agent.scores(score)
            for label, agent in zip(labels, (pair.first, pair.second), strict=True)
        },
        x=MEANING.get(score, score),
        note="of losses, less is better" if score == "loss" else "",
        title=f"{family_in_words(played.distribution, played.config)}, {played.split} tasks,"
        f" {budget_in_words(played.budget)}",
    )
    assert options.figure is not None
    save(figure, options.figure)
