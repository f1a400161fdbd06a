"""What `metarl evaluate` does, and its flags.

Its table is made in `metarl.analysis.tables`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from metarl.agents.registry import agent_class, make_agent
from metarl.core.agent import Agent
from metarl.core.arguments import check_device
from metarl.core.budget import Budget, Episodes, Steps, max_steps
from metarl.core.capabilities import task_count_of
from metarl.core.paths import as_path
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.protocol import MOST_TASKS, Evaluation, evaluate
from metarl.learners.registry import learns_from_examples
from metarl.runs.config import RunConfig
from metarl.runs.evaluations import label_of_agent, label_of_learner
from metarl.runs.load import check_trained, default_budget, load_agent
from metarl.runs.store import RunFolder, find_runs, skipped_if_broken, write_evaluation
from metarl.runs.suggested import suggested_num_tasks

__all__ = [
    "EvaluateOptions",
    "Played",
    "Scored",
    "TrainedSeed",
    "check_same_distribution",
    "learners_of",
    "runs_in",
    "save_scores",
    "score_run",
    "score_runs",
    "scoring_flags",
]


@dataclass(frozen=True)
class EvaluateOptions:
    """How to score trained agents.

    Attributes:
        split: of the tasks: test, train, or validation or extrapolate where the distribution has
            it.
        num_tasks: how many tasks; if left out, each of the split once where it has a list of at
            most 10,000, else 10,000.
        seed: names the tasks and the environment's noise.
        episodes: K, episodes in a meta-episode; as in training if left out.
        after: M, further episodes, which alone count for after_k; as in training if left out with
            `episodes`, else none.
        steps: play this many environment steps instead of episodes.
        score: total, after_k, budget_mean or success; total if left out.
        beside: ids of agents to score on the same tasks, such as gittins; `metarl list` shows them.
        gap: score as many training tasks too, and show each agent's generalisation gap: its mean on
            training tasks less its mean on this split's.
        against: name of an agent in the table, such as Random: shows how often each other one
            scores more on the same task.
        seed_index: which of a run's seeds, counted from 0; all if left out.
        device: cpu or cuda.
        inner_steps: of a run that learned from examples: steps on each task, 32 if left out.
        inner_batch: of such a run: examples in an inner step; the whole support if left out.
        transductive: of such a run: compute a task's queries as one batch, so that they may have a
            say in each other's answers, rather than each one beside the support alone.
    """

    split: str = "test"
    num_tasks: int | None = None
    seed: int = 0
    episodes: int | None = None
    after: int | None = None
    steps: int | None = None
    score: Literal["total", "after_k", "budget_mean", "success"] | None = None
    beside: tuple[str, ...] = ()
    gap: bool = False
    against: str | None = None
    seed_index: int | None = None
    device: str = "cpu"
    inner_steps: int | None = None
    inner_batch: int | None = None
    transductive: bool = True


class Played(NamedTuple):
    """One agent's scores."""

    folder: Path | None  # of its run; None of an agent that isn't trained
    name: str  # what tells its file from others: its seed, or its id as `metarl list` shows it
    evaluation: Evaluation
    agent: str  # a learner's name, or an agent's id
    training_seed: int | None = None  # of a learner's agent


class Scored(NamedTuple):
    """Agents scored on the same tasks."""

    # By label: learners, of all their seeds, then Random, then those beside
    entries: list[tuple[str, Evaluation | list[Evaluation]]]
    distribution: TaskDistribution
    played: list[Played]
    score: str
    # Likewise on training tasks, where they were asked for
    training: list[tuple[str, Evaluation | list[Evaluation]]]


def score_run(folder: Path, options: EvaluateOptions) -> Scored:
    """Score one run as `score_runs` does several."""
    return score_runs([folder], options)


def score_runs(folders: Sequence[Path], options: EvaluateOptions) -> Scored:
    """Score runs' agents, Random and the agents beside on the same tasks; `save_scores` writes them
    down.

    All seeds of a run are scored, unless `seed_index` picks one, and runs that differ in their
    seeds alone count as one learner's. Learners of one name are told apart by their folders.

    Raises:
        ValueError: no runs, runs on different distributions or trained for different budgets, or
            options that don't fit them.
    """
    check_device(options.device)
    if (
        options.inner_steps is not None
        or options.inner_batch is not None
        or not options.transductive
    ):
        raise ValueError(
            "--inner-steps, --inner-batch and --no-transductive are for runs that learned from"
            " examples; these have episodes."
        )
    groups = learners_of(folders, options.seed_index)
    runs = [seeds[0].run for seeds in groups.values()]
    distribution = check_same_distribution(groups)
    budget = _same_budget(runs, options)
    score = options.score or "total"
    if score == "success" and distribution.has_success is False:
        raise ValueError(f"{distribution.id} has no notion of success; choose another --score.")

    if options.gap and options.split == "train":
        raise ValueError(
            "A generalisation gap lies between training tasks and others: leave --split train out,"
            " or --gap."
        )
    ids = ["random", *(id for id in options.beside if id != "random")]
    others = [(id, make_agent(id, distribution, budget)) for id in ids]
    _check_rival(options.against, [*groups, *(agent_class(id).label for id in ids)])
    play = _Playing(groups, others, distribution, budget, score, options)
    entries, played = play.split(options.split)
    training, played_too = play.split("train") if options.gap else ([], [])
    return Scored(entries, distribution, [*played, *played_too], score, training)


