"""Initialisation learners for policies (Finn et al. 2017, section 5.3)."""

from rich.console import Console

from benchmarks.maml_rl.initialisation_rl import Options, main, run_name
from benchmarks.maml_rl.runs import FAMILIES, adaptation_run
from metarl.suites.job import FilledSuite
from metarl.suites.suite import Preset, Suite

__all__ = ["SUITE"]


def preset() -> Preset:
    """Return every learner on every family that has it."""
    options = Options()
    runs = [
        options.fixed_run(run_name(family, label), adaptation_run(family, label))
        for family, chosen in FAMILIES.items()
        for label in chosen.plans
    ]
    return Preset(tuple(runs))


def fill(filled: FilledSuite) -> None:
    """Let all adapt to the same test tasks."""
    main(Options.of(filled), Console())


SUITE = Suite("maml_rl", {"cpu": preset}, fill, "MAML, FOMAML and Reptile for policies")
