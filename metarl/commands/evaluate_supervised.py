"""What `metarl evaluate` does with a run that learned supervised tasks.

Its adapter beside the same network before training.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from metarl.commands.evaluate import EvaluateOptions, check_same_distribution, learners_of, runs_in
from metarl.core.registry import has_examples
from metarl.evaluation.protocol import MOST_TASKS
from metarl.evaluation.supervised import SupervisedEvaluation, evaluate_supervised
from metarl.learners.registry import learns_from_examples
from metarl.runs.config import RunConfig
from metarl.runs.evaluations import label_of_learner
from metarl.runs.load import load_learner
from metarl.runs.store import RunFolder, write_supervised_evaluation

__all__ = [
    "Learned",
    "all_learned_from_examples",
    "by_label",
    "learned_from_examples",
    "save_supervised_scores",
    "score_supervised_run",
    "score_supervised_runs",
    "scoring_note",
]

UNTRAINED = "untrained"
INNER_STEPS = 32  # where the user doesn't say how many


def learned_from_examples(folder: Path) -> bool:
    """Return whether the run in `folder` learned supervised tasks."""
    return learns_from_examples(RunConfig.from_identity(RunFolder(folder).identity).learner)


def all_learned_from_examples(folders: Sequence[Path]) -> bool:
    """Return whether the runs in `folders` learned supervised tasks.

    Raises:
        ValueError: some did and some didn't.
    """
    places = runs_in(folders)
    kinds = [learned_from_examples(place) for place in places]
    if len(set(kinds)) > 1:
        example = places[kinds.index(True)]
        other = places[kinds.index(False)]
        raise ValueError(
            f"{example} learned from examples and {other} from episodes: they have no score in"
            " common. Name runs of one kind."
        )
    return kinds[0]


class Learned(NamedTuple):
    """One adapter's scores."""

    label: str  # of its learner; several seeds have one label
    folder: Path  # of its run
    name: str  # what tells its file from others of the run
    evaluation: SupervisedEvaluation
    training_seed: int | None = None  # None of one that isn't trained


def score_supervised_run(folder: Path, options: EvaluateOptions) -> list[Learned]:
    """Score one run as `score_supervised_runs` does several."""
    return score_supervised_runs([folder], options)


def score_supervised_runs(folders: Sequence[Path], options: EvaluateOptions) -> list[Learned]:
    """Return the runs' adapters, of all their seeds, and one of an untrained network for each
    learner, on the same tasks and examples.

    Raises:
        ValueError: options that only agents have, no examples in an inner step, or runs on
            different distributions.
    """
    _check_options(options)
    groups = learners_of(folders, options.seed_index)
    distribution = check_same_distribution(groups)
    assert has_examples(distribution), "the caller looked"

    def score(learner: Any) -> SupervisedEvaluation:
        return evaluate_supervised(
            learner.adapter(batch=options.inner_batch),
            distribution,
            options.split,
            MOST_TASKS if options.num_tasks is None else options.num_tasks,
            options.seed,
            INNER_STEPS if options.inner_steps is None else options.inner_steps,
            device=options.device,
            transductive=options.transductive,
        )

    scored: list[Learned] = []
    for label, seeds in groups.items():
        for each in seeds:
            scored.append(
                Learned(
                    label,
                    each.folder,
                    each.name,
                    score(load_learner(each.folder, each.seed_index, options.device)),
                    each.run.seeds[each.seed_index],
                )
            )
        untrained = UNTRAINED if len(groups) == 1 else f"{label}, {UNTRAINED}"
        run = RunConfig.from_identity(seeds[0].run.identity(), options.device)
        scored.append(
            Learned(
                untrained,
                seeds[0].folder,
                UNTRAINED,
                score(run.make_learner(run.make_distribution())),
            )
        )
    return scored


def by_label(scored: Sequence[Learned]) -> dict[str, list[SupervisedEvaluation]]:
    """Return the evaluations of each label, as `supervised_table` takes them."""
    grouped: dict[str, list[SupervisedEvaluation]] = {}
    for each in scored:
        grouped.setdefault(each.label, []).append(each.evaluation)
    return grouped


def _check_options(options: EvaluateOptions) -> None:
    """Raise ValueError for options that only agents have, or no examples in an inner step."""
    only_agents = {
        "--beside": options.beside,
        "--gap": options.gap,
        "--against": options.against,
        "--score": options.score,
        "--episodes": options.episodes,
    }
    given = [
        flag
        for flag, value in {
            **only_agents,
            "--after": options.after,
            "--steps": options.steps,
        }.items()
        if value is not None and value is not False and value != ()
    ]
    if given:
        raise ValueError(
            f"This run learned from examples: {' and '.join(given)}"
            f" {'are' if len(given) > 1 else 'is'} for agents; see --inner-steps."
        )
    if options.inner_batch is not None and options.inner_batch < 1:
        raise ValueError(
            f"--inner-batch must be at least 1 example, not {options.inner_batch}; leave it out for"
            " the whole support."
        )


def scoring_note(options: EvaluateOptions) -> str:
    """Return how inner steps and queries were computed, for a table's caption."""
    batch = (
        "the whole support"
        if options.inner_batch is None
        else f"minibatches of {options.inner_batch} examples"
    )
    queries = (
        "Queries as one batch (transductive)"
        if options.transductive
        else "Each query beside the support alone (not transductive)"
    )
    return f"{queries}; inner steps on {batch}."


def save_supervised_scores(
    folder: Path, scored: Sequence[Learned], options: EvaluateOptions
) -> list[Path]:
    """Save a run's losses, and accuracies where there are some, a line an inner step of a task, in
    its folder; returns the files.

    Columns: those of `rows`, fingerprint, transductive, and same_task where tasks repeat: the first
        task that is the same.

    Raises:
        StorageError: the folder can't be written to.
    """
    batch = "" if options.inner_batch is None else f"-batch{options.inner_batch}"
    first = scored[0].evaluation
    name = f"{options.split}-{first.num_tasks}tasks-{first.steps}steps{batch}-seed{options.seed}"
    name += "" if options.transductive else "-not-transductive"
    place = RunFolder(folder).path / "evaluations"
    mine = folder.resolve()
    learner = RunFolder(folder).description["learner"]
    label = label_of_learner(learner)
    files = []
    for each in scored:
        if each.folder.resolve() != mine:
            continue
        untrained = each.training_seed is None
        files.append(
            write_supervised_evaluation(
                place,
                f"{name}{'-' if each.name else ''}{each.name}",
                each.evaluation,
                agent=f"{learner}-{UNTRAINED}" if untrained else learner,
                label=f"{label}, {UNTRAINED}" if untrained else label,
                training_seed=each.training_seed,
                batch=options.inner_batch,
            )
        )
    return files
