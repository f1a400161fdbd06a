"""Randomised physics: does a policy with memory find out what it is dealing with?

    python benchmarks/randomised_physics.py                        # every family; finished runs and published weights are used
    python benchmarks/randomised_physics.py --families cart-pole --publish

Three policies are trained for as many steps: recurrent (RL²), memoryless, and recurrent but told the physics. They are scored on test
tasks, whose physics lie in the range of training, and on tasks outside it. A linear probe reads the physics out of the hidden state, beside
the same probe on a network that was never trained. Runs lie in runs/randomised_physics; with --publish, tables, figures and weights go to
results/randomised_physics.
"""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import tyro
from rich.console import Console

from metarl.analysis.figures import mean_curves, named_curves, save
from metarl.analysis.probe import hidden_states, parameters_of, played_steps, probe
from metarl.envs.budget import Episodes
from metarl.evaluation.protocol import Evaluation, evaluate
from metarl.evaluation.statistics import mean, paired_difference
from metarl.experiments.finished import check_folder, trained
from metarl.experiments.load import load_agent
from metarl.experiments.merit import record_estimate
from metarl.experiments.physics_runs import FAMILIES, POLICIES, physics_run
from metarl.experiments.totals import write_episodes
from metarl.results import write_csv

TEST_SEED, PROBE_SEED = 1611, 1612


@dataclass(frozen=True)
class Options:
    """What to compute.

    Attributes:
        families: all if left out.
        num_tasks: tasks of each split.
        publish: write to results/ and copy the weights there.
        train: train what isn't trained; otherwise its figures are missing.
        device: where policies train.
        runs: folder of the training runs.
        results: folder of published results.
    """

    families: tuple[str, ...] = ()
    num_tasks: int = 1000
    publish: bool = False
    train: bool = True
    device: str = "cpu"
    runs: Path = field(default=Path("runs"))
    results: Path = field(default=Path("results"))

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.families) - set(FAMILIES)):
            raise ValueError(f"There is no family {unknown[0]!r}; choose of {', '.join(FAMILIES)}.")

    @property
    def folder(self) -> Path:
        """Where tables and figures go."""
        return self.results / "randomised_physics" if self.publish else self.runs / "randomised_physics" / "tables"

    def command(self, family: str) -> str:
        """What reruns a family."""
        tasks = [] if self.num_tasks == 1000 else ["--num-tasks", str(self.num_tasks)]
        published = ["--publish"] if self.publish else []
        return shlex.join(["python", "benchmarks/randomised_physics.py", "--families", family, *tasks, *published])

    def places(self, family: str, policy: str) -> tuple[Path, Path]:
        """Where a run lies: our own, and the published one."""
        name = f"{family}-{policy}"
        return self.runs / "randomised_physics" / name, self.results / "randomised_physics" / "weights" / name


def main(options: Options, console: Console) -> None:
    """Every family asked for."""
    families = options.families or tuple(FAMILIES)
    for family in families:
        for policy in POLICIES:
            check_folder(physics_run(family, policy, device=options.device), *options.places(family, policy))
    options.folder.mkdir(parents=True, exist_ok=True)
    for family in families:
        console.rule(family)
        compare(family, options, console)
        read_memory(family, options, console)


def folder_of(family: str, policy: str, options: Options) -> Path | None:
    """The finished run of a policy."""
    own, published = options.places(family, policy)
    run = physics_run(family, policy, device=options.device)
    return trained(run, own, published, train_missing=options.train, publishes=options.publish)


