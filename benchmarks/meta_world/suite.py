"""RL² with memory and without on a task of Meta-World's ML1 (Yu et al. 2020)."""

from rich.console import Console

from benchmarks.meta_world.ml1 import CORES, Options, main
from metarl.suites.job import FilledSuite
from metarl.suites.suite import Preset, Suite

__all__ = ["SUITE"]


def preset() -> Preset:
    """Return a training with each core."""
    options = Options()
    return Preset(
        tuple(options.fixed_run(options.run_name(core), options.run(core)) for core in CORES)
    )


def fill(filled: FilledSuite) -> None:
    """Play the test goals."""
    main(Options.of(filled), Console())


SUITE = Suite(
    "meta_world", {"cpu": preset}, fill, "RL² on Meta-World's ML1, with and without memory"
)
