"""What `metarl evaluate` does with a run that learned supervised tasks: its adapter beside the same network before training."""

from pathlib import Path

from metarl.evaluation.supervised import SupervisedEvaluation, evaluate_supervised
from metarl.experiments.commands import EvaluateOptions
from metarl.experiments.load import load_learner
from metarl.experiments.run_config import RunConfig
from metarl.learners.registry import learner_class
from metarl.results import RunFolder, write_csv
from metarl.tasks.supervised import SupervisedDistribution

__all__ = ["learned_from_examples", "save_supervised_scores", "score_supervised_run", "scoring_note"]

UNTRAINED = "untrained"


def learned_from_examples(folder: Path) -> bool:
    """Whether the run in `folder` learned supervised tasks."""
    return isinstance(RunConfig.from_identity(RunFolder(folder).identity).make_distribution(), SupervisedDistribution)


def score_supervised_run(folder: Path, options: EvaluateOptions) -> dict[str, SupervisedEvaluation]:
    """The run's adapter and one of the untrained network, by label, on the same tasks and examples.

    Raises:
        ValueError: options that only agents have, or no examples in an inner step.
    """
    if options.beside or options.steps is not None or options.episodes is not None or options.after:
        raise ValueError("This run learned from examples: --beside, --episodes, --after and --steps are for agents; see --inner-steps.")
    if options.inner_batch is not None and options.inner_batch < 1:
        raise ValueError(f"--inner-batch must be at least 1 example, not {options.inner_batch}; leave it out for the whole support.")
    run = RunConfig.from_identity(RunFolder(folder).identity, options.device)
    distribution = run.make_distribution()
    assert isinstance(distribution, SupervisedDistribution), "the caller looked"
    learners = {
        getattr(learner_class(run.learner), "label", run.learner): load_learner(folder, options.member, options.device),
        UNTRAINED: run.make_learner(distribution),
    }
    return {
        label: evaluate_supervised(
            learner.adapter(batch=options.inner_batch),  # type: ignore[attr-defined]
            distribution,
            options.split,
            options.num_tasks,
            options.seed,
            options.inner_steps,
            device=options.device,
            transductive=options.transductive,
        )
        for label, learner in learners.items()
    }


def scoring_note(options: EvaluateOptions) -> str:
    """How inner steps and queries were computed, for a table's caption."""
    batch = "the whole support" if options.inner_batch is None else f"minibatches of {options.inner_batch} examples"
    queries = "Queries as one batch (transductive)" if options.transductive else "Each query beside the support alone (not transductive)"
    return f"{queries}; inner steps on {batch}."


def save_supervised_scores(folder: Path, evaluations: dict[str, SupervisedEvaluation], options: EvaluateOptions) -> list[Path]:
    """Save the run's losses, and accuracies where there are some, a line an inner step of a task, in its folder.

    Raises:
        StorageError: the folder can't be written to.
    """
    batch = "" if options.inner_batch is None else f"-batch{options.inner_batch}"
    name = f"{options.split}-{options.num_tasks}tasks-{options.inner_steps}steps{batch}-seed{options.seed}"
    name += "" if options.transductive else "-not-transductive"
    place = RunFolder(folder).path / "evaluations"
    place.mkdir(parents=True, exist_ok=True)
    files = []
    for label, evaluation in evaluations.items():
        files.append(place / (f"{name}-untrained.csv" if label == UNTRAINED else f"{name}.csv"))
        write_csv(files[-1], evaluation.rows().assign(fingerprint=evaluation.fingerprint, transductive=evaluation.transductive))
    return files
