"""Reptile, FOMAML and MAML on examples (Nichol et al. 2018): sine waves, few-shot images."""

from functools import partial

from rich.console import Console

from benchmarks.reptile import few_shot, sine
from benchmarks.reptile.runs import LABELS, SINE_TRAININGS, settings_of
from metarl.suites.job import FilledSuite
from metarl.suites.suite import FixedRun, Preset, Suite

__all__ = ["SUITE"]


def preset(name: str) -> Preset:
    """Return the trainings on waves, and on the images that ship with this package."""
    return Preset((*_few_shot(name), *_sine(name)))


def fill(filled: FilledSuite) -> None:
    """Let all adapt to test tasks."""
    console = Console()
    few_shot.main(few_shot.Options.of(filled, preset=filled.preset), console)
    seeds = {"seeds": filled.seeds} if filled.seeds else {}
    sine.main(sine.Options.of(filled, preset=filled.preset, **seeds), console)


def _few_shot(name: str) -> list[FixedRun]:
    options = few_shot.Options(preset=name)  # type: ignore[arg-type]
    named = [
        options.run(setting, learner)
        for setting in settings_of(options.preset)
        for learner in LABELS
    ]
    # Settings that share a training name the same one
    return [options.fixed_run(folder, run) for folder, run in dict(named).items()]


def _sine(name: str) -> list[FixedRun]:
    options = sine.Options(preset=name)  # type: ignore[arg-type]
    return [
        options.fixed_run(sine.run_name(label, seed), sine.run_of(label, seed, options))
        for label in SINE_TRAININGS
        for seed in options.seeds
    ]


SUITE = Suite(
    "reptile",
    {name: partial(preset, name) for name in ("smoke", "cpu")},
    fill,
    "Reptile, FOMAML and MAML on sine waves and few-shot images",
)
