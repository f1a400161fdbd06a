"""RL² and a policy without memory on Meta-World's ML1 (Yu et al. 2019), trained alike, on goals never seen in training.

    python benchmarks/meta_world.py --publish

Both policies are trained by the same algorithm on the same training goals, for as many steps; one has a GRU, the other reads the current
observation only. The goal isn't shown. All agents play the 50 test goals at a fixed horizon; success is reported apart from return. Beside
them: doing nothing, random actions, and Meta-World's scripted expert, which is shown the goal. Trainings lie in runs/meta_world and go on
from there; published ones are used as they are. With --publish, figures.csv, table.csv and the weights go to results/meta_world;
otherwise to runs/meta_world/tables.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

from metarl.baselines.registry import agent_class, make_agent
from metarl.cli import plain_errors
from metarl.envs.agent import Agent
from metarl.envs.budget import Episodes
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.statistics import Comparison, mean, paired_difference, share
from metarl.experiments.benchmark_folders import Storage
from metarl.experiments.finished import check_folder
from metarl.experiments.finished import trained as run_of
from metarl.experiments.load import load_agent
from metarl.experiments.merit import record_estimate
from metarl.experiments.run_config import RunConfig
from metarl.experiments.totals import write_episodes
from metarl.learners.ppo import PPOConfig
from metarl.learners.rl2 import RL2Config
from metarl.networks.policy import NetworkConfig
from metarl.results import RunFolder, write_csv
from metarl.tasks.meta_world import MetaWorldML1

CORES = {"gru": "RL² (GRU)", "none": "Without memory"}  # as tables print them
BASELINES = ("do-nothing", "random")
TEST_SEED = 1910  # orders the test goals


@dataclass(frozen=True)
class Options:
    """What to train and play.

    Attributes:
        task: of ML1.
        horizon: steps an episode; Meta-World's own is 500.
        episodes: K, episodes in one task.
        iterations: of each training; a row of `num_envs` tasks plays K episodes in each.
        num_envs: tasks side by side.
        seed: of both trainings.
        goals: test goals; ML1 has 50.
        storage: where tables, runs and weights lie.
    """

    task: str = "reach-v3"
    horizon: int = 100
    episodes: int = 2
    iterations: int = 80
    num_envs: int = 24
    seed: int = 0
    goals: int = 50
    storage: Annotated[Storage, tyro.conf.arg(name="")] = field(default_factory=Storage)

    @property
    def folder(self) -> Path:
        """Where tables and figures go."""
        return self.storage.tables("meta_world")

    @property
    def budget(self) -> Episodes:
        """What is played in each task."""
        return Episodes(self.episodes)

    @property
    def command(self) -> str:
        """What reruns this."""
        names = ("task", "horizon", "episodes", "iterations", "num_envs", "seed", "goals")
        flags = {name: getattr(self, name) for name in names if getattr(self, name) != getattr(Options, name)}
        return self.storage.command("meta_world", flags)

    def run(self, core: Any) -> RunConfig:
        """The training of a policy with this core."""
        ppo = PPOConfig(
            discount=0.99, gae_lambda=0.95, epochs=4, minibatches=3, lr=3e-3, lr_end=3e-4, entropy=0.0, entropy_end=0.0, value=0.5
        )
        config = RL2Config(self.episodes, self.num_envs, self.iterations, network=NetworkConfig(core, units=64), ppo=ppo)
        return RunConfig("rl2", config, "MetaWorldML1-v0", {"task": self.task, "horizon": self.horizon}, self.seed)


def main(options: Options, console: Console) -> None:
    """Train both, play all, print, save."""
    hidden, shown = (MetaWorldML1(options.task, options.horizon, goal_visible=visible) for visible in (False, True))
    played = {label: play(agent, hidden, options) for label, agent in trained(options, hidden, console).items()}
    for id in BASELINES:
        played[agent_class(id).label] = play(make_agent(id, hidden, options.budget), hidden, options)
    expert = make_agent("scripted-expert", shown, options.budget)
    played[agent_class("scripted-expert").label] = play(expert, shown, options)
    table = pd.DataFrame([line for label, evaluation in played.items() for line in lines(label, evaluation)])
    options.folder.mkdir(parents=True, exist_ok=True)
    write_episodes(options.folder / "episodes.npz", {label: [evaluation] for label, evaluation in played.items()})
    write_csv(options.folder / "table.csv", table.assign(task=options.task, horizon=options.horizon, command=options.command))
    show(table, options, console)
    where = f"ML1 {options.task}, {options.episodes} episodes of {options.horizon} steps, test goals"
    memory, memoryless = (played[label] for label in CORES.values())
    nothing, scripted = (played[agent_class(id).label] for id in ("do-nothing", "scripted-expert"))
    for name, better, worse in (
        ("RL² minus a policy without memory", memory, memoryless),
        ("scripted expert (shown the goal) minus doing nothing", scripted, nothing),
    ):
        for score, unit in (("total", "total return"), ("success", "share of episodes with success")):
            difference = paired_difference(better.scores(score), worse.scores(score))
            record(options, f"{name}, {unit}, {where}, paired", difference)
            console.print(f"{name}, {unit}: {difference.difference}", highlight=False)


def trained(options: Options, distribution: MetaWorldML1, console: Console) -> dict[str, Agent]:
    """Label -> agent at its training's end, for each core; published where that is wanted."""
    agents: dict[str, Agent] = {}
    for core, label in CORES.items():
        name = f"{options.task}-{core}-seed{options.seed}"
        own, published = options.storage.places("meta_world", name)
        check_folder(options.run(core), own, published)
        folder = run_of(options.run(core), own, published, publishes=options.storage.publish)
        assert folder is not None, "what isn't trained yet is trained"
        agents[label] = load_agent(folder, options.budget)
        console.print(f"{label}: {folder.as_posix()}, {int(RunFolder(folder).metrics['steps'].iloc[-1]):,} steps", highlight=False)
    return agents


