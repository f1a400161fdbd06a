"""Rainbow learns: cart-pole, also without each of its parts, and from pixels, a maze in first person and levels of CoinRun.

    python benchmarks/rainbow.py --publish

Trainings lie in runs/rainbow and go on from there; published ones are used as they are. With --publish, figures.csv, table.csv, every
task's score and the weights go to results/rainbow; otherwise to runs/rainbow/tables.
"""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from metarl.baselines.registry import make_agent
from metarl.cli import plain_errors
from metarl.envs.agent import Agent
from metarl.envs.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import mean
from metarl.experiments.benchmark_folders import Storage
from metarl.experiments.finished import check_folder, trained
from metarl.experiments.load import load_agent
from metarl.experiments.merit import record_estimate
from metarl.experiments.rainbow_runs import GAMES, PARTS, rainbow_run
from metarl.experiments.totals import write_totals
from metarl.results import RunFolder, write_csv

TEST_SEED = 1710  # orders the tasks of the scores
BUDGET = Episodes(1)


@dataclass(frozen=True)
class Options:
    """What to train and play.

    Attributes:
        games: what is learned.
        seeds: of the trainings of cart-pole; all others take the first only.
        parts: of cart-pole's trainings, each with one part of Rainbow switched off.
        iterations: of each training; each game's own if left out.
        episodes: played for each score.
        storage: where tables, runs and weights lie.
    """

    games: tuple[str, ...] = tuple(GAMES)
    seeds: tuple[int, ...] = (0, 1, 2)
    parts: tuple[str, ...] = PARTS
    iterations: int | None = None
    episodes: int = 100
    storage: Annotated[Storage, tyro.conf.arg(name="")] = field(default_factory=Storage)

    @property
    def folder(self) -> Path:
        """Where tables and figures go."""
        return self.storage.tables("rainbow")

    @property
    def command(self) -> str:
        """What reruns this."""
        own = []
        for name in ("games", "seeds", "parts", "iterations", "episodes"):
            value = getattr(self, name)
            if value != getattr(Options, name):
                own += [f"--{name}", *map(str, value if isinstance(value, tuple) else (value,))]
        return shlex.join(["python", "benchmarks/rainbow.py", *own, *(["--publish"] if self.storage.publish else [])])


def main(options: Options, console: Console) -> None:
    """Train, play, print, save."""
    options.folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for game in options.games:
        chosen, seeds = GAMES[game], options.seeds if game == "cart-pole" else options.seeds[:1]
        distribution = rainbow_run(game, 0).make_distribution()
        random = {"random play": [make_agent("random", distribution, BUDGET)]}
        learned = {"Rainbow": [agent_of(game, seed, None, options) for seed in seeds]}
        parts = options.parts if game == "cart-pole" else ()
        switched = {f"Rainbow without {part}": [agent_of(game, seeds[0], part, options)] for part in parts}
        for label, agents in {**random, **learned, **switched}.items():
            for split in ("train",) if distribution.finite else ("train", "test"):
                lines.append(score(game, label, agents, split, label == "Rainbow" and split == "train", options))
                console.print(
                    f"{game}, {label}, {split}: {lines[-1]['mean']} {chosen.score} (lowest seed {lines[-1]['lowest_seed']})",
                    highlight=False,
                )
    write_csv(options.folder / "table.csv", pd.DataFrame(lines))


def agent_of(game: str, seed: int, part: str | None, options: Options) -> Agent:
    """The agent at its training's end, published where that is wanted."""
    run = rainbow_run(game, seed, part, options.iterations)
    name = f"{game}-{f'no-{part}' if part else 'all'}-seed{seed}"
    own, published = options.storage.places("rainbow", name)
    check_folder(run, own, published)
    folder = trained(run, own, published, publishes=options.storage.publish)
    assert folder is not None, "what isn't trained yet is trained"
    assert RunFolder(folder).weights().exists(), "finished runs have weights"
    return load_agent(folder, BUDGET)


def score(game: str, label: str, agents: list[Agent], split: str, wanted: bool, options: Options) -> dict[str, object]:
    """Play, record the figure, and give the table's line; an interval is over tasks, or over the episodes of the only one."""
    chosen, distribution = GAMES[game], rainbow_run(game, 0).make_distribution()
    played = [evaluate(agent, distribution, split, options.episodes, TEST_SEED, BUDGET) for agent in agents]
    scores = np.stack([evaluation.scores(chosen.score).astype(float) for evaluation in played])
    write_totals(options.folder / "scores.npz", f"{game}, {label}, {split}", scores, played[0].fingerprint, TEST_SEED)
    estimate = mean(np.asarray(scores.mean(0)) if distribution.finite else scores.mean(0))  # of one task: over its episodes
    what = "return of an episode" if chosen.score == "total" else "share of episodes with success"
    where = "the task of the training" if distribution.finite else "the tasks of the training" if split == "train" else "unseen tasks"
    reached = estimate.value >= chosen.wanted if wanted else None
    seeds = "" if label == "random play" else f", seeds {', '.join(map(str, options.seeds[: len(agents)]))}"
    figure = f"{game}, {label}: {what}, {where}{seeds}"
    record_estimate(options.folder, figure, f">= {chosen.wanted:g}" if wanted else "shown", estimate, reached, options.command)
    numbers = {"mean": estimate.value, "ci_low": estimate.low, "ci_high": estimate.high, "lowest_seed": scores.mean(1).min()}
    return {"game": game, "agent": label, "split": split, **{name: round(float(number), 4) for name, number in numbers.items()}}


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 140))
