"""CoinRun: how many training levels it takes until new ones are played as well as those.

    python benchmarks/coin_run.py --publish
    python benchmarks/coin_run.py --levels 10 --preset smoke

Joint PPO with the Nature network on each number of training levels, then the share of episodes that reach the coin, on levels of training
and on levels never seen, without learning on. The paper's figures (Cobbe et al. 2018, after 256 million steps) stand beside. Runs lie in
runs/coin_run; with --publish, table, figure, successes level by level and weights go to results/coin_run.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

from metarl.analysis.figures import intervals_figure, save
from metarl.cli import plain_errors
from metarl.envs.budget import Episodes
from metarl.evaluation.episodes import episode_successes
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.statistics import Comparison, Estimate, generalisation_gap, share
from metarl.experiments.benchmark_folders import Storage
from metarl.experiments.finished import check_folder, trained
from metarl.experiments.load import load_agent
from metarl.experiments.merit import record_estimate
from metarl.experiments.totals import write_totals
from metarl.experiments.transfer_runs import COIN_RUN_LEVELS, Preset, coin_run_run
from metarl.reference.cobbe2018 import generalisation_table
from metarl.results import write_csv
from metarl.tasks.coin_run_env import LONGEST
from metarl.tasks.registry import make

TRAIN_SEED, TEST_SEED = 2603, 2604
SPLITS = {"train": "levels of training", "test": "new levels"}


@dataclass(frozen=True)
class Options:
    """What to compute.

    Attributes:
        levels: numbers of training levels.
        preset: smoke only shows that everything runs; paper takes 256 million steps.
        num_tasks: episodes that each agent is scored on, of training levels (each as often as they go round) and of new ones, each another.
        horizon: most steps of an episode that is scored.
        train: train what isn't trained; otherwise its figures are missing.
        device: where policies train.
        storage: where tables, runs and weights lie.
    """

    levels: tuple[int, ...] = COIN_RUN_LEVELS
    preset: Preset = "cpu"
    num_tasks: int = 1000
    horizon: int = LONGEST
    train: bool = True
    device: str = "cpu"
    storage: Annotated[Storage, tyro.conf.arg(name="")] = field(default_factory=Storage)

    def __post_init__(self) -> None:
        if self.storage.publish and self.preset == "smoke":
            raise ValueError("The preset smoke trains for a moment; there is nothing to publish.")
        if not self.levels or min(self.levels) < 1:
            raise ValueError(f"Give numbers of training levels from 1 on, not {self.levels}.")

    @property
    def folder(self) -> Path:
        """Where tables and figures go."""
        return self.storage.tables("coin_run")

    @property
    def command(self) -> str:
        """What reruns it."""
        return self.storage.command("coin_run", {"levels": None if self.levels == COIN_RUN_LEVELS else self.levels})

    def places(self, levels: int) -> tuple[Path, Path]:
        """Where a run lies: our own, and the published one."""
        name = f"levels-{levels}-seed0" if self.preset == "cpu" else f"{self.preset}-levels-{levels}-seed0"
        return self.storage.places("coin_run", name)


def main(options: Options, console: Console) -> None:
    """Every number of levels."""
    for levels in options.levels:
        check_folder(coin_run_run(levels, options.preset, device=options.device), *options.places(levels))
    options.folder.mkdir(parents=True, exist_ok=True)
    scores = {levels: scored for levels in options.levels if (scored := score(levels, options)) is not None}
    if scores:
        show(write_table(scores, options), console)
        draw(scores, options)
    record(scores, options)


def score(levels: int, options: Options) -> dict[str, Evaluation] | None:
    """An episode in each of `num_tasks` levels of training, and of as many others; None where nothing is trained."""
    run = coin_run_run(levels, options.preset, device=options.device)
    folder = trained(run, *options.places(levels), train_missing=options.train, publishes=options.storage.publish)
    if folder is None:
        return None
    budget, played = Episodes(1), {}
    distribution = make(run.distribution, **{**run.arguments, "horizon": options.horizon})
    agent = load_agent(folder, budget)
    for split, seed in (("train", TRAIN_SEED), ("test", TEST_SEED)):
        played[split] = evaluate(agent, distribution, split, options.num_tasks, seed, budget)
        where = options.folder / f"{split}.npz"
        write_totals(where, f"levels-{levels}", np.asarray(successes(played[split]))[None], played[split].fingerprint, seed)
    return played


def successes(evaluation: Evaluation) -> np.ndarray:
    """Whether the only episode in each level reached the coin [plays] (0 or 1); training levels are few, and played many times."""
    return episode_successes(evaluation)[:, 0].astype(float)


def gap(played: dict[str, Evaluation]) -> Comparison:
    """Success on levels of training minus success on new ones."""
    return generalisation_gap(successes(played["train"]), successes(played["test"]))


def write_table(scores: dict[int, dict[str, Evaluation]], options: Options) -> pd.DataFrame:
    """Successes with the paper's beside, where it has as many levels."""
    lines = []
    for levels, played in scores.items():
        known, new = (share(successes(played[split])) for split in SPLITS)
        difference = gap(played).difference
        line: dict[str, Any] = {"levels": levels, "train": known.value, "train_low": known.low, "train_high": known.high}
        line |= {"test": new.value, "test_low": new.low, "test_high": new.high}
        line |= {"gap": difference.value, "gap_low": difference.low, "gap_high": difference.high, "n": options.num_tasks, "source": "here"}
        lines.append(line)
    paper = generalisation_table()
    for _, row in paper.iterrows():
        line = {"levels": row["levels"], "train": row["train"], "test": row["test"], "gap": row["train"] - row["test"]}
        lines.append(line | {"source": f"Cobbe et al. 2018, {row['network']}, 256 million steps ({row['trust']})"})
    table = pd.DataFrame(lines).round(4)
    write_csv(options.folder / "table.csv", table)
    return table


