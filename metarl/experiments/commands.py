"""What the commands `metarl train`, `metarl evaluate` and `metarl list` do, and their flags."""

import importlib
import json
from argparse import ArgumentError, ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from metarl.baselines.registry import agent_class, agent_names, make_agent
from metarl.envs.agent import Agent
from metarl.envs.budget import Budget, Episodes, Steps, max_steps
from metarl.evaluation.protocol import MOST_TASKS, Evaluation, evaluate
from metarl.experiments.load import check_trained, default_budget, load_agent
from metarl.experiments.run import iterations_done, train
from metarl.experiments.run_config import RunConfig, config_from_json, folder_name, parse_arguments
from metarl.experiments.suggested import default_family, suggested_config, suggested_num_tasks
from metarl.learners.registry import SUPERVISED_LEARNERS, learner_class, learner_names
from metarl.results import RunFolder, find_runs, skipped_if_broken, write_evaluation
from metarl.tasks.contract import TaskDistribution
from metarl.tasks.devices import check_device
from metarl.tasks.paths import as_path
from metarl.tasks.registry import distribution_class, distribution_ids, make, supervised_ids

__all__ = [
    "Catalogue",
    "EvaluateOptions",
    "Played",
    "Scored",
    "Suggestion",
    "TrainOptions",
    "TrainedSeed",
    "catalogue",
    "check_same_distribution",
    "first_sentence",
    "learners_of",
    "runs_in",
    "save_scores",
    "score_run",
    "score_runs",
    "scoring_flags",
    "suggestion_for",
    "train_run",
]


@dataclass(frozen=True)
class TrainOptions:
    """What to train on, and where to keep it.

    Attributes:
        distribution: id of the task distribution, which settings are suggested for; `metarl list` shows them.
        distribution_args: what it is made with, as NAME=VALUE, such as arms=5.
        seed: names every random stream; several train side by side in one batch.
        device: cpu or cuda, environments included.
        folder: the run's own; if left out, runs/ and a name of the learner, the distribution, what differs from their defaults, and
            the seed. A run that was stopped goes on from there, and one of fewer iterations goes on to more.
        checkpoint_seconds: time between checkpoints.
        tensorboard: write event files to FOLDER/tensorboard too.
    """

    distribution: str = "BernoulliBandit-v0"
    distribution_args: tuple[str, ...] = ()
    seed: tuple[int, ...] = (0,)
    device: str = "cpu"
    folder: Path | None = None
    checkpoint_seconds: float = 60.0
    tensorboard: bool = False


@dataclass(frozen=True)
class EvaluateOptions:
    """How to score trained agents.

    Attributes:
        split: of the tasks: test, train, or validation or extrapolate where the distribution has it.
        num_tasks: how many tasks; if left out, each of the split once where it has a list of at most 10,000, else 10,000.
        seed: names the tasks and the environment's noise.
        episodes: K, episodes in a meta-episode; as in training if left out.
        after: M, further episodes, which alone count for after_k; as in training if left out with `episodes`, else none.
        steps: play this many environment steps instead of episodes.
        score: total, after_k, budget_mean or success; total if left out.
        beside: ids of agents to score on the same tasks, such as gittins; `metarl list` shows them.
        member: which of a run's seeds, counted from 0; all if left out.
        device: cpu or cuda.
        inner_steps: of a run that learned from examples: steps on each task, 32 if left out.
        inner_batch: of such a run: examples in an inner step; the whole support if left out.
        transductive: of such a run: compute a task's queries as one batch, so that they may have a say in each other's answers, rather
            than each one beside the support alone.
    """

    split: str = "test"
    num_tasks: int | None = None
    seed: int = 0
    episodes: int | None = None
    after: int | None = None
    steps: int | None = None
    score: Literal["total", "after_k", "budget_mean", "success"] | None = None
    beside: tuple[str, ...] = ()
    member: int | None = None
    device: str = "cpu"
    inner_steps: int | None = None
    inner_batch: int | None = None
    transductive: bool = True


class Played(NamedTuple):
    """One agent's scores."""

    folder: Path | None  # of its run; None of an agent that isn't trained
    name: str  # what tells its file from others: its member, or its id as `metarl list` shows it
    evaluation: Evaluation


class Scored(NamedTuple):
    """Agents scored on the same tasks."""

    entries: list[tuple[str, Evaluation | list[Evaluation]]]  # by label: learners, of all their seeds, then Random, then those beside
    distribution: TaskDistribution
    played: list[Played]
    score: str


