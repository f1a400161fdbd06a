"""What RL² does inside the rows of Tables 1 and 2 (Duan et al. 2016), with the published weights.

    python benchmarks/rl2/diagnostics.py --rows bandits-n100-k50 mdps-n10 --publish

Memory: half-way, it is emptied, swapped with another task's, or has been fed with another task's
    rewards; how much of the second half's
return is lost? More episodes: the return of each episode, up to twice as many as the agent was
trained for. Regret: episode by episode, beside Thompson sampling and Gittins indices, or PSRL and
posterior-mean greedy. Results: diagnostics.csv, regret.csv, and a figure a row.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.rl2.rows import RL2_LABEL, Row, named_row
from metarl.agents.registry import agent_class, make_agent
from metarl.analysis.figures import regret_figure, save
from metarl.cli import plain_errors
from metarl.core.budget import Episodes
from metarl.core.capabilities import upper_bound_of
from metarl.evaluation.memory import DISTURBANCES, DisturbedAgent
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import Estimate, mean
from metarl.learners.memory.rl2 import RL2, RL2Agent
from metarl.runs.checkpoint import load_state
from metarl.runs.config import RunConfig
from metarl.runs.exclusive import exclusively
from metarl.runs.load import load_agent
from metarl.runs.store import RunFolder, write_csv
from metarl.suites.options import BenchmarkOptions

TEST_SEED = 1611  # of the test tasks, as in rl2_tables.py
LABELS = {
    "emptied": "emptied after",
    "swapped": "swapped with another task's after",
    "misled": "fed with another task's rewards until",
}
RIVALS = {"bandits": ("thompson", "gittins"), "mdps": ("psrl", "mdp-greedy")}


@dataclass(frozen=True)
class Options(BenchmarkOptions):
    """What to look into.

    Attributes:
        rows: names of rows, such as bandits-n100-k5 or mdps-n10; all that have weights if left out.
        tasks: test tasks.
        longer: play up to this many times the episodes that were trained for.
    """

    benchmark: ClassVar[str] = "rl2_tables"
    script: ClassVar[str] = "rl2/diagnostics"

    rows: tuple[str, ...] = ()
    tasks: int = 2000
    longer: int = 2

    @property
    def within(self) -> str:
        """The folder, beside those of the tables' presets, of what isn't published."""
        return "diagnostics"


def main(options: Options, console: Console) -> None:
    """Look into each row; its lines are on disk before the next row starts."""
    weights = options.results / "rl2_tables" / "weights"
    names = options.rows or sorted(path.name for path in weights.iterdir())
    for name in names:
        row = named_row(name)
        run = next(iter(sorted((weights / name).glob("seed*"))), None)
        if run is None:
            raise ValueError(
                f"There are no weights of {name} below {weights}; train that row first with"
                " tables.py."
            )
        lines = [*memory_lines(row, run, options), *longer_lines(row, run, options)]
        table = keep(
            options.folder / "diagnostics.csv", name, pd.DataFrame(lines).assign(run=run.as_posix())
        )
        keep(
            options.folder / "regret.csv",
            name,
            regret(row, run, options).assign(run=run.as_posix()),
        )
        show(table, console)


def memory_lines(row: Row, run: Path, options: Options) -> list[dict[str, object]]:
    """Return the second half's return per episode with each memory, and what is lost of it."""
    distribution = row.distribution()
    half = row.n // 2
    agent = load_agent(run, row.budget)

    def later(player: object) -> np.ndarray:
        played = evaluate(player, distribution, "test", options.tasks, TEST_SEED, row.budget)  # type: ignore[arg-type]
        return played.matrix()[:, half:].mean(1)

    intact = later(agent)
    lines = [
        line(
            row,
            "memory intact",
            f"return per episode, episodes {half + 1} to {row.n}",
            mean(intact),
        )
    ]
    for disturbance in DISTURBANCES:
        lost = intact - later(DisturbedAgent(agent, disturbance, half * distribution.horizon))
        lines.append(
            line(
                row,
                f"{LABELS[disturbance]} episode {half}",
                f"lost per episode, episodes {half + 1} to {row.n}",
                mean(lost),
            )
        )
    without = later(make_agent("random", distribution, row.budget))
    return [
        *lines,
        line(
            row,
            "random actions",
            f"lost per episode, episodes {half + 1} to {row.n}",
            mean(intact - without),
        ),
    ]


