"""What a process does that is given one job of a suite: train, score, and say how it ended.

Started as `metarl suite work FOLDER` by whatever executes the suite, or by hand from the commands
that the suite prints. Done a second time, it does what is missing; killed, it goes on where the
last checkpoint stands.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from metarl.agents.registry import make_agent
from metarl.core.agent import Agent
from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.core.reveal import reveal
from metarl.evaluation.protocol import MOST_TASKS, Evaluation, evaluate
from metarl.evaluation.statistics import mean
from metarl.evaluation.supervised import evaluate_supervised
from metarl.learners.registry import learner_names, learns_from_examples
from metarl.runs.checkpoint import in_half_precision
from metarl.runs.evaluations import label_of_agent, label_of_learner, with_arguments
from metarl.runs.load import load_agent, load_learner
from metarl.runs.store import (
    RunFolder,
    StorageError,
    publish,
    write_evaluation,
    write_file,
    write_supervised_evaluation,
)
from metarl.runs.training import train
from metarl.suites.job import Job, JobLocked, evaluation_name, read_job
from metarl.suites.suite import Reference, Scoring, SuiteError, Training

__all__ = ["BUSY", "FAILED", "STOPPED", "end_with_standard_input", "work"]

# Exit codes
FAILED = 1
STOPPED = 130
BUSY = 75
PATIENCE = 30.0  # seconds that another process of this job has to end, as one whose parent died
LAST_WORDS = 20.0  # seconds that this one has to save what it can once its parent is gone


def work(folder: Path, *, publishes: bool = False) -> int:
    """Do the job of `folder`, as far as it isn't done; returns the process's exit code.

    Args:
        folder: of the job. publishes: copy what it gives to its published place.
    """
    job = read_job(folder)
    try:
        with job.locked(PATIENCE):
            done = job.place
            if done is None:
                _do(job)
                job.forget_failure()
            if publishes and job.place == job.folder:
                publish_job(job)
    except JobLocked as busy:
        print(f"metarl: {busy}", file=sys.stderr)
        return BUSY
    except KeyboardInterrupt as stopped:
        print(f"metarl: {stopped or 'Stopped.'}", file=sys.stderr)
        return STOPPED
    except Exception as error:
        traceback.print_exc()
        try:
            job.note_failure(f"{type(error).__name__}: {error}", traceback.format_exc())
        except StorageError as full:
            print(f"metarl: {full}", file=sys.stderr)
        return FAILED
    return 0


def end_with_standard_input() -> None:
    """From now on, stop this process soon after whoever started it closes its standard input.

    A killed parent closes it too, so that no training goes on that nobody waits for.
    """
    threading.Thread(target=_watch_standard_input, daemon=True).start()


def _watch_standard_input() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_WORDS)
    os._exit(STOPPED)


def _do(job: Job) -> None:
    if job.run is None:
        for scoring, split in job.missing(job.folder):
            _score_reference(job, scoring, split)
        return
    trained = job.trained
    if trained is None:
        train(job.run, job.folder, show=False, start=_start(job))
        trained = job.folder
    for scoring, split in job.missing(job.folder):
        if learns_from_examples(job.run.learner):
            _score_adapter(job, trained, scoring, split)
        else:
            _score_agent(job, trained, scoring, split)
    if trained == job.published and job.scorings:
        _copy_weights(job)


def _start(job: Job) -> Path | None:
    """Return the folder with the weights that the job's training begins with."""
    if job.start is None:
        return None
    for folder in job.start:
        if RunFolder(folder).weights().exists():
            return folder
    raise SuiteError(f"{job.name} begins with the weights in {job.start[0]}, which aren't there.")


def _copy_weights(job: Job) -> None:
    """Bring published weights to the job's own folder, beside the scores that they were given."""
    for file in (*job.published.glob("weights*.safetensors"), job.published / "metrics.csv"):
        if file.exists():
            write_file(job.folder / file.name, file.read_bytes())
    write_file(job.folder / "run.json", (job.published / "run.json").read_bytes())


