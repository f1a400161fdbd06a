"""Stored evaluations, read back: who played what, and the scores of each task.

`metarl.runs.store` writes them, a NAME.csv and a NAME.json in a folder `evaluations`, which lies in
a run's folder or, of agents that aren't trained, beside runs'.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metarl.agents.registry import agent_class
from metarl.core.budget import Budget, Episodes, Steps
from metarl.core.paths import as_path
from metarl.core.registry import REVEALED, make
from metarl.evaluation.scores import Scores, scores_of
from metarl.learners.registry import learner_label
from metarl.runs.config import told_arguments
from metarl.runs.store import RunFolder, RunFolderError, skipped_if_broken

__all__ = [
    "InnerSteps",
    "StoredEvaluation",
    "budget_in_words",
    "family_in_words",
    "label_of_agent",
    "label_of_learner",
    "read_evaluation",
    "stored_evaluations",
    "with_arguments",
]

SCORES = ("total", "after_k", "budget_mean", "success")  # of agents
LEARNED = ("accuracy", "loss")  # of learners from examples
LOWER_IS_BETTER = ("loss",)
# What follows the played tasks, and a suite's mark, in the names of files from before they said who
# played
WHO = re.compile(r"-seed\d+(?:-[0-9a-f]{6})?(?:-(?P<who>.+))?$")
MEMBER = re.compile(r"member(\d+)")


@dataclass(frozen=True)
class InnerSteps:
    """How long a learner from examples adapts to a task.

    Attributes:
        total: gradient steps.
        batch: examples in a step; None is the whole support.
        transductive: whether a task's queries are computed as one batch.
    """

    total: int
    batch: int | None = None
    transductive: bool = True


@dataclass(frozen=True, eq=False)
class StoredEvaluation:
    """One agent's scores on tasks, as they lie on disk.

    Attributes:
        file: the table of scores, a line a task.
        run: folder of the run that was scored; None of an agent that isn't trained.
        agent: who played: a learner's name, or an agent's id.
        label: its name in tables.
        training_seed: of a learner's agent; None of one that isn't trained.
        distribution: id of the task distribution, with its arguments in `config`.
        told_the_task: whether the agent was shown each task's parameters.
        config, split, seed, budget, num_tasks, fingerprint, finite: what was played, as in an
            `Evaluation`.
        usual_score: what tables show.
        created: when, in UTC.
    """

    file: Path
    run: Path | None
    agent: str
    label: str
    training_seed: int | None
    distribution: str
    told_the_task: bool
    config: dict[str, Any]
    split: str
    seed: int
    budget: Budget | InnerSteps
    num_tasks: int
    fingerprint: str
    finite: bool
    usual_score: str
    created: str

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a task; of a learner from examples, what was reached at its last inner step."""
        table = pd.read_csv(self.file)
        if isinstance(self.budget, InnerSteps):
            table = table[table["inner_step"] == table["inner_step"].max()].reset_index(drop=True)
        return table

    @property
    def scores_there(self) -> list[str]:
        """The scores that it has."""
        return [name for name in (*SCORES, *LEARNED) if name in self.table]

    def scores(self, score: str) -> Scores:
        """Return one number a task [num_tasks], which knows what tasks are the same.

        Raises:
            ValueError: it has no such score.
        """
        if score not in self.table:
            raise ValueError(
                f"{self.file} has no score {score!r}; it has {', '.join(self.scores_there)}."
            )
        same = self.table["same_task"].to_numpy() if "same_task" in self.table else None
        return scores_of(self.table[score].to_numpy(np.float64), same)

    @property
    def played(self) -> tuple[Any, ...]:
        """What was played; equal for agents whose scores stand in one table."""
        arguments = json.dumps(self.config, sort_keys=True)
        whole = self.distribution, arguments, self.split, self.seed, self.budget
        return (*whole, self.num_tasks, self.fingerprint)


def stored_evaluations(roots: Path | str | Iterable[Path | str]) -> list[StoredEvaluation]:
    """Return the evaluations at or below folders, in the order of their files; broken ones are left
    out, with a warning that names them.

    Args:
        roots: one or several; of those that lie in one another, files count once.

    Raises:
        RunFolderError: there is no such folder.
    """
    several = [roots] if isinstance(roots, str | Path) else list(roots)
    files: dict[Path, Path] = {}
    for root in map(as_path, several):
        if not root.is_dir():
            raise RunFolderError(f"There is no folder {root}: name one that holds runs.")
        for file in sorted(root.rglob("evaluations/*.json")):
            if "earlier" not in file.relative_to(root).parts:
                files.setdefault(file.resolve(), file)
    found = []
    for file in files.values():
        with skipped_if_broken(file):
            found.append(read_evaluation(file))
    return found


