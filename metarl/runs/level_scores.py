"""The contest's protocol: on each test level by itself, an agent plays a budget of steps and learns
while it plays (Nichol et al. 2018).

A level's score is the mean return of all episodes in the budget; an agent's score is the mean over
levels. Each level, agent and seed is scored by one `evaluate` with `Steps(N)` and stored at once,
so that a killed benchmark loses one level's play at most, and several processes share the work:
each takes what nobody else is at.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from metarl.core.agent import Agent
from metarl.core.budget import Budget, Steps
from metarl.core.paths import as_path
from metarl.core.task_distribution import check_split
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.one_task import one_task
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import Estimate, mean
from metarl.runs.store import skipped_if_broken, write_csv, write_evaluation

__all__ = [
    "COLUMNS",
    "Leads",
    "Plan",
    "leaderboard",
    "leads",
    "play_levels",
    "score_name",
    "stored_scores",
]

COLUMNS = [
    "game",
    "split",
    "agent",
    "level",
    "seed",
    "steps",
    "score",
    "episodes",
    "success",
    "fingerprint",
    "command",
]

KEY = ["game", "split", "agent", "level", "seed", "steps"]  # what a score is of


@dataclass(frozen=True)
class Plan:
    """What an agent plays.

    Attributes:
        game: as tables name it. agent: likewise.
        distribution: whose levels. split: of which split.
        levels: positions in the split's list.
        seeds: each level is played once with each; they name the environment's noise and the
            agent's.
        steps: N, environment steps on each level.
        command: what reruns it.
    """

    game: str
    agent: str
    distribution: GymnasiumDistribution
    levels: tuple[int, ...]
    seeds: tuple[int, ...]
    steps: int
    command: str
    split: str = "test"

    def __post_init__(self) -> None:
        check_split(self.distribution, self.split)
        there = len(self.distribution.task_lists[self.split])
        if wrong := [level for level in self.levels if not 0 <= level < there]:
            raise ValueError(
                f"{self.game} has no {self.split} level {wrong[0]}; it has {there}, counted from 0."
            )
        if not self.levels or not self.seeds or self.steps < 1:
            raise ValueError("Give at least one level, one seed and one step.")

    def level_name(self, level: int) -> str:
        """As tables name the level."""
        return str(self.distribution.task_lists[self.split][level])

    def file(self, folder: Path, level: int, seed: int) -> Path:
        """Return where its score lies, or will."""
        return (
            folder
            / f"{score_name(self.agent, self.split, self.level_name(level), self.steps, seed)}.csv"
        )


def score_name(agent: str, split: str, level: object, steps: int, seed: int) -> str:
    """Return how the file of a score is called."""
    words = "".join(letter if letter.isalnum() else "-" for letter in f"{agent} {split} {level}")
    return f"{words.lower().strip('-')}-{steps}steps-seed{seed}"


def play_levels(
    plan: Plan,
    make: Callable[[GymnasiumDistribution, Budget, int], Agent],
    folder: Path,
    known: pd.DataFrame | None = None,
) -> None:
    """Score what isn't scored yet and nobody else is at.

    Args:
        plan: what to play. make: the agent for a level, a budget and a seed. folder: where scores
            lie.
        known: scores that lie elsewhere and needn't be found again, such as published ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    played = (
        set()
        if known is None or known.empty
        else {tuple(map(str, row)) for row in known[KEY].itertuples(index=False)}
    )
    for seed in plan.seeds:
        for level in plan.levels:
            if (
                tuple(
                    map(
                        str,
                        (
                            plan.game,
                            plan.split,
                            plan.agent,
                            plan.level_name(level),
                            seed,
                            plan.steps,
                        ),
                    )
                )
                in played
            ):
                continue
            file = plan.file(folder, level, seed)
            with _alone(file.with_suffix(".lock")) as mine:
                if mine and not file.exists():
                    _play(plan, make, level, seed, file)