def _score_agent(job: Job, trained: Path, scoring: Scoring, split: str) -> None:
    """Score each seed of a run's agent; the first seed's file comes last, by which it is done."""
    assert job.run is not None
    distribution = make(scoring.distribution, **scoring.arguments)
    assert scoring.budget is not None, "plans say for how long"
    budget = scoring.budget
    name = evaluation_name(scoring, split)
    for index in reversed(range(len(job.run.seeds))):
        began = time.monotonic()
        agent = load_agent(trained, budget, index, job.run.device)
        played = evaluate(
            agent,
            distribution,
            split,
            scoring.num_tasks,
            scoring.seed,
            budget,
            device=job.run.device,
        )
        write_evaluation(
            job.folder / "evaluations",
            f"{name}-member{index}" if index else name,
            played,
            agent=job.run.learner,
            label=job.label or label_of_learner(job.run.learner),
            training_seed=job.run.seeds[index],
            score=scoring.score,
        )
        if not index:
            _note(job, name, time.monotonic() - began, played)


def _score_adapter(job: Job, trained: Path, scoring: Scoring, split: str) -> None:
    """Score a run that learned from examples: a line an inner step of a task."""
    assert job.run is not None
    name = evaluation_name(scoring, split)
    began = time.monotonic()
    for index in reversed(range(len(job.run.seeds))):
        learner = load_learner(trained, index, job.run.device)
        scored = evaluate_supervised(
            learner.adapter(batch=scoring.inner_batch),
            make(scoring.distribution, **scoring.arguments),
            split,
            MOST_TASKS if scoring.num_tasks is None else scoring.num_tasks,
            scoring.seed,
            scoring.inner_steps,
            device=job.run.device,
        )
        write_supervised_evaluation(
            job.folder / "evaluations",
            f"{name}-member{index}" if index else name,
            scored,
            agent=job.run.learner,
            label=job.label or label_of_learner(job.run.learner),
            training_seed=job.run.seeds[index],
            batch=scoring.inner_batch,
        )
    _note(job, name, time.monotonic() - began)


def _score_reference(job: Job, scoring: Scoring, split: str) -> None:
    """Score an agent that isn't trained."""
    assert job.agent is not None
    assert scoring.budget is not None, "plans say for how long"
    began = time.monotonic()
    distribution: Any = make(scoring.distribution, **scoring.arguments)
    if job.agent.revealed:
        distribution = reveal(distribution)
    agent = _reference_agent(job.agent, distribution, scoring)
    played = evaluate(agent, distribution, split, scoring.num_tasks, scoring.seed, scoring.budget)
    if job.agent.revealed:  # the same tasks
        played = replace(played, distribution=scoring.distribution)
    name = evaluation_name(scoring, split)
    write_evaluation(
        job.folder / "evaluations",
        name,
        played,
        agent=job.agent.id,
        label=_label(job.agent),
        score=scoring.score,
    )
    _note(job, name, time.monotonic() - began, played)


def _label(told: Reference) -> str:
    """Return how tables print an agent, which no other of a suite's has."""
    if told.label:
        return told.label
    if told.id in learner_names():
        label = f"{label_of_learner(told.id)}, from scratch"
    else:
        label = with_arguments(label_of_agent(told.id), told.parameters)
    return f"{label}, told the task" if told.revealed else label


def _reference_agent(told: Reference, distribution: Any, scoring: Scoring) -> Agent:
    """Return an agent of the registry, or that of a learner with new weights."""
    assert scoring.budget is not None, "plans say for how long"
    if told.id not in learner_names():
        return make_agent(told.id, distribution, scoring.budget, **told.parameters)
    training = Training(told.id, scoring.distribution, scoring.arguments, settings=told.parameters)
    agent: Agent = training.run(scoring.seed).make_learner(distribution).agent(scoring.budget)
    return agent


def _note(job: Job, name: str, seconds: float, played: Evaluation | None = None) -> None:
    """Add to a score's description how long it took, by which the next suite's time is told, and
    the mean return of each episode, by which the agent's adaptation is drawn.
    """
    file = job.folder / "evaluations" / f"{name}.json"
    told = {**json.loads(file.read_text()), "seconds": round(seconds, 2)}
    if played is not None and isinstance(played.budget, Episodes):
        returns = played.matrix()
        means = [mean(returns[:, k]) for k in range(played.budget.total)]
        told["by_episode"] = {
            "mean": [round(each.value, 6) for each in means],
            "low": [round(each.low, 6) for each in means],
            "high": [round(each.high, 6) for each in means],
            "steps": round(float(np.mean(played.length)), 3),
        }
    write_file(file, (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())


def publish_job(job: Job) -> None:
    """Copy a finished job to its published place: weights, metrics, and scores of each task."""
    if job.run is not None:
        publish(job.folder, job.published.parent, in_half_precision)
        return
    for file in sorted((job.folder / "evaluations").glob("*")):
        if not file.stem.endswith("-episodes"):
            target = job.published / "evaluations" / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_file(target, file.read_bytes())