def read_evaluation(file: Path) -> StoredEvaluation:
    """Return the evaluation that is described in `file`, NAME.json.

    Raises:
        ValueError: the file is no evaluation's, or is damaged, or its table is missing.
    """
    try:
        told = json.loads(file.read_text())
    except ValueError as error:
        raise ValueError(f"it is damaged ({error}); score again") from error
    needed = ("distribution", "arguments", "split", "seed", "budget", "num_tasks", "fingerprint")
    if not isinstance(told, dict) or not set(needed) <= set(told):
        raise ValueError("it doesn't say what was played; score again")
    table = file.with_suffix(".csv")
    if not table.is_file():
        raise ValueError(f"{table.name} isn't beside it; score again")
    agent, label, training_seed, run = _who(file, told)
    budget = _budget(told["budget"])
    return StoredEvaluation(
        file=table,
        run=run,
        agent=agent,
        label=label,
        training_seed=training_seed,
        distribution=told["distribution"].removesuffix(REVEALED),
        told_the_task=told["distribution"].endswith(REVEALED),
        config=told["arguments"],
        split=told["split"],
        seed=told["seed"],
        budget=budget,
        num_tasks=told["num_tasks"],
        fingerprint=told["fingerprint"],
        finite=bool(told.get("finite")),
        usual_score=told.get("score") or _usual_score(budget),
        created=str(told.get("created", "")),
    )


def _who(file: Path, told: dict[str, Any]) -> tuple[str, str, int | None, Path | None]:
    """Return agent, label, training seed and run; of files that don't tell, by where they lie."""
    folder = file.parent.parent
    run = RunFolder(folder) if (folder / "run.json").is_file() else None
    if "agent" in told:
        training_seed = told["training_seed"]
        own = None if run is None or training_seed is None else folder
        return told["agent"], told["label"], training_seed, own
    match = WHO.search(file.stem)
    who = None if match is None else match["who"]
    member = MEMBER.fullmatch(who or "member0")
    if run is not None and member:
        name = run.description["learner"]
        return name, label_of_learner(name), run.description["seeds"][int(member[1])], folder
    if who is None:
        raise ValueError("it doesn't say who played; score again")
    return who, label_of_agent(who), None, None


def label_of_learner(name: str) -> str:
    """Return how tables print a learner: its name where its package isn't here."""
    try:
        return learner_label(name)
    except (ValueError, ImportError):
        return name


def label_of_agent(id: str) -> str:
    """Return how tables print an agent: its id where its package isn't here."""
    try:
        return str(agent_class(id).label)
    except (ValueError, ImportError):
        return id


def _budget(told: dict[str, Any]) -> Budget | InnerSteps:
    """Return the budget of JSON values."""
    fields = {name: value for name, value in told.items() if name != "kind"}
    kinds = {"Episodes": Episodes, "Steps": Steps, "InnerSteps": InnerSteps}
    if told.get("kind") not in kinds:
        raise ValueError(f"its budget is {told}, which this version of metarl doesn't know")
    budget: Budget | InnerSteps = kinds[told["kind"]](**fields)
    return budget


def _usual_score(budget: Budget | InnerSteps) -> str:
    if isinstance(budget, InnerSteps):
        return "loss"
    if isinstance(budget, Steps):
        return "budget_mean"
    return "after_k" if budget.after else "total"


def budget_in_words(budget: Budget | InnerSteps) -> str:
    """Return such as "10 episodes", "10 + 1 episodes" or "1,000 steps"."""
    if isinstance(budget, Episodes):
        after = f" + {budget.after:,}" if budget.after else ""
        one = budget.total == 1 and not after
        return f"{budget.learning:,}{after} episode{'' if one else 's'}"
    if isinstance(budget, Steps):
        return f"{budget.total:,} steps"
    batch = "" if budget.batch is None else f" of {budget.batch} examples"
    return (
        f"{budget.total:,} inner steps{batch}{'' if budget.transductive else ', not transductive'}"
    )


def family_in_words(distribution: str, arguments: dict[str, Any]) -> str:
    """Return a family's id with the arguments that aren't its defaults, such as
    "BernoulliBandit-v0 (arms 10)".
    """
    return with_arguments(distribution, _needed(distribution, json.dumps(arguments)))


def with_arguments(distribution: str, told: Mapping[str, Any]) -> str:
    """Return a family's id with arguments that are to be told."""
    words = ", ".join(f"{name.replace('_', ' ')} {_word(told[name])}" for name in sorted(told))
    return f"{distribution} ({words})" if words else distribution


@cache
def _needed(distribution: str, arguments: str) -> dict[str, Any]:
    """Return the arguments (JSON) that aren't defaults, nor follow from the others, as the horizon
    of a maze does from its size.
    """
    whole = json.loads(arguments)
    told = told_arguments(distribution, whole)
    for name in list(told):
        fewer = {other: value for other, value in told.items() if other != name}
        try:
            follows = json.loads(json.dumps(make(distribution, **fewer).config())) == whole
        except (ValueError, OSError, ImportError, RuntimeError):
            # it can't be made here, as a game without its ROM can't
            return told
        if follows:
            told = fewer
    return told


def _word(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_word, value))
    return "yes" if value is True else "no" if value is False else str(value)
