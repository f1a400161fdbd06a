"""RL² in mazes and grids: does it explore in the first episode and go straight in the second, in
mazes that it has never seen?

    # Everything; finished runs and published weights are used as they are
    python benchmarks/rl2/mazes.py
    python benchmarks/rl2/mazes.py --parts grid-maze gap --publish

The part "visual-maze" fills Table 3 of Duan et al. 2016. RL² is trained, or gone on with, in
runs/rl2_mazes. With --publish, tables, figures and weights go to results/rl2_mazes; otherwise all
but the runs goes to runs/rl2_mazes/tables.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.rl2.published import MAZE_IMPROVED, rl2_mazes
from benchmarks.rl2.rows import RL2_LABEL
from benchmarks.rl2.runs import TRAININGS, maze_run
from metarl.agents.mazes.explorer import MazeExplorer
from metarl.agents.mazes.known_maze import KnownMaze
from metarl.agents.random import RandomAgent
from metarl.agents.registry import agent_class, make_agent
from metarl.agents.scripted.known_goal import KnownGoal
from metarl.analysis.figures import intervals_figure, mean_curves, save
from metarl.cli import plain_errors
from metarl.core.budget import Episodes
from metarl.core.capabilities import upper_bound_of
from metarl.core.registry import make
from metarl.core.reveal import reveal
from metarl.core.seeding import numpy_generator
from metarl.evaluation.episodes import episode_lengths, episode_successes, shortened
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.statistics import (
    generalisation_gap,
    mean,
    median_over_seeds,
    median_seed,
    paired_difference,
    share,
)
from metarl.runs.load import load_agent
from metarl.runs.store import write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import SuiteOptions
from metarl.suites.score_arrays import write_episodes
from metarl.tasks.mazes.grid_maze import GOAL_REWARD, STEP_REWARD, GridMaze

HEADING = "mean steps of successful episodes, and the share of episodes that succeed"
TEST_SEED = 1611  # of the test mazes' order, and of everything random while they are played
FURTHER_SEED = 77  # of further mazes, drawn anew as for training, so that none is a test maze
FURTHER_TASKS = 4  # for each test maze
SUCCESS = "GridMaze 5x5, RL², success"
FIRST = "GridMaze 5x5, RL² minus systematic explorer, steps of episode 1, paired"
FURTHER = "GridMaze 5x5, RL² minus systematic explorer, steps of episode 1 in further mazes, paired"
SECOND = "GridMaze 5x5, RL², mean steps of episode 2 over the mean shortest path, paired"
VISUAL_SUCCESS = "VisualMaze 5x5, RL², success over five episodes"
VISUAL_CHANGE = "VisualMaze 5x5, RL², steps of episode 2 minus episode 1, paired"
SHORTER = "GridMaze 5x5, RL², share of mazes with a shorter second episode, of all"
IMPROVABLE = "GridMaze 5x5, RL², the same, of mazes whose first episode exceeded the shortest path"
PAPER = "RL² in the paper (ViZDoom)"
LOOPED = "RL², trained on with 5 episodes and loops"
GRU = "RL² (GRU), without a memory for each place"
FILE_NAME = str.maketrans({" ": "-", ",": None, "'": None})
PARTS = ("grid-maze", "gap", "visual-maze", "grid-navi")

# What the agents that were trained in 5x5 mazes and two episodes are scored in: name -> (arguments,
# episodes, most tasks).
GRID_SETTINGS: dict[str, tuple[dict[str, Any], int, int]] = {
    "5x5": ({}, 2, 1000),
    "5x5, 5 episodes": ({}, 5, 1000),
    "5x5, Kruskal's": ({"algorithm": "kruskal"}, 2, 1000),
    "5x5, loops": ({"loops": 0.2}, 2, 1000),
    "9x9, 5 episodes": ({"size": 9}, 5, 200),
    "9x9, loops, 5 episodes": ({"size": 9, "loops": 0.2}, 5, 200),
}


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to compute.

    Attributes:
        parts: of the benchmark; all if left out.
        num_tasks: test tasks; there are 1,000 frozen test mazes.
    """

    benchmark: ClassVar[str] = "rl2_mazes"
    script: ClassVar[str] = "rl2/mazes"

    parts: tuple[Literal["grid-maze", "gap", "visual-maze", "grid-navi"], ...] = ()
    num_tasks: int = 1000


