"""RL² and a policy without memory on Meta-World's ML1 (Yu et al. 2019), trained alike, on goals
never seen in training.

    python benchmarks/meta_world/ml1.py --publish

Both policies are trained by the same algorithm on the same training goals, for as many steps; one
has a GRU, the other reads the current observation only. The goal isn't shown. All agents play the
50 test goals at a fixed horizon; success is reported apart from return. Beside them: doing nothing,
random actions, and Meta-World's scripted expert, which is shown the goal. Trainings lie in
runs/meta_world and go on from there; published ones are used as they are. With --publish,
figures.csv, table.csv and the weights go to results/meta_world; otherwise to
runs/meta_world/tables.
"""

import metarl

metarl.tune_process()  # before torch is imported

import sys
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

from metarl.agents.registry import agent_class, make_agent
from metarl.cli import plain_errors
from metarl.core.agent import Agent
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.statistics import mean, paired_difference, share
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.config import RunConfig
from metarl.runs.load import load_agent
from metarl.runs.store import RunFolder, write_csv
from metarl.suites.figures_csv import record_figure
from metarl.suites.options import SuiteOptions
from metarl.suites.score_arrays import write_episodes
from metarl.tasks.metaworld.meta_world import MetaWorldML1

CORES = {"gru": "RL² (GRU)", "none": "Without memory"}  # as tables print them
BASELINES = ("do-nothing", "random")
TEST_SEED = 1910  # orders the test goals


@dataclass(frozen=True)
class Options(SuiteOptions):
    """What to train and play.

    Attributes:
        task: of ML1.
        horizon: steps an episode; Meta-World's own is 500.
        episodes: K, episodes in one task.
        iterations: of each training; a row of `num_envs` tasks plays K episodes in each.
        num_envs: tasks side by side.
        seed: of both trainings.
        goals: test goals; ML1 has 50.
    """

    benchmark: ClassVar[str] = "meta_world"
    script: ClassVar[str] = "meta_world/ml1"

    task: str = "reach-v3"
    horizon: int = 100
    episodes: int = 2
    iterations: int = 80
    num_envs: int = 24
    seed: int = 0
    goals: int = 50

    @property
    def budget(self) -> Episodes:
        """What is played in each task."""
        return Episodes(self.episodes)

    def run_name(self, core: str) -> str:
        """Return the name of a run's folder."""
        return f"{self.task}-{core}-seed{self.seed}"

    def run(self, core: Any) -> RunConfig:
        """Return the training of a policy with this core."""
        ppo = PPOConfig(
            discount=0.99,
            gae_lambda=0.95,
            epochs=4,
            minibatches=3,
            lr=3e-3,
            lr_end=3e-4,
            entropy_coef=0.0,
            entropy_end=0.0,
            value_coef=0.5,
        )
        config = RL2Config(
            self.episodes,
            self.num_envs,
            self.iterations,
            network=NetworkConfig(core, hidden_size=64),
            ppo=ppo,
        )
        return RunConfig(
            "rl2",
            config,
            "MetaWorldML1-v0",
            {"task": self.task, "horizon": self.horizon},
            self.seed,
            self.device,
        )


def main(options: Options, console: Console) -> None:
    """Train both, play all, print, save."""
    hidden, shown = (
        MetaWorldML1(options.task, options.horizon, goal_visible=visible)
        for visible in (False, True)
    )
    played = {
        label: play(agent, hidden, options)
        for label, agent in trained(options, hidden, console).items()
    }
    for id in BASELINES:
        played[agent_class(id).label] = play(
            make_agent(id, hidden, options.budget), hidden, options
        )
    expert = make_agent("scripted-expert", shown, options.budget)
    played[agent_class("scripted-expert").label] = play(expert, shown, options)
    table = pd.DataFrame(
        [line for label, evaluation in played.items() for line in lines(label, evaluation)]
    )
    options.folder.mkdir(parents=True, exist_ok=True)
    write_episodes(
        options.folder / "episodes.npz",
        {label: [evaluation] for label, evaluation in played.items()},
    )
    write_csv(
        options.folder / "table.csv",
        table.assign(task=options.task, horizon=options.horizon, command=options.command()),
    )
    show(table, options, console)
    where = (
        f"ML1 {options.task}, {options.episodes} episodes of {options.horizon} steps, test goals"
    )
    memory, memoryless = (played.get(label) for label in CORES.values())
    nothing, scripted = (played[agent_class(id).label] for id in ("do-nothing", "scripted-expert"))
    for name, better, worse in (
        ("RL² minus a policy without memory", memory, memoryless),
        ("scripted expert (shown the goal) minus doing nothing", scripted, nothing),
    ):
        for score, unit in (
            ("total", "total return"),
            ("success", "share of episodes with success"),
        ):
            lead = None
            if better is not None and worse is not None:
                lead = paired_difference(better.scores(score), worse.scores(score)).difference
            reached = None if lead is None else lead.low > 0
            record_figure(
                options.folder,
                f"{name}, {unit}, {where}, paired",
                "> 0",
                lead,
                reached,
                options.command(),
            )
            console.print(f"{name}, {unit}: {lead}", highlight=False)


def trained(options: Options, distribution: MetaWorldML1, console: Console) -> dict[str, Agent]:
    """Return label -> agent at its training's end, for each core that is trained."""
    agents: dict[str, Agent] = {}
    for core, label in CORES.items():
        name = options.run_name(core)
        options.check_run(name, options.run(core))
        folder = options.trained_run(name, options.run(core))
        if folder is None:
            continue
        agents[label] = load_agent(folder, options.budget)
        console.print(
            f"{label}: {folder.as_posix()}, {int(RunFolder(folder).metrics['steps'].iloc[-1]):,}"
            " steps",
            highlight=False,
        )
    return agents


def play(agent: Agent, distribution: MetaWorldML1, options: Options) -> Evaluation:
    """Return the test goals, each once."""
    return evaluate(agent, distribution, "test", options.goals, TEST_SEED, options.budget)


def lines(label: str, evaluation: Evaluation) -> list[dict[str, object]]:
    """Return one line an episode: return and success, each with its interval over goals."""
    success = evaluation.success.reshape(evaluation.num_tasks, -1).astype(float)
    found: list[dict[str, object]] = []
    for episode, (returns, wins) in enumerate(
        zip(evaluation.matrix().T, success.T, strict=True), 1
    ):
        line: dict[str, object] = {"agent": label, "episode": episode}
        for name, estimate in (("return", mean(returns)), ("success", share(wins))):
            figures = {
                name: estimate.value,
                f"{name}_low": estimate.low,
                f"{name}_high": estimate.high,
            }
            line |= {key: round(value, 4) for key, value in figures.items()}
        found.append({**line, "goals": evaluation.num_tasks, "fingerprint": evaluation.fingerprint})
    return found


def show(table: pd.DataFrame, options: Options, console: Console) -> None:
    """Print the table."""
    shown = Table(
        "agent",
        "episode",
        "return",
        "success",
        title=f"ML1 {options.task}, {options.horizon} steps an episode, {options.goals} test goals",
    )
    for row in table.to_dict("records"):
        interval = f"{row['return']:.1f} [{row['return_low']:.1f}, {row['return_high']:.1f}]"
        shown.add_row(
            row["agent"],
            str(row["episode"]),
            interval,
            f"{row['success']:.2f} [{row['success_low']:.2f}, {row['success_high']:.2f}]",
        )
    console.print(shown)


if __name__ == "__main__":
    with plain_errors():
        main(
            tyro.cli(Options, description=__doc__),
            Console(width=None if sys.stdout.isatty() else 120),
        )
