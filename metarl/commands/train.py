"""What `metarl train` does, and its flags."""

import json
from argparse import ArgumentError, ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from metarl.core.paths import as_path
from metarl.core.registry import make
from metarl.learners.process_groups import launched
from metarl.learners.registry import learner_class
from metarl.runs.config import RunConfig, config_from_json, folder_name, parse_arguments
from metarl.runs.sinks import WandBSink
from metarl.runs.store import RunFolder
from metarl.runs.suggested import default_family, suggested_config
from metarl.runs.training import iterations_done, train

__all__ = ["Suggestion", "TrainOptions", "suggestion_for", "train_run"]


@dataclass(frozen=True)
class TrainOptions:
    """What to train on, and where to keep it.

    Attributes:
        distribution: id of the task distribution, which settings are suggested for; `metarl list`
            shows them.
        distribution_args: what it is made with, as NAME=VALUE, such as arms=5.
        seed: names every random stream; several train side by side in one batch.
        device: cpu or cuda, environments included.
        folder: the run's own; if left out, runs/ and a name of the learner, the distribution, what
            differs from their defaults, and the seed. A run that was stopped goes on from there,
            and one of fewer iterations goes on to more.
        threads: that PyTorch computes on, since sums in another order round otherwise; as many as
            there are cores, or as the run was begun with, if left out.
        checkpoint_seconds: time between checkpoints.
        tensorboard: write event files to FOLDER/tensorboard too.
        wandb: log to Weights & Biases too: in FOLDER/wandb, without an account, unless the
            environment says WANDB_MODE=online.
    """

    distribution: str = "BernoulliBandit-v0"
    distribution_args: tuple[str, ...] = ()
    seed: tuple[int, ...] = (0,)
    device: str = "cpu"
    folder: Path | None = None
    threads: int | None = None
    checkpoint_seconds: float = 60.0
    tensorboard: bool = False
    wandb: bool = False


class Suggestion(NamedTuple):
    """What flags are where they aren't given."""

    options: TrainOptions
    config: Any


def suggestion_for(learner: str, words: Sequence[str]) -> Suggestion:
    """Return what the flags of `metarl train LEARNER` default to: settings that suit the
    distribution named in `words`.

    Raises:
        ValueError: there is no such distribution, it can't be made, or the learner can't learn from
            it.
    """
    usual = default_family(learner)
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--distribution", default=usual.id)
    parser.add_argument("--distribution-args", "--distribution_args", nargs="*")
    try:
        named, _ = parser.parse_known_args(list(words))
    except ArgumentError:  # which the command's own parser says with all flags at hand
        named = parser.parse_args([])
    own = tuple(f"{name}={json.dumps(value)}" for name, value in usual.arguments.items())
    options = TrainOptions(
        distribution=named.distribution,
        distribution_args=own if named.distribution == usual.id else (),
    )
    given = (
        options.distribution_args
        if named.distribution_args is None
        else tuple(named.distribution_args)
    )
    try:
        return Suggestion(
            options, suggested_config(learner, make(options.distribution, **parse_arguments(given)))
        )
    except ValueError:
        if not {"-h", "--help"} & set(words):
            raise
        return Suggestion(options, learner_class(learner).Config())


def train_run(learner: str, config: Any, options: TrainOptions) -> Path:
    """Train as the flags say; returns the run's folder.

    A run that was begun goes on with its own settings wherever `config` is what is suggested today.
    """
    seed = options.seed[0] if len(options.seed) == 1 else options.seed
    config = _in_all_ranks(learner, config)
    run = RunConfig(
        learner,
        config,
        options.distribution,
        parse_arguments(options.distribution_args),
        seed,
        options.device,
        threads=options.threads,
    )
    usual = suggested_config(learner, run.make_distribution())
    folder = as_path(options.folder or Path("runs") / folder_name(run, usual))
    place = RunFolder(folder)
    run = replace(run, config=_as_begun(run, usual, place))
    if run.threads is None and (folder / "run.json").is_file():
        run = replace(run, threads=place.identity.get("threads"))
    sinks = (WandBSink(),) if options.wandb else ()
    train(
        run,
        folder,
        checkpoint_seconds=options.checkpoint_seconds,
        tensorboard=options.tensorboard,
        sinks=sinks,
    )
    return folder


def _in_all_ranks(learner: str, config: Any) -> Any:
    """Return `config` with as many processes as a launcher, such as torchrun, started.

    Raises:
        ValueError: it asks for another number, or the learner trains in one process.
    """
    told = launched()
    if told is None:
        return config
    if not any(part.name == "processes" for part in fields(config)):
        raise ValueError(
            f"The learner {learner} trains in one process, and a launcher started {told.size}:"
            " start it without torchrun."
        )
    if config.processes not in (1, told.size):
        raise ValueError(
            f"A launcher started {told.size} processes, not {config.processes}: leave out"
            " --processes, or make them equal."
        )
    return replace(config, processes=told.size)


def _as_begun(run: RunConfig, usual: Any, place: RunFolder) -> Any:
    """Return the config of `run` with the settings of the run that `place` holds wherever it is as
    suggested.
    """
    if not (place.path / "run.json").is_file():
        return run.config
    if (place.identity["learner"], place.identity["distribution"]) != (
        run.learner,
        run.distribution,
    ):
        return run.config
    begun = config_from_json(type(run.config), place.identity["config"])
    config = _filled(run.config, usual, begun)
    iterations = getattr(begun, "iterations", None)
    # Its end was reached: it may go on to what is suggested
    if iterations is not None and iterations_done(place) >= iterations:
        return replace(config, iterations=max(config.iterations, run.config.iterations))
    return config


def _filled(config: Any, usual: Any, begun: Any) -> Any:
    """Return `config` with the fields of `begun` where it has those of `usual`, in nested configs
    of the same kind too.
    """
    if config == usual:
        return begun
    if (
        not is_dataclass(config)
        or type(config) is not type(usual)
        or type(config) is not type(begun)
    ):
        return config
    parts = {
        part.name: [getattr(each, part.name) for each in (config, usual, begun)]
        for part in fields(config)
    }
    return replace(config, **{name: _filled(*each) for name, each in parts.items()})  # type: ignore[type-var]
