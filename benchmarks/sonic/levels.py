"""Transfer by the protocol of Nichol et al. 2018: on each test level by itself, an agent plays a
budget of steps and learns while it plays.

    # 200,000 steps on each level; of airstriker 50,000
    python benchmarks/sonic/levels.py --game coin-run --publish
    # A million; needs your ROMs: `metarl retro import`
    python benchmarks/sonic/levels.py --game sonic --preset paper --device cuda

Games are coin-run, airstriker, freeway, space-invaders and sonic. A level's score is the mean
return of all episodes in the budget, an agent's score the mean over levels. Joint PPO and Joint
Rainbow begin with weights trained on the training levels, PPO and Rainbow with new ones; all else
is the same. Scores are stored level by level, so that a killed run loses one level's play at most;
the same command started twice shares the work. Runs lie in runs/sonic/GAME (of CoinRun in
runs/coin_run); with --publish, scores and weights go to results/sonic.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
import tyro
from rich.console import Console

from benchmarks.coin_run.generalisation import Options as CoinRunOptions
from benchmarks.coin_run.runs import Preset
from benchmarks.sonic.published import sonic_table
from benchmarks.sonic.runs import GAMES, STEPS, joint_run
from metarl.agents.registry import agent_names, make_agent
from metarl.analysis.figures import curves_against_steps, save
from metarl.cli import plain_errors
from metarl.core.agent import Agent
from metarl.core.budget import Budget
from metarl.core.registry import make
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.evaluation.statistics import Estimate, mean
from metarl.learners.registry import make_learner
from metarl.runs.config import RunConfig
from metarl.runs.level_scores import (
    COLUMNS,
    Plan,
    leaderboard,
    leads,
    play_levels,
    score_name,
    stored_scores,
)
from metarl.runs.load import load_learner
from metarl.runs.store import write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import SuiteOptions
from metarl.suites.published import published_table
from metarl.suites.score_arrays import write_arrays


class Learning(NamedTuple):
    """An agent that learns at test.

    Attributes:
        learner: its name in the registry. jointly: whether it is trained on the training levels
            first.
    """

    learner: str
    jointly: bool


AGENTS: dict[str, Learning | str] = {  # by label; those that only play by their id in the registry
    "PPO": Learning("joint-ppo", False),
    "Joint PPO": Learning("joint-ppo", True),
    "Rainbow": Learning("joint-rainbow", False),
    "Joint Rainbow": Learning("joint-rainbow", True),
    "JERK": "jerk",
    "Random": "random",
}
PARTS = 20  # of the budget, that the figure has
# The least and greatest return of an episode that there can be, where intervals end in figures.
RETURNS: dict[str, tuple[float | None, float | None]] = {
    "coin-run": (0, 10),
    "freeway": (0, None),
    "space-invaders": (0, None),
    "airstriker": (0, None),
}
PAIRS = (("Joint PPO", "PPO"), ("Joint Rainbow", "Rainbow"))


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to compute.

    Attributes:
        game: coin-run, airstriker, freeway, space-invaders or sonic.
        agents: as the table names them; all that play the game if left out.
        preset: smoke only shows that everything runs; paper plays a million steps on each level.
        seeds: each level is played once with each; as the game's settings say if left out.
        levels: places of the levels in the split's list; likewise.
        split: of the levels. Settings are chosen on `train`; scores there are stored apart.
        steps: on each level, in place of the preset's.
        play: play what isn't scored; otherwise it is missing.
    """

    benchmark: ClassVar[str] = "sonic"
    script: ClassVar[str] = "sonic/levels"

    game: str = "coin-run"
    agents: tuple[str, ...] = ()
    preset: Preset = "cpu"
    seeds: tuple[int, ...] = ()
    levels: tuple[int, ...] = ()
    split: str = "test"
    steps: int | None = None
    play: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.game not in GAMES:
            raise ValueError(
                f"There is no game {self.game!r} here; choose one of {', '.join(GAMES)}."
            )
        if unknown := sorted(set(self.agents) - set(AGENTS)):
            raise ValueError(
                f"There is no agent {unknown[0]!r} here; choose of {', '.join(AGENTS)}."
            )
        if self.steps is not None and self.steps < 1:
            raise ValueError(
                f"A level is played for at least one step, not {self.steps}; without --steps the"
                " preset says how many."
            )
        if self.publish and (self.preset == "smoke" or self.split != "test"):
            raise ValueError(
                "Only scores of test levels are published, and none of the preset smoke."
            )

    @property
    def scored(self) -> str:
        """The folder of this game's scores among others."""
        own = "" if self.preset == "cpu" else f"-{self.preset}"
        return f"{self.game}{own}{'' if self.split == 'test' else f'-{self.split}'}"

    @property
    def folder(self) -> Path:
        """Where this game's tables and figures go."""
        return super().folder / self.scored

    @property
    def budget(self) -> int:
        """Steps on each level."""
        return (
            self.steps
            if self.steps is not None
            else GAMES[self.game].steps
            if self.preset == "cpu"
            else STEPS[self.preset]
        )


