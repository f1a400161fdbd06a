"""Every agent on everything that it was scored on, from the evaluations that lie in folders of
runs.

One agent's seeds are one row: its figures are of all seeds and tasks, with intervals that count
seeds and, within them, distinct tasks.
"""

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metarl.core.budget import Episodes, Steps
from metarl.core.registry import make
from metarl.evaluation.bootstrap import (
    interquartile_mean_of_counts,
    mean_of_counts,
    stratified_bootstrap,
)
from metarl.evaluation.ceiling import (
    Ceiling,
    ceiling_of,
    normalised_score,
    nothing_to_normalise,
)
from metarl.evaluation.scores import Scores
from metarl.evaluation.statistics import (
    Estimate,
    generalisation_gap,
    interquartile_mean,
    mean_over_seeds,
    probability_of_improvement,
)
from metarl.runs.evaluations import (
    InnerSteps,
    StoredEvaluation,
    budget_in_words,
    family_in_words,
    stored_evaluations,
)
from metarl.runs.store import RunFolder

__all__ = [
    "COLUMNS",
    "ScoredAgent",
    "leaderboard",
    "over_families",
    "scored_agents",
    "shown_score",
]

COLUMNS = [
    "agent",
    "label",
    "distribution",
    "arguments",
    "family",
    "split",
    "budget",
    "score",
    "value",
    "ci_low",
    "ci_high",
    "normalised",
    "normalised_low",
    "normalised_high",
    "reference",
    "iqm",
    "iqm_low",
    "iqm_high",
    "gap",
    "gap_low",
    "gap_high",
    "seeds",
    "tasks",
    "plays",
    "runs",
    "command",
    "note",
    "seed",
    "fingerprint",
]
RIVAL = ["improvement", "improvement_low", "improvement_high"]  # where there is one
# Settings that may differ between the seeds of one learner
OF_ONE_RUN = ("seeds", "device", "start", "threads")
MOST_DIFFERENCES = 3  # settings that tell learners of one name apart


@dataclass(frozen=True, eq=False)
class ScoredAgent:
    """One agent on one set of tasks, with all its training seeds.

    Attributes:
        evaluations: one a training seed, all of the same tasks; one of an agent that isn't trained.
        who: tells it from other agents, whatever they play.
        label: its name in tables, which no other agent on the same tasks has.
        settings: of its training, by dotted names; none of an agent that isn't trained.
    """

    evaluations: tuple[StoredEvaluation, ...]
    who: str
    label: str
    settings: dict[str, Any]

    @property
    def first(self) -> StoredEvaluation:
        """Any of its evaluations, where only what was played matters."""
        return self.evaluations[0]

    @property
    def trained(self) -> bool:
        """Whether there are training seeds."""
        return self.first.training_seed is not None

    @property
    def seeds(self) -> int:
        """How many training seeds stand behind its scores; 0 of an agent that isn't trained."""
        return len(self.evaluations) if self.trained else 0

    @cached_property
    def runs(self) -> tuple[Path, ...]:
        """The folders of its runs."""
        return tuple(dict.fromkeys(each.run for each in self.evaluations if each.run is not None))

    def scores(self, score: str) -> list[Scores]:
        """Return the scores of each seed [seeds][tasks]."""
        return [each.scores(score) for each in self.evaluations]


