"""What `metarl watch` does.

An agent plays a few tasks, and a contact sheet and an animation of it are written.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from metarl.agents.registry import agent_class, make_agent
from metarl.analysis.animation import animation_bytes, check_format, frames
from metarl.analysis.contact_sheet import contact_sheet, png_bytes
from metarl.core.agent import Agent
from metarl.core.arguments import check_device
from metarl.core.budget import Budget, Episodes, Steps
from metarl.core.paths import as_path
from metarl.core.registry import make
from metarl.core.task_distribution import TaskDistribution, check_split
from metarl.evaluation.recording import record
from metarl.learners.registry import learner_label
from metarl.runs.config import RunConfig, parse_arguments
from metarl.runs.load import default_budget, load_agent
from metarl.runs.store import RunFolder, explained, write_file

__all__ = ["MOST_TASKS", "WatchOptions", "watch"]

MOST_TASKS = 24  # rows of a sheet


@dataclass(frozen=True)
class WatchOptions:
    """What to watch, and where to put the pictures.

    Attributes:
        agent: id of a hand-designed agent, such as random, in place of the run's own; `metarl list`
            shows them.
        distribution: id of the task distribution where no run is named.
        distribution_args: what it is made with, as NAME=VALUE, such as size=5.
        split: of the tasks: test, train, or validation or extrapolate where the distribution has
            it.
        num_tasks: how many tasks, a row each.
        seed: names the tasks and the environment's noise.
        episodes: in a meta-episode; as in training if left out, or 2 without a run.
        after: M, further episodes after those of `episodes`, in which agents that learn in a task
            learn no more.
        steps: play this many environment steps instead of episodes.
        seed_index: which of the run's seeds.
        device: cpu or cuda.
        format: of the animation: gif, or mp4 (needs the extra video).
        out: folder for the files; RUN/watched if left out, or runs/watch-AGENT-DISTRIBUTION.
    """

    agent: str | None = None
    distribution: str | None = None
    distribution_args: tuple[str, ...] = ()
    split: str = "test"
    num_tasks: Annotated[int, tyro.conf.arg(aliases=["--tasks"])] = 6
    seed: int = 0
    episodes: int | None = None
    after: int = 0
    steps: int | None = None
    seed_index: int = 0
    device: str = "cpu"
    format: Literal["gif", "mp4"] = "gif"
    out: Path | None = None


def watch(folder: Path | None, options: WatchOptions) -> list[Path]:
    """Record an agent, write the contact sheet and the animation, and return their files.

    Args:
        folder: a run's; None plays the agent and the distribution that the options name.
        options: what to play, and what to write.

    Raises:
        ValueError: no such run, agent, distribution, split or format; or nothing to show. Said
            before anything is played.
        StorageError: the files can't be written.
    """
    folder = None if folder is None else as_path(folder)
    check_device(options.device)
    check_format(options.format)
    if not 1 <= options.num_tasks <= MOST_TASKS:
        raise ValueError(f"A sheet holds from 1 to {MOST_TASKS} tasks, not {options.num_tasks}.")
    agent, label, distribution, budget = _player(folder, options)
    recording = record(
        agent,
        distribution,
        options.split,
        options.num_tasks,
        options.seed,
        budget,
        device=options.device,
    )
    title = f"{label} on {distribution.id}, {options.split} tasks, seed {options.seed}"
    place = (
        folder / "watched"
        if folder
        else Path("runs") / _name("watch", options.agent, distribution.id)
    )
    if options.out is not None:
        place = as_path(options.out)
    length = f"{budget.total}{'episodes' if isinstance(budget, Episodes) else 'steps'}"
    name = _name(
        options.split,
        f"{options.num_tasks}tasks",
        length,
        f"seed{options.seed}",
        folder and options.agent,
    )
    name += f"-member{options.seed_index}" if options.seed_index else ""
    files = [place / f"{name}.png", place / f"{name}.{options.format}"]
    with explained(place):
        place.mkdir(parents=True, exist_ok=True)
    write_file(files[0], png_bytes(contact_sheet(recording, title)))
    write_file(files[1], animation_bytes(frames(recording, title), options.format))
    return files


def _player(
    folder: Path | None, options: WatchOptions
) -> tuple[Agent, str, TaskDistribution, Budget]:
    """Return the agent, how it is called, what it plays, and for how long."""
    if folder is None:
        if options.agent is None or options.distribution is None:
            raise ValueError(
                "Name a run's folder, or --agent and --distribution, such as --agent random"
                " --distribution GridMaze-v0."
            )
        distribution = make(options.distribution, **parse_arguments(options.distribution_args))
        usual = None
    else:
        if options.distribution is not None or options.distribution_args:
            raise ValueError(
                "A run is watched on what it was trained on; leave --distribution and"
                " --distribution-args out."
            )
        run = RunConfig.from_identity(RunFolder(folder).identity)
        distribution = run.make_distribution()
        usual = run
    check_split(distribution, options.split)
    if options.steps is not None and (options.episodes is not None or options.after):
        raise ValueError("Give --steps or --episodes and --after, not both.")
    budget: Budget
    if options.steps is not None:
        budget = Steps(options.steps)
    elif options.episodes is not None or usual is None:
        budget = Episodes(2 if options.episodes is None else options.episodes, after=options.after)
    else:
        budget = default_budget(usual)
    if options.agent is not None:
        return (
            make_agent(options.agent, distribution, budget),
            agent_class(options.agent).label,
            distribution,
            budget,
        )
    assert folder is not None
    assert usual is not None
    agent = load_agent(folder, budget, options.seed_index, options.device)
    return (
        agent,
        learner_label(usual.learner),
        distribution,
        budget,
    )


def _name(*parts: str | Path | None) -> str:
    return "-".join(str(part).replace("/", "_") for part in parts if part)
