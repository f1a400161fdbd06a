"""Transfer by the protocol of Nichol et al. 2018: joint training, then learning on each level."""

from functools import partial

from rich.console import Console

from benchmarks.coin_run.runs import Preset as PresetName
from benchmarks.sonic.levels import AGENTS, Learning, Options, main, training_of
from benchmarks.sonic.runs import GAMES
from metarl.suites.job import FilledSuite
from metarl.suites.suite import Preset, Suite

__all__ = ["SUITE"]

# Sonic itself needs one's own ROMs
GAMES_HERE = tuple(game for game in GAMES if game != "sonic")


def preset(name: PresetName) -> Preset:
    """Return the joint trainings of each game that can be played without ROMs of one's own."""
    learners = dict.fromkeys(
        agent.learner for agent in AGENTS.values() if isinstance(agent, Learning) and agent.jointly
    )
    runs = []
    for game in GAMES_HERE:
        for learner in learners:
            if learner in GAMES[game].learners:
                where, folder, run = training_of(learner, Options(game=game, preset=name))
                runs.append(where.fixed_run(folder, run))
    return Preset(tuple(runs))


def fill(filled: FilledSuite) -> None:
    """Let every agent play each test level for its budget of steps; what was scored before stands."""
    console = Console()
    for game in GAMES_HERE:
        main(Options.of(filled, game=game, preset=filled.preset), console)


SUITE = Suite(
    "sonic",
    {name: partial(preset, name) for name in ("smoke", "cpu", "paper")},
    fill,
    "Joint training and fine-tuning on levels (Nichol et al. 2018)",
)
