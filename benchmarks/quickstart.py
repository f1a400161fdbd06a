"""RL² learns to learn on bandits in about a minute, and is scored beside exact and hand-designed
agents.

Trains RL² with a GRU (Duan et al. 2016) on Bernoulli bandits with 5 arms and 10 pulls, then plays
100,000 held-out bandits with it and with agents that need no training, all on the same tasks and
the same noise. Prints the table, and saves run, table and figure.

    make quickstart                          # or: python benchmarks/quickstart.py --seed 1
"""

import metarl

metarl.tune_process()  # before torch is imported

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from metarl.agents.registry import agent_class, make_agent
from metarl.analysis.figures import learning_curve, save, scores_figure
from metarl.analysis.tables import render, score_table
from metarl.cli import plain_errors
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.search import search
from metarl.learners.memory.rl2 import RL2Config
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolder, write_csv, write_evaluation
from metarl.runs.training import train

ARMS = 5
PULLS = 10
AGENTS = (
    "random",
    "bandit-greedy",
    "bandit-epsilon-greedy",
    "ucb1",
    "thompson",
    "optimistic-thompson",
    "gittins",
    "bayes-optimal",
)
LEARNER = "RL² (GRU)"


@dataclass(frozen=True)
class Quickstart:
    """RL² on 5-armed Bernoulli bandits with 10 pulls, beside exact and hand-designed agents.

    Attributes:
        seed: of the training. The same seed gives the same numbers again.
        folder: where everything goes; runs/quickstart-seedSEED if left out. A training that was
            stopped goes on from there.
        iterations: of the training; fewer are quicker and worse.
        num_tasks: held-out bandits to score on.
        search_tasks: training bandits on which the free parameters of the hand-designed agents are
            searched.
    """

    seed: int = 0
    folder: Path | None = None
    iterations: int = RL2Config().iterations
    num_tasks: int = 100_000
    search_tasks: int = 10_000


def main(settings: Quickstart) -> None:
    """Train, search, score, print, save."""
    console = Console(highlight=False)
    config = RL2Config(episodes=PULLS, iterations=settings.iterations)
    run = RunConfig("rl2", config, "BernoulliBandit-v0", {"arms": ARMS}, settings.seed)
    default = f"quickstart-seed{settings.seed}" + (
        "" if settings.iterations == Quickstart.iterations else f"-{settings.iterations}iterations"
    )
    place = RunFolder(settings.folder or Path("runs") / default)
    budget = Episodes(PULLS)
    distribution = run.make_distribution()

    console.print(
        "Training RL² from reward alone; the same command goes on with a training that was stopped."
    )
    learner = train(run, place.path)
    metrics = place.metrics
    console.print(
        f"Trained on {metrics['steps'].iloc[-1]:,} pulls in {metrics['seconds'].iloc[-1]:.0f}"
        " seconds.\n"
    )

    parameters = {
        id: search(id, distribution, budget, settings.search_tasks).best
        for id in AGENTS
        if agent_class(id).grid
    }
    for id, found in parameters.items():
        values = ", ".join(f"{name} = {value:g}" for name, value in found.items())
        console.print(
            f"{agent_class(id).label}: {values} was best on {settings.search_tasks:,} training"
            " bandits."
        )

    agents = [
        (agent_class(id).label, make_agent(id, distribution, budget, **parameters.get(id, {})))
        for id in AGENTS
    ]
    agents.append((LEARNER, learner.agent(budget)))
    entries: list[tuple[str, Evaluation]] = []
    with console.status("") as status:
        for label, agent in agents:
            status.update(f"Playing {settings.num_tasks:,} held-out bandits: {label}")
            entries.append(
                (
                    label,
                    evaluate(
                        agent, distribution, "test", settings.num_tasks, seed=0, budget=budget
                    ),
                )
            )

    table = score_table(entries, distribution)
    levels = {
        "random": table["mean"].iloc[0],
        str(table.attrs["reference"]): table.attrs["ceiling"],
    }
    write_csv(place.path / "table.csv", table)
    for id, (label, evaluation) in zip((*AGENTS, ""), entries, strict=True):
        write_evaluation(
            place.path / "evaluations",
            f"test-{id}" if id else "test",
            evaluation,
            agent=id or run.learner,
            label=label,
            training_seed=None if id else settings.seed,
        )
    title = f"Bernoulli bandits, {ARMS} arms, {PULLS} pulls"
    figures = [
        save(
            scores_figure(table, unit=f"rewards in {PULLS} pulls", title=title),
            place.path / "scores.png",
        ),
        save(
            learning_curve({LEARNER: metrics}, levels=levels, smooth=3, title=title),
            place.path / "learning_curve.png",
        ),
    ]

    console.print()
    console.print(render(table, f"{title}, {settings.num_tasks:,} held-out bandits"))
    console.print(
        "normalised: 0 = the random agent, 1 = the exact optimum, which no agent can beat but by"
        " chance.\n"
    )
    console.print(f"run     {place.path}\ntable   {place.path / 'table.csv'}")
    for file in figures:
        console.print(f"figure  {file}")
    console.print(
        f"\nThe trained agent, ready to act: metarl.load_agent({str(place.path)!r})", soft_wrap=True
    )


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Quickstart))
