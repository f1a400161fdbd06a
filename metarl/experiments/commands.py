"""What the commands `metarl train`, `metarl evaluate` and `metarl list` do, and their flags."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from metarl.baselines.registry import agent_class, agent_names, make_agent
from metarl.envs.budget import Budget, Episodes, Steps
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.experiments.load import default_budget, load_agent
from metarl.experiments.run import train
from metarl.experiments.run_config import RunConfig, parse_arguments
from metarl.learners.registry import learner_class, learner_names
from metarl.results import RunFolder, write_evaluation
from metarl.tasks.contract import TaskDistribution
from metarl.tasks.devices import check_device
from metarl.tasks.registry import distribution_class, distribution_ids, supervised_ids

__all__ = [
    "Catalogue",
    "EvaluateOptions",
    "Scored",
    "TrainOptions",
    "catalogue",
    "first_sentence",
    "save_scores",
    "score_run",
    "scoring_flags",
    "train_run",
]


@dataclass(frozen=True)
class TrainOptions:
    """What to train on, and where to keep it.

    Attributes:
        distribution: id of the task distribution; `metarl list` shows them.
        distribution_args: what it is made with, as NAME=VALUE, such as arms=5.
        seed: names every random stream; several train side by side in one batch.
        device: cpu or cuda, environments included.
        folder: the run's own; runs/LEARNER-DISTRIBUTION-ARGUMENTS-SEED if left out. A run that was stopped goes on from there.
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
    """How to score a trained agent.

    Attributes:
        split: of the tasks: test, train, or validation or extrapolate where the distribution has it.
        num_tasks: how many tasks.
        seed: names the tasks and the environment's noise.
        episodes: K, episodes in a meta-episode; as in training if left out.
        after: M, further episodes, which alone count for after_k; as in training if left out with `episodes`, else none.
        steps: play this many environment steps instead of episodes.
        score: total, after_k, budget_mean or success.
        beside: ids of agents to score on the same tasks, such as gittins; `metarl list` shows them.
        member: which of the run's seeds.
        device: cpu or cuda.
        inner_steps: of a run that learned from examples: steps on each task.
        inner_batch: of such a run: examples in an inner step; the whole support if left out.
        transductive: of such a run: compute a task's queries as one batch, so that they may have a say in each other's answers, rather
            than each one beside the support alone.
    """

    split: str = "test"
    num_tasks: int = 10_000
    seed: int = 0
    episodes: int | None = None
    after: int | None = None
    steps: int | None = None
    score: Literal["total", "after_k", "budget_mean", "success"] = "total"
    beside: tuple[str, ...] = ()
    member: int = 0
    device: str = "cpu"
    inner_steps: int = 32
    inner_batch: int | None = None
    transductive: bool = True


class Scored(NamedTuple):
    """Agents scored on the same tasks."""

    entries: list[tuple[str, Evaluation]]  # (label, evaluation): the run's, then Random, then those beside
    distribution: TaskDistribution
    ids: list[str]  # of the agents after the run's, as `metarl list` shows them


class Catalogue(NamedTuple):
    """One line of `metarl list`."""

    kind: str  # "distribution", "learner" or "agent"
    id: str
    sentence: str


def train_run(learner: str, config: Any, options: TrainOptions) -> Path:
    """Train as the flags say; returns the run's folder."""
    seed = options.seed[0] if len(options.seed) == 1 else options.seed
    run = RunConfig(learner, config, options.distribution, parse_arguments(options.distribution_args), seed, options.device)
    name = "-".join([learner, options.distribution, *options.distribution_args, "seed" + "+".join(map(str, options.seed))])
    folder = options.folder or Path("runs") / name.replace("/", "_")
    train(run, folder, checkpoint_seconds=options.checkpoint_seconds, tensorboard=options.tensorboard)
    return folder


def score_run(folder: Path, options: EvaluateOptions) -> Scored:
    """Score a run's agent, Random and the agents beside on the same tasks; `save_scores` writes them down.

    Of a run with several seeds, one member is scored, and its seed stands in its label.
    """
    check_device(options.device)
    run = RunConfig.from_identity(RunFolder(folder).identity)
    budget = _budget(run, options)
    distribution = run.make_distribution()
    ids = ["random", *(id for id in options.beside if id != "random")]
    agents = [("", load_agent(folder, budget, options.member, options.device))]
    agents += [(agent_class(id).label, make_agent(id, distribution, budget)) for id in ids]
    seed = f", seed {run.seeds[options.member]}" if len(run.seeds) > 1 else ""
    agents[0] = (getattr(learner_class(run.learner), "label", run.learner) + seed, agents[0][1])
    entries = [
        (label, evaluate(agent, distribution, options.split, options.num_tasks, options.seed, budget, device=options.device))
        for label, agent in agents
    ]
    return Scored(entries, distribution, ids)


def save_scores(folder: Path, scored: Scored, options: EvaluateOptions) -> list[Path]:
    """Save what `score_run` gave, a file an agent, in the run's folder; returns the files.

    Raises:
        StorageError: the folder can't be written to.
    """
    budget = scored.entries[0][1].budget
    after = f"+{budget.after}" if isinstance(budget, Episodes) and budget.after else ""
    length = f"{budget.learning}{after}episodes" if isinstance(budget, Episodes) else f"{budget.total}steps"
    name = f"{options.split}-{options.num_tasks}tasks-{length}-seed{options.seed}"
    names = [name + (f"-member{options.member}" if options.member else ""), *(f"{name}-{id.replace('/', '_')}" for id in scored.ids)]
    place = RunFolder(folder).path / "evaluations"
    return [write_evaluation(place, name, evaluation) for name, (_, evaluation) in zip(names, scored.entries, strict=True)]


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
    """What to add to `metarl evaluate FOLDER` for a score that suits the learner: agents that learn by updates take long for each task."""
    try:
        budget = default_budget(RunConfig.from_identity(RunFolder(folder).identity))
    except ValueError:  # scored otherwise, or for as long as its user likes
        return ""
    return " --score after_k --num-tasks 100" if isinstance(budget, Episodes) and budget.after else ""


def _budget(run: RunConfig, options: EvaluateOptions) -> Budget:
    budget = _asked(run, options)
    if options.score == "after_k" and not (isinstance(budget, Episodes) and budget.after):
        raise ValueError("after_k scores the episodes that follow K episodes of learning: add --after 1, and leave --steps out.")
    return budget


def _asked(run: RunConfig, options: EvaluateOptions) -> Budget:
    if options.steps is not None:
        if options.episodes is not None or options.after:
            raise ValueError("Give --steps or --episodes and --after, not both.")
        return Steps(options.steps)
    if options.episodes is not None:
        return Episodes(options.episodes, options.after or 0)
    trained = default_budget(run)
    if options.after is not None:
        return Episodes(trained.learning if isinstance(trained, Episodes) else trained.total, options.after)
    return trained if options.score == "after_k" else Episodes(trained.total)