def main(options: Options, console: Console) -> None:
    """Every part asked for."""
    parts = options.parts or PARTS
    names = {
        "grid-maze": ["grid-maze-endless", "grid-maze", "grid-maze-loops", "grid-maze-gru"],
        "gap": ["grid-maze-10", "grid-maze-100", "grid-maze-1000"],
    }
    for part in parts:
        for name in names.get(part, [part]):
            for seed in TRAININGS[name].seeds:
                options.check_run(f"{name}/seed{seed}", maze_run(name, seed, options.device))
    options.folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        console.rule(part)
        {"grid-maze": grid_mazes, "gap": gap, "visual-maze": visual_mazes, "grid-navi": grid_navi}[
            part
        ](options, console)


def folders_of(name: str, options: Options, console: Console) -> list[Path]:
    """Return the finished runs of a training."""
    found = []
    for seed in TRAININGS[name].seeds:
        folder = folder_of(name, seed, options)
        if folder is not None:
            console.print(f"{name}, seed {seed}: {folder.as_posix()}", highlight=False)
            found.append(folder)
    return found


def folder_of(name: str, seed: int, options: Options) -> Path | None:
    """Return a finished run, after the one that it begins with."""
    before = TRAININGS[name].start
    start = None if before is None else partial(folder_of, before, seed, options)
    return options.trained_run(f"{name}/seed{seed}", maze_run(name, seed, options.device), start)


def play(
    agents: dict[str, list[Any]], budget: Episodes, num_tasks: int
) -> dict[str, list[Evaluation]]:
    """Return every agent on the test tasks of what it plays.

    What is told is played in the same tasks.
    """
    return {
        label: [
            evaluate(agent, place, "test", num_tasks, TEST_SEED, budget) for agent, place in each
        ]
        for label, each in agents.items()
    }


def lines_of(
    setting: str, label: str, evaluations: list[Evaluation], shortest: np.ndarray
) -> list[dict[str, Any]]:
    """Return one line an episode: of a learner with several seeds, of the seed whose total is the
    median.

    `length` is of successful episodes, as in the paper; `steps` counts the others too, with all
    their steps.
    """
    evaluation = median_evaluation(evaluations)
    lengths = episode_lengths(evaluation)
    successes = episode_successes(evaluation)
    improved = shortened(lengths, shortest)
    lines = []
    for episode in range(lengths.shape[1]):
        reached = successes[:, episode]
        estimate = mean(lengths[reached, episode]) if reached.sum() > 1 else None
        ratio = mean(lengths[:, episode] / shortest)
        line = {
            "setting": setting,
            "agent": label,
            "episode": episode + 1,
            "success": round(float(reached.mean()), 4),
        }
        for name, known in (("length", estimate), ("steps", mean(lengths[:, episode]))):
            line |= {
                f"{name}{end}": None if known is None else round(known[i], 3)
                for i, end in enumerate(("", "_low", "_high"))
            }
        line |= {
            "to_shortest": round(ratio.value, 4),
            "num_tasks": len(lengths),
            "num_seeds": len(evaluations),
        }
        line |= {"fingerprint": evaluation.fingerprint}
        if episode == 1:
            line |= {"shorter": round(improved.of_all.value, 4)}
            line |= (
                {}
                if improved.of_improvable is None
                else {"shorter_of_improvable": round(improved.of_improvable.value, 4)}
            )
        lines.append(line)
    return lines


def median_evaluation(evaluations: list[Evaluation]) -> Evaluation:
    """Return the one whose mean total is the median (the lower of two)."""
    return evaluations[median_seed([evaluation.scores() for evaluation in evaluations])]


def seeds_of(training: str) -> str:
    """Return how a figure says what it was taken from."""
    return "one seed" if len(TRAININGS[training].seeds) == 1 else "median over seeds"


def maze_agents(distribution: Any, budget: Episodes, folders: list[Path]) -> dict[str, list[Any]]:
    """By label, (agent, what it plays) of RL²'s seeds and of those that were designed."""
    told = reveal(distribution)
    designed = ["random", *(["maze-explorer"] if isinstance(distribution, GridMaze) else [])]
    agents = {
        agent_class(id).label: [(make_agent(id, distribution, budget), distribution)]
        for id in designed
    }
    agents[KnownMaze.label] = [(make_agent("known-maze", told, budget), told)]
    return agents | (
        {RL2_LABEL: [(load_agent(folder, budget), distribution) for folder in folders]}
        if folders
        else {}
    )


