"""Rainbow, whole and with each part switched off (Hessel et al. 2018)."""

from rich.console import Console

from benchmarks.rainbow.parts import Options, main, wanted_runs
from metarl.suites.job import FilledSuite
from metarl.suites.suite import Preset, Suite

__all__ = ["SUITE"]


def preset() -> Preset:
    """Return every training of every game."""
    options = Options()
    return Preset(tuple(options.fixed_run(name, run) for name, run in wanted_runs(options)))


def fill(filled: FilledSuite) -> None:
    """Play, and tell what each part is worth."""
    main(Options.of(filled), Console())


SUITE = Suite("rainbow", {"cpu": preset}, fill, "The parts of Rainbow (Hessel et al. 2018)")