def training_of(learner: str, options: Options) -> tuple[SuiteOptions, str, RunConfig]:
    """Return a joint training: the benchmark among whose runs it lies, the name of its folder, and
    the run.

    Joint PPO on CoinRun is a training of that benchmark.
    """
    run = joint_run(options.game, learner, options.preset, device=options.device)
    if options.game != "coin-run" or learner != "joint-ppo":
        preset = "" if options.preset == "cpu" else f"{options.preset}-"
        return options, f"{options.game}-{preset}{learner}-seed0", run
    where = CoinRunOptions(
        preset=options.preset,
        train=options.train,
        device=options.device,
        publish=options.publish,
        runs=options.runs,
        results=options.results,
    )
    return where, where.run_name(run.arguments["levels"]), run


def main(options: Options, console: Console) -> None:
    """Every agent of the game."""
    game = GAMES[options.game]
    played = {
        label: make(game.id, **game.arguments, **game.of_agents.get(label, {})) for label in AGENTS
    }
    labels = [
        label
        for label in AGENTS
        if label in (options.agents or (label,)) and plays(label, options.game, played[label])
    ]
    for label in labels:
        if isinstance(which := AGENTS[label], Learning) and which.jointly:
            where, name, run = training_of(which.learner, options)
            where.check_run(name, run)
    options.folder.mkdir(parents=True, exist_ok=True)
    scored = options.runs / "sonic" / options.scored / "scores"
    for label in labels:
        maker = agent_maker(label, options) if options.play else None
        if maker is not None:
            plan = plan_of(label, options, played[label])
            console.print(
                f"{plan.game}, {label}: {len(plan.levels)} levels, {len(plan.seeds)} seeds,"
                f" {plan.steps:,} steps",
                highlight=False,
            )
            play_levels(
                plan,
                maker,
                scored,
                published_table(options.results, f"sonic/{options.scored}", "scores"),
            )
    scores = kept_scores(scored, options)
    if len(scores):
        write_csv(options.folder / "scores.csv", scores)
        console.print(level_table(scores, options).to_string(), highlight=False)
    episodes = played_episodes(scored, scores, options)
    if episodes:
        write_arrays(options.folder / "episodes.npz", episodes)
        draw(scores, episodes, options)
    record(labels, scores, options)


def plays(label: str, game: str, distribution: GymnasiumDistribution) -> bool:
    """Return whether an agent can play the game: it has settings for it, or supports it."""
    which = AGENTS[label]
    return (
        which in agent_names(distribution)
        if isinstance(which, str)
        else which.learner in GAMES[game].learners
    )


def agent_maker(
    label: str, options: Options
) -> Callable[[GymnasiumDistribution, Budget, int], Agent] | None:
    """Return what makes an agent for a level; None where its joint training is missing."""
    which = AGENTS[label]
    if isinstance(which, str):
        id = which
        return lambda level, budget, seed: make_agent(id, level, budget)
    learner = which.learner
    jointly = which.jointly
    config: Any = joint_run(options.game, learner, options.preset).config
    if options.preset != "smoke":
        # Of training on CoinRun's levels, what is learned at test isn't said
        config = GAMES[options.game].learners[learner]
    weights: dict[str, Any] | None = None
    if jointly:
        where, name, run = training_of(learner, options)
        folder = where.trained_run(name, run)
        if folder is None:
            return None
        weights = load_learner(folder, device=options.device).weights()

    def make_one(level: GymnasiumDistribution, budget: Budget, seed: int) -> Agent:
        made = make_learner(learner, level, config, seed, options.device)
        if weights is not None:
            made.load_weights(weights)
        return made.agent(budget)

    return make_one


