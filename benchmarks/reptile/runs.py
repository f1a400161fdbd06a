"""The trainings of sine regression and few-shot classification, and how the latter's are scored.

Of classification: what Nichol et al. 2018 and Finn et al. 2017 set, and a preset for one core. Of
sine waves: Reptile (Nichol et al. 2018, section 4), first-order MAML, MAML; joint training is the
control.

The paper's settings of Reptile are those of the commands released with it; those of MAML and
first-order MAML are of Finn et al.'s own (github.com/cbfinn/maml, main.py). The preset "paper"
needs Omniglot or miniImageNet on disk; "cpu" and "smoke" take glyphs.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from metarl.learners.initialisation.fomaml import FOMAMLConfig
from metarl.learners.initialisation.maml import MAMLConfig
from metarl.learners.initialisation.reptile import ReptileConfig
from metarl.learners.optimizers import SGD, Adam
from metarl.networks.image_network import ImageNetworkConfig
from metarl.runs.config import RunConfig

__all__ = [
    "DATA",
    "JOINT",
    "LABELS",
    "PRESETS",
    "SETTINGS",
    "SINE_TRAININGS",
    "Plan",
    "Scoring",
    "Setting",
    "SineTraining",
    "few_shot_run",
    "plan_of",
    "scoring",
    "settings_of",
    "sine_run",
]

PresetName = Literal["smoke", "cpu", "paper"]
DataName = Literal["glyphs", "omniglot", "miniimagenet"]
# As tables print them
LABELS = {"reptile": "Reptile", "fomaml": "FOMAML", "maml": "MAML", "joint": "Joint training"}
PRESETS: dict[PresetName, tuple[DataName, ...]] = {
    "smoke": ("glyphs",),
    "cpu": ("glyphs",),
    "paper": ("omniglot", "miniimagenet"),
}
# Id of the distribution, and its arguments whatever the learner
DATA: dict[DataName, tuple[str, dict[str, Any]]] = {
    "glyphs": ("GlyphClassification-v0", {}),
    "omniglot": (
        "ImageClassification-v0",
        {"size": 28, "channels": 1, "rotations": True, "train_classes": 1200},
    ),
    "miniimagenet": ("ImageClassification-v0", {"size": 84, "channels": 3}),
}


@dataclass(frozen=True)
class Setting:
    """A column of the table.

    Attributes:
        data: which images.
        ways, shots: of the test tasks.
    """

    data: DataName
    ways: int
    shots: int

    @property
    def name(self) -> str:
        """As the paper's table heads it."""
        return f"{self.shots}-shot {self.ways}-way"


@dataclass(frozen=True)
class Plan:
    """How a learner is trained for a setting.

    Attributes:
        learner: its name in the registry.
        config: its settings.
        arguments: of the distribution in training.
    """

    learner: str
    config: Any
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Scoring:
    """How a trained initialisation adapts to test tasks.

    Attributes:
        optimizer: of the inner steps.
        steps: how many.
        batch: examples in a step; None for the whole support.
    """

    optimizer: SGD | Adam
    steps: int
    batch: int | None


SETTINGS = (
    *(Setting("glyphs", 5, shots) for shots in (1, 5)),
    *(Setting("omniglot", ways, shots) for ways in (5, 20) for shots in (1, 5)),
    *(Setting("miniimagenet", 5, shots) for shots in (1, 5)),
)


@dataclass(frozen=True)
class ReptileCommand:
    """One of the commands released with Nichol et al. 2018."""

    train_shots: int
    batch: int
    inner_steps: int
    lr: float
    iterations: int
    eval_batch: int
    eval_steps: int = 50


@dataclass(frozen=True)
class MAMLCommand:
    """One of the commands released with Finn et al. 2017."""

    tasks: int
    inner_lr: float
    inner_steps: int
    iterations: int
    queries: int | None = None  # of each class in training; as many as shots where None


NETWORKS: dict[DataName, ImageNetworkConfig] = {
    "glyphs": ImageNetworkConfig(filters=32),
    "omniglot": ImageNetworkConfig(filters=64),
    "miniimagenet": ImageNetworkConfig(filters=32, stride=1, pool=True),
}
# Those of glyphs are ours, so that each training takes a few minutes; Reptile's lr was chosen on
# training tasks (4e-3 over 1e-3).
REPTILE: dict[tuple[DataName, int], ReptileCommand] = {  # by data and ways
    ("glyphs", 5): ReptileCommand(10, 10, 5, 4e-3, 1500, 5, 20),
    ("omniglot", 5): ReptileCommand(10, 10, 5, 1e-3, 100_000, 5),
    ("omniglot", 20): ReptileCommand(10, 20, 10, 5e-4, 200_000, 10),
    ("miniimagenet", 5): ReptileCommand(15, 10, 8, 1e-3, 100_000, 5),
}
# By data, ways and shots; the released ones name no command for 5-shot Omniglot
MAMLS: dict[tuple[DataName, int, int], MAMLCommand] = {
    ("glyphs", 5, 1): MAMLCommand(16, 0.4, 1, 2500, 5),
    ("glyphs", 5, 5): MAMLCommand(8, 0.4, 1, 600, 5),
    **{("omniglot", 5, shots): MAMLCommand(32, 0.4, 1, 40_000) for shots in (1, 5)},
    **{("omniglot", 20, shots): MAMLCommand(16, 0.1, 5, 40_000) for shots in (1, 5)},
    **{("miniimagenet", 5, shots): MAMLCommand(4, 0.01, 5, 60_000, 15) for shots in (1, 5)},
}
MAML_STEPS = 10  # as far as the released program scores
SMOKE = 2  # iterations