def leaderboard(
    roots: str | Path | Iterable[str | Path],
    *,
    score: str | None = None,
    level: float = 0.95,
    command: str | None = None,
    against: str | None = None,
) -> pd.DataFrame:
    """Return a row for each agent on everything that it was scored on, the best first; see
    `COLUMNS`.

    `family` is the distribution's id with the arguments that aren't its defaults, `value` the mean
    over seeds and tasks, `iqm` the interquartile mean, `gap` the mean on training tasks less the
    mean on this split's, where both were scored. `normalised` is 0 for random play and 1 for
    `reference`, the optimum or an upper bound; NaN where one of them isn't known. `seeds` is 0 for
    an agent that isn't trained, `tasks` counts distinct ones, and `note` says what else a reader
    must know, such as that one seed tells nothing of others. Rows of one `fingerprint` and `seed`
    are of the very same tasks.

    Args:
        roots: folders of runs, of a suite, or one run.
        score: total, after_k, budget_mean, success, loss or accuracy; "all" gives a row for each;
            left out, what each evaluation was made for, else after_k where episodes follow
            learning, budget_mean of a number of steps, and total.
        level: of the intervals.
        command: what computes the figures again; left out, `metarl evaluate` of the runs.
        against: label of a rival: adds the columns `improvement` and its interval, how often an
            agent is better than the rival on the same task, ties counted half.

    Raises:
        ValueError: no such folder, nothing in it that was scored so, or no such rival.
    """
    agents = scored_agents(roots)
    tables: dict[tuple[Any, ...], list[ScoredAgent]] = {}
    for agent in agents:
        tables.setdefault(agent.first.played, []).append(agent)
    rows = []
    for beside in tables.values():
        for shown in _scores_shown(beside, score):
            own = [agent for agent in beside if shown in agent.first.scores_there]
            rows += _rows(own, agents, shown, level, command, against)
    if not rows:
        raise ValueError(f"{_named(roots)} holds no evaluation {_asked(score)}")
    labels = list(dict.fromkeys(row["label"] for row in rows))
    if against is not None and against not in labels:
        raise ValueError(
            f"There is no agent {against!r} to compare with; the agents are {', '.join(labels)}."
        )
    table = pd.DataFrame(rows, columns=COLUMNS if against is None else [*COLUMNS, *RIVAL])
    table.attrs = {"level": level, "against": against}
    return table


def over_families(
    roots: str | Path | Iterable[str | Path],
    *,
    split: str = "test",
    level: float = 0.95,
) -> pd.DataFrame:
    """Return a row for each agent that was scored on every family whose scores can be normalised:
    agent, label, mean and iqm of its normalised scores with their intervals, families, seeds, note;
    the best first. Empty where there are fewer than two such families, or nobody but Random was
    scored on all.

    Families count alike, however many tasks were played; where one was scored on several sets of
    tasks, the one counts that most agents played. Intervals redraw the seeds within each
    family (Agarwal et al. 2021, stratified bootstrap) and keep the families, which are no sample of
    others; there are none where one seed, or no training, stands behind a figure, or other numbers of
    seeds in each family, of which `seeds` is the least.

    Args:
        roots: folders of runs.
        split: of the tasks.
        level: of the intervals.

    Raises:
        ValueError: no such folder.
    """
    agents = [agent for agent in scored_agents(roots) if agent.first.split == split]
    families: dict[str, dict[str, np.ndarray]] = {}
    everyone: dict[str, ScoredAgent] = {}
    for played in dict.fromkeys(agent.first.played for agent in agents):
        beside = [agent for agent in agents if agent.first.played == played]
        first = beside[0].first
        family = json.dumps([first.distribution, first.config, str(first.budget)])
        shares = _normalised_means(beside, level)
        if len(shares) > len(families.get(family, {})):
            families[family] = shares
            everyone |= {agent.label: agent for agent in beside}
    if len(families) < 2:
        return pd.DataFrame()
    rows = []
    for label, agent in everyone.items():
        own = [shares[label] for shares in families.values() if label in shares]
        if len(own) == len(families):
            rows.append(_over_families(agent, own, level))
    if all(row["agent"] == "random" for row in rows):
        return pd.DataFrame()
    table = pd.DataFrame(rows).sort_values("mean", ascending=False, ignore_index=True)
    table.attrs = {"level": level, "split": split}
    return table


def _over_families(
    agent: ScoredAgent, shares: Sequence[np.ndarray], level: float
) -> dict[str, Any]:
    """Return the row of an agent's normalised scores, a vector [seeds] for each family."""
    counts = sorted({len(each) for each in shares})
    # of other numbers of seeds, each family's mean, so that families count alike
    x = np.stack(shares, 1) if len(counts) == 1 else np.array([[each.mean() for each in shares]])
    row: dict[str, Any] = {"agent": agent.first.agent, "label": agent.label}
    for name, statistic in (("mean", mean_of_counts), ("iqm", interquartile_mean_of_counts)):
        estimate = stratified_bootstrap(x, statistic, np.random.default_rng(0), level=level)
        if len(x) == 1:
            estimate = estimate._replace(low=-np.inf, high=np.inf)
        row |= _columns(name, estimate)
    note = ""
    if agent.trained and len(x) == 1:
        words = f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else "one seed"
        note = f"{words}: there is no interval"
    seeds = counts[0] if agent.trained else 0
    return {**row, "families": len(shares), "seeds": seeds, "note": note}