def longer_lines(row: Row, run: Path, options: Options) -> list[dict[str, object]]:
    """Return the return per episode in each stretch of episodes, the later ones longer than any
    that was trained for.
    """
    distribution = row.distribution()
    budget = Episodes(options.longer * row.n)
    played = evaluate(
        stretched(run, budget), distribution, "test", options.tasks, TEST_SEED, budget
    ).matrix()
    lines = []
    for first in range(0, budget.total, row.n // 2):
        last = min(first + row.n // 2, budget.total)
        lines.append(
            line(
                row,
                f"{options.longer} times as many episodes",
                f"return per episode, episodes {first + 1} to {last}",
                mean(played[:, first:last].mean(1)),
            )
        )
    return lines


def stretched(folder: Path, budget: Episodes) -> RL2Agent:
    """Return the trained agent with room for a longer budget.

    An attention core's further positions are copies of its last.
    """
    place = RunFolder(folder)
    run = RunConfig.from_identity(place.identity)
    longer = replace(run, config=replace(run.config, episodes=budget.total), start=None)
    learner = longer.make_learner(longer.make_distribution())
    assert isinstance(learner, RL2)
    learner.start_from(load_state(place.weights())[1])
    return learner.agent(budget)


def regret(row: Row, run: Path, options: Options) -> pd.DataFrame:
    """Regret in each episode beside hand-designed agents, drawn and as lines."""
    distribution = row.distribution()
    agents = [(RL2_LABEL, load_agent(run, row.budget))]
    agents += [
        (str(agent_class(name).label), make_agent(name, distribution, row.budget))
        for name in RIVALS[row.table]
    ]
    entries = [
        (label, evaluate(agent, distribution, "test", options.tasks, TEST_SEED, row.budget))
        for label, agent in agents
    ]
    save(
        regret_figure(entries, distribution, title=f"Regret: {row.title}", note="RL²: one seed"),
        options.folder / f"regret-{row.name}.png",
    )
    tasks = distribution.sample(options.tasks, "test", TEST_SEED)
    best = upper_bound_of(distribution, tasks, 1)
    assert best is not None, "both families have a known-task bound"
    lines = []
    for label, played in entries:
        for episode, column in enumerate((best.cpu().numpy()[:, None] - played.matrix()).T, 1):
            value, low, high, n = mean(column)[:4]
            figures = {
                "regret": round(value, 5),
                "ci_low": round(low, 5),
                "ci_high": round(high, 5),
                "num_tasks": n,
            }
            lines.append(
                {
                    "row": row.name,
                    "agent": label,
                    "episode": episode,
                    **figures,
                    "fingerprint": played.fingerprint,
                }
            )
    return pd.DataFrame(lines)


def line(row: Row, condition: str, figure: str, estimate: Estimate) -> dict[str, object]:
    """Return one line of diagnostics.csv."""
    values = {"value": estimate.value, "ci_low": estimate.low, "ci_high": estimate.high}
    return {
        "row": row.name,
        "condition": condition,
        "figure": figure,
        **{key: round(value, 5) for key, value in values.items()},
        "num_tasks": estimate.n,
    }


def keep(file: Path, name: str, lines: pd.DataFrame) -> pd.DataFrame:
    """Put a row's lines in the place of its old ones."""
    with exclusively(file):
        old = pd.read_csv(file) if file.exists() else lines.iloc[:0]
        write_csv(
            file, pd.concat([old[old["row"] != name], lines]).sort_values("row", kind="stable")
        )
    return lines


def show(lines: pd.DataFrame, console: Console) -> None:
    """Print a row's lines."""
    table = Table("condition", "figure", "value", "95 % interval", title=lines["row"].iloc[0])
    for entry in lines.to_dict("records"):
        interval = f"[{entry['ci_low']:.4g}, {entry['ci_high']:.4g}]"
        table.add_row(entry["condition"], entry["figure"], f"{entry['value']:.4g}", interval)
    console.print(table)


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 120),
        )
