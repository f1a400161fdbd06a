"""The command `metarl`.

Flags are the fields of dataclasses; what the commands do is in `metarl.commands`.
"""

import os
import shlex
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import tyro

from metarl.core.paths import pasteable
from metarl.runs.tuned_process import tune_process

__all__ = ["main", "plain_errors", "program"]


def train(words: Sequence[str]) -> None:
    """Train a learner.

    The same command again goes on with a run that was stopped, and with more iterations behind its
    end.
    """
    if not words or words[0].startswith("-"):
        _choose_learner(words)
    from metarl.commands.evaluate import scoring_flags
    from metarl.commands.list import first_sentence
    from metarl.commands.train import TrainOptions, suggestion_for, train_run
    from metarl.learners.process_groups import launched
    from metarl.learners.registry import learner_class

    kind = learner_class(words[0])
    suggested = suggestion_for(words[0], words[1:])

    def flags(
        options: Annotated[TrainOptions, tyro.conf.arg(name="")] = suggested.options,
        config: Annotated[kind.Config, tyro.conf.arg(name="")] = suggested.config,  # type: ignore[name-defined]
    ) -> None:
        try:
            folder = train_run(words[0], config, options)
        except KeyboardInterrupt as stopped:
            sentence = str(stopped).rstrip(".") or "Stopped; the same command takes it up again"
            raise KeyboardInterrupt(_next(sentence, shlex.join(["train", *words]))) from None
        told = launched()
        if told is None or told.rank == 0:
            print(
                _next(
                    f"Trained: {folder}. Score it",
                    f"evaluate {pasteable(folder)}{scoring_flags(folder)}",
                )
            )

    prog = f"metarl train {words[0]}"
    if len(words) > 1 and not words[1].startswith("-") and ":" not in words[1]:
        print(
            f"{prog} takes flags only; did you mean --distribution {shlex.quote(words[1])}?",
            file=sys.stderr,
        )
        sys.exit(2)
    _check_flags(prog, words[1:], flags, lambda: _flags_of_other_learners(words[0]))
    tyro.cli(flags, prog=prog, description=first_sentence(kind.__doc__ or ""), args=list(words[1:]))


def _choose_learner(words: Sequence[str]) -> NoReturn:
    """Show the learners, or say that one must be named first."""
    from metarl.commands.list import catalogue

    if words and words[0] not in ("-h", "--help"):
        raise ValueError(
            f"Name a learner first, such as `metarl train rl2 {shlex.join(words)}`; `metarl train`"
            " shows them."
        )
    _choose("metarl train", {line.id: line.sentence for line in catalogue("learner")}, ["--help"])


def _flags_of_other_learners(own: str) -> dict[str, list[str]]:
    """Return the flags that each other learner's config has, by its name."""
    from metarl.learners.registry import learner_class, learner_names

    found = {}
    for name in learner_names():
        if name == own:
            continue
        try:
            kind = learner_class(name).Config
        except Exception:  # a package that doesn't import must not hide the sentence
            continue

        def flags(config: Annotated[kind, tyro.conf.arg(name="")] = kind()) -> None: ...  # type: ignore[valid-type]

        found[name] = [flag for names in _flag_names(flags) for flag in names]
    return found