def plan_of(label: str, options: Options, distribution: GymnasiumDistribution) -> Plan:
    """Return what an agent plays."""
    game = GAMES[options.game]
    there = len(distribution.task_lists[options.split])
    levels = (
        options.levels or (game.levels if options.split == "test" else ()) or tuple(range(there))
    )
    seeds = options.seeds or game.seeds
    return Plan(
        options.game,
        label,
        distribution,
        levels,
        seeds,
        options.budget,
        options.command(agents=(label,)),
        options.split,
    )


def kept_scores(folder: Path, options: Options) -> pd.DataFrame:
    """Return what has been scored with this number of steps, now, before, and among published
    scores.
    """
    tables = [stored_scores(folder)] if any(folder.glob("*.csv")) else []
    if (options.folder / "scores.csv").exists():
        tables.insert(0, pd.read_csv(options.folder / "scores.csv"))
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    scores = pd.concat(tables).drop_duplicates(["agent", "level", "seed", "steps"], keep="last")
    return scores[scores["steps"] == options.budget].sort_values(
        ["agent", "level", "seed"], ignore_index=True
    )


def played_episodes(folder: Path, scores: pd.DataFrame, options: Options) -> dict[str, np.ndarray]:
    """Return every episode behind the scores.

    For "AGENT/LEVEL/SEED", "…/length" and "…/return", in the order of play.
    """
    file = options.folder / "episodes.npz"
    arrays = {}
    if file.exists():
        with np.load(file) as kept:
            arrays = dict(kept)
    for row in scores.to_dict("records"):
        key = f"{row['agent']}/{row['level']}/{row['seed']}"
        own = (
            folder
            / "played"
            / f"{score_name(row['agent'], row['split'], row['level'], row['steps'], row['seed'])}-episodes.csv"
        )
        if own.exists():
            table = pd.read_csv(own)
            arrays[f"{key}/length"] = table["length"].to_numpy(np.uint16)
            arrays[f"{key}/return"] = table["return"].to_numpy(np.float32)
    return arrays


def draw(scores: pd.DataFrame, episodes: dict[str, np.ndarray], options: Options) -> None:
    """Mean return of the episodes that end in each part of the budget, over levels.

    How fast is learned on a level.
    """
    parts = np.linspace(0, options.budget, PARTS + 1)
    curves: dict[str, dict[float, Estimate]] = {}
    for agent, own in scores.groupby("agent", sort=False):
        lines = dict[tuple[Any, Any], np.ndarray]()
        for row in own.to_dict("records"):
            key = f"{agent}/{row['level']}/{row['seed']}"
            if f"{key}/length" in episodes:
                ends = np.cumsum(episodes[f"{key}/length"].astype(np.int64))
                returns = episodes[f"{key}/return"]
                place = np.minimum(np.searchsorted(parts, ends, "left") - 1, PARTS - 1)
                count = np.bincount(place, minlength=PARTS)
                means = np.where(
                    count > 0, np.bincount(place, returns, PARTS) / np.maximum(count, 1), np.nan
                )
                lines[row["level"], row["seed"]] = means
        tables = [
            pd.Series({pair: line[part] for pair, line in lines.items()}).unstack()
            for part in range(PARTS)
            if lines
        ]
        columns = zip(parts[1:], tables, strict=False)
        curves[str(agent)] = {
            float(end): of_seeds(table) for end, table in columns if table.notna().any(axis=None)
        }
    curves = {agent: curve for agent, curve in curves.items() if curve}
    if curves:
        figure = curves_against_steps(
            curves,
            y="mean return of an episode",
            title=f"{options.game.replace('-', ' ').capitalize()}, {options.split} levels",
            note=f"over seeds, of each the mean over the same {scores['level'].nunique()} levels",
            logarithmic=False,
            possible=RETURNS.get(options.game, (None, None)),
        )
        save(figure, options.folder / "curves.png")


