"""Rainbow learns: cart-pole, also without each of its parts, and from pixels, a maze in first
person and levels of CoinRun.

    python benchmarks/rainbow/parts.py --publish

Trainings lie in runs/rainbow and go on from there; published ones are used as they are. With
--publish, figures.csv, table.csv, every task's score and the weights go to results/rainbow;
otherwise to runs/rainbow/tables.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from benchmarks.rainbow.runs import GAMES, PARTS, rainbow_run
from metarl.agents.registry import make_agent
from metarl.cli import plain_errors
from metarl.core.agent import Agent
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import mean
from metarl.runs.config import RunConfig
from metarl.runs.load import load_agent
from metarl.runs.store import write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import SuiteOptions
from metarl.suites.score_arrays import write_scores

TEST_SEED = 1710  # orders the tasks of the scores
BUDGET = Episodes(1)


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to train and play.

    Attributes:
        games: what is learned.
        seeds: of the trainings of cart-pole; all others take the first only.
        parts: of cart-pole's trainings, each with one part of Rainbow switched off.
        iterations: of each training; each game's own if left out.
        episodes: played for each score.
    """

    benchmark: ClassVar[str] = "rainbow"
    script: ClassVar[str] = "rainbow/parts"

    games: tuple[str, ...] = tuple(GAMES)
    seeds: tuple[int, ...] = (0, 1, 2)
    parts: tuple[str, ...] = PARTS
    iterations: int | None = None
    episodes: int = 100


def main(options: Options, console: Console) -> None:
    """Train, play, print, save."""
    options.folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for game in options.games:
        chosen = GAMES[game]
        seeds = seeds_of(game, options)
        distribution = rainbow_run(game, 0).make_distribution()
        random = {"random play": [make_agent("random", distribution, BUDGET)]}
        learned = {"Rainbow": agents_of(game, seeds, None, options)}
        parts = parts_of(game, options)
        switched = {
            f"Rainbow without {part}": agents_of(game, seeds[:1], part, options) for part in parts
        }
        for label, agents in {**random, **learned, **switched}.items():
            for split in ("train",) if distribution.finite else ("train", "test"):
                line = score(
                    game, label, agents, split, label == "Rainbow" and split == "train", options
                )
                if line is None:
                    continue
                lines.append(line)
                lowest = line["lowest_seed"]
                console.print(
                    f"{game}, {label}, {split}: {line['mean']} {chosen.score} (lowest seed"
                    f" {lowest})",
                    highlight=False,
                )
    write_csv(options.folder / "table.csv", pd.DataFrame(lines))


def seeds_of(game: str, options: Options) -> tuple[int, ...]:
    """Return the seeds of a game's trainings."""
    return options.seeds if game == "cart-pole" else options.seeds[:1]


def parts_of(game: str, options: Options) -> tuple[str, ...]:
    """Return the parts that are switched off, one at a time."""
    return options.parts if game == "cart-pole" else ()


def wanted_runs(options: Options) -> list[tuple[str, RunConfig]]:
    """Return every training, with the name of its folder."""
    wanted = []
    for game in options.games:
        seeds = seeds_of(game, options)
        wanted += [named_run(game, seed, None, options) for seed in seeds]
        wanted += [named_run(game, seeds[0], part, options) for part in parts_of(game, options)]
    return wanted


def named_run(game: str, seed: int, part: str | None, options: Options) -> tuple[str, RunConfig]:
    """Return the name of a training's folder, and the run."""
    run = replace(rainbow_run(game, seed, part, options.iterations), device=options.device)
    return f"{game}-{f'no-{part}' if part else 'all'}-seed{seed}", run


def agents_of(game: str, seeds: Sequence[int], part: str | None, options: Options) -> list[Agent]:
    """Return the agents at their trainings' ends.

    Those that aren't trained and mustn't be are missing.
    """
    agents = []
    for seed in seeds:
        name, run = named_run(game, seed, part, options)
        options.check_run(name, run)
        folder = options.trained_run(name, run)
        if folder is not None:
            agents.append(load_agent(folder, BUDGET))
    return agents


def score(
    game: str, label: str, agents: list[Agent], split: str, wanted: bool, options: Options
) -> dict[str, object] | None:
    """Play, record the figure, and return the table's line; None, and a missing figure, where
    nothing is trained.

    An interval is over tasks, or over the episodes of the only one.
    """
    chosen = GAMES[game]
    distribution = rainbow_run(game, 0).make_distribution()
    what = "return of an episode" if chosen.score == "total" else "share of episodes with success"
    where = (
        "the task of the training"
        if distribution.finite
        else "the tasks of the training"
        if split == "train"
        else "unseen tasks"
    )
    goal = f">= {chosen.wanted:g}" if wanted else "shown"
    if not agents:
        record_figure(
            options.folder, f"{game}, {label}: {what}, {where}", goal, None, None, options.command()
        )
        return None
    played = [
        evaluate(agent, distribution, split, options.episodes, TEST_SEED, BUDGET)
        for agent in agents
    ]
    scores = np.stack([evaluation.scores(chosen.score).astype(float) for evaluation in played])
    write_scores(
        options.folder / "scores.npz",
        f"{game}, {label}, {split}",
        scores,
        played[0].fingerprint,
        TEST_SEED,
    )
    # Of one task: over its episodes
    estimate = mean(np.asarray(scores.mean(0)) if distribution.finite else scores.mean(0))
    reached = estimate.value >= chosen.wanted if wanted else None
    seeds = (
        ""
        if label == "random play"
        else f", seeds {', '.join(map(str, options.seeds[: len(agents)]))}"
    )
    figure = f"{game}, {label}: {what}, {where}{seeds}"
    record_figure(options.folder, figure, goal, estimate, reached, options.command())
    numbers = {
        "mean": estimate.value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "lowest_seed": scores.mean(1).min(),
    }
    return {
        "game": game,
        "agent": label,
        "split": split,
        **{name: round(float(number), 4) for name, number in numbers.items()},
    }


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 140),
        )