class Catalogue(NamedTuple):
    """One line of `metarl list`."""

    kind: str  # "distribution", "learner" or "agent"
    id: str
    sentence: str


class Suggestion(NamedTuple):
    """What flags are where they aren't given."""

    options: TrainOptions
    config: Any


def suggestion_for(learner: str, words: Sequence[str]) -> Suggestion:
    """Return what the flags of `metarl train LEARNER` default to: settings that suit the distribution named in `words`.

    Raises:
        ValueError: there is no such distribution, it can't be made, or the learner can't learn from it.
    """
    usual = default_family(learner)
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--distribution", default=usual.id)
    parser.add_argument("--distribution-args", "--distribution_args", nargs="*")
    try:
        named, _ = parser.parse_known_args(list(words))
    except ArgumentError:  # which the command's own parser says with all flags at hand
        named = parser.parse_args([])
    own = tuple(f"{name}={json.dumps(value)}" for name, value in usual.arguments.items())
    options = TrainOptions(distribution=named.distribution, distribution_args=own if named.distribution == usual.id else ())
    given = options.distribution_args if named.distribution_args is None else tuple(named.distribution_args)
    try:
        return Suggestion(options, suggested_config(learner, make(options.distribution, **parse_arguments(given))))
    except ValueError:
        if not {"-h", "--help"} & set(words):
            raise
        return Suggestion(options, learner_class(learner).Config())


def train_run(learner: str, config: Any, options: TrainOptions) -> Path:
    """Train as the flags say; returns the run's folder.

    A run that was begun goes on with its own settings wherever `config` is what is suggested today.
    """
    seed = options.seed[0] if len(options.seed) == 1 else options.seed
    run = RunConfig(learner, config, options.distribution, parse_arguments(options.distribution_args), seed, options.device)
    usual = suggested_config(learner, run.make_distribution())
    folder = as_path(options.folder or Path("runs") / folder_name(run, usual))
    run = replace(run, config=_as_begun(run, usual, RunFolder(folder)))
    train(run, folder, checkpoint_seconds=options.checkpoint_seconds, tensorboard=options.tensorboard)
    return folder


def _as_begun(run: RunConfig, usual: Any, place: RunFolder) -> Any:
    """Return the config of `run` with the settings of the run that `place` holds wherever it is as suggested."""
    if not (place.path / "run.json").is_file():
        return run.config
    if (place.identity["learner"], place.identity["distribution"]) != (run.learner, run.distribution):
        return run.config
    begun = config_from_json(type(run.config), place.identity["config"])
    config = _filled(run.config, usual, begun)
    iterations = getattr(begun, "iterations", None)
    if iterations is not None and iterations_done(place) >= iterations:  # its end was reached: it may go on to what is suggested
        return replace(config, iterations=max(config.iterations, run.config.iterations))
    return config


def _filled(config: Any, usual: Any, begun: Any) -> Any:
    """Return `config` with the fields of `begun` where it has those of `usual`, in nested configs of the same kind too."""
    if config == usual:
        return begun
    if not is_dataclass(config) or type(config) is not type(usual) or type(config) is not type(begun):
        return config
    parts = {part.name: [getattr(each, part.name) for each in (config, usual, begun)] for part in fields(config)}
    return replace(config, **{name: _filled(*each) for name, each in parts.items()})  # type: ignore[type-var]


def score_run(folder: Path, options: EvaluateOptions) -> Scored:
    """Score one run as `score_runs` does several."""
    return score_runs([folder], options)