def grid_mazes(options: Options, console: Console) -> None:
    """GridMaze 5x5, and what was never trained: larger mazes, loops, more episodes."""
    # Isn't scored, but the next ones begin with it
    folders_of("grid-maze-endless", options, console)
    folders = folders_of("grid-maze", options, console)
    tables = []
    others = {
        LOOPED: folders_of("grid-maze-loops", options, console),
        GRU: folders_of("grid-maze-gru", options, console),
    }
    for setting, (arguments, episodes, most) in GRID_SETTINGS.items():
        num_tasks = min(most, options.num_tasks)
        distribution = make("GridMaze-v0", **arguments)
        budget = Episodes(episodes, 0)
        agents = maze_agents(distribution, budget, folders)
        for label, found in others.items():
            agents |= (
                {label: [(load_agent(folder, budget), distribution) for folder in found]}
                if found
                else {}
            )
        played = play(agents, budget, num_tasks)
        shortest = episode_lengths(played[KnownMaze.label][0])[:, 0]
        lines = [
            line
            for label, evaluations in played.items()
            for line in lines_of(setting, label, evaluations, shortest)
        ]
        tables.append(pd.DataFrame(lines))
        write_episodes(options.folder / f"grid-maze-{setting.translate(FILE_NAME)}.npz", played)
        show(tables[-1], f"GridMaze, {setting}: {HEADING}", console)
        if setting == "5x5":
            record_grid(played, shortest, options)
            record_further(folders, options)
        if setting in ("5x5, 5 episodes", "9x9, 5 episodes"):
            curves = {
                label: episode_lengths(median_evaluation(each))
                for label, each in played.items()
                if label != RandomAgent.label
            }
            size = setting.partition(",")[0]
            save(
                mean_curves(
                    curves,
                    x="episode",
                    y="mean steps of an episode",
                    title=f"Grid mazes of {size}, test mazes",
                    note=f"RL²: {seeds_of('grid-maze')}",
                ),
                options.folder / f"grid-maze-{size}.png",
            )
    write_csv(options.folder / "grid_mazes.csv", pd.concat(tables))


def record_grid(
    played: dict[str, list[Evaluation]], shortest: np.ndarray, options: Options
) -> None:
    """The figures of merit in 5x5 mazes: of the one seed, or of the median one."""
    command = options.command(parts=("grid-maze",))
    rng = numpy_generator(TEST_SEED, "median over seeds")
    success, first, second, shorter, improvable = (
        f"{name}, {seeds_of('grid-maze')}" for name in (SUCCESS, FIRST, SECOND, SHORTER, IMPROVABLE)
    )
    if RL2_LABEL not in played:
        for name, wanted in ((success, ">= 0.99"), (first, "<= 0"), (second, "<= 1.1")):
            record_figure(options.folder, name, wanted, None, None, command)
        return
    successes = np.stack([episode_successes(each).mean(1) for each in played[RL2_LABEL]])
    lengths = np.stack(
        [episode_lengths(each) for each in played[RL2_LABEL]]
    )  # [seeds, tasks, episodes]
    reached = share(successes[median_seed(successes)])
    record_figure(options.folder, success, ">= 0.99", reached, reached.value >= 0.99, command)
    explorer = episode_lengths(played[MazeExplorer.label][0])[:, 0]
    middle = lengths[median_seed(lengths[:, :, 0])]
    lead = paired_difference(middle[:, 0], explorer).difference
    record_figure(options.folder, first, "<= 0", lead, lead.value <= 0, command)
    ratio = median_over_seeds(lengths[:, :, 1], rng, relative_to=shortest)
    record_figure(options.folder, second, "<= 1.1", ratio, ratio.value <= 1.1, command)
    improved = shortened(middle, shortest)
    record_figure(options.folder, shorter, "shown", improved.of_all, None, command)
    if improved.of_improvable is not None:
        record_figure(options.folder, improvable, "shown", improved.of_improvable, None, command)


def record_further(folders: list[Path], options: Options) -> None:
    """The first episode again, in so many mazes drawn anew that a small lead shows."""
    if not folders:
        return
    distribution = make("GridMaze-v0", train_mazes=0)
    budget = Episodes(2, 0)
    agents = [
        make_agent("maze-explorer", distribution, budget),
        *(load_agent(folder, budget) for folder in folders),
    ]
    explorer, *seeds = (
        episode_lengths(
            evaluate(
                agent,
                distribution,
                "train",
                FURTHER_TASKS * options.num_tasks,
                FURTHER_SEED,
                budget,
            )
        )[:, 0]
        for agent in agents
    )
    lead = paired_difference(seeds[median_seed(seeds)], explorer).difference
    record_figure(
        options.folder,
        f"{FURTHER}, {seeds_of('grid-maze')}",
        "shown",
        lead,
        None,
        options.command(parts=("grid-maze",)),
    )