def _play(
    plan: Plan,
    make: Callable[[GymnasiumDistribution, Budget, int], Agent],
    level: int,
    seed: int,
    file: Path,
) -> None:
    alone = one_task(plan.distribution, plan.split, level)
    budget = Steps(plan.steps)
    evaluation = evaluate(make(alone, budget, seed), alone, plan.split, 1, seed, budget)
    score: dict[str, Any] = {
        "game": plan.game,
        "split": plan.split,
        "agent": plan.agent,
        "level": plan.level_name(level),
    }
    score |= {
        "seed": seed,
        "steps": plan.steps,
        "score": float(evaluation.scores("budget_mean")[0]),
        "episodes": len(evaluation.task),
    }
    success = float(evaluation.scores("success")[0]) if evaluation.tells_success else float("nan")
    score |= {"success": success, "fingerprint": evaluation.fingerprint, "command": plan.command}
    write_evaluation(file.parent / "played", file.stem, evaluation, agent=plan.agent)
    write_csv(file, pd.DataFrame([score])[COLUMNS])


@contextmanager
def _alone(file: Path) -> Iterator[bool]:
    """Whether nobody else holds `file`, which is held until the end of the block."""
    with file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def stored_scores(root: Path) -> pd.DataFrame:
    """Return all scores of levels at or below `root`, a line for each game, agent, level and seed;
    see `COLUMNS`.

    Files that can't be read are left out, with a warning that names them.

    Raises:
        ValueError: there are none.
    """
    root = as_path(root)
    tables = []
    for file in sorted(root.rglob("*.csv")):
        with skipped_if_broken(file):
            table = pd.read_csv(file)
            if list(table.columns) == COLUMNS:
                if not np.isfinite(table["score"].astype(float)).all():
                    raise ValueError("a score in it is no finite number")
                tables.append(table)
    if not tables:
        if not root.is_dir():
            raise ValueError(
                f"There is no folder {root}; name one with scores of levels, as `python"
                " benchmarks/sonic/levels.py` makes them."
            )
        raise ValueError(
            f"{root} holds no scores of levels; `python benchmarks/sonic/levels.py` makes some."
        )
    return pd.concat(tables, ignore_index=True).drop_duplicates(KEY, keep="last")


def leaderboard(scores: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each game, split, number of steps and agent, the best first: levels,
    seeds, score with its interval, command.

    The score is the mean over levels of the mean over seeds. Its interval is Student's over seeds
    where there are several that played the same levels, since the levels are fixed; over levels
    where there is one seed. Where several commands played them, the command is all of these, one
    after the other.
    """
    lines = []
    for (game, split, steps, agent), own in scores.groupby(
        ["game", "split", "steps", "agent"], sort=False
    ):
        each = own.pivot_table(index="level", columns="seed", values="score")
        whole = each.dropna(axis=1)  # seeds that played all levels
        estimate = mean(whole.mean(axis=0)) if whole.shape[1] > 1 else mean(each.mean(axis=1))
        value = float(each.mean(axis=1).mean())
        line = {
            "game": game,
            "split": split,
            "steps": steps,
            "agent": agent,
            "levels": len(each),
            "seeds": each.shape[1],
            "score": value,
        }
        low, high = (
            (estimate.low - estimate.value, estimate.high - estimate.value)
            if estimate.known
            else (np.nan, np.nan)
        )
        line |= {"ci_low": value + low, "ci_high": value + high}
        lines.append(
            line
            | {
                "over": "seeds" if whole.shape[1] > 1 else "levels",
                "command": " && ".join(own["command"].unique()),
            }
        )
    return pd.DataFrame(lines).sort_values(
        ["game", "split", "steps", "score"], ascending=[True, True, True, False], ignore_index=True
    )


class Leads(NamedTuple):
    """Mean differences between two agents' scores, None where they have nothing in common; one
    alone has an infinite interval.

    Attributes:
        by_seed: over seeds, of the mean over levels: what other trainings at test would differ in,
            with these levels.
        by_pair: over levels and seeds. More, but those of a level are alike.
    """

    by_seed: Estimate | None
    by_pair: Estimate | None


def leads(scores: pd.DataFrame, agent: str, other: str) -> Leads:
    """Return how far `agent` is ahead of `other` in the levels and with the seeds that both have
    played, of one game's scores.
    """
    sides = [
        scores[scores["agent"] == each].pivot_table(index="level", columns="seed", values="score")
        for each in (agent, other)
    ]
    # Without levels that one of them hasn't played
    difference = (sides[0] - sides[1]).dropna(how="all")
    by_seed = difference.dropna(axis=1).mean(axis=0).dropna()
    by_pair = difference.stack().dropna()
    return Leads(*(mean(each.to_numpy()) if len(each) else None for each in (by_seed, by_pair)))
