"""Meta-learning shared hierarchies (Frans et al. 2017): moving bandits, four rooms, ants."""

from rich.console import Console

from benchmarks.mlsh import ants, four_rooms, moving_bandits
from benchmarks.mlsh.four_rooms import GOALS
from benchmarks.mlsh.runs import (
    ABLATIONS,
    OTHERS,
    bandits_run,
    four_rooms_run,
    other_run,
    shared_run,
    two_walk_run,
)
from metarl.suites.job import FilledSuite
from metarl.suites.suite import FixedRun, Preset, Suite

__all__ = ["SUITE"]


def preset() -> Preset:
    """Return the trainings of all three places."""
    return Preset((*_moving_bandits(), *_four_rooms(), *_ants()))


def fill(filled: FilledSuite) -> None:
    """Score and draw all three."""
    console = Console()
    moving_bandits.main(moving_bandits.Options.of(filled), console)
    four_rooms.main(four_rooms.Options.of(filled), console)
    ants.main(ants.Options.of(filled), console)


def _moving_bandits() -> list[FixedRun]:
    options = moving_bandits.Options()
    name_of = moving_bandits.run_name
    runs = [
        options.fixed_run(name_of(moving_bandits.WHOLE, seed), bandits_run(None, seed))
        for seed in options.seeds
    ]
    runs += [
        options.fixed_run(name_of(ablation, seed), bandits_run(ablation, seed))
        for ablation in ABLATIONS
        for seed in options.ablation_seeds
    ]
    runs += [options.fixed_run(name_of(name, 0), other_run(name)) for name in OTHERS]
    return [*runs, options.fixed_run(name_of(moving_bandits.TUNED, 0), shared_run())]


def _four_rooms() -> list[FixedRun]:
    options = four_rooms.Options()
    return [
        options.fixed_run(
            four_rooms.run_name(goals, seed, one_policy),
            four_rooms_run(goals, seed, one_policy=one_policy),
        )
        for goals in GOALS
        for seed in options.seeds
        for one_policy in (False, True)
    ]


def _ants() -> list[FixedRun]:
    options = ants.Options()
    return [
        options.fixed_run(f"ant-two-walk-seed{seed}", two_walk_run(seed)) for seed in options.seeds
    ]


SUITE = Suite("mlsh", {"cpu": preset}, fill, "Shared hierarchies (Frans et al. 2017)")