def gap(options: Options, console: Console) -> None:
    """Trained in 10, 100 and 1,000 mazes: return in those mazes and in the test mazes."""
    budget = Episodes(2, 0)
    lines = []
    curves: dict[str, dict[int, np.ndarray]] = {"training mazes": {}, "test mazes": {}}
    for count in (10, 100, 1000):
        folders = folders_of(f"grid-maze-{count}", options, console)[:1]
        distribution = make("GridMaze-v0", train_mazes=count)
        name_of_gap = f"GridMaze 5x5, generalisation gap in return, {count} mazes"
        if not folders:
            record_figure(
                options.folder, name_of_gap, "shown", None, None, options.command(parts=("gap",))
            )
            continue
        agent = load_agent(folders[0], budget)
        played = {
            split: evaluate(agent, distribution, split, options.num_tasks, TEST_SEED, budget)
            for split in ("train", "test")
        }
        own, fresh = (evaluation.scores() for evaluation in played.values())
        own = own[: min(count, options.num_tasks)]  # each training maze once
        difference = generalisation_gap(own, fresh).difference
        record_figure(
            options.folder, name_of_gap, "shown", difference, None, options.command(parts=("gap",))
        )
        for where, scores, evaluation in zip(curves, (own, fresh), played.values(), strict=True):
            curves[where][count] = scores
            estimate = mean(scores)
            line = {
                "train_mazes": count,
                "tasks": where,
                "return": estimate.value,
                "ci_low": estimate.low,
                "ci_high": estimate.high,
            }
            lines.append(line | {"num_tasks": len(scores), "fingerprint": evaluation.fingerprint})
            write_episodes(
                options.folder / f"gap-{count}-{evaluation.split}.npz", {RL2_LABEL: [evaluation]}
            )
    if not lines:
        return
    table = pd.DataFrame(lines).round(4)
    write_csv(options.folder / "gap.csv", table)
    console.print(table.to_string(index=False), highlight=False)
    levels = {
        where: {str(count): mean(scores) for count, scores in each.items()}
        for where, each in curves.items()
    }
    figure = intervals_figure(
        levels,
        x="mazes in training",
        y="mean return of two episodes",
        title="RL² in grid mazes of 5x5, by how many it was trained in",
        note="one seed at each point",
    )
    save(figure, options.folder / "gap.png")


def visual_mazes(options: Options, console: Console) -> None:
    """Table 3: lengths and successes by episode in small and large mazes, trained in small ones."""
    folders = folders_of("visual-maze", options, console)
    paper = rl2_mazes()
    tables = []
    command, success, shift = (
        options.command(parts=("visual-maze",)),
        *(f"{name}, {seeds_of('visual-maze')}" for name in (VISUAL_SUCCESS, VISUAL_CHANGE)),
    )
    for maze, size in (("small", 5), ("large", 9)):
        distribution = make("VisualMaze-v0", size=size)
        budget = Episodes(5, 0)
        played = play(maze_agents(distribution, budget, folders), budget, options.num_tasks)
        tasks = distribution.sample(options.num_tasks, "test", TEST_SEED)
        bound = upper_bound_of(distribution, tasks, 1)
        assert bound is not None, "mazes have a bound"
        shortest = ((GOAL_REWARD - bound) / -STEP_REWARD).round().numpy()  # steps, turns included
        lines = [
            line
            for label, evaluations in played.items()
            for line in lines_of(f"{size}x{size}", label, evaluations, shortest)
        ]
        theirs: list[dict[str, Any]] = paper[paper["maze"] == maze].to_dict("records")  # type: ignore[assignment]
        for each in theirs:
            line = {
                "setting": f"{size}x{size}",
                "agent": PAPER,
                "episode": each["episode"],
                "success": each["success"],
            }
            low, high = (each["length"] + sign * each["length_error"] for sign in (-1, 1))
            line |= {"length": each["length"], "length_low": low, "length_high": high}
            lines.append(line | ({"shorter": MAZE_IMPROVED[maze]} if each["episode"] == 2 else {}))
        tables.append(pd.DataFrame(lines))
        write_episodes(options.folder / f"visual-maze-{size}x{size}.npz", played)
        show(tables[-1], f"VisualMaze, {size}x{size}: {HEADING}", console)
        if maze == "large":
            continue
        if RL2_LABEL not in played:
            record_figure(options.folder, success, ">= 0.9", None, None, command)
            record_figure(options.folder, shift, "< 0", None, None, command)
            continue
        evaluation = median_evaluation(played[RL2_LABEL])
        lengths = episode_lengths(evaluation)
        reached = share(episode_successes(evaluation).mean(1))
        record_figure(options.folder, success, ">= 0.9", reached, reached.value >= 0.9, command)
        change = paired_difference(lengths[:, 1], lengths[:, 0]).difference
        record_figure(options.folder, shift, "< 0", change, change.high < 0, command)
    write_csv(options.folder / "table3.csv", pd.concat(tables))


