"""The options that all benchmarks have: folders, trained runs, the command that reruns it all."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from metarl.core.paths import as_path
from metarl.runs.config import RunConfig
from metarl.suites.job import FilledSuite
from metarl.suites.suite import FixedRun
from metarl.suites.trained_runs import check_folder, trained_run

__all__ = ["BenchmarkOptions", "SuiteOptions"]


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """Where a benchmark writes and finds what it needs.

    A benchmark's own options are a frozen dataclass that adds its fields to these, and sets:

    `benchmark`: the name of its folders in `runs` and `results`;
    `script`: its file below `benchmarks/`, such as "rl2/tables".

    Attributes:
        publish: write to results/ and copy the weights there.
        runs: folder of the training runs.
        results: folder of published results.
    """

    benchmark: ClassVar[str]
    script: ClassVar[str]

    publish: bool = False
    runs: Path = Path("runs")
    results: Path = Path("results")

    def __post_init__(self) -> None:
        for name in ("runs", "results"):
            object.__setattr__(self, name, as_path(getattr(self, name)))

    @property
    def within(self) -> str:
        """Return the folder, among the benchmark's runs, of those meant: "" for all."""
        return ""

    @property
    def folder(self) -> Path:
        """Return where tables and figures go: to `results` if published, else beside the runs."""
        if self.publish:
            return self.results / self.benchmark
        return self.runs / self.benchmark / self.within / "tables"

    def run_folders(self, name: str) -> tuple[Path, Path]:
        """Return where the run `name` lies: our own, and its published copy."""
        own = self.runs / self.benchmark / self.within / name
        return own, self.results / self.benchmark / "weights" / name

    def command(self, **instead: Any) -> str:
        """Return what a shell runs to compute figures again.

        It names the script, and those of its own options that aren't the default.

        Args:
            instead: values of options in place of these, such as one family of those asked for.
        """
        asked = replace(self, **instead)
        shared = {each.name for each in fields(SuiteOptions)}
        words = ["python", f"benchmarks/{self.script}.py"]
        for each in fields(asked):
            value = getattr(asked, each.name)
            if each.name in shared or value == each.default:
                continue
            values = value if isinstance(value, tuple) else (value,)
            words += [f"--{each.name.replace('_', '-')}", *map(str, values)]
        return shlex.join([*words, *(["--publish"] if self.publish else [])])


@dataclass(frozen=True, kw_only=True)
class SuiteOptions(BenchmarkOptions):
    """The options of a benchmark that scores trained runs.

    Attributes:
        train: train what isn't trained; otherwise its figures are missing.
        device: where it is trained.
    """

    train: bool = True
    device: str = "cpu"

    @classmethod
    def of(cls, filled: FilledSuite, **options: Any) -> Self:
        """Return the options by which a suite's tables and figures are made from what is trained.

        Args:
            filled: the suite. options: values of the benchmark's own options.
        """
        return cls(
            publish=filled.publish,
            runs=filled.root,
            results=filled.results,
            train=False,
            **options,
        )

    def fixed_run(self, name: str, run: RunConfig, start: FixedRun | None = None) -> FixedRun:
        """Return a run as a suite takes it, in the folders in which this benchmark looks for it.

        Args:
            name: of the run's folder. run: what is trained.
            start: the run whose weights it begins with.
        """
        own, published = self.run_folders(name)
        return FixedRun(
            run,
            own.relative_to(self.runs).as_posix(),
            published.relative_to(self.results).as_posix(),
            start,
        )

    def check_run(self, name: str, run: RunConfig) -> None:
        """Refuse, before anything is computed, a folder `name` that holds another run than wanted.

        Raises:
            ValueError: it does, and there are no published weights of the right settings.
        """
        check_folder(run, *self.run_folders(name))

    def trained_run(
        self,
        name: str,
        run: RunConfig,
        start: Callable[[], Path | None] | None = None,
    ) -> Path | None:
        """Return the folder of a run's weights: our own, else the published one, else trained now.

        Args:
            name: of the run's folder.
            run: what is wanted.
            start: gives the folder of the run whose weights training begins with; asked only
                where this run must be trained.

        Returns:
            The published folder if we publish; None where the run isn't trained and mustn't be.
        """
        return trained_run(
            run,
            *self.run_folders(name),
            start=start,
            train_missing=self.train,
            publishes=self.publish,
        )