def _normalised_means(beside: Sequence[ScoredAgent], level: float) -> dict[str, np.ndarray]:
    """Return the normalised mean of each seed [seeds] by label; none where they can't be had."""
    score = shown_score(beside)
    own = [agent for agent in beside if score in agent.first.scores_there]
    zero = next((agent for agent in own if agent.first.agent == "random"), None)
    if zero is None:
        return {}
    ceiling, _ = _ceiling(zero.first, score)
    random = zero.scores(score)[0]
    if ceiling is None or nothing_to_normalise(random, ceiling, level):
        return {}
    low = float(np.mean(random))
    return {
        agent.label: (np.array([float(each.mean()) for each in agent.scores(score)]) - low)
        / (ceiling.value - low)
        for agent in own
    }


def scored_agents(roots: str | Path | Iterable[str | Path]) -> list[ScoredAgent]:
    """Return the agents whose evaluations lie at or below folders, each once for everything that it
    played.

    Runs that differ in their seeds alone are one agent's. Copies, such as published ones, count
    once; where one agent was scored more than once, the last time counts.
    """
    found: dict[tuple[Any, ...], dict[int | None, StoredEvaluation]] = {}
    described: dict[Path, dict[str, Any]] = {}
    who: dict[tuple[Any, ...], tuple[str, dict[str, Any]]] = {}
    for each in stored_evaluations(roots):
        name, settings = _identity(each, described)
        key = (each.played, name)
        known = found.get(key, {}).get(each.training_seed)
        if known is not None and not _same_agent(known, each):
            # trained again, or from another start
            key = (each.played, f"{name} {each.run}")
            known = found.get(key, {}).get(each.training_seed)
        if known is None or known.created < each.created:
            found.setdefault(key, {})[each.training_seed] = each
        who[key] = key[1], settings
    agents = [
        ScoredAgent(tuple(seeds.values()), *_of(who[key], seeds)) for key, seeds in found.items()
    ]
    return _told_apart(agents)


def _of(
    who: tuple[str, dict[str, Any]], seeds: dict[int | None, StoredEvaluation]
) -> tuple[str, str, dict[str, Any]]:
    name, settings = who
    first = next(iter(seeds.values()))
    label = f"{first.label}, told the task" if first.told_the_task else first.label
    return name, label, settings


def _same_agent(known: StoredEvaluation, other: StoredEvaluation) -> bool:
    """Return whether two evaluations of one training seed are of the same weights."""
    if known.run is None or other.run is None or known.run.resolve() == other.run.resolve():
        return True
    score = known.usual_score
    return np.array_equal(np.asarray(known.scores(score)), np.asarray(other.scores(score)))