def grid_navi(options: Options, console: Console) -> None:
    """GridNavi: return of each episode against the known goal's."""
    folders = folders_of("grid-navi", options, console)
    distribution = make("GridNavi-v0")
    budget = Episodes(4, 0)
    told = reveal(distribution)
    command = options.command(parts=("grid-navi",))
    agents = {RandomAgent.label: [(make_agent("random", distribution, budget), distribution)]}
    agents |= (
        {RL2_LABEL: [(load_agent(folder, budget), distribution) for folder in folders]}
        if folders
        else {}
    )
    agents[KnownGoal.label] = [(make_agent("known-goal", told, budget), told)]
    played = play(agents, budget, options.num_tasks)
    write_episodes(options.folder / "grid-navi.npz", played)
    returns = {label: median_evaluation(each).matrix() for label, each in played.items()}
    lines = [
        {
            "agent": label,
            "episode": episode + 1,
            **dict(zip(("return", "ci_low", "ci_high"), mean(column)[:3], strict=True)),
        }
        | {"num_tasks": len(matrix), "fingerprint": played[label][0].fingerprint}
        for label, matrix in returns.items()
        for episode, column in enumerate(matrix.T)
    ]
    table = pd.DataFrame(lines).round(4)
    write_csv(options.folder / "grid_navi.csv", table)
    console.print(
        table.pivot(index="agent", columns="episode", values="return").to_string(), highlight=False
    )
    curves = {label: matrix for label, matrix in returns.items() if label != RandomAgent.label}
    figure = mean_curves(
        curves,
        x="episode",
        y="mean return of an episode",
        title="GridNavi of 5x5, horizon 15",
        note=f"the same goals in training and at test; RL²: {seeds_of('grid-navi')}",
    )
    save(figure, options.folder / "grid-navi.png")
    name = (
        "GridNavi, RL², mean return of episodes 2 to 4 over the known goal's, paired,"
        f" {seeds_of('grid-navi')}"
    )
    if not folders:
        record_figure(options.folder, name, ">= 0.9", None, None, command)
        return
    later = np.stack([each.matrix()[:, 1:].mean(1) for each in played[RL2_LABEL]])
    known = returns[KnownGoal.label][:, 1:].mean(1)
    ratio = median_over_seeds(
        later, numpy_generator(TEST_SEED, "median over seeds"), relative_to=known
    )
    record_figure(options.folder, name, ">= 0.9", ratio, ratio.value >= 0.9, command)


def show(table: pd.DataFrame, title: str, console: Console) -> None:
    """Print one setting: an agent a row, an episode a column."""
    episodes = sorted(table["episode"].unique())
    printed = Table(
        "agent",
        *(f"episode {episode}" for episode in episodes),
        "2nd shorter",
        "of improvable",
        title=title,
    )
    for label, part in table.groupby("agent", sort=False):
        lines = {int(line["episode"]): line for line in part.to_dict("records")}
        cells = [
            f"{with_error(lines[episode])} {percent(lines[episode]['success'])}".strip()
            for episode in episodes
        ]
        shares = [
            lines.get(2, {}).get(name, np.nan) for name in ("shorter", "shorter_of_improvable")
        ]
        printed.add_row(str(label), *cells, *map(percent, shares))
    console.print(printed)


def with_error(line: dict[Any, Any]) -> str:
    """Such as "7.53 ± 0.21"."""
    if np.isnan(line["length"]):
        return ""
    return f"{line['length']:.2f} ± {(line['length_high'] - line['length_low']) / 2:.2f}"


def percent(share: float) -> str:
    """Such as "91.7%"; nothing where it is missing."""
    return "" if np.isnan(share) else f"{share:.1%}"


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 140),
        )
