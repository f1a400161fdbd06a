"""CoinRun: how many levels it takes until new ones are played as well as those trained on.

    python benchmarks/coin_run.py --publish
    python benchmarks/coin_run.py --levels 10 --preset smoke

Joint PPO with the Nature network on each number of training levels, then the share of episodes that reach the coin, on levels of training
and on levels never seen, without learning on. The paper's figures (Cobbe et al. 2018, 256 million steps) stand beside. Runs lie in
runs/coin_run; with --publish, table, figure, successes level by level and weights go to results/coin_run.
"""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from metarl.envs.budget import Episodes
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.experiments.finished import check_folder, trained
from metarl.experiments.load import load_agent
from metarl.experiments.transfer_runs import COIN_RUN_LEVELS, Preset, coin_run_run


@dataclass(frozen=True)
class Options:
    """What to compute.

    Attributes:
        levels: numbers of training levels.
        preset: smoke only shows that everything runs; paper takes 256 million steps.
        num_levels: levels that each agent is scored on, of training (each several times where there are fewer) and new.
        publish: write to results/ and copy the weights there.
        train: train what isn't trained; otherwise its figures are missing.
        device: where policies train.
        runs: folder of the training runs.
        results: folder of published results.
    """

    levels: tuple[int, ...] = COIN_RUN_LEVELS
    preset: Preset = "cpu"
    num_levels: int = 500
    publish: bool = False
    train: bool = True
    device: str = "cpu"
    runs: Path = field(default=Path("runs"))
    results: Path = field(default=Path("results"))
    only_train: bool = False


def main(options: Options, console: Console) -> None:
    for levels in options.levels:
        run = coin_run_run(levels, options.preset, device=options.device)
        name = f"levels-{levels}-seed0"
        trained(run, options.runs / "coin_run" / name, options.results / "coin_run" / "weights" / name)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 140))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