def _flag_names(command: Callable[..., Any]) -> list[list[str]]:
    """Return each flag of a command, its sub-commands' too, with its other names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parsers: list[Any] = [tyro.extras.get_parser(command)]
    names: list[list[str]] = []
    while parsers:
        for action in parsers.pop()._actions:
            if isinstance(action.choices, dict):
                parsers += action.choices.values()
            elif action.option_strings and list(action.option_strings) not in names:
                names.append(list(action.option_strings))
    return names


def _check_flags(
    prog: str,
    words: Sequence[str],
    command: Callable[..., Any],
    elsewhere: Callable[[], dict[str, list[str]]] = dict,
) -> None:
    """Refuse flags of `words` that are given twice, or that the command hasn't got.

    See `metarl.commands.flags`.
    """
    from metarl.commands.flags import check_flags

    try:
        check_flags(prog, words, _flag_names(command), elsewhere)
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def _next(sentence: str, words: str) -> str:
    """Return a sentence with the command behind it that comes next, as it can be pasted."""
    return f"{sentence}: {program()} {words}"


def program() -> str:
    """Return how this command is called here.

    By its name, where that leads to it, else by its file.
    """
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m metarl"
    found = shutil.which("metarl")
    if called.name != "metarl" or (
        found is not None and called.exists() and Path(found).samefile(called)
    ):
        return "metarl"
    return pasteable(called)


def evaluate(words: Sequence[str]) -> None:
    """Score a run's agent on held-out tasks, beside the random agent and the best attainable."""
    from rich.console import Console

    from metarl.analysis.supervised_tables import render_inner_steps, supervised_table
    from metarl.analysis.tables import render, score_table
    from metarl.commands.evaluate import EvaluateOptions, runs_in, save_scores, score_runs
    from metarl.commands.evaluate_supervised import (
        all_learned_from_examples,
        by_label,
        save_supervised_scores,
        score_supervised_runs,
        scoring_note,
    )

    def flags(
        folders: tyro.conf.Positional[tuple[Path, ...]],
        options: Annotated[EvaluateOptions, tyro.conf.arg(name="")] = EvaluateOptions(),
    ) -> None:
        """Score runs' agents on held-out tasks, in one table with the random agent and the best
        attainable.

        Args:
            folders: of one run or several, as `metarl train` wrote them, or published ones, or of a
                folder that holds runs.
        """
        if not folders:
            print(
                "metarl: name the folder of a run, or of several; `metarl evaluate --help` says"
                " more.",
                file=sys.stderr,
            )
            sys.exit(2)
        if all_learned_from_examples(folders):
            learned = score_supervised_runs(folders, options)
            table = render_inner_steps(supervised_table(by_label(learned)), scoring_note(options))
            save: Callable[[Path], list[Path]] = partial(
                save_supervised_scores, scored=learned, options=options
            )
        else:
            scored = score_runs(folders, options)
            scores = score_table(
                scored.entries,
                scored.distribution,
                score=scored.score,
                training=scored.training,
                against=options.against,
            )
            table = render(scores)
            save = partial(save_scores, scored=scored, options=options)
        try:
            Console().print(table)
        finally:
            # whatever becomes of the table, as where `head` reads it
            files = [file for folder in runs_in(folders) for file in save(folder)]
        print(f"Scores of each task: {', '.join(map(str, files))}")

    _run(flags, "metarl evaluate", words)


def watch(words: Sequence[str]) -> None:
    """Draw an agent at play: a contact sheet and an animation."""
    from metarl.commands.watch import WatchOptions
    from metarl.commands.watch import watch as write_pictures

    def flags(
        folder: tyro.conf.Positional[Path | None] = None,
        options: Annotated[WatchOptions, tyro.conf.arg(name="")] = WatchOptions(),
    ) -> None:
        """Draw an agent at play: a contact sheet, a task a row and an episode a column, and an
        animation of the same.

        Args:
            folder: the run's, as `metarl train` wrote it, or a published one's; none plays --agent
                on --distribution.
        """
        print(f"Look at {' and '.join(map(str, write_pictures(folder, options)))}")

    _run(flags, "metarl watch", words)


def retro(words: Sequence[str]) -> None:
    """Say which games of stable-retro can be played here, or bring in ROMs that you own."""
    choices = {"status": retro_status, "import": retro_import}
    if not words or words[0] not in choices:
        _choose(
            "metarl retro",
            {name: command.__doc__ or "" for name, command in choices.items()},
            words,
        )
    choices[words[0]](words[1:])


def retro_status(words: Sequence[str]) -> None:
    """Show which games and levels can be played here, and what is missing."""
    from metarl.commands.retro import StatusOptions, status_report

    def flags(options: Annotated[StatusOptions, tyro.conf.arg(name="")] = StatusOptions()) -> None:
        """Show which games and levels can be played here, and what is missing."""
        print("\n".join(status_report(options)))

    _run(flags, "metarl retro status", words)