def _identity(
    evaluation: StoredEvaluation, described: dict[Path, dict[str, Any]]
) -> tuple[str, dict[str, Any]]:
    """Return what tells an agent from others, seeds apart, and the settings of its training."""
    if evaluation.run is None:
        told = " told" if evaluation.told_the_task else ""
        return f"{evaluation.agent} {evaluation.label}{told}", {}
    if evaluation.run not in described:
        described[evaluation.run] = RunFolder(evaluation.run).identity
    identity = described[evaluation.run]
    settings = {name: value for name, value in identity.items() if name not in OF_ONE_RUN}
    return json.dumps([evaluation.label, settings], sort_keys=True), dict(_flat(identity["config"]))


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """The settings by dotted names."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _told_apart(agents: Sequence[ScoredAgent]) -> list[ScoredAgent]:
    """Give agents of one name that played the same tasks names of their own."""
    namesakes: dict[tuple[Any, ...], list[ScoredAgent]] = {}
    for agent in agents:
        namesakes.setdefault((agent.first.played, agent.label), []).append(agent)
    labels: dict[int, str] = {}
    for group in namesakes.values():
        names = _differences(group) if len(group) > 1 else [agent.label for agent in group]
        labels |= {id(agent): name for agent, name in zip(group, names, strict=True)}
    return [replace(agent, label=labels[id(agent)]) for agent in agents]


def _differences(group: Sequence[ScoredAgent]) -> list[str]:
    """Return names with one setting that tells all apart, words before numbers; else with all that
    differ, or, where these are many or none, with folders.
    """
    names = dict.fromkeys(name for agent in group for name in agent.settings)
    values = {name: [str(agent.settings.get(name)) for agent in group] for name in names}
    differing = [name for name in names if len(set(values[name])) > 1]
    enough = [name for name in differing if len(set(values[name])) == len(group)]
    wordy = [name for name in enough if any(value.isidentifier() for value in values[name])]
    told_by = [*wordy, *enough][:1] or differing
    told = [
        ", ".join(
            f"{name.split('.')[-1]} {agent.settings.get(name)}".replace("_", " ")
            for name in told_by
        )
        for agent in group
    ]
    if not 0 < len(told_by) <= MOST_DIFFERENCES or len(set(told)) < len(group):
        told = [agent.runs[0].name if agent.runs else agent.first.file.stem for agent in group]
    if len(set(told)) < len(group):
        told = [str(agent.first.file.parent.parent) for agent in group]
    return [f"{agent.label} ({words})" for agent, words in zip(group, told, strict=True)]


def shown_score(beside: Sequence[ScoredAgent], score: str | None = None) -> str:
    """Return the score that agents of the same tasks are shown by.

    Args:
        beside: the agents. score: what is asked for, if anything is.
    """
    if score is not None:
        return score
    # what one of them was made for is every agent's; a usual score stands behind it
    asked = [agent.first.usual_score for agent in beside if agent.trained]
    return next(iter(asked), beside[0].first.usual_score)


def _scores_shown(beside: Sequence[ScoredAgent], score: str | None) -> list[str]:
    there = list(dict.fromkeys(name for agent in beside for name in agent.first.scores_there))
    if score == "all":
        return there
    shown = shown_score(beside, score)
    return [shown] if shown in there else []


def _rows(
    beside: Sequence[ScoredAgent],
    everyone: Sequence[ScoredAgent],
    score: str,
    level: float,
    command: str | None,
    against: str | None,
) -> list[dict[str, Any]]:
    """Return the rows of agents that played the same tasks, the best first."""
    ceiling, why_not = _ceiling(beside[0].first, score)
    zero = next((agent for agent in beside if agent.first.agent == "random"), None)
    random = None if zero is None else zero.scores(score)[0]
    if ceiling is not None and random is None:
        why_not = "nothing is normalised: Random wasn't scored beside it"
    if ceiling is not None and random is not None:
        why_not = nothing_to_normalise(random, ceiling, level)
    runs = next((agent.runs for agent in beside if agent.runs), ())
    rival = next((agent for agent in beside if agent.label == against), None)
    rows = []
    for agent in beside:
        scores = agent.scores(score)
        estimate = mean_over_seeds(scores, level)
        row: dict[str, Any] = _played(agent.first)
        row |= {"agent": agent.first.agent, "label": agent.label, "score": score}
        row |= {"value": estimate.value, "ci_low": _low(estimate), "ci_high": _high(estimate)}
        if ceiling is not None and random is not None and why_not is None:
            share = normalised_score(_stacked(scores), random, ceiling, level)
            row |= _columns("normalised", share.estimate)
            row["reference"] = share.reference
        row |= _columns("iqm", interquartile_mean(scores, level))
        row |= _gap(agent, everyone, score, level)
        if rival is not None and rival is not agent:
            sides = scores, rival.scores(score)
            better, worse = sides[::-1] if score == "loss" else sides
            wins = probability_of_improvement(better, worse, level=level)
            row |= _columns("improvement", wins)
        row |= {"seeds": agent.seeds, "tasks": estimate.n, "plays": agent.first.num_tasks}
        row["runs"] = tuple(map(str, agent.runs))
        row["command"] = _command(agent, runs, score) if command is None else command
        row["note"] = "; ".join(filter(None, [*_notes(agent, estimate), why_not or ""]))
        rows.append(row)
    sign = 1 if score == "loss" else -1
    return sorted(rows, key=lambda row: sign * row["value"])


def _played(evaluation: StoredEvaluation) -> dict[str, Any]:
    """Return the columns that say what was played."""
    return {
        "distribution": evaluation.distribution,
        "arguments": json.dumps(evaluation.config, sort_keys=True),
        "family": family_in_words(evaluation.distribution, evaluation.config),
        "split": evaluation.split,
        "budget": budget_in_words(evaluation.budget),
        "seed": evaluation.seed,
        "fingerprint": evaluation.fingerprint,
    }


def _stacked(scores: list[Scores]) -> np.ndarray:
    """Return the scores [seeds, tasks], or [tasks] of one seed, which know their tasks."""
    return np.stack(scores) if len(scores) > 1 else scores[0]


def _ceiling(evaluation: StoredEvaluation, score: str) -> tuple[Ceiling | None, str | None]:
    """Return the ceiling of a score, or why it isn't known, if that is worth a word."""
    if isinstance(evaluation.budget, InnerSteps):
        return None, None
    try:
        distribution = make(evaluation.distribution, **evaluation.config)
        return ceiling_of(evaluation, distribution, score), None
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        # what was scored elsewhere is shown all the same
        return None, f"nothing is normalised: {error}".rstrip(".")