def show(table: pd.DataFrame, console: Console) -> None:
    """The table in percent, the paper's rows below ours."""
    view = Table(title="CoinRun: % of episodes that reach the coin", title_justify="left")
    for name in ("training levels", "levels of training", "new levels", "gap", "source"):
        view.add_column(name, justify="left" if name == "source" else "right")
    for row in table.to_dict("records"):
        cells = []
        for name in ("train", "test", "gap"):
            interval = f" [{100 * row[f'{name}_low']:.1f}, {100 * row[f'{name}_high']:.1f}]" if row["source"] == "here" else ""
            cells.append("" if np.isnan(row[name]) else f"{100 * row[name]:.1f}{interval}")
        view.add_row("no bounds" if np.isinf(row["levels"]) else f"{row['levels']:,.0f}", *cells, row["source"])
    console.print(view)


def draw(scores: dict[int, dict[str, Evaluation]], options: Options) -> None:
    """Success against the number of training levels."""
    curves = {
        words: {f"{levels:,}": share(successes(played[split])) for levels, played in scores.items()} for split, words in SPLITS.items()
    }
    figure = intervals_figure(
        curves,
        x="training levels",
        y="share of episodes that reach the coin",
        title="CoinRun, easy levels: joint PPO",
        note="one training at each point; Wilson's intervals over levels",
        possible=(0, 1),
    )
    save(figure, options.folder / "gap.png")


def record(scores: dict[int, dict[str, Evaluation]], options: Options) -> None:
    """The figures of merit."""
    for levels in options.levels:
        played = scores.get(levels)
        for split, words in SPLITS.items():
            value = share(successes(played[split])) if played else None
            record_estimate(options.folder, f"CoinRun, {levels} training levels: success on {words}", "shown", value, None, options.command)
        value = gap(played).difference if played else None
        record_estimate(options.folder, f"CoinRun, {levels} training levels: gap", "shown", value, None, options.command)
    few, many = min(options.levels), max(options.levels)
    if few < many:
        fall = None
        if few in scores and many in scores:
            one, other = gap(scores[few]).difference, gap(scores[many]).difference
            error = float(np.hypot(one.high - one.low, other.high - other.low)) / 2
            value_of_fall = one.value - other.value
            fall = Estimate(value_of_fall, value_of_fall - error, value_of_fall + error, options.num_tasks)
        reached = None if fall is None else fall.low > 0
        name = f"CoinRun: gap at {few} training levels minus gap at {many}"
        record_estimate(options.folder, name, "> 0", fall, reached, options.command)


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 140))