def retro_import(words: Sequence[str]) -> None:
    """Bring in the ROMs of a folder, and say which were recognised."""

    def flags(folder: tyro.conf.Positional[Path]) -> None:
        """Bring in the ROMs of a folder, and say which were recognised.

        Args:
            folder: looked through with all that is below it, archives (.zip) too.
        """
        from metarl.commands.retro import import_report

        print("\n".join(import_report(folder)))

    _run(flags, "metarl retro import", words)


def suite(words: Sequence[str]) -> None:
    """Run many trainings and scores, as one file says: on this machine, on a cluster, anywhere."""
    choices = {
        "run": suite_run,
        "status": suite_status,
        "report": suite_report,
        "list": suite_list,
        "work": suite_work,
    }
    if not words or words[0] not in choices:
        _choose(
            "metarl suite",
            {name: command.__doc__ or "" for name, command in choices.items()},
            words,
        )
    choices[words[0]](words[1:])


def suite_run(words: Sequence[str]) -> None:
    """Train and score what a suite names; what is finished isn't done again."""
    from rich.console import Console

    from metarl.commands.suite import RunOptions, run_suite

    def flags(
        name: tyro.conf.Positional[str],
        options: Annotated[RunOptions, tyro.conf.arg(name="")] = RunOptions(),
    ) -> None:
        """Train and score what a suite names; what is finished isn't done again, what was stopped
        goes on.

        Args:
            name: the suite's, or its file.
        """
        sys.exit(run_suite(name, options, Console()))

    _run(flags, "metarl suite run", words)


def suite_status(words: Sequence[str]) -> None:
    """Show how a suite's runs stand, by their folders alone."""
    from rich.console import Console

    from metarl.commands.suite import SuiteOptions
    from metarl.commands.suite import suite_status as show_status

    def flags(
        name: tyro.conf.Positional[str],
        options: Annotated[SuiteOptions, tyro.conf.arg(name="")] = SuiteOptions(),
    ) -> None:
        """Show how a suite's runs stand, by their folders alone.

        Args:
            name: the suite's, or its file.
        """
        sys.exit(show_status(name, options, Console()))

    _run(flags, "metarl suite status", words)


def suite_report(words: Sequence[str]) -> None:
    """Make a suite's tables and figures from what is trained and scored so far."""
    from rich.console import Console

    from metarl.commands.suite import ReportOptions, report_suite

    def flags(
        name: tyro.conf.Positional[str],
        options: Annotated[ReportOptions, tyro.conf.arg(name="")] = ReportOptions(),
    ) -> None:
        """Make a suite's tables and figures from what is trained and scored so far.

        Args:
            name: the suite's, or its file.
        """
        sys.exit(report_suite(name, options, Console()))

    _run(flags, "metarl suite report", words)


def suite_list(words: Sequence[str]) -> None:
    """Show the suites that are known by name here."""

    def flags() -> None:
        """Show the suites that are known by name here."""
        from metarl.suites.find import find_suite, suite_names

        for name in suite_names():
            print(f"{name}  {find_suite(name).title}")

    _run(flags, "metarl suite list", words)


def suite_work(words: Sequence[str]) -> None:
    """Do one job, as `metarl suite run --executor print` prints it."""
    from metarl.commands.suite import WorkOptions, work_on

    def flags(
        folder: tyro.conf.Positional[Path],
        options: Annotated[WorkOptions, tyro.conf.arg(name="")] = WorkOptions(),
    ) -> None:
        """Do one job, as `metarl suite run --executor print` prints it.

        Args:
            folder: of the job, which `metarl suite run` wrote.
        """
        sys.exit(work_on(folder, options))

    _run(flags, "metarl suite work", words)


def report(words: Sequence[str]) -> None:
    """Write a page about a suite or a folder of runs: leaderboard, curves, pictures, run cards."""
    from metarl.commands.report import ReportOptions, write_report

    def flags(
        what: tyro.conf.Positional[str],
        options: Annotated[ReportOptions, tyro.conf.arg(name="")] = ReportOptions(),
    ) -> None:
        """Write a page about a suite or a folder of runs, which opens without network.

        Args:
            what: the suite's name, its file, or a folder with runs and scores.
        """
        print(f"Look at {write_report(what, options)}")

    _run(flags, "metarl report", words)


