"""How the gap between training levels and new ones closes: joint PPO on CoinRun."""

from functools import partial

from rich.console import Console

from benchmarks.coin_run.generalisation import Options, main
from benchmarks.coin_run.runs import Preset as PresetName
from benchmarks.coin_run.runs import coin_run_run
from metarl.suites.job import FilledSuite
from metarl.suites.suite import Preset, Suite

__all__ = ["SUITE"]


def preset(name: PresetName) -> Preset:
    """Return a training for each number of levels."""
    options = Options(preset=name)
    runs = [
        options.fixed_run(options.run_name(levels), coin_run_run(levels, name))
        for levels in options.levels
    ]
    return Preset(tuple(runs))


def fill(filled: FilledSuite) -> None:
    """Score them on training levels and new ones."""
    main(Options.of(filled, preset=filled.preset), Console())


SUITE = Suite(
    "coin_run",
    {name: partial(preset, name) for name in ("smoke", "cpu", "paper")},
    fill,
    "Generalisation over the levels of CoinRun (Cobbe et al. 2019)",
)
