"""The command `metarl`: flags are the fields of dataclasses; what the commands do is in `metarl.experiments.commands`."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["main", "plain_errors"]


def train(words: Sequence[str]) -> None:
    """Train a learner; the same command again goes on with a run that was stopped."""
    from metarl.experiments.commands import TrainOptions, catalogue, first_sentence, scoring_flags, train_run
    from metarl.learners.registry import learner_class

    if not words or words[0].startswith("-"):
        _choose("metarl train", {line.id: line.sentence for line in catalogue("learner")}, words)
    kind = learner_class(words[0])

    def flags(
        options: Annotated[TrainOptions, tyro.conf.arg(name="")] = TrainOptions(),
        config: Annotated[kind.Config, tyro.conf.arg(name="")] = kind.Config(),  # type: ignore[name-defined]
    ) -> None:
        folder = train_run(words[0], config, options)
        print(f"Trained: {folder}. Score it: metarl evaluate {folder}{scoring_flags(folder)}")

    tyro.cli(flags, prog=f"metarl train {words[0]}", description=first_sentence(kind.__doc__ or ""), args=list(words[1:]))


def evaluate(words: Sequence[str]) -> None:
    """Score a run's agent on held-out tasks, beside the random agent and the best attainable."""
    from rich.console import Console

    from metarl.analysis.supervised_tables import render_inner_steps, supervised_table
    from metarl.analysis.tables import render, score_table
    from metarl.experiments.commands import EvaluateOptions, save_scores, score_run
    from metarl.experiments.supervised_scores import learned_from_examples, save_supervised_scores, score_supervised_run, scoring_note

    def flags(folder: tyro.conf.Positional[Path], options: Annotated[EvaluateOptions, tyro.conf.arg(name="")] = EvaluateOptions()) -> None:
        """Score a run's agent on held-out tasks, beside the random agent and the best attainable.

        Args:
            folder: the run's, as `metarl train` wrote it, or a published one's.
        """
        if learned_from_examples(folder):
            evaluations = score_supervised_run(folder, options)
            Console().print(render_inner_steps(supervised_table(evaluations), scoring_note(options)))
            print(f"Scores of each task: {', '.join(map(str, save_supervised_scores(folder, evaluations, options)))}")
            return
        scored = score_run(folder, options)
        Console().print(render(score_table(scored.entries, scored.distribution, score=options.score)))
        print(f"Scores of each task: {', '.join(map(str, save_scores(folder, scored, options)))}")

    tyro.cli(flags, prog="metarl evaluate", args=list(words))


def watch(words: Sequence[str]) -> None:
    """Draw an agent at play: a contact sheet and an animation."""
    from metarl.analysis.watching import WatchOptions
    from metarl.analysis.watching import watch as write_pictures

    def flags(
        folder: tyro.conf.Positional[Path | None] = None, options: Annotated[WatchOptions, tyro.conf.arg(name="")] = WatchOptions()
    ) -> None:
        """Draw an agent at play: a contact sheet, a task a row and an episode a column, and an animation of the same.

        Args:
            folder: the run's, as `metarl train` wrote it, or a published one's; none plays --agent on --distribution.
        """
        print(f"Look at {' and '.join(map(str, write_pictures(folder, options)))}")

    tyro.cli(flags, prog="metarl watch", args=list(words))


def retro(words: Sequence[str]) -> None:
    """Say which games of stable-retro can be played here, or bring in ROMs that you own."""
    choices = {"status": retro_status, "import": retro_import}
    if not words or words[0] not in choices:
        _choose("metarl retro", {name: command.__doc__ or "" for name, command in choices.items()}, words)
    choices[words[0]](words[1:])


def retro_status(words: Sequence[str]) -> None:
    """Show which games and levels can be played here, and what is missing."""
    from metarl.experiments.retro_commands import StatusOptions, status_report

    def flags(options: Annotated[StatusOptions, tyro.conf.arg(name="")] = StatusOptions()) -> None:
        """Show which games and levels can be played here, and what is missing."""
        print("\n".join(status_report(options)))

    tyro.cli(flags, prog="metarl retro status", args=list(words))


def retro_import(words: Sequence[str]) -> None:
    """Bring in the ROMs of a folder, and say which were recognised."""

    def flags(folder: tyro.conf.Positional[Path]) -> None:
        """Bring in the ROMs of a folder, and say which were recognised.

        Args:
            folder: looked through with all that is below it, archives (.zip) too.
        """
        from metarl.experiments.retro_commands import import_report

        print("\n".join(import_report(folder)))

    tyro.cli(flags, prog="metarl retro import", args=list(words))


def leaderboard(words: Sequence[str]) -> None:
    """Rank agents by their scores on levels, as `benchmarks/sonic.py` stored them."""
    from rich.console import Console

    from metarl.analysis.tables import render_leaderboard
    from metarl.experiments.level_scores import leaderboard as ranked
    from metarl.experiments.level_scores import stored_scores

    def flags(folder: tyro.conf.Positional[Path] = Path("results")) -> None:
        """Rank agents by their scores on levels, as `benchmarks/sonic.py` stored them.

        Args:
            folder: where scores lie, at any depth; such as runs for all that was played here.
        """
        board = ranked(stored_scores(folder))
        Console().print(render_leaderboard(board))
        for row in board.itertuples():
            print(f"{row.game}, {row.agent}: {row.command}")

    tyro.cli(flags, prog="metarl leaderboard", args=list(words))


def list_everything(words: Sequence[str]) -> None:
    """Show all task distributions, learners and agents, a line each."""

    def flags() -> None:
        """Show all task distributions, learners and agents, a line each."""
        from metarl.experiments.commands import catalogue

        lines = catalogue()
        width = max(len(line.id) for line in lines)
        for line in lines:
            print(f"{line.kind:12}  {line.id:{width}}  {line.sentence}")

    tyro.cli(flags, prog="metarl list", args=list(words))


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train": train,
    "evaluate": evaluate,
    "watch": watch,
    "leaderboard": leaderboard,
    "retro": retro,
    "list": list_everything,
}


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; bad input ends it with a sentence and status 1."""
    words = sys.argv[1:] if words is None else words
    if os.getcwd() not in sys.path:  # so that my_module:MyMaze is found where the command is given
        sys.path.append(os.getcwd())
    with plain_errors():
        if not words or words[0] not in COMMANDS:
            _choose("metarl", {name: command.__doc__ or "" for name, command in COMMANDS.items()}, words)
        COMMANDS[words[0]](words[1:])


@contextmanager
def plain_errors() -> Iterator[None]:
    """End the program with an error's sentence rather than a traceback: status 1, or 130 where the user stopped it."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "Stopped.", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):  # which PyTorch says in its own way
            raise
        if os.environ.get("METARL_TRACEBACK"):
            raise
        print(f"metarl: {error}\n(METARL_TRACEBACK=1 shows where this comes from.)", file=sys.stderr)
        sys.exit(1)


def _choose(prog: str, choices: dict[str, str], words: Sequence[str]) -> None:
    """Print help, or say that there is no such choice, and exit."""

    def stub(sentence: str) -> Callable[[], None]:
        def nothing() -> None: ...

        nothing.__doc__ = sentence
        return nothing

    help_wanted = list(words) if words and words[0] not in ("-h", "--help") else ["--help"]
    tyro.extras.subcommand_cli_from_dict({name: stub(sentence) for name, sentence in choices.items()}, prog=prog, args=help_wanted)
    sys.exit(2)