def new(words: Sequence[str]) -> None:
    """Write a small package for a family of tasks, a learner or an agent of your own."""
    choices = {"task": new_task, "learner": new_learner, "agent": new_agent}
    if not words or words[0] not in choices:
        _choose(
            "metarl new",
            {name: command.__doc__ or "" for name, command in choices.items()},
            words,
        )
    choices[words[0]](words[1:])


def new_task(words: Sequence[str]) -> None:
    """Write a package with a task distribution, for tensors or of Gymnasium's environments."""
    from metarl.commands.new import NewTaskOptions

    def flags(
        name: tyro.conf.Positional[str],
        options: Annotated[NewTaskOptions, tyro.conf.arg(name="")] = NewTaskOptions(),
    ) -> None:
        """Write a package with a task distribution, for tensors or of Gymnasium's environments.

        Args:
            name: of the family, such as MyMaze, which is then known as MyMaze-v0.
        """
        template = "new_task" if options.kind == "tensor" else "new_gymnasium_task"
        _write_package(template, name, options.folder)

    _run(flags, "metarl new task", words)


def new_learner(words: Sequence[str]) -> None:
    """Write a package with a learner."""
    from metarl.commands.new import NewOptions

    def flags(
        name: tyro.conf.Positional[str],
        options: Annotated[NewOptions, tyro.conf.arg(name="")] = NewOptions(),
    ) -> None:
        """Write a package with a learner.

        Args:
            name: of the learner, such as MyLearner, which is then known as my-learner.
        """
        _write_package("new_learner", name, options.folder)

    _run(flags, "metarl new learner", words)


def new_agent(words: Sequence[str]) -> None:
    """Write a package with an agent that is exact or designed by hand."""
    from metarl.commands.new import NewOptions

    def flags(
        name: tyro.conf.Positional[str],
        options: Annotated[NewOptions, tyro.conf.arg(name="")] = NewOptions(),
    ) -> None:
        """Write a package with an agent that is exact or designed by hand.

        Args:
            name: of the agent, such as MyAgent, which is then known as my-agent.
        """
        _write_package("new_agent", name, options.folder)

    _run(flags, "metarl new agent", words)


def _write_package(template: str, name: str, folder: Path | None) -> None:
    """Write a package, and show the commands that come next."""
    from metarl.commands.new import first_commands, write_package

    written = write_package(template, name, folder)
    print(f"Written: {written}. Next:\n\ncd {pasteable(written)}")
    print("\n".join(first_commands(written)))


def leaderboard(words: Sequence[str]) -> None:
    """Rank agents by their scores on levels, as `metarl.runs.level_scores` stores them."""
    from rich.console import Console

    from metarl.analysis.tables import render_leaderboard
    from metarl.runs.level_scores import leaderboard as ranked
    from metarl.runs.level_scores import stored_scores

    def flags(folder: tyro.conf.Positional[Path] = Path("results")) -> None:
        """Rank agents by their scores on levels, as `metarl.runs.level_scores` stores them.

        Args:
            folder: where scores lie, at any depth; such as runs for all that was played here.
        """
        board = ranked(stored_scores(folder))
        Console().print(render_leaderboard(board))
        for row in board.itertuples():
            print(f"{row.game}, {row.agent}: {row.command}")

    _run(flags, "metarl leaderboard", words)


def runs(words: Sequence[str]) -> None:
    """List the runs in a folder: what each one is, how far it is, and its last return."""
    from metarl.commands.runs import RunsOptions, chosen_runs, listed

    def flags(
        root: tyro.conf.Positional[Path] = Path("runs"),
        options: Annotated[RunsOptions, tyro.conf.arg(name="")] = RunsOptions(),
    ) -> None:
        """List the runs in a folder: what each one is, how far it is, and its last return.

        Args:
            root: where runs lie, at any depth.
        """
        print("\n".join(listed(chosen_runs(root, options), root)))

    _run(flags, "metarl runs", words)