def _check_rival(against: str | None, labels: Sequence[str]) -> None:
    """Raise ValueError, before anything is played, where there is no such agent."""
    if against is not None and against not in labels:
        raise ValueError(
            f"There is no agent {against!r} to compare with; the agents are {', '.join(labels)}."
        )


@dataclass(frozen=True)
class _Playing:
    """Agents that all play the same: learners by label, others by id."""

    learners: "dict[str, list[TrainedSeed]]"
    others: list[tuple[str, Agent]]
    distribution: TaskDistribution
    budget: Budget
    score: str
    options: EvaluateOptions

    def split(
        self, split: str
    ) -> tuple[list[tuple[str, Evaluation | list[Evaluation]]], list[Played]]:
        """Return what all agents got on tasks of a split, by label and one by one."""
        played: list[Played] = []
        entries: list[tuple[str, Evaluation | list[Evaluation]]] = []
        for label, seeds in self.learners.items():
            own = [
                Played(
                    each.folder,
                    each.name,
                    self._play(self._agent(each), split),
                    each.run.learner,
                    each.run.seeds[each.seed_index],
                )
                for each in seeds
            ]
            played += own
            entries.append(
                (label, own[0].evaluation if len(own) == 1 else [each.evaluation for each in own])
            )
            # refused here, before others play, where it can't be had
            own[0].evaluation.scores(self.score)
        for id, agent in self.others:
            played.append(Played(None, id, self._play(agent, split), id))
            entries.append((agent_class(id).label, played[-1].evaluation))
        return entries, played

    def _agent(self, seed: "TrainedSeed") -> Agent:
        return load_agent(seed.folder, self.budget, seed.seed_index, self.options.device)

    def _play(self, agent: Agent, split: str) -> Evaluation:
        options = self.options
        return evaluate(
            agent,
            self.distribution,
            split,
            options.num_tasks,
            options.seed,
            self.budget,
            device=options.device,
        )


class TrainedSeed(NamedTuple):
    """One seed of a run."""

    folder: Path
    run: RunConfig
    seed_index: int

    @property
    def name(self) -> str:
        """What its files are named by, beside what was played."""
        return f"member{self.seed_index}" if self.seed_index else ""


def runs_in(folders: Sequence[Path]) -> list[Path]:
    """Return the runs' folders: those given, and, in place of one that holds none itself, all runs
    below it; each once.

    Raises:
        RunFolderError: a folder without runs.
    """
    found: dict[Path, Path] = {}
    for folder in map(as_path, folders):
        below = (
            []
            if (folder / "run.json").exists()
            else [run.path for run in find_runs(folder) if _ready(run)]
        )
        if not below:
            assert RunFolder(folder).description, "says what is wrong with it"
        for each in below or [folder]:
            found.setdefault(each.resolve(), each)
    return list(found.values())


def _ready(run: RunFolder) -> bool:
    """Return whether a run that was found below a folder can be scored.

    A warning names it otherwise.
    """
    with skipped_if_broken(run.path):
        RunConfig.from_identity(run.identity)
        check_trained(run.path)
        return True
    return False


def learners_of(
    folders: Sequence[Path], seed_index: int | None = None
) -> dict[str, list[TrainedSeed]]:
    """By label, the trained seeds of each learner in `folders`.

    Runs that differ in their seeds alone are one learner's.
    """
    groups: dict[str, list[TrainedSeed]] = {}
    for folder in runs_in(folders):
        run = RunConfig.from_identity(RunFolder(folder).identity)
        num_seeds = range(len(run.seeds)) if seed_index is None else [seed_index]
        key = json.dumps(
            {**run.identity(), "seeds": None, "device": None, "start": None}, sort_keys=True
        )
        known = {each.run.seeds[each.seed_index] for each in groups.get(key, [])}
        if known & {run.seeds[each] for each in num_seeds if each < len(run.seeds)}:
            key = f"{key} {folder}"  # trained again, or with another start
        groups.setdefault(key, []).extend(TrainedSeed(folder, run, each) for each in num_seeds)
    names = [label_of_learner(seeds[0].run.learner) for seeds in groups.values()]
    short = [seeds[0].folder.resolve().name for seeds in groups.values()]
    places = (
        short
        if len(set(short)) == len(short)
        else [str(seeds[0].folder) for seeds in groups.values()]
    )
    labelled: dict[str, list[TrainedSeed]] = {}
    for name, place, seeds in zip(names, places, groups.values(), strict=True):
        one = (
            seed_index is not None
            and len(seeds) == 1
            and len(seeds[0].run.seeds) > seed_index >= 0
            and len(seeds[0].run.seeds) > 1
        )
        label = (f"{name} ({place})" if names.count(name) > 1 else name) + (
            f", seed {seeds[0].run.seeds[seed_index or 0]}" if one else ""
        )
        labelled[label] = seeds
    return labelled


