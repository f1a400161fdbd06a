"""A suite as data: what is trained, on which seeds, what it is scored on, and what that fills.

    from metarl.suites.suite import Family, Suite, Training, grid

    FAMILIES = [Family("BernoulliBandit-v0", {"arms": 5}, agents=("thompson", "gittins"))]
    LEARNERS = [Training("rl2"), Training("maml-rl")]
    SUITE = Suite(
        "my-bandits",
        {
            "smoke": grid(LEARNERS, FAMILIES, seeds=(0,), steps=20_000, num_tasks=20),
            "cpu": grid(LEARNERS, FAMILIES, seeds=(0, 1, 2), steps=2_000_000),
        },
    )

A file like this is run by `metarl suite run FILE`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from metarl.core.budget import Budget, Episodes
from metarl.core.registry import make
from metarl.learners.registry import learns_from_examples
from metarl.runs.config import RunConfig, folder_name
from metarl.runs.footprint import footprint
from metarl.runs.load import default_budget
from metarl.runs.suggested import suggested_config

__all__ = [
    "Family",
    "FixedRun",
    "PlannedRun",
    "Preset",
    "Reference",
    "Scoring",
    "Suite",
    "SuiteError",
    "Training",
    "grid",
    "planned_runs",
]

NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")


class SuiteError(ValueError):
    """A suite can't be run as asked; the message says what to do."""


@dataclass(frozen=True)
class Reference:
    """An agent that isn't trained, beside those that are.

    Attributes:
        id: its own, such as "ucb1"; or a learner's name, whose agent then begins with new weights.
        parameters: that it is made with; settings of a learner, as of `Training.settings`.
        revealed: whether it is told each task.
        label: as tables print it, and its folder is called; its own if left out.
    """

    id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    revealed: bool = False
    label: str = ""


@dataclass(frozen=True)
class Scoring:
    """What trained agents and reference agents are scored on.

    Attributes:
        distribution: id of the task distribution; every training on the same distribution, made
            with the same arguments, is scored on it.
        arguments: what it is made with.
        budget: how long a task is played; None is what each learner was trained for.
        agents: reference agents that are scored beside the trained ones, or their ids.
        splits: of the tasks.
        num_tasks: of each split; each task once where the split has a list, else 10,000, if left
            out.
        seed: names the tasks and the environment's noise.
        score: total, after_k, budget_mean or success: what tables show.
        inner_steps: of learners from examples: steps on each task.
        inner_batch: of those learners: examples in a step; None is the whole support.
    """

    distribution: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget | None = None
    agents: tuple[str | Reference, ...] = ("random",)
    splits: tuple[str, ...] = ("test",)
    num_tasks: int | None = None
    seed: int = 0
    score: str = "total"
    inner_steps: int = 32
    inner_batch: int | None = None