def table(words: Sequence[str]) -> None:
    """Show how all agents whose scores lie in a folder did, a table a family."""
    from rich.console import Console

    from metarl.analysis.board_tables import render_board, render_over_families
    from metarl.analysis.leaderboard import over_families
    from metarl.commands.table import TableOptions, chosen_board, write_profiles

    def flags(
        roots: tyro.conf.Positional[tuple[Path, ...]] = (Path("runs"),),
        options: Annotated[TableOptions, tyro.conf.arg(name="")] = TableOptions(),
        profiles: Path | None = None,
    ) -> None:
        """Show how all agents whose scores lie in a folder did: a table a family with means,
        normalised scores, interquartile means and generalisation gaps, and, of several families,
        one over all.

        Args:
            roots: folders of runs, of a suite, or one run.
            profiles: folder for figures of performance profiles: which share of tasks each agent
                scores more on than every threshold.
        """
        console = Console()
        for each in render_board(chosen_board(roots, options)):
            console.print(each)
        if options.score is None and not options.family:
            overall = over_families(roots, split=options.split or "test")
            if len(overall):
                console.print(render_over_families(overall))
        if profiles is not None:
            print(f"Look at {', '.join(map(str, write_profiles(roots, options, profiles)))}")

    _run(flags, "metarl table", words)


def compare(words: Sequence[str]) -> None:
    """Say how far one agent is ahead of another on the same tasks, and how surely."""
    from rich.console import Console

    from metarl.analysis.board_tables import render_comparison
    from metarl.commands.compare import CompareOptions
    from metarl.commands.compare import compare as compared

    def flags(
        first: tyro.conf.Positional[str],
        second: tyro.conf.Positional[str],
        options: Annotated[CompareOptions, tyro.conf.arg(name="")] = CompareOptions(),
    ) -> None:
        """Say how far one agent is ahead of another on the same tasks, and how surely: the
        difference with its interval, how often one scores more on a task, and how probable it is
        that its mean is higher.

        Args:
            first: folder of a run or of several, or an agent's name or id.
            second: likewise.
        """
        for each in render_comparison(compared(first, second, options)):
            Console().print(each)
        if options.figure is not None:
            print(f"Look at {options.figure}")

    _run(flags, "metarl compare", words)


def export(words: Sequence[str]) -> None:
    """Write scores or runs to a file for other programs: CSV, Parquet, LaTeX."""
    from metarl.commands.table import ExportOptions
    from metarl.commands.table import export as written

    def flags(
        roots: tyro.conf.Positional[tuple[Path, ...]] = (Path("runs"),),
        options: Annotated[ExportOptions, tyro.conf.arg(name="")] = ExportOptions(),
    ) -> None:
        """Write scores or runs to a file for other programs: CSV, Parquet, or a LaTeX table.

        Args:
            roots: folders of runs, of a suite, or one run.
        """
        text = written(roots, options)
        print(f"Written: {options.out}" if text is None else text.rstrip("\n"))

    _run(flags, "metarl export", words)


def list_everything(words: Sequence[str]) -> None:
    """Show all task distributions, learners and agents, a line each."""

    def flags() -> None:
        """Show all task distributions, learners and agents, a line each."""
        from metarl.commands.list import catalogue

        lines = catalogue()
        width = max(len(line.id) for line in lines)
        for line in lines:
            print(f"{line.kind:12}  {line.id:{width}}  {line.sentence}")

    _run(flags, "metarl list", words)


def show_info(words: Sequence[str]) -> None:
    """Show versions, devices and which optional parts are here, and how to get the others."""

    def flags() -> None:
        """Show versions, devices and which optional parts are here, and how to get the others."""
        from metarl.commands.info import report

        print("\n".join(report()))

    _run(flags, "metarl info", words)