def score_runs(folders: Sequence[Path], options: EvaluateOptions) -> Scored:
    """Score runs' agents, Random and the agents beside on the same tasks; `save_scores` writes them down.

    All seeds of a run are scored, unless `member` picks one, and runs that differ in their seeds alone count as one learner's. Learners
    of one name are told apart by their folders.

    Raises:
        ValueError: no runs, runs on different distributions or trained for different budgets, or options that don't fit them.
    """
    check_device(options.device)
    if options.inner_steps is not None or options.inner_batch is not None or not options.transductive:
        raise ValueError("--inner-steps, --inner-batch and --no-transductive are for runs that learned from examples; these have episodes.")
    groups = learners_of(folders, options.member)
    runs = [seeds[0].run for seeds in groups.values()]
    distribution = check_same_distribution(groups)
    budget = _same_budget(runs, options)
    score = options.score or "total"
    if score == "success" and distribution.has_success is False:
        raise ValueError(f"{distribution.id} has no notion of success; choose another --score.")

    def play(agent: Agent) -> Evaluation:
        return evaluate(agent, distribution, options.split, options.num_tasks, options.seed, budget, device=options.device)

    ids = ["random", *(id for id in options.beside if id != "random")]
    others = [(id, make_agent(id, distribution, budget)) for id in ids]
    played: list[Played] = []
    entries: list[tuple[str, Evaluation | list[Evaluation]]] = []
    for label, seeds in groups.items():
        own = [Played(each.folder, each.name, play(load_agent(each.folder, budget, each.member, options.device))) for each in seeds]
        played += own
        entries.append((label, own[0].evaluation if len(own) == 1 else [each.evaluation for each in own]))
        own[0].evaluation.scores(score)  # refused here, before others play, where it can't be had
    for id, agent in others:
        played.append(Played(None, id, play(agent)))
        entries.append((agent_class(id).label, played[-1].evaluation))
    return Scored(entries, distribution, played, score)


class TrainedSeed(NamedTuple):
    """One seed of a run."""

    folder: Path
    run: RunConfig
    member: int

    @property
    def name(self) -> str:
        """What its files are named by, beside what was played."""
        return f"member{self.member}" if self.member else ""


def runs_in(folders: Sequence[Path]) -> list[Path]:
    """The runs' folders: those given, and, in place of one that holds none itself, all runs below it; each once.

    Raises:
        RunFolderError: a folder without runs.
    """
    found: dict[Path, Path] = {}
    for folder in map(as_path, folders):
        below = [] if (folder / "run.json").exists() else [run.path for run in find_runs(folder) if _ready(run)]
        if not below:
            assert RunFolder(folder).description, "says what is wrong with it"
        for each in below or [folder]:
            found.setdefault(each.resolve(), each)
    return list(found.values())


def _ready(run: RunFolder) -> bool:
    """Whether a run that was found below a folder can be scored; a warning names it otherwise."""
    with skipped_if_broken(run.path):
        RunConfig.from_identity(run.identity)
        check_trained(run.path)
        return True
    return False


def learners_of(folders: Sequence[Path], member: int | None = None) -> dict[str, list[TrainedSeed]]:
    """By label, the trained seeds of each learner in `folders`: runs that differ in their seeds alone are one learner's."""
    groups: dict[str, list[TrainedSeed]] = {}
    for folder in runs_in(folders):
        run = RunConfig.from_identity(RunFolder(folder).identity)
        members = range(len(run.seeds)) if member is None else [member]
        key = json.dumps({**run.identity(), "seeds": None, "device": None, "start": None}, sort_keys=True)
        known = {each.run.seeds[each.member] for each in groups.get(key, [])}
        if known & {run.seeds[each] for each in members if each < len(run.seeds)}:
            key = f"{key} {folder}"  # trained again, or with another start
        groups.setdefault(key, []).extend(TrainedSeed(folder, run, each) for each in members)
    names = [getattr(learner_class(seeds[0].run.learner), "label", seeds[0].run.learner) for seeds in groups.values()]
    short = [seeds[0].folder.resolve().name for seeds in groups.values()]
    places = short if len(set(short)) == len(short) else [str(seeds[0].folder) for seeds in groups.values()]
    labelled: dict[str, list[TrainedSeed]] = {}
    for name, place, seeds in zip(names, places, groups.values(), strict=True):
        one = member is not None and len(seeds) == 1 and len(seeds[0].run.seeds) > member >= 0 and len(seeds[0].run.seeds) > 1
        label = (f"{name} ({place})" if names.count(name) > 1 else name) + (f", seed {seeds[0].run.seeds[member or 0]}" if one else "")
        labelled[label] = seeds
    return labelled


def check_same_distribution(groups: dict[str, list[TrainedSeed]]) -> Any:
    """The distribution that all runs were trained on.

    Raises:
        ValueError: they were trained on different ones.
    """
    made = [(seeds[0].folder, seeds[0].run.make_distribution()) for seeds in groups.values()]
    folder, first = made[0]
    for other, distribution in made[1:]:
        if (distribution.id, distribution.config()) != (first.id, first.config()):
            raise ValueError(
                f"{folder} was trained on {first!r} and {other} on {distribution!r}: "
                "agents stand in one table if they play the same tasks. Score these runs one by one."
            )
    return first