def settings_of(preset: PresetName, data: DataName | None = None) -> list[Setting]:
    """Return the columns that a preset fills.

    Raises:
        ValueError: an unknown preset, or data that it doesn't take.
    """
    if preset not in PRESETS or (data is not None and data not in PRESETS[preset]):
        raise ValueError(
            f"Choose a preset of {', '.join(PRESETS)} and data that fits ({PRESETS}), not"
            f" {preset!r} and {data!r}."
        )
    return [setting for setting in SETTINGS if setting.data == (data or PRESETS[preset][0])]


def plan_of(setting: Setting, learner: str) -> Plan:
    """Return how `learner`, a key of LABELS, is trained. Reptile and joint training are the same
    whatever the test tasks' shots.

    Joint training takes one step for all examples together: as many iterations as Reptile, and as
    many images in each (75 rather than 80 of miniImageNet).

    Raises:
        ValueError: an unknown learner.
    """
    if learner not in LABELS:
        raise ValueError(
            f"There is no learner {learner!r} here; choose one of {', '.join(LABELS)}."
        )
    network = NETWORKS[setting.data]
    ways = {"ways": setting.ways}
    if learner in ("reptile", "joint"):
        command = REPTILE[setting.data, setting.ways]
        config = ReptileConfig(
            iterations=command.iterations,
            tasks=5,
            inner_steps=command.inner_steps,
            batch=command.batch,
            inner=Adam(command.lr, beta1=0.0),
            outer=SGD(1.0),
            network=network,
        )
        if learner == "joint":
            # A step of 1: the move is the gradient
            config = replace(config, inner_steps=1, batch=None, inner=SGD(1.0), outer=Adam(1e-3))
        return Plan("reptile", config, {**ways, "train_shots": command.train_shots})
    own = MAMLS[setting.data, setting.ways, setting.shots]
    shared: dict[str, Any] = {
        "iterations": own.iterations,
        "tasks": own.tasks,
        "inner_steps": own.inner_steps,
        "anneal": False,
    }
    arguments = {**ways, "shots": setting.shots, "train_queries": own.queries or setting.shots}
    if learner == "maml":
        return Plan(
            "maml",
            MAMLConfig(**shared, inner_lr=own.inner_lr, outer=Adam(1e-3), network=network),
            arguments,
        )
    return Plan(
        "fomaml",
        FOMAMLConfig(**shared, inner=SGD(own.inner_lr), outer=Adam(1e-3), network=network),
        arguments,
    )


def few_shot_run(
    preset: PresetName,
    setting: Setting,
    learner: str,
    folder: str | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> tuple[str, RunConfig]:
    """Return a training's name and run; settings that share a training give the same one.

    Args:
        folder: where the images are, for Omniglot and miniImageNet.

    Raises:
        ValueError: an unknown learner, or a missing folder.
    """
    plan = plan_of(setting, learner)
    id, arguments = DATA[setting.data]
    if setting.data != "glyphs":
        if folder is None:
            raise ValueError(
                f"{setting.data} isn't part of this package; say where its images are: --images."
            )
        arguments = {"folder": folder, **arguments}
    config = replace(plan.config, iterations=SMOKE) if preset == "smoke" else plan.config
    shots = f"-{setting.shots}shot" if "shots" in plan.arguments else ""
    run = RunConfig(plan.learner, config, id, {**arguments, **plan.arguments}, seed, device)
    return f"{setting.data}-{setting.ways}way{shots}-{learner}", run


def scoring(setting: Setting, learner: str) -> Scoring:
    """Return how the trained initialisation is scored.

    By the steps of its own training, more of them.
    """
    if learner in ("maml", "fomaml"):
        own = MAMLS[setting.data, setting.ways, setting.shots]
        return Scoring(SGD(own.inner_lr), MAML_STEPS, None)
    command = REPTILE[setting.data, setting.ways]
    batch = 15 if setting.data == "miniimagenet" and setting.shots == 5 else command.eval_batch
    return Scoring(Adam(command.lr, beta1=0.0), command.eval_steps, batch)


JOINT = "Joint training"


@dataclass(frozen=True)
class SineTraining:
    """One learner.

    Attributes:
        learner: its name in the registry. config: its settings.
        arguments: of the distribution in training.
    """

    learner: str
    config: Any
    arguments: dict[str, Any] = field(default_factory=dict)


ALL_POINTS = {"points": 50}  # Reptile passes once over all 50 points of a wave, 10 at a time
SINE_TRAININGS = {  # as tables name them
    # As many gradients as Reptile's
    JOINT: SineTraining("reptile", ReptileConfig(iterations=15_000, inner_steps=1), ALL_POINTS),
    "Reptile": SineTraining("reptile", ReptileConfig(), ALL_POINTS),
    "FOMAML": SineTraining("fomaml", FOMAMLConfig()),
    "MAML": SineTraining("maml", MAMLConfig()),
}


def sine_run(label: str, seed: int, iterations: int | None = None) -> RunConfig:
    """Return one run; `iterations` other than its own for a try.

    Raises:
        ValueError: there is no training of that name.
    """
    if label not in SINE_TRAININGS:
        raise ValueError(
            f"There is no training {label!r}; choose one of {', '.join(SINE_TRAININGS)}."
        )
    training = SINE_TRAININGS[label]
    config = (
        training.config if iterations is None else replace(training.config, iterations=iterations)
    )
    return RunConfig(training.learner, config, "SineRegression-v0", training.arguments, seed)