def _gap(
    agent: ScoredAgent, everyone: Sequence[ScoredAgent], score: str, level: float
) -> dict[str, float]:
    """Return the generalisation gap's columns; none where training tasks weren't scored."""
    mine = agent.first
    if mine.split == "train":
        return {}
    for other in everyone:
        its = other.first
        same = (its.distribution, its.config, its.budget) == (
            mine.distribution,
            mine.config,
            mine.budget,
        )
        if other.who != agent.who or its.split != "train" or not same:
            continue
        train = {each.training_seed: each for each in other.evaluations}
        both = [each for each in agent.evaluations if each.training_seed in train]
        if not both or score not in its.scores_there:
            continue
        gap = generalisation_gap(
            [train[each.training_seed].scores(score) for each in both],
            [each.scores(score) for each in both],
            level,
        )
        return _columns("gap", gap.difference)
    return {}


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {
        name: estimate.value,
        f"{name}_low": _low(estimate),
        f"{name}_high": _high(estimate),
    }


def _low(estimate: Estimate) -> float:
    return estimate.low if estimate.known else np.nan


def _high(estimate: Estimate) -> float:
    return estimate.high if estimate.known else np.nan


def _notes(agent: ScoredAgent, estimate: Estimate) -> Iterable[str]:
    """What a reader must know of a figure."""
    if estimate.n == 1:
        yield "one task: there is no interval"
    elif agent.seeds == 1:
        yield "one seed: the interval is over tasks alone"
    if agent.first.finite and agent.first.split != "train":
        yield "few tasks by nature: train and test overlap"


def _command(agent: ScoredAgent, runs: Sequence[Path], score: str) -> str:
    """Return what scores the agent again; "" where no run stands beside it."""
    first = agent.first
    runs = agent.runs or runs
    if not runs:
        return ""
    words = ["metarl", "evaluate", *map(str, runs), "--split", first.split]
    words += ["--num-tasks", str(first.num_tasks), "--seed", str(first.seed)]
    words += _budget_flags(first)
    if not isinstance(first.budget, InnerSteps):
        words += ["--score", score]
        if not agent.trained and first.agent != "random":
            words += ["--beside", first.agent]
    return shlex.join(words)


def _budget_flags(evaluation: StoredEvaluation) -> list[str]:
    budget = evaluation.budget
    if isinstance(budget, Episodes):
        after = ["--after", str(budget.after)] if budget.after else []
        return ["--episodes", str(budget.learning), *after]
    if isinstance(budget, Steps):
        return ["--steps", str(budget.total)]
    batch = [] if budget.batch is None else ["--inner-batch", str(budget.batch)]
    apart = [] if budget.transductive else ["--no-transductive"]
    return ["--inner-steps", str(budget.total), *batch, *apart]


def _named(roots: str | Path | Iterable[str | Path]) -> str:
    several = [roots] if isinstance(roots, str | Path) else list(roots)
    return " and ".join(map(str, several))


def _asked(score: str | None) -> str:
    if score in (None, "all"):
        return "yet; `metarl evaluate` scores a run's agent."
    return f"with the score {score!r}; leave it out, or ask for 'all' to see which there are."