def compare(family: str, options: Options, console: Console) -> None:
    """Return per episode of the three policies, on test tasks and beyond."""
    budget = Episodes(FAMILIES[family].config.episodes, 0)
    folders = {policy: folder for policy in POLICIES if (folder := folder_of(family, policy, options)) is not None}
    lines = []
    for split in ("test", "extrapolate"):
        played: dict[str, Evaluation] = {}
        for policy, folder in folders.items():
            distribution = physics_run(family, policy).make_distribution()
            played[policy] = evaluate(load_agent(folder, budget), distribution, split, options.num_tasks, TEST_SEED, budget)
            for episode, column in enumerate(played[policy].matrix().T):
                estimate = mean(column)
                line = {"family": family, "split": split, "policy": POLICIES[policy], "episode": episode + 1, "return": estimate.value}
                line |= {"ci_low": estimate.low, "ci_high": estimate.high, "num_tasks": options.num_tasks}
                lines.append(line | {"fingerprint": played[policy].fingerprint})
        record_lead(family, split, played, options)
        if played:
            write_episodes(options.folder / f"{family}-{split}.npz", {POLICIES[policy]: [each] for policy, each in played.items()})
            curves = {POLICIES[policy]: each.matrix() for policy, each in played.items()}
            title = f"{FAMILIES[family].id}, {split}"
            save(mean_curves(curves, x="episode", y="mean return", title=title, from_zero=False), options.folder / f"{family}-{split}.png")
    if lines:
        table = pd.DataFrame(lines).round(3)
        write_csv(options.folder / f"{family}.csv", table)
        shown = table.assign(score=[f"{low:.1f} to {high:.1f}" for low, high in zip(table["ci_low"], table["ci_high"], strict=True)])
        console.print(shown.pivot(index=["split", "policy"], columns="episode", values="score").to_string(), highlight=False)


def record_lead(family: str, split: str, played: dict[str, Evaluation], options: Options) -> None:
    """The recurrent policy's lead over the memoryless one, and what the told one gets beyond it."""
    for better, worse, wanted in (("recurrent", "memoryless", "> 0"), ("told", "recurrent", "shown")):
        name = f"{family}, {split}: mean return of a meta-episode, {POLICIES[better]} minus {POLICIES[worse]}, paired"
        both = better in played and worse in played
        lead = paired_difference(played[better].scores(), played[worse].scores()).difference if both else None
        reached = lead.low > 0 if lead is not None and wanted == "> 0" else None
        record_estimate(options.folder, name, wanted, lead, reached, options.command(family))


def read_memory(family: str, options: Options, console: Console) -> None:
    """R² of the probe over time, of the trained network and of one that was never trained; both read the trained one's steps."""
    folder = folder_of(family, "recurrent", options)
    if folder is None:
        return
    run = physics_run(family, "recurrent")
    distribution, budget = run.make_distribution(), Episodes(run.config.episodes, 0)
    tasks = distribution.sample(2 * options.num_tasks, "test", PROBE_SEED)
    agent, untrained = load_agent(folder, budget), run.make_learner(distribution).agent(budget)
    steps = played_steps(agent, distribution, tasks, budget, PROBE_SEED)
    times = [t for t in (0, 1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 600) if t < len(steps)]
    targets, lines = parameters_of(tasks), []
    for label, policy in (("trained", agent.policy), ("never trained", untrained.policy)):  # type: ignore[attr-defined]
        policy.inputs.load_state_dict(agent.policy.inputs.state_dict())  # type: ignore[attr-defined]
        for t, hidden in hidden_states(policy, steps, times).items():
            scores = probe(hidden.double().numpy(), targets)
            lines += [{"network": label, "step": t, "parameter": name, "r2": round(score, 4)} for name, score in scores.items()]
    table = pd.DataFrame(lines)
    write_csv(options.folder / f"{family}-probe.csv", table)
    console.print(table.pivot(index=["network", "parameter"], columns="step", values="r2").to_string(), highlight=False)
    curves: dict[str, dict[float, float]] = {
        f"{name}, {label}": dict(zip(part["step"], part["r2"].clip(lower=0), strict=True))
        for (name, label), part in table.groupby(["parameter", "network"], sort=False)
    }
    figure = named_curves(curves, x="step of the meta-episode", y="R² of a linear probe (0 where below)", title=FAMILIES[family].id)
    save(figure, options.folder / f"{family}-probe.png")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__), Console(width=None if sys.stdout.isatty() else 140))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