@dataclass(frozen=True)
class Training:
    """A learner that is trained on a distribution, once with each seed.

    Attributes:
        learner: its name, such as "rl2".
        distribution: id of the task distribution; left open in a `grid`.
        arguments: what it is made with.
        config: the learner's settings; what is suggested for that distribution if left out.
        steps: environment steps of the training (gradients of tasks, of learners from examples),
            in place of the settings' number of iterations; at least one iteration is made.
        iterations: in place of the settings' number.
        settings: fields of the config that are otherwise than suggested, such as {"num_envs": 64}
            or, of configs inside it, {"ppo.lr": 1e-3}.
        name: of the run's folder, with "{seed}" where the seed stands; made from the settings if
            left out.
        label: as tables print it; the learner's own if left out.
        start: the training whose weights this one begins with, of the same seed.
        seeds: its own, in place of the suite's.
        threads: that one run computes on; part of the run, since sums in other orders round
            otherwise.
        device: "cpu" or "cuda".
    """

    learner: str
    distribution: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    config: Any = None
    steps: int | None = None
    iterations: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    label: str = ""
    start: "Training | None" = None
    seeds: tuple[int, ...] | None = None
    threads: int = 1
    device: str = "cpu"

    def run(self, seed: int) -> RunConfig:
        """Return the run of one seed.

        Raises:
            ValueError: unknown names, or settings that the learner hasn't got.
        """
        return RunConfig(
            self.learner,
            self._config(),
            self.distribution,
            dict(self.arguments),
            seed,
            self.device,
            None if self.start is None else self.start.run(seed).origin(),
            threads=self.threads,
        )

    def folder(self, seed: int) -> str:
        """Return the name of one seed's folder."""
        if self.name:
            return self.name.replace("{seed}", str(seed))
        return folder_name(self.run(seed), suggested_config(self.learner, self._made()))

    def _made(self) -> Any:
        return make(self.distribution, **self.arguments)

    def _config(self) -> Any:
        config = self.config
        distribution = self._made()
        if config is None:
            config = suggested_config(self.learner, distribution)
        config = _with_settings(config, self.settings, self.learner)
        if self.iterations is not None:
            return replace(config, iterations=self.iterations)
        if self.steps is None:
            return config
        expected = footprint(self.learner, config, distribution)
        if expected is None:
            raise SuiteError(
                f"Nobody knows how many steps an iteration of {self.learner} takes: give"
                " `iterations` in place of `steps`."
            )
        return replace(config, iterations=max(1, self.steps // expected.steps))


@dataclass(frozen=True)
class FixedRun:
    """A run that is what it is, seed and folders included, such as one of a paper's.

    Attributes:
        run: what is trained.
        folder: its name among the suite's runs.
        published: where its published copy lies among all results; SUITE/weights/FOLDER if left
            out.
        start: the run whose weights it begins with.
    """

    run: RunConfig
    folder: str
    published: str = ""
    start: "FixedRun | None" = None

    @property
    def seeds(self) -> tuple[int, ...]:
        """Its own."""
        return self.run.seeds


@dataclass(frozen=True)
class Preset:
    """What a suite trains and scores under one of its names, such as "smoke", "cpu" or "paper".

    Attributes:
        trainings: each once a seed; fixed runs once.
        scorings: what they, and reference agents, are scored on.
        seeds: of trainings that have none of their own.
    """

    trainings: tuple[Training | FixedRun, ...] = ()
    scorings: tuple[Scoring, ...] = ()
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Suite:
    """Many runs, what they are scored on, and the tables and figures that they fill.

    Attributes:
        name: of its folders in `runs` and `results`.
        presets: by name, or what gives one; the first one that isn't "smoke" is what is run if
            none is named.
        fill: makes tables and figures of a `metarl.suites.job.FilledSuite`, beyond the leaderboard,
            which every suite has.
        title: a line about it.
        reasons: gives, by agent's label and family, why there is no score; shown in its cell.
    """

    name: str
    presets: Mapping[str, Preset | Callable[[], Preset]]
    fill: Callable[[Any], None] | None = None
    title: str = ""
    reasons: Callable[[], dict[str, dict[str, str]]] | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise SuiteError(
                f"A suite's name is that of its folders, such as 'my-bandits'; {self.name!r} isn't."
            )
        if not self.presets:
            raise SuiteError(f"The suite {self.name} has no presets: give it one, such as 'cpu'.")

    @property
    def usual_preset(self) -> str:
        """The preset that is run if none is named."""
        return next((name for name in self.presets if name != "smoke"), "smoke")

    def preset(self, name: str | None) -> Preset:
        """Return the preset called `name`, the usual one of None.

        Raises:
            SuiteError: there is none.
        """
        name = name or self.usual_preset
        if name not in self.presets:
            raise SuiteError(
                f"The suite {self.name} has no preset {name!r}; it has {', '.join(self.presets)}."
            )
        found = self.presets[name]
        return found if isinstance(found, Preset) else found()


@dataclass(frozen=True)
class Family:
    """A column of a `grid`: a distribution, and how agents are scored on it.

    Attributes:
        id, arguments: of the distribution.
        budget: how long a task is played; None is what each learner was trained for.
        agents: reference agents, or their ids, beside the trained ones and Random.
        score: what tables show.
        num_tasks: that agents are scored on.
        settings: by learner, fields of its config that are otherwise than suggested here.
        without: learners that can't play this family, and why, in a few words.
    """

    id: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget | None = None
    agents: tuple[str | Reference, ...] = ()
    score: str = "total"
    num_tasks: int | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)


def grid(
    learners: Sequence[Training],
    families: Sequence[Family],
    *,
    seeds: tuple[int, ...] = (0,),
    steps: int | None = None,
    iterations: int | None = None,
    num_tasks: int | None = None,
    splits: tuple[str, ...] = ("test",),
) -> Preset:
    """Return every learner on every family, each scored beside the family's reference agents.

    Args:
        learners: trainings that leave their distribution open.
        families: which.
        seeds: of all trainings.
        steps: of each training, where it has none of its own.
        iterations: in place of steps.
        num_tasks: of each split, in place of the families' own numbers.
        splits: of the tasks that agents are scored on.
    """
    trainings = tuple(
        replace(
            learner,
            distribution=family.id,
            arguments=family.arguments,
            settings={**learner.settings, **family.settings.get(learner.learner, {})},
            steps=learner.steps if iterations is not None or learner.steps else steps,
            iterations=learner.iterations if learner.iterations else iterations,
        )
        for family in families
        for learner in learners
        if learner.learner not in family.without
    )
    scorings = tuple(
        Scoring(
            family.id,
            family.arguments,
            family.budget,
            tuple(dict.fromkeys(("random", *family.agents))),
            splits,
            num_tasks or family.num_tasks,
            score=family.score,
        )
        for family in families
    )
    return Preset(trainings, scorings, seeds)


@dataclass(frozen=True)
class PlannedRun:
    """One run of a suite.

    Attributes:
        folder: its name among the suite's runs.
        run: what is trained.
        start: name of the folder of the run whose weights it begins with.
        scorings: what its agent is scored on.
        published: where its published copy lies among all results; among the suite's if empty.
        label: as tables print its agent; the learner's own if empty.
    """

    folder: str
    run: RunConfig
    start: str | None = None
    scorings: tuple[Scoring, ...] = ()
    published: str = ""
    label: str = ""


def planned_runs(preset: Preset, seeds: tuple[int, ...] = ()) -> list[PlannedRun]:
    """Return the runs of a preset, those that others begin with before them.

    Args:
        preset: which. seeds: in place of its own, and of its trainings' own.

    Raises:
        SuiteError: two runs are equal, or two different ones have the same folder's name.
        ValueError: a run that can't be made: an unknown learner, settings that don't fit.
    """
    planned: dict[str, PlannedRun] = {}
    wanted: set[str] = set()
    own_seeds = [_seeds_of(training, seeds, preset) for training in preset.trainings]
    # All first seeds come before any second one, so that tables fill evenly
    for index in range(max(map(len, own_seeds), default=0)):
        for training, chosen in zip(preset.trainings, own_seeds, strict=True):
            if index >= len(chosen):
                continue
            if isinstance(training, FixedRun):
                one = _plan_fixed(training, preset, planned)
            else:
                one = _plan(training, chosen[index], preset, planned)
            if one.folder in wanted:
                raise SuiteError(
                    f"The suite has two runs that are called {one.folder}: they are equal, or need"
                    " a `name` each."
                )
            wanted.add(one.folder)
    _check_different(list(planned.values()))
    return list(planned.values())


def _seeds_of(
    training: Training | FixedRun, seeds: tuple[int, ...], preset: Preset
) -> tuple[int, ...]:
    """Return the seeds that a training is made with; of a fixed run one stands for all of its own,
    none where others are asked for.
    """
    if isinstance(training, FixedRun):
        return training.seeds[:1] if not seeds or set(training.seeds) & set(seeds) else ()
    return seeds or training.seeds or preset.seeds


def _plan(
    training: Training, seed: int, preset: Preset, planned: dict[str, PlannedRun]
) -> PlannedRun:
    start = None if training.start is None else _plan(training.start, seed, preset, planned)
    run = training.run(seed)
    return _note(
        PlannedRun(
            training.folder(seed),
            run,
            None if start is None else start.folder,
            _scorings_of(run, preset),
            label=training.label,
        ),
        planned,
    )


def _plan_fixed(fixed: FixedRun, preset: Preset, planned: dict[str, PlannedRun]) -> PlannedRun:
    start = None if fixed.start is None else _plan_fixed(fixed.start, preset, planned)
    run = fixed.run if fixed.run.threads else replace(fixed.run, threads=1)
    return _note(
        PlannedRun(
            fixed.folder,
            run,
            None if start is None else start.folder,
            _scorings_of(run, preset),
            fixed.published,
        ),
        planned,
    )


def _note(one: PlannedRun, planned: dict[str, PlannedRun]) -> PlannedRun:
    """Add a run to those that are planned, unless it is among them.

    Raises:
        SuiteError: another run has its name.
    """
    known = planned.setdefault(one.folder, one)
    if known.run != one.run:
        raise SuiteError(
            f"Two different runs of the suite are called {one.folder}: give each a `name` of its"
            " own, with {seed} in it where it has several seeds."
        )
    return known


def _scorings_of(run: RunConfig, preset: Preset) -> tuple[Scoring, ...]:
    """Return what a run's agent is scored on: all that has the tasks it was trained on."""
    return tuple(_with_budget(each, run) for each in preset.scorings if _same_tasks(each, run))


def _with_settings(config: Any, settings: Mapping[str, Any], learner: str) -> Any:
    """Return a config with fields otherwise, all at once; dots lead into configs inside it.

    Raises:
        SuiteError: there is no such field. ValueError: values that don't fit each other.
    """
    known = [each.name for each in fields(config)] if is_dataclass(config) else []
    instead: dict[str, Any] = {}
    inside: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        first, _, rest = name.partition(".")
        if first not in known:
            raise SuiteError(
                f"The learner {learner} has no setting {name}; there are"
                f" {', '.join(known) or 'none'}."
            )
        if rest:
            inside.setdefault(first, {})[rest] = value
        else:
            instead[first] = value
    for first, own in inside.items():
        base = instead.get(first, getattr(config, first))
        instead[first] = _with_settings(base, own, learner)
    return replace(config, **instead) if instead else config


def _same_tasks(scoring: Scoring, run: RunConfig) -> bool:
    """Return whether a run's agent is scored so: it was trained on the same distribution."""
    return (scoring.distribution, dict(scoring.arguments)) == (run.distribution, run.arguments)


def _with_budget(scoring: Scoring, run: RunConfig) -> Scoring:
    """Return a scoring that says for how long; where it leaves that open, as the run is trained."""
    if scoring.budget is not None or learns_from_examples(run.learner):
        return scoring
    trained = default_budget(run)
    return replace(
        scoring, budget=trained if scoring.score == "after_k" else Episodes(trained.total)
    )


def _check_different(planned: Sequence[PlannedRun]) -> None:
    """Raise SuiteError where two folders would hold the very same run."""
    seen: dict[str, str] = {}
    for each in planned:
        key = repr(sorted(each.run.identity().items(), key=lambda entry: entry[0]))
        if key in seen:
            raise SuiteError(
                f"The suite has the same run twice, as {seen[key]} and as {each.folder}: leave one"
                " out."
            )
        seen[key] = each.folder