def _same_budget(runs: Sequence[RunConfig], options: EvaluateOptions) -> Budget:
    budgets = [_budget(run, options) for run in runs]
    if any(budget != budgets[0] for budget in budgets):
        different = ", ".join(sorted({str(budget) for budget in budgets}))
        raise ValueError(f"These runs were trained for different budgets ({different}): say --episodes, or --steps, to play one for all.")
    return budgets[0]


def save_scores(folder: Path, scored: Scored, options: EvaluateOptions) -> list[Path]:
    """Save what `score_runs` gave in a run's folder, a file an agent: its own, and those of the agents beside; returns the files.

    Raises:
        StorageError: the folder can't be written to.
    """
    evaluation = scored.played[0].evaluation
    budget = evaluation.budget
    after = f"+{budget.after}" if isinstance(budget, Episodes) and budget.after else ""
    length = f"{budget.learning}{after}episodes" if isinstance(budget, Episodes) else f"{budget.total}steps"
    listed = options.num_tasks is None and scored.distribution.task_count(options.split) == evaluation.num_tasks
    name = f"{options.split}-{'all-' if listed else ''}{evaluation.num_tasks}tasks-{length}-seed{options.seed}"
    place, mine = RunFolder(folder).path / "evaluations", folder.resolve()
    files = []
    for each in scored.played:
        if each.folder is None or each.folder.resolve() == mine:
            file = name + (f"-{each.name.replace('/', '_')}" if each.name else "")
            files.append(write_evaluation(place, file, each.evaluation))
    return files


def catalogue(only: str | None = None) -> list[Catalogue]:
    """Every distribution, learner and agent, or those of one kind, with a sentence about each; other packages' included."""
    lines = []
    for kind, ids, look_up in (
        ("distribution", distribution_ids() + supervised_ids(), distribution_class),
        ("learner", learner_names(), learner_class),
        ("agent", agent_names(), agent_class),
    ):
        for id in ids if only in (None, kind) else []:
            try:
                thing = look_up(id)
                paper = importlib.import_module(thing.__module__).__doc__ if kind == "learner" else None
                sentence = first_sentence(paper or thing.__doc__ or "")
            except Exception as error:  # a package that doesn't import must not hide the others
                sentence = f"can't be imported: {type(error).__name__}: {error}"
            lines.append(Catalogue(kind, id, sentence))
    return lines


def first_sentence(docstring: str) -> str:
    """The first sentence of a docstring, on one line."""
    text = " ".join(docstring.strip().split("\n\n")[0].split())
    for i, letter in enumerate(text):
        if letter == "." and text[i + 1 : i + 3].strip()[:1].isupper() and not text[:i].endswith(("et al", "e.g", "i.e")):
            return text[: i + 1]
    return text


def scoring_flags(folder: Path) -> str:
    """What to add to `metarl evaluate FOLDER` for a score that suits the learner, over as many tasks as a minute or so is enough for."""
    run = RunConfig.from_identity(RunFolder(folder).identity)
    if run.learner in SUPERVISED_LEARNERS:
        return f" --inner-steps {run.config.inner_steps}"
    try:
        budget = default_budget(run)
    except ValueError:  # scored otherwise, or for as long as its user likes
        return ""
    after = isinstance(budget, Episodes) and budget.after > 0
    distribution = run.make_distribution()
    usual = min(MOST_TASKS, distribution.task_count("test") or MOST_TASKS)
    num_tasks = suggested_num_tasks(distribution, max_steps(budget, distribution), min(usual, 100) if after else usual)
    wanted = f" --num-tasks {num_tasks}" if num_tasks < usual else ""
    return (" --score after_k" if after else "") + wanted


def _budget(run: RunConfig, options: EvaluateOptions) -> Budget:
    budget = _asked(run, options)
    if options.score == "budget_mean" and isinstance(budget, Episodes):
        raise ValueError("budget_mean is the mean return of all episodes within N steps: add --steps N, or choose total.")
    if options.score == "after_k" and not (isinstance(budget, Episodes) and budget.after):
        raise ValueError("after_k scores the episodes that follow K episodes of learning: add --after 1, and leave --steps out.")
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
        return Episodes(trained.learning if isinstance(trained, Episodes) else trained.total, options.after)
    return trained if options.score == "after_k" else Episodes(trained.total)
