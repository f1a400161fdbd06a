"""Where a benchmark's tables and runs lie, and the command that reruns it."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metarl.core.paths import as_path

__all__ = ["Storage", "changed"]


@dataclass(frozen=True)
class Storage:
    """Where benchmarks write and find what they need.

    Attributes:
        publish: write to results/ and copy the weights there.
        runs: folder of the training runs.
        results: folder of published results.
    """

    publish: bool = False
    runs: Path = field(default=Path("runs"))
    results: Path = field(default=Path("results"))

    def __post_init__(self) -> None:
        for name in ("runs", "results"):
            object.__setattr__(self, name, as_path(getattr(self, name)))

    def tables(self, benchmark: str, within: str = "") -> Path:
        """Where tables and figures go: to `results` where they are published, else beside the runs.

        Args:
            benchmark: its script's name, such as "rl2_mazes".
            within: the folder of its own runs that is meant; left out where it has but one kind of them.
        """
        return self.results / benchmark if self.publish else self.runs / benchmark / within / "tables"

    def places(self, benchmark: str, run: str, within: str = "") -> tuple[Path, Path]:
        """Where the run named `run` lies: our own, and the published one; see `tables`."""
        return self.runs / benchmark / within / run, self.results / benchmark / "weights" / run

    def command(self, benchmark: str, flags: Mapping[str, object]) -> str:
        """What a shell runs to compute a benchmark's figures again.

        Args:
            benchmark: its script's name.
            flags: by the option's name; a tuple becomes several words, and None or an empty one leaves the flag out.
        """
        words = ["python", f"benchmarks/{benchmark}.py"]
        for name, value in flags.items():
            values = value if isinstance(value, tuple) else () if value is None else (value,)
            words += [f"--{name.replace('_', '-')}", *map(str, values)] if values else []
        return shlex.join([*words, *(["--publish"] if self.publish else [])])


def changed(options: Any, *names: str) -> dict[str, object]:
    """Those of the named fields of a dataclass that differ from their defaults, which a command must name."""
    return {name: value for name in names if (value := getattr(options, name)) != getattr(type(options), name)}
