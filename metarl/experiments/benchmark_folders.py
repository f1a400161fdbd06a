"""Where a benchmark's tables and runs lie, and the command that reruns it."""

import shlex
from collections.abc import Mapping
from pathlib import Path

__all__ = ["rerun_command", "run_folders", "tables_folder"]


def tables_folder(benchmark: str, runs: Path, results: Path, publish: bool, within: str = "") -> Path:
    """Where tables and figures go: to `results` where they are published, else beside the runs.

    Args:
        benchmark: its script's name, such as "rl2_mazes".
        runs: folder of all runs. results: folder of all published results.
        within: the folder of its own runs that is meant; left out where it has but one kind of them.
    """
    return results / benchmark if publish else runs / benchmark / within / "tables"


def run_folders(benchmark: str, run: str, runs: Path, results: Path, within: str = "") -> tuple[Path, Path]:
    """Where the run named `run` lies: our own, and the published one; see `tables_folder`."""
    return runs / benchmark / within / run, results / benchmark / "weights" / run


def rerun_command(benchmark: str, flags: Mapping[str, object], publish: bool) -> str:
    """What a shell runs to compute a benchmark's figures again.

    Args:
        benchmark: its script's name.
        flags: by the option's name; a tuple becomes several words, and None or an empty one leaves the flag out.
        publish: whether it published.
    """
    words = ["python", f"benchmarks/{benchmark}.py"]
    for name, value in flags.items():
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        words += [f"--{name.replace('_', '-')}", *map(str, values)] if values else []
    return shlex.join([*words, *(["--publish"] if publish else [])])