def _run(flags: Callable[..., None], prog: str, words: Sequence[str]) -> None:
    """Run a command whose flags are a function's parameters."""
    _check_flags(prog, words, flags)
    tyro.cli(flags, prog=prog, args=list(words))


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train": train,
    "evaluate": evaluate,
    "watch": watch,
    "suite": suite,
    "report": report,
    "runs": runs,
    "table": table,
    "compare": compare,
    "export": export,
    "leaderboard": leaderboard,
    "new": new,
    "retro": retro,
    "list": list_everything,
    "info": show_info,
}


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; bad input ends it with a sentence and status 1 or 2, a signal with 130.

    Without `words` it is the process's own command, which is tuned for training, before torch is
    imported; whoever gives `words` from Python decides about the process himself.
    """
    if words is None:
        tune_process()
        words = sys.argv[1:]
    _print_anything()
    with plain_errors(), _terminated_as_by_ctrl_c():
        # so that my_module:MyMaze is found where the command is given
        if (here := _working_folder()) not in sys.path:
            sys.path.append(here)
        if list(words[:1]) == ["--version"]:
            from metarl import __version__

            print(f"metarl {__version__}")
            return
        if list(words[:1]) == ["help"]:
            words = [*words[1:], "--help"]
        if not words or words[0] not in COMMANDS:
            _no_command(words)
        COMMANDS[words[0]](words[1:])


def _print_anything() -> None:
    """Have output written that its encoding lacks letters for.

    Paths of any bytes as they are, other letters as question marks.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors=(
                    "surrogateescape"
                    if stream.encoding.lower().replace("-", "") == "utf8"
                    else "replace"
                )
            )


def _working_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError as error:
        raise ValueError("The folder that you are in is gone: change into another one.") from error


def _no_command(words: Sequence[str]) -> NoReturn:
    """Show the commands, or name the one that was meant."""
    if words and not words[0].startswith("-"):
        near = get_close_matches(words[0].lower(), COMMANDS, 1)
        guess = f" Did you mean `{shlex.join(['metarl', near[0], *words[1:]])}`?" if near else ""
        print(
            f"metarl: There is no command {words[0]!r}.{guess} The commands are"
            f" {', '.join(COMMANDS)}.",
            file=sys.stderr,
        )
        sys.exit(2)
    _choose("metarl", {name: command.__doc__ or "" for name, command in COMMANDS.items()}, words)


@contextmanager
def _terminated_as_by_ctrl_c() -> Iterator[None]:
    """Have SIGTERM end a command as Ctrl-C does, so that worker processes are closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def plain_errors() -> Iterator[None]:
    """End the program with an error's sentence rather than a traceback: status 1, or 130 where the
    user stopped it.

    Warnings are sentences too, without the line of code that they come from.
    """
    shown = warnings.showwarning
    warnings.showwarning = _show_warning
    try:
        yield
        # None where the shell closed it
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has had enough. What is left of it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "Stopped.", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        # which PyTorch says in its own way
        if (
            isinstance(error, RuntimeError)
            and "allocate memory" not in str(error)
            and "out of memory" not in str(error)
        ):
            _say_whose_bug()
            raise
        if os.environ.get("METARL_TRACEBACK"):
            raise
        short = isinstance(error, MemoryError | RuntimeError) and "--" not in str(error)
        advice = (
            "; there is too little memory: lower --num-tasks, --num-envs or --episodes"
            if short
            else ""
        )
        print(
            f"metarl: {str(error).rstrip('.') + advice + '.' if short else error}", file=sys.stderr
        )
        print("(METARL_TRACEBACK=1 shows where this comes from.)", file=sys.stderr)
        sys.exit(1)
    except Exception:
        _say_whose_bug()
        raise
    finally:
        warnings.showwarning = shown


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: Any = None,
) -> None:
    print(f"metarl: {message}", file=sys.stderr if file is None else file)


def _say_whose_bug() -> None:
    print(
        "metarl: This is a bug, metarl's or a plug-in's; the last lines of the traceback say whose."
        " Please report it.",
        file=sys.stderr,
    )


def _choose(prog: str, choices: dict[str, str], words: Sequence[str]) -> NoReturn:
    """Print help, or say that there is no such choice, and exit."""

    def stub(sentence: str) -> Callable[[], None]:
        def nothing() -> None: ...

        nothing.__doc__ = sentence
        return nothing

    help_wanted = list(words) if words and words[0] not in ("-h", "--help") else ["--help"]
    tyro.extras.subcommand_cli_from_dict(
        {name: stub(sentence) for name, sentence in choices.items()}, prog=prog, args=help_wanted
    )
    sys.exit(2)