def of_seeds(table: pd.DataFrame) -> Estimate:
    """Return the mean over levels (rows) of the mean over seeds (columns), with an interval over
    seeds, as the levels are fixed.

    Pairs of level and seed aren't independent. Fewer than three seeds have no interval, since
    theirs is wider than the figure.
    """
    value = float(table.mean(axis=1).mean())
    whole = table.dropna(axis=1)
    if whole.shape[1] < 3:
        return Estimate(value, np.nan, np.nan, whole.shape[1])
    estimate = mean(whole.mean(axis=0))
    return Estimate(
        value,
        value + estimate.low - estimate.value,
        value + estimate.high - estimate.value,
        estimate.n,
    )


def level_table(scores: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Mean scores by level and agent, the mean over levels with its interval, and published scores
    of the same levels beside.
    """
    table = scores.pivot_table(index="level", columns="agent", values="score", sort=False)
    board = leaderboard(scores).set_index("agent")
    table = table[list(board.index)].round(2).astype(object)
    lines = {
        agent: {str(name): value for name, value in line.items()}
        for agent, line in board.iterrows()
    }
    table.loc["mean over levels"] = [f"{lines[agent]['score']:.2f}" for agent in table.columns]
    table.loc["95 % interval"] = [
        f"[{lines[agent]['ci_low']:.2f}, {lines[agent]['ci_high']:.2f}]" for agent in table.columns
    ]
    table.loc["over"] = [
        f"{lines[agent][lines[agent]['over']]} {lines[agent]['over']}" for agent in table.columns
    ]
    if options.game == "sonic":
        table = with_references(table)
    return table


def with_references(table: pd.DataFrame) -> pd.DataFrame:
    """Return the paper's scores of each level in further columns, the contest's in a row each."""
    paper = sonic_table("paper")
    for agent, own in paper.groupby("agent", sort=False):
        values = dict(zip(own["level"], own["score"], strict=True))
        column = {level: values.get(str(level).split(" ")[-1]) for level in table.index}
        trust = own.set_index("level")["trust"]
        column["mean over levels"] = values["all"]
        table[f"{agent} (paper; levels {trust.drop('all').iloc[0]}, mean {trust['all']})"] = (
            pd.Series(column, dtype=object)
        )
    for _, row in sonic_table("contest").iterrows():
        table.loc[f"contest, {row['agent']} ({row['trust']}; other levels)"] = [
            row["score"],
            *[""] * (len(table.columns) - 1),
        ]
    return table.fillna("")


def record(labels: list[str], scores: pd.DataFrame, options: Options) -> None:
    """The figures of merit: every agent's score, and what joint training is worth."""
    board = leaderboard(scores).set_index("agent") if len(scores) else pd.DataFrame()
    for label in labels:
        value = None
        if label in board.index:
            row: dict[Any, Any] = board.loc[label].to_dict()
            value = Estimate(
                row["score"], row["ci_low"], row["ci_high"], row["levels"] * row["seeds"]
            )
        name = (
            f"{options.game}, {label}: mean return of all episodes in {options.budget:,} steps,"
            f" {options.split} levels"
        )
        record_figure(options.folder, name, "shown", value, None, options.command(agents=(label,)))
    for jointly, alone in PAIRS:
        if jointly not in labels or alone not in labels:
            continue
        ahead = leads(scores, jointly, alone)
        for paired, lead in (
            ("level and seed", ahead.by_pair),
            ("seed, mean over levels", ahead.by_seed),
        ):
            known = lead if lead is not None and lead.n > 1 else None
            name = (
                f"{options.game}, {jointly} minus {alone} from scratch, {options.budget:,} steps,"
                f" paired by {paired}"
            )
            record_figure(
                options.folder,
                name,
                "> 0",
                known,
                None if known is None else known.low > 0,
                options.command(agents=(jointly,)),
            )


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 160),
        )
