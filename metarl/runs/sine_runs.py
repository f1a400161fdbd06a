"""The trainings of sine regression: Reptile (Nichol et al. 2018, section 4), first-order MAML, MAML; joint training is the control."""

from dataclasses import dataclass, field, replace
from typing import Any

from metarl.learners.initialisation.fomaml import FOMAMLConfig
from metarl.learners.initialisation.maml import MAMLConfig
from metarl.learners.initialisation.reptile import ReptileConfig
from metarl.runs.config import RunConfig

__all__ = ["JOINT", "SINE_TRAININGS", "SineTraining", "sine_run"]

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
    JOINT: SineTraining("reptile", ReptileConfig(iterations=15_000, inner_steps=1), ALL_POINTS),  # as many gradients as Reptile's
    "Reptile": SineTraining("reptile", ReptileConfig(), ALL_POINTS),
    "FOMAML": SineTraining("fomaml", FOMAMLConfig()),
    "MAML": SineTraining("maml", MAMLConfig()),
}


def sine_run(label: str, seed: int, iterations: int | None = None) -> RunConfig:
    """One run; `iterations` other than its own for a try.

    Raises:
        ValueError: there is no training of that name.
    """
    if label not in SINE_TRAININGS:
        raise ValueError(f"There is no training {label!r}; choose one of {', '.join(SINE_TRAININGS)}.")
    training = SINE_TRAININGS[label]
    config = training.config if iterations is None else replace(training.config, iterations=iterations)
    return RunConfig(training.learner, config, "SineRegression-v0", training.arguments, seed)