def check_same_distribution(groups: dict[str, list[TrainedSeed]]) -> Any:
    """Return the distribution that all runs were trained on.

    Raises:
        ValueError: they were trained on different ones.
    """
    made = [(seeds[0].folder, seeds[0].run.make_distribution()) for seeds in groups.values()]
    folder, first = made[0]
    for other, distribution in made[1:]:
        if (distribution.id, distribution.config()) != (first.id, first.config()):
            raise ValueError(
                f"{folder} was trained on {first!r} and {other} on {distribution!r}: agents stand"
                " in one table if they play the same tasks. Score these runs one by one."
            )
    return first


def _same_budget(runs: Sequence[RunConfig], options: EvaluateOptions) -> Budget:
    budgets = [_budget(run, options) for run in runs]
    if any(budget != budgets[0] for budget in budgets):
        different = ", ".join(sorted({str(budget) for budget in budgets}))
        raise ValueError(
            f"These runs were trained for different budgets ({different}): say --episodes, or"
            " --steps, to play one for all."
        )
    return budgets[0]


def save_scores(folder: Path, scored: Scored, options: EvaluateOptions) -> list[Path]:
    """Save what `score_runs` gave in a run's folder, a file an agent: its own, and those of the
    agents beside; returns the files.

    Raises:
        StorageError: the folder can't be written to.
    """
    place = RunFolder(folder).path / "evaluations"
    mine = folder.resolve()
    files = []
    for each in scored.played:
        if each.folder is None or each.folder.resolve() == mine:
            name = _file_name(each.evaluation, scored.distribution, options)
            file = name + (f"-{each.name.replace('/', '_')}" if each.name else "")
            trained = each.training_seed is not None
            label = label_of_learner(each.agent) if trained else label_of_agent(each.agent)
            files.append(
                write_evaluation(
                    place,
                    file,
                    each.evaluation,
                    agent=each.agent,
                    label=label,
                    training_seed=each.training_seed,
                    score=scored.score if options.score else None,
                )
            )
    return files


def _file_name(
    evaluation: Evaluation, distribution: TaskDistribution, options: EvaluateOptions
) -> str:
    """Return how the files of a score begin, which says what was played."""
    budget = evaluation.budget
    after = f"+{budget.after}" if isinstance(budget, Episodes) and budget.after else ""
    length = (
        f"{budget.learning}{after}episodes"
        if isinstance(budget, Episodes)
        else f"{budget.total}steps"
    )
    split = evaluation.split
    count = task_count_of(distribution, split)
    listed = options.num_tasks is None and count == evaluation.num_tasks
    tasks = f"{'all-' if listed else ''}{evaluation.num_tasks}tasks"
    return f"{split}-{tasks}-{length}-seed{options.seed}"


def scoring_flags(folder: Path) -> str:
    """Return what to add to `metarl evaluate FOLDER` for a score that suits the learner, over as
    many tasks as a minute or so is enough for.
    """
    run = RunConfig.from_identity(RunFolder(folder).identity)
    if learns_from_examples(run.learner):
        return f" --inner-steps {run.config.inner_steps}"
    try:
        budget = default_budget(run)
    except ValueError:  # scored otherwise, or for as long as its user likes
        return ""
    after = isinstance(budget, Episodes) and budget.after > 0
    distribution = run.make_distribution()
    usual = min(MOST_TASKS, task_count_of(distribution, "test") or MOST_TASKS)
    num_tasks = suggested_num_tasks(
        distribution, max_steps(budget, distribution), min(usual, 100) if after else usual
    )
    wanted = f" --num-tasks {num_tasks}" if num_tasks < usual else ""
    return (" --score after_k" if after else "") + wanted


def _budget(run: RunConfig, options: EvaluateOptions) -> Budget:
    budget = _asked(run, options)
    if options.score == "budget_mean" and isinstance(budget, Episodes):
        raise ValueError(
            "budget_mean is the mean return of all episodes within N steps: add --steps N, or"
            " choose total."
        )
    if options.score == "after_k" and not (isinstance(budget, Episodes) and budget.after):
        raise ValueError(
            "after_k scores the episodes that follow K episodes of learning: add --after 1, and"
            " leave --steps out."
        )
    return budget


def _asked(run: RunConfig, options: EvaluateOptions) -> Budget:
    if options.steps is not None:
        if options.episodes is not None or options.after is not None:
            raise ValueError("Give --steps or --episodes and --after, not both.")
        return Steps(options.steps)
    if options.episodes is not None:
        return Episodes(options.episodes, options.after or 0)
    trained = default_budget(run)
    if options.after is not None:
        return Episodes(
            trained.learning if isinstance(trained, Episodes) else trained.total, options.after
        )
    return trained if options.score == "after_k" else Episodes(trained.total)