def play(agent: Agent, distribution: MetaWorldML1, options: Options) -> Evaluation:
    """The test goals, each once."""
    return evaluate(agent, distribution, "test", options.goals, TEST_SEED, options.budget)


def lines(label: str, evaluation: Evaluation) -> list[dict[str, object]]:
    """One line an episode: return and success, each with its interval over goals."""
    success = evaluation.success.reshape(evaluation.num_tasks, -1).astype(float)
    found: list[dict[str, object]] = []
    for episode, (returns, wins) in enumerate(zip(evaluation.matrix().T, success.T, strict=True), 1):
        line: dict[str, object] = {"agent": label, "episode": episode}
        for name, estimate in (("return", mean(returns)), ("success", share(wins))):
            figures = {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
            line |= {key: round(value, 4) for key, value in figures.items()}
        found.append({**line, "goals": evaluation.num_tasks, "fingerprint": evaluation.fingerprint})
    return found


def record(options: Options, name: str, comparison: Comparison) -> None:
    """A line of figures.csv: a difference that should lie above 0, its whole interval included."""
    difference = comparison.difference
    record_estimate(options.folder, name, "> 0", difference, difference.low > 0, options.command)


def show(table: pd.DataFrame, options: Options, console: Console) -> None:
    """Print the table."""
    shown = Table(
        "agent", "episode", "return", "success", title=f"ML1 {options.task}, {options.horizon} steps an episode, {options.goals} test goals"
    )
    for row in table.to_dict("records"):
        interval = f"{row['return']:.1f} [{row['return_low']:.1f}, {row['return_high']:.1f}]"
        shown.add_row(
            row["agent"], str(row["episode"]), interval, f"{row['success']:.2f} [{row['success_low']:.2f}, {row['success_high']:.2f}]"
        )
    console.print(shown)


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 120))
