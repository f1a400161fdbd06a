"""What memory is worth where physics differ from task to task (Peng et al. 2018)."""

from rich.console import Console

from benchmarks.randomised_physics.memory import Options, main
from benchmarks.randomised_physics.runs import FAMILIES, POLICIES, physics_run
from metarl.suites.job import FilledSuite
from metarl.suites.suite import Preset, Suite

__all__ = ["SUITE"]


def preset() -> Preset:
    """Return every policy on every family."""
    options = Options()
    runs = [
        options.fixed_run(f"{family}-{policy}", physics_run(family, policy))
        for family in FAMILIES
        for policy in POLICIES
    ]
    return Preset(tuple(runs))


def fill(filled: FilledSuite) -> None:
    """Score them on test tasks and beyond, and read what memory holds."""
    main(Options.of(filled), Console())


SUITE = Suite("randomised_physics", {"cpu": preset}, fill, "Memory on randomised physics")
